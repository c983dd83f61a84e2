"""Whisper's encoder over our own kernels: the same rules as ``graph.encoder``, one window at a time.

Legend: D width, H heads, E head size, F encoder frames; activations are (frames, channels).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sonant.kernels.attention import attend
from sonant.kernels.library import Floats, wide
from sonant.kernels.product import GELU, Dress, Product, frame, put_on
from sonant.kernels.team import Team
from sonant.models.whisper.config import LAYER_NORM_EPS, WhisperConfig
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["Encoder"]


class Encoder:
    """Features to the cross-attention keys and values of every decoder layer.

    Args:
        config: sizes.
        tensors: the parameters by canonical key.
        team: the kernels and their threads.
    """

    def __init__(self, config: WhisperConfig, tensors: Mapping[str, Tensor], team: Team) -> None:
        read = _Parameters(tensors, team)
        self.team, self.width = team, config.d_model
        self.convs = [read.product(f"model.encoder.conv{i}") for i in (1, 2)]
        self.positions = read.numbers("model.encoder.embed_positions.weight")
        keys = (f"model.encoder.layers.{layer}" for layer in range(config.encoder_layers))
        self.layers = [_Layer(read, key, config.encoder_attention_heads) for key in keys]
        self.norm = read.norm("model.encoder.layer_norm")
        self.cross = [
            read.product(f"model.decoder.layers.{layer}.encoder_attn.{kind}_proj")
            for layer in range(config.decoder_layers)
            for kind in "kv"
        ]

    def __call__(self, features: Floats, cross: Sequence[Floats]) -> None:
        """Hear a window.

        Args:
            features: (n_mels, 2 F) log-mel.
            cross: (H, F, E) float32, keys and values of each layer in turn, which are written.
        """
        first, second = self.convs
        heard = first(np.ascontiguousarray(features.T))[:, : first.outputs]
        heard = second(put_on(self.team, heard, GELU), 2, (1, 1))[:, : second.outputs]
        hidden = np.zeros((len(heard), wide(self.width, self.team.library.panel)), np.float32)
        np.add(put_on(self.team, heard, GELU), self.positions, out=hidden[:, : self.width])
        for layer in self.layers:
            layer(hidden)
        steps = frame(self.team, hidden[:, : self.width], self.norm)
        for product, out in zip(self.cross, cross, strict=True):
            if out.shape[2] % self.team.library.panel:
                made = product(steps)[:, : self.width]
                out[:] = made.reshape(len(made), *out.shape[::2]).transpose(1, 0, 2)
            else:
                product(steps, out=out)


class _Layer:
    """Self-attention and feed-forward, each behind its norm and added to what came in."""

    def __init__(self, read: _Parameters, key: str, heads: int) -> None:
        self.team, self.heads = read.team, heads
        self.norms = [read.norm(f"{key}.{name}_layer_norm") for name in ("self_attn", "final")]
        self.asks = read.asking(f"{key}.self_attn", heads)
        self.mixes, self.widens, self.narrows = (
            read.product(f"{key}.{name}") for name in ("self_attn.out_proj", "fc1", "fc2")
        )

    def __call__(self, hidden: Floats) -> None:
        """(F, D up to whole panels), in place."""
        width = self.mixes.inputs
        made = self.asks(hidden[:, :width], dress=self.norms[0])
        queries, keys, values = (made[:, part * width : (part + 1) * width] for part in range(3))
        self.mixes(attend(self.team, queries, keys, values, self.heads), out=hidden, more=True)
        inner = self.widens(hidden[:, :width], dress=self.norms[1])
        self.narrows(inner[:, : self.narrows.inputs], out=hidden, dress=GELU, more=True)


class _Parameters:
    """Reads parameters as the layers want them."""

    def __init__(self, tensors: Mapping[str, Tensor], team: Team) -> None:
        self.tensors, self.team = tensors, team

    def numbers(self, key: str) -> Floats:
        """A parameter."""
        return to_float32(self.tensors[key])

    def bias(self, key: str) -> Floats | None:
        """Of a layer that may have one."""
        return self.numbers(f"{key}.bias") if f"{key}.bias" in self.tensors else None

    def norm(self, key: str) -> Dress:
        """A LayerNorm on the way into a product."""
        return Dress("norm", LAYER_NORM_EPS, self.numbers(f"{key}.weight").copy(), self.numbers(f"{key}.bias").copy())

    def product(self, key: str) -> Product:
        """A linear layer (outputs, inputs), or a convolution (outputs, inputs, taps)."""
        weight = self.numbers(f"{key}.weight")
        weight = weight[..., None] if weight.ndim == 2 else weight
        return Product(self.team, weight.transpose(2, 1, 0), self.bias(key))

    def asking(self, key: str, heads: int) -> Product:
        """Queries, keys and values in one product; queries are scaled for the scores."""
        weights = [self.numbers(f"{key}.{part}_proj.weight") for part in "qkv"]
        none = np.zeros(len(weights[0]), np.float32)
        biases = [none if (bias := self.bias(f"{key}.{part}_proj")) is None else bias for part in "qkv"]
        scale = np.float32(1 / math.sqrt(len(none) // heads))
        weights[0], biases[0] = weights[0] * scale, biases[0] * scale
        return Product(self.team, np.concatenate(weights).T[None], np.concatenate(biases))
