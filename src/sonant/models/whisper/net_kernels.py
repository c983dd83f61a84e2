"""Whisper's encoder over our own kernels: the same rules as ``graph.encoder``, one window at a time.

Legend: D width, F encoder frames; activations are (frames, channels).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.filling import fill
from sonant.kernels.library import Floats, wide
from sonant.kernels.product import GELU, frame, put_on
from sonant.kernels.team import Team
from sonant.kernels.transformer import LayerKeys, Layers, Parameters
from sonant.models.whisper.config import LAYER_NORM_EPS, WhisperConfig
from sonant.models.whisper.padding import Usual, gains, sounding, stands_apart
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["Encoder"]

EDGE = 8  # features at a window's end, which hear silence behind it
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

    def __call__(self, features: Floats, usual: Usual | None = None) -> Iterator[Floats]:
        """(n_mels, 2 F) log-mel of a window to keys and values (F, D) of each decoder layer in turn.

        With what padding ``usual``ly becomes, most of it isn't computed (``padding.py``).
        """
        sounds = sounding(features) if usual else 0
        places = usual.places(sounds) if usual else None
        if usual is None or places is None:
            hidden = self._positioned(self._convolved(features), np.arange(len(self.positions)))
            self.layers(hidden)
            near = None
        else:
            hidden = self._thinned(features, sounds, usual, places)
            near = usual.neighbours(places, sounds, hidden[:, : self.width])
        steps = frame(self.cross[0].team, hidden[:, : self.width], self.norm)
        for part, product in enumerate(self.cross):
            made = product(steps)[:, : self.width]
            yield made if usual is None or near is None else fill(self.team, made, usual.told[part], near)

    def usual(self, features: Floats) -> Usual:
        """What the padding of a window of (n_mels, 2 F) log-mel becomes."""
        layers, frames, width = len(self.layers), len(self.positions), self.width
        heard, apart = np.empty((layers, frames, 2 * width), np.float16), np.zeros(frames, bool)
        padding = np.arange(frames) >= sounding(features)

        def keep(layer: int, hidden: Floats, made: Floats) -> Floats:
            heard[layer] = made
            apart[:] |= stands_apart(hidden[:, :width], padding)
            return made

        hidden = self._positioned(self._convolved(features), np.arange(frames))
        self.layers(hidden, spread=keep)
        apart |= stands_apart(hidden[:, :width], padding)
        steps = frame(self.cross[0].team, hidden[:, :width], self.norm)
        told = np.stack([product(steps)[:, :width].astype(np.float16) for product in self.cross])
        return Usual(heard, told, apart & padding)

    def read_usual(self, numbers: NDArray[np.float16]) -> Usual | None:
        """From ``Usual.numbers``; None from nothing."""
        sizes = len(self.layers), len(self.cross), len(self.positions), self.width
        return Usual.read(numbers, *sizes) if len(numbers) else None

    @property
    def usual_bytes(self) -> int:
        """What ``usual`` takes."""
        return 2 * len(self.positions) * self.width * (2 * len(self.layers) + len(self.cross))

    def gains(self, sounds: int) -> bool:
        """Whether less would be computed of a window whose first frames have sound."""
        return gains(len(self.positions), sounds)

    def _convolved(self, features: Floats) -> Floats:
        """(n_mels, 2 T) to (T, D)."""
        first, second = self.convs
        heard = first(np.ascontiguousarray(features.T))[:, : first.outputs]
        heard = second(heard, 2, (1, 1), dress=GELU)[:, : second.outputs]
        return put_on(self.team, heard, GELU)

    def _positioned(self, heard: Floats, places: NDArray[np.int64]) -> Floats:
        """(R, D) to (R, D up to whole panels), with what tells these frames of a window apart."""
        hidden = np.zeros((len(places), wide(self.width, self.team.library.panel)), np.float32)
        np.add(heard, self.positions[places], out=hidden[:, : self.width])
        return hidden

    def _thinned(self, features: Floats, sounds: int, usual: Usual, places: NDArray[np.int64]) -> Floats:
        """What the last layer leaves in these places: (R, D up to whole panels)."""
        known = int(np.searchsorted(places - np.arange(len(places)), 0, side="right"))  # without a gap
        heard = np.empty((len(places), self.width), np.float32)
        heard[:known] = self._convolved(features[:, : 2 * known + 2])[:known]  # the last ones hear what is behind them
        heard[known:] = heard[known - 1]
        heard[-1] = self._convolved(features[:, -EDGE:])[-1]
        hidden = self._positioned(heard, places)

        def spread(layer: int, hidden: Floats, made: Floats) -> Floats:
            return fill(self.team, made, usual.heard[layer], usual.neighbours(places, sounds, hidden[:, : self.width]))

        self.layers(hidden, spread=spread)
        return hidden
