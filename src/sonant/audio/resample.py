"""Change of sample rate by soxr (HQ recipe): whole or block by block, the same numbers either way."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from sonant.audio.formats import HIGHEST_HZ, LOWEST_HZ
from sonant.errors import BadInput

__all__ = ["Resampler", "resample"]

QUALITY = "HQ"  # 20-bit precision: errors below those of 16-bit sound


class Resampler:
    """Blocks of one rate become blocks of another; no seam between blocks, and no sample gained or lost at the end."""

    def __init__(self, rate_from: int, rate_to: int) -> None:
        """Both rates in Hz.

        Raises:
            BadInput: a rate is not one of sound.
        """
        for rate in (rate_from, rate_to):
            if not LOWEST_HZ <= rate <= HIGHEST_HZ:
                raise BadInput(f"sample rate is {rate} Hz; allowed: {LOWEST_HZ} to {HIGHEST_HZ}")
        self.rate_from, self.rate_to = rate_from, rate_to
        self._stream = soxr.ResampleStream(rate_from, rate_to, 1, "float32", QUALITY) if rate_from != rate_to else None

    def push(self, samples: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """(N,) samples at the old rate to those (M,) that are ready at the new one; ``last`` ends the sound."""
        if self._stream is None:
            return samples
        return self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32), last=last)


def resample(samples: NDArray[np.float32], rate_from: int, rate_to: int) -> NDArray[np.float32]:
    """(N,) float32 at one rate as (round(N * rate_to / rate_from),) float32 at another."""
    return Resampler(rate_from, rate_to).push(np.asarray(samples, np.float32), last=True)
