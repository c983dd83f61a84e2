"""Kokoro's text and prosody over our own kernels: the same rules as ``net_torch_text``, one utterance at a time.

Legend: T symbols, F frames, C channels; activations are (steps, channels).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Floats
from sonant.kernels.product import PLAIN, TANH_GELU, Dress, put_on
from sonant.kernels.team import Team
from sonant.kernels.transformer import Layer, LayerKeys
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.dress import dressed_keys
from sonant.models.kokoro.fold import NORM_EPS
from sonant.models.kokoro.layers_kernels import SLOPE, Dressing, Parameters, ResBlock, dressed_by
from sonant.weights.tensors import Tensor

__all__ = ["Prosody", "Text"]

ALBERT_LAYER = "bert.encoder.albert_layer_groups.0.albert_layers.0"  # all depths share it
ALBERT_KEYS = LayerKeys(
    "attention",
    "attention.LayerNorm",
    "ffn",
    "ffn_output",
    "full_layer_layer_norm",
    asks=("query", "key", "value"),
    mixes="dense",
    gelu=TANH_GELU,
)
Ints = NDArray[np.int64]


class Text:
    """Symbols to durations and features; ``graph_text.text`` has the same inputs and outputs.

    Args:
        config: of the network.
        tensors: the parameters.
        team: the kernels and their threads.
    """

    def __init__(self, config: KokoroConfig, tensors: Mapping[str, Tensor], team: Team) -> None:
        read = Parameters(team, tensors)
        self.albert = _Albert(config, read)
        self.narrows = read.product("bert_encoder")
        self.features = _DurationEncoder(config, read)
        self.times = read.recurrent("predictor.lstm")
        self.chances = read.product("predictor.duration_proj.linear_layer")
        self.encoder = _TextEncoder(config, read)

    def __call__(self, tokens: Ints, style: Floats) -> tuple[Floats, Floats, Floats]:
        """Durations (T,) in frames at speed 1, not rounded; prosody features (T, hidden + style); text (T, hidden).

        Args:
            tokens: (T,).
            style: (style,), the prosody's half.
        """
        read = self.narrows(self.albert(tokens))[:, : self.narrows.outputs]
        features = self.features(read, style)
        chances = self.chances(self.times(features))[:, : self.chances.outputs].astype(np.float64)
        durations = (1 / (1 + np.exp(-chances))).sum(axis=1)  # of a frame more, each
        return durations.astype(np.float32), features, self.encoder(tokens)


class _Albert:
    """``net_torch_text.Albert``."""

    def __init__(self, config: KokoroConfig, read: Parameters) -> None:
        albert, name = config.albert, "bert.embeddings"
        self.words = read.numbers(f"{name}.word_embeddings.weight").copy()
        self.places = (
            read.numbers(f"{name}.position_embeddings.weight")
            + read.numbers(f"{name}.token_type_embeddings.weight")[:1]
        )  # there is only one segment
        self.norm = read.norm(f"{name}.LayerNorm", albert.layer_norm_eps)
        self.widens = read.product("bert.encoder.embedding_hidden_mapping_in")
        heads, epsilon = albert.num_attention_heads, albert.layer_norm_eps
        self.depth = albert.num_hidden_layers
        self.layer = Layer(read, ALBERT_LAYER, ALBERT_KEYS, heads, epsilon, before=False)

    def __call__(self, tokens: Ints) -> Floats:
        """(T,) to (T, hidden_size)."""
        hidden = self.widens(self.words[tokens] + self.places[: len(tokens)], dress=self.norm)
        for _ in range(self.depth):
            self.layer(hidden)
        return hidden[:, : self.widens.outputs]


class _DurationEncoder:
    """``net_torch_text.DurationEncoder``."""

    def __init__(self, config: KokoroConfig, read: Parameters) -> None:
        self.team, self.hidden, self.style = read.team, config.hidden, config.style
        keys = [f"predictor.text_encoder.lstms.{i}" for i in range(2 * config.n_layer)]
        self.layers = [
            (read.recurrent(lstm), read.product(f"{norm}.fc")) for lstm, norm in zip(keys[::2], keys[1::2], strict=True)
        ]

    def __call__(self, x: Floats, style: Floats) -> Floats:
        """(T, hidden) to (T, hidden + style)."""
        both = np.empty((len(x), self.hidden + self.style), np.float32)
        own = both[:, : self.hidden]
        own[:], both[:, self.hidden :] = x, style
        for lstm, styled in self.layers:
            row = styled(style[None])[0]
            norm = Dress(1 + row[: self.hidden], row[self.hidden : 2 * self.hidden], NORM_EPS)
            own[:] = put_on(self.team, lstm(both), norm)
        return both


class _TextEncoder:
    """``net_torch_text.TextEncoder``; each norm is done on the way into the next layer."""

    def __init__(self, config: KokoroConfig, read: Parameters) -> None:
        self.symbols = read.numbers("text_encoder.embedding.weight").copy()
        self.layers = []
        for key in (f"text_encoder.cnn.{i}" for i in range(config.n_layer)):
            scale, shift = read.vector(f"{key}.1.gamma").copy(), read.vector(f"{key}.1.beta").copy()
            norm = Dress(scale, shift, NORM_EPS, "leaky", SLOPE)
            self.layers.append((read.product(f"{key}.0"), norm))
        self.lstm = read.recurrent("text_encoder.lstm")

    def __call__(self, tokens: Ints) -> Floats:
        """(T,) to (T, hidden)."""
        x, before = self.symbols[tokens], PLAIN
        for conv, norm in self.layers:
            x, before = conv(x, dress=before)[:, : conv.outputs], norm
        return self.lstm(x, before)


class Prosody:
    """Features of each frame to pitch and energy; ``graph_text.prosody`` has the same inputs and outputs.

    Args:
        shapes: of the parameters, derived ones too (``fold.derived_shapes``).
        tensors: the parameters.
        team: the kernels and their threads.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor], team: Team) -> None:
        read, self.keys = Parameters(team, tensors), dressed_keys(shapes, "predictor.")
        self.shared = read.recurrent("predictor.shared")
        self.curves = [_Curve(read, f"predictor.{name}") for name in ("F0", "N")]

    def __call__(self, frames: Floats, dressing: Floats) -> tuple[Floats, Floats]:
        """Pitch in Hz and energy, (2 F,) each.

        Args:
            frames: (F, hidden + style).
            dressing: (1, channels) of ``dress.Dressing``.
        """
        shared, dressed = self.shared(frames), dressed_by(dressing[0], self.keys)
        pitch, energy = (curve(shared, dressed) for curve in self.curves)
        return pitch, energy


class _Curve:
    """Three blocks, the second of which doubles the rate, and a projection."""

    def __init__(self, read: Parameters, key: str) -> None:
        self.blocks = [ResBlock(read, f"{key}.{i}") for i in range(3)]
        self.projects = read.product(f"{key}_proj")

    def __call__(self, x: Floats, dressed: Dressing) -> Floats:
        """(F, hidden) to (2 F,)."""
        for block in self.blocks:
            x = block(x, dressed)
        return self.projects(x)[:, 0]
