"""Whisper's encoder over our own kernels: the same rules as ``graph.encoder``, one window at a time.

Legend: D width, F encoder frames; activations are (frames, channels).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sonant.kernels.library import Floats, wide
from sonant.kernels.product import GELU, frame, put_on
from sonant.kernels.team import Team
from sonant.kernels.transformer import LayerKeys, Layers, Parameters
from sonant.models.whisper.config import LAYER_NORM_EPS, WhisperConfig
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["Encoder"]

KEYS = LayerKeys("self_attn", "self_attn_layer_norm", "fc1", "fc2", "final_layer_norm")


class Encoder:
    """Features to the cross-attention keys and values of every decoder layer.

    Args:
        config: sizes.
        tensors: the parameters by canonical key.
        team: the kernels and their threads.
    """

    def __init__(self, config: WhisperConfig, tensors: Mapping[str, Tensor], team: Team) -> None:
        read = Parameters(team, lambda key: to_float32(tensors[key]) if key in tensors else None)
        self.team, self.width = team, config.d_model
        around = read.without_bytes()
        self.convs = [around.product(f"model.encoder.conv{i}") for i in (1, 2)]
        self.positions = read.numbers("model.encoder.embed_positions.weight").copy()
        keys = [f"model.encoder.layers.{layer}" for layer in range(config.encoder_layers)]
        self.layers = Layers(read, keys, KEYS, config.encoder_attention_heads, LAYER_NORM_EPS)
        self.norm = read.norm("model.encoder.layer_norm", LAYER_NORM_EPS)
        self.cross = [
            around.product(f"model.decoder.layers.{layer}.encoder_attn.{kind}_proj")
            for layer in range(config.decoder_layers)
            for kind in "kv"
        ]

    def __call__(self, features: Floats) -> Iterator[Floats]:
        """(n_mels, 2 F) log-mel of a window to keys and values (F, D) of each decoder layer in turn."""
        first, second = self.convs
        heard = first(np.ascontiguousarray(features.T))[:, : first.outputs]
        heard = second(heard, 2, (1, 1), dress=GELU)[:, : second.outputs]
        hidden = np.zeros((len(heard), wide(self.width, self.team.library.panel)), np.float32)
        np.add(put_on(self.team, heard, GELU), self.positions, out=hidden[:, : self.width])
        self.layers(hidden)
        steps = frame(self.cross[0].team, hidden[:, : self.width], self.norm)
        for product in self.cross:
            yield product(steps)[:, : self.width]
