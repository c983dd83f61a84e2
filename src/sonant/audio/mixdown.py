"""Many channels become one, by the weights that FFmpeg's swresample uses for a mono output.

Source: ITU-R BS.775 as in libswresample ``rematrix.c``: the centre counts 1, what stands in front sqrt(1/2), side and
back 1/2, the effects channel (LFE) nothing; then all are divided by their sum, so that no channel can clip the result.
Two channels give their mean, and so do channels without a known place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.errors import BadInput

__all__ = ["WEIGHTS", "mix", "pick", "weights"]

HALF_POWER = 0.5**0.5

WEIGHTS = {
    "FC": 1.0,
    "FL": HALF_POWER,
    "FR": HALF_POWER,
    "FLC": HALF_POWER,
    "FRC": HALF_POWER,
    "BC": 0.5,
    "BL": 0.5,
    "BR": 0.5,
    "SL": 0.5,
    "SR": 0.5,
    "LFE": 0.0,
    "LFE2": 0.0,
}


def weights(channels: Sequence[str]) -> NDArray[np.float32]:
    """(C,) float32 weights that sum to 1, for channels by FFmpeg's short names (FL, FR, FC, LFE ...)."""
    raw = np.array([WEIGHTS.get(name, -1.0) for name in channels])
    if (raw < 0).any() or raw.sum() == 0:
        raw = np.ones(len(channels))
    return (raw / raw.sum()).astype(np.float32)


@one_core
def mix(frames: NDArray[np.float32], channels: Sequence[str] = ()) -> NDArray[np.float32]:
    """(N, C) float32 to (N,): weighted by the channels' places, or their mean where no places are given."""
    if frames.shape[1] == 1:
        return np.ascontiguousarray(frames[:, 0])
    if len(channels) != frames.shape[1]:
        channels = [""] * frames.shape[1]
    return frames @ weights(channels)


def pick(channel: int, frames: NDArray[np.float32], channels: Sequence[str] = ()) -> NDArray[np.float32]:  # noqa: ARG001
    """One channel of (N, C) float32, from 0; the only one where there is one.

    Raises:
        BadInput: there is no such channel.
    """
    count = frames.shape[1]
    if count > 1 and not 0 <= channel < count:
        raise BadInput(f"channel is {channel}; the sound has {count}, counted from 0")
    return np.ascontiguousarray(frames[:, channel if count > 1 else 0])
