"""What goes into the vocoder's convolutions is how large: data, so that int8 engines can round it to 256 levels.

A range holds for the weights that it was measured with, so the file names them; ``scripts/calibrate_kokoro.py`` makes
it. Kept are the layers that cost most of the time: the residual blocks of the generator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sonant.errors import BadInput
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["Range", "dumps", "fingerprint", "fit", "load"]

FILE = "int8_ranges.json"
LEVELS = 255  # steps from the lowest of 256 levels to the highest
CLIPS = np.linspace(0.15, 1, 18)  # shares of the widest range that are tried
SMALLEST_CHANNEL = 0.01  # of the largest: a channel that hardly sounds must not make its weights vanish
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Range:
    """The input of one convolution: x / ``channels`` is rounded to 256 levels from ``low`` to ``high``.

    Attributes:
        low: under 0.
        high: over 0.
        channels: (C,) by how much each channel is divided, which its weights make good: a loud channel would otherwise
            leave a quiet one few levels (SmoothQuant, Xiao et al. 2023, with all of the difference moved).
    """

    low: float
    high: float
    channels: Floats

    def levels(self) -> tuple[float, float]:
        """The range, stretched until 0 is a level: padding and an utterance's end must stay 0."""
        zero = min(max(round(-self.low / (self.high - self.low) * LEVELS), 1), LEVELS - 1)
        step = max(-self.low / zero, self.high / (LEVELS - zero))
        return -zero * step, (LEVELS - zero) * step


def fit(values: Floats, lowest: Floats, highest: Floats) -> Range:
    """The range with the least mean square of the rounding errors.

    Args:
        values: (C, N), a sample.
        lowest: (C,) of all values of each channel.
        highest: (C,).
    """
    channels = np.maximum(np.abs(lowest), np.abs(highest))
    channels = np.maximum(channels, SMALLEST_CHANNEL * channels.max())
    values, low, high = values / channels[:, None], (lowest / channels).min(), (highest / channels).max()
    tried = [Range(float(share * low), float(share * high), channels) for share in CLIPS]
    return min(tried, key=lambda each: _error(each, values))


def _error(given: Range, values: Floats) -> float:
    """Mean square of what rounding changes."""
    low, high = given.levels()
    step = (high - low) / LEVELS
    return float(np.mean((np.clip(np.rint(values / step) * step, low, high) - values) ** 2))


def fingerprint(stored: Mapping[str, Tensor]) -> str:
    """Which weights: a hash of the decoder's small ones and of one filter of each convolution, so that few are read."""
    made = hashlib.sha256()
    for key in sorted(key for key in stored if key.startswith("decoder.")):
        if key.endswith((".weight_g", ".fc.bias")):
            made.update(key.encode() + to_float32(stored[key]).astype("<f4").tobytes())
        elif key.endswith(".weight_v"):
            made.update(key.encode() + stored[key].read()[:1].tobytes())
    return made.hexdigest()


def dumps(stored: Mapping[str, Tensor], found: Mapping[str, Range]) -> str:
    """The text of the file: a line a layer, channels in thousandths of the largest."""
    layers = []
    for key, each in found.items():
        largest = float(each.channels.max())
        numbers = {"low": each.low, "high": each.high, "largest": largest}
        row = {name: float(f"{number:.4g}") for name, number in numbers.items()}
        row["channels"] = np.rint(1000 * each.channels / largest).astype(int).tolist()
        layers.append(f"{json.dumps(key)}: {json.dumps(row, separators=(',', ':'))}")
    joined = ",\n".join(chain([f'{{"fingerprint": "{fingerprint(stored)}"'], layers))
    return f"{joined}}}\n"


def load(stored: Mapping[str, Tensor], origin: str) -> dict[str, Range]:
    """The ranges of a checkpoint by the convolution's key.

    Raises:
        BadInput: they were measured with other weights.
    """
    rows = json.loads(resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
    if rows.pop("fingerprint") != fingerprint(stored):
        raise BadInput(
            f"int8 needs to know how loud each layer becomes, which was measured for kokoro-82m only, and {origin} has "
            "other weights; allowed: auto, float32, bfloat16"
        )
    return {
        key: Range(row["low"], row["high"], np.array(row["channels"], np.float32) * np.float32(row["largest"] / 1000))
        for key, row in rows.items()
    }
