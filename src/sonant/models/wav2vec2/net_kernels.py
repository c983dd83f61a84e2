"""wav2vec 2.0 over our own kernels: the same rules as ``graph``, one utterance at a time.

Legend: N samples, F frames, C channels, D width; activations are (frames, channels).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Floats, wide
from sonant.kernels.product import Dress, Product, put_on
from sonant.kernels.team import Team
from sonant.kernels.transformer import LayerKeys, Layers, Parameters
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.fold import GROUP_NORM_EPS, POSITION
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["Network"]

Arrays = Mapping[str, NDArray[Any]]
KEYS = LayerKeys(
    "attention",
    "layer_norm",
    "feed_forward.intermediate_dense",
    "feed_forward.output_dense",
    "final_layer_norm",
)
PREFIX = "wav2vec2."


class Network:
    """The parts of a checkpoint, each packed when it is first needed.

    Args:
        config: of a network without language adapters.
        stored: the parameters, and what ``fold`` makes of them.
        team: the kernels and their threads.
    """

    def __init__(self, config: Wav2Vec2Config, stored: Mapping[str, Tensor], team: Team) -> None:
        assert self.has(config)
        self.config, self.team = config, team
        self.read = Parameters(team, lambda key: to_float32(stored[key]) if key in stored else None)

    @staticmethod
    def has(config: Wav2Vec2Config) -> bool:
        """Whether this form has what the config asks for: neither adapters of languages nor a quantiser."""
        return not config.adapter_attn_dim and config.head != "pretraining"

    def part(self, kind: str, states: Sequence[int] | None = None) -> Callable[[Arrays], list[NDArray[Any]]]:
        """What runs a kind of graph of ``engines.ctc_flow``, with the same inputs and outputs."""
        if kind == "front":
            front = self._front
            return lambda feeds: [front(feeds)[None]]
        if kind == "position":
            position = self._position
            return lambda feeds: [position(feeds["hidden"][0])[None]]
        layers = self._layers
        if kind == "states":
            return lambda feeds: [state[None] for state in layers.states(feeds["hidden"][0], states or ())]
        head = (_Recogniser if kind == "log_probs" else _Classifier)(self.read)
        return lambda feeds: [head(layers(feeds["hidden"][0]))[None]]

    @cached_property
    def _front(self) -> _Front:
        return _Front(self.config, self.read)

    @cached_property
    def _position(self) -> _Position:
        return _Position(self.config, self.read)

    @cached_property
    def _layers(self) -> _Layers:
        return _Layers(self.config, self.read)


class _Front:
    """The feature encoder and the projection of its features."""

    def __init__(self, config: Wav2Vec2Config, read: Parameters) -> None:
        self.team, self.strides, self.first = read.team, config.conv_stride, config.conv_kernel[0]
        keys = [f"{PREFIX}feature_extractor.conv_layers.{index}" for index in range(len(config.conv_dim))]
        self.convs = [read.product(f"{key}.conv") for key in keys[1:]]
        weight = read.numbers(f"{keys[0]}.conv.weight")  # (C, 1, kernel): a product over the samples of a frame
        self.hears = Product(self.team, weight.transpose(1, 2, 0), read.read(f"{keys[0]}.conv.bias"))
        plain = Dress(activation="gelu")
        self.dresses = [self._normed(read, key) if config.feat_extract_norm == "layer" else plain for key in keys]
        self.project = read.product(f"{PREFIX}feature_projection.projection")
        self.norm = read.norm(f"{PREFIX}feature_projection.layer_norm", config.layer_norm_eps)

    @staticmethod
    def _normed(read: Parameters, key: str) -> Dress:
        norm = read.norm(f"{key}.layer_norm", GROUP_NORM_EPS)
        return Dress(norm.scale, norm.shift, norm.epsilon, "gelu")

    def __call__(self, feeds: Arrays) -> Floats:
        """(1, N) samples, and where the first norm is a group norm its ``scale`` and ``shift`` (1, C, 1): (F, D)."""
        samples = np.ascontiguousarray(feeds["waveforms"][0])
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.first)[:: self.strides[0]]
        heard = self.hears(frames)[:, : self.hears.outputs]
        first, *dresses = self.dresses
        if "scale" in feeds:
            first = Dress(feeds["scale"].reshape(-1), feeds["shift"].reshape(-1), activation="gelu")
        for conv, stride, dress in zip(self.convs, self.strides[1:], [first, *dresses], strict=False):
            heard = conv(heard, stride, (0, 0), dress=dress)[:, : conv.outputs]
        made = self.project(put_on(self.team, heard, self.dresses[-1]), dress=self.norm)
        return made[:, : self.project.outputs]


class _Position:
    """The positional convolution: a product for each group of channels."""

    def __init__(self, config: Wav2Vec2Config, read: Parameters) -> None:
        self.team = read.team
        weight, bias = read.numbers(f"{POSITION}.weight"), read.numbers(f"{POSITION}.bias")
        groups = config.num_conv_pos_embedding_groups
        self.products = [
            Product(self.team, part.transpose(2, 1, 0), own)
            for part, own in zip(np.split(weight, groups), np.split(bias, groups), strict=True)
        ]

    def __call__(self, hidden: Floats) -> Floats:
        """(F + kernel - 1, D) to (F, D)."""
        size = self.products[0].inputs
        made = [
            product(hidden[:, group * size : (group + 1) * size], 1, (0, 0))[:, :size]
            for group, product in enumerate(self.products)
        ]
        return put_on(self.team, np.concatenate(made, axis=1), Dress(activation="gelu"))


class _Layers:
    """The transformer."""

    def __init__(self, config: Wav2Vec2Config, read: Parameters) -> None:
        self.team, self.width, self.before = read.team, config.hidden_size, config.do_stable_layer_norm
        self.norm = read.norm(f"{PREFIX}encoder.layer_norm", config.layer_norm_eps)
        keys = [f"{PREFIX}encoder.layers.{layer}" for layer in range(config.num_hidden_layers)]
        heads, epsilon = config.num_attention_heads, config.layer_norm_eps
        self.layers = Layers(read, keys, KEYS, heads, epsilon, before=self.before)

    def __call__(self, hidden: Floats) -> Floats:
        """(F, D) to what the heads read (F, D)."""
        (last,) = self.states(hidden, (len(self.layers),))
        return put_on(self.team, last, self.norm) if self.before else last

    def states(self, hidden: Floats, wanted: Sequence[int]) -> list[Floats]:
        """What comes out of the layers ``wanted``, counted from 1; 0 is what goes into the first."""
        held = np.zeros((len(hidden), wide(self.width, self.team.library.panel)), np.float32)
        own = held[:, : self.width]
        own[:] = hidden if self.before else put_on(self.team, np.ascontiguousarray(hidden), self.norm)
        found, done = {}, 0
        for place in sorted(set(wanted)):
            self.layers(held, done, place)
            found[place], done = own.copy(), place
        return [found[place] for place in wanted]


class _Recogniser:
    """Log-probabilities of symbols."""

    def __init__(self, read: Parameters) -> None:
        self.project = read.product("lm_head")

    def __call__(self, hidden: Floats) -> Floats:
        """(F, D) to (F, V)."""
        return _log_softmax(self.project(hidden)[:, : self.project.outputs])


class _Classifier:
    """Log-probabilities of classes, of projected states averaged over the frames."""

    def __init__(self, read: Parameters) -> None:
        self.project = read.product("projector")
        self.weight, self.bias = read.numbers("classifier.weight").copy(), read.numbers("classifier.bias").copy()

    def __call__(self, hidden: Floats) -> Floats:
        """(F, D) to (labels,)."""
        pooled = self.project(hidden)[:, : self.project.outputs].mean(axis=0)
        return _log_softmax(self.weight @ pooled + self.bias)


def _log_softmax(logits: Floats) -> Floats:
    apart: Floats = logits - logits.max(axis=-1, keepdims=True)
    return apart - np.log(np.exp(apart).sum(axis=-1, keepdims=True))
