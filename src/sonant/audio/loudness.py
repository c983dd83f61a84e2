"""How loud a sound is (ITU-R BS.1770-5), bringing it to a level, and a limiter that keeps peaks inside full scale.

Loudness is the gated integrated loudness in LUFS: K-weighting, blocks of 400 ms every 100 ms, those below -70 LUFS left
out, then those more than 10 LU below the mean of the rest. Broadcasts (EBU R 128) have -23, podcasts -16.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Limiter", "loudness_gain", "loudness_lufs", "normalised"]

BLOCK_S, STEP_S = 0.4, 0.1
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
OFFSET_LU = -0.691  # BS.1770: makes a full-scale 997 Hz sine on one channel read -3.01
LOOK_AHEAD_S = 0.02  # the limiter turns down over this time: two periods of the lowest voices

# Analogue prototypes of the two K-weighting stages, from which the standard's 48 kHz coefficients follow
# (B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES 2018).
SHELF_HZ, SHELF_GAIN_DB, SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
PASS_HZ, PASS_Q = 38.13547087602444, 0.5003270373238773


def loudness_lufs(samples: NDArray[np.float32], sample_rate: int) -> float:
    """Integrated loudness of (N,) mono samples in LUFS; -inf for silence.

    A sound shorter than 400 ms is measured as one block of its length.
    """
    if not len(samples):
        return -np.inf
    steps = _step_energies(samples, sample_rate)
    per_block = round(BLOCK_S / STEP_S)
    step = round(STEP_S * sample_rate)
    if len(steps) >= per_block and len(samples) >= per_block * step:
        whole = steps[: len(samples) // step]  # the last, incomplete step belongs to no block
        powers = np.convolve(whole, np.ones(per_block), "valid") / (per_block * step)
    else:
        powers = np.array([steps.sum() / len(samples)])
    with np.errstate(divide="ignore"):
        heard = powers[OFFSET_LU + 10 * np.log10(powers) > ABSOLUTE_GATE_LUFS]
        if not len(heard):
            return -np.inf
        gate = 10 * np.log10(heard.mean()) + RELATIVE_GATE_LU
        return float(OFFSET_LU + 10 * np.log10(heard[10 * np.log10(heard) > gate].mean()))


def loudness_gain(samples: NDArray[np.float32], sample_rate: int, target_lufs: float) -> np.float32:
    """The one factor that brings a sound to a loudness; 1 for silence. Of ``samples`` 8 s are read at once."""
    found = loudness_lufs(samples, sample_rate)
    return np.float32(10 ** ((target_lufs - found) / 20)) if np.isfinite(found) else np.float32(1)


def normalised(samples: NDArray[np.float32], sample_rate: int, target_lufs: float) -> NDArray[np.float32]:
    """The samples with one gain that brings them to a loudness; silence stays. Peaks may pass 1: see ``Limiter``."""
    return samples * loudness_gain(samples, sample_rate, target_lufs)


class Limiter:
    """Look-ahead peak limiter for a stream: no sample passes ``ceiling``; sound that stays below it is not changed.

    The gain is the least that the next 20 ms need, averaged over the last 20 ms. So it is down before the peak comes,
    it never clicks, and it never exceeds what a sample allows.
    """

    def __init__(self, sample_rate: int, ceiling: float = 1.0) -> None:
        """``ceiling`` is a peak amplitude."""
        self.ceiling = ceiling
        self.ahead = max(1, round(LOOK_AHEAD_S * sample_rate))
        self._kept = np.zeros(0, np.float32)  # the last ``ahead`` samples given out, then those still waiting
        self._given = 0  # of the kept ones

    def push(self, samples: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """(N,) samples in, those that are ready out; 20 ms wait for what follows. ``last`` gives all."""
        kept = np.concatenate([self._kept, samples])
        stop = len(kept) if last else max(self._given, len(kept) - self.ahead)
        output = kept[self._given : stop]
        if len(kept) and float(np.abs(kept).max()) > self.ceiling:
            output = output * self._gains(kept)[self._given : stop]
        first = max(0, stop - self.ahead)
        self._kept, self._given = kept[first:].copy(), stop - first
        return output

    def _gains(self, kept: NDArray[np.float32]) -> NDArray[np.float32]:
        needed = np.minimum(1.0, self.ceiling / np.maximum(np.abs(kept), 1e-9)).astype(np.float64)
        least = _forward_minimum(np.concatenate([needed, np.ones(self.ahead)]), self.ahead + 1)
        total = np.cumsum(np.concatenate([np.ones(self.ahead), least, [0.0]]))
        total = np.concatenate([[0.0], total])
        window = self.ahead + 1
        smooth = (total[window:] - total[:-window])[: len(kept)] / window
        return np.minimum(smooth, needed).astype(np.float32)


def _forward_minimum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Minimum of values [i, i + width) for each i that has them all, by windows that double."""
    span = 1
    while span * 2 <= width:
        values = np.minimum(values[:-span], values[span:])
        span *= 2
    rest = width - span
    return np.minimum(values[:-rest], values[rest:]) if rest else values


def _step_energies(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Sums of squares of the K-weighted sound in steps of 100 ms, the last of which may be incomplete."""
    step = round(STEP_S * sample_rate)
    chunk = 80 * step  # filter 8 s at once: bounded memory
    response, size = _k_response(sample_rate, chunk)
    tail = np.zeros(size - chunk)
    energies = []
    for start in range(0, len(samples), chunk):
        part = samples[start : start + chunk]
        filtered = np.fft.irfft(np.fft.rfft(part, size) * response, size)
        filtered[: len(tail)] += tail  # overlap-add: what the chunk before still rings
        tail = filtered[chunk:].copy()
        powers = filtered[: len(part)] ** 2
        energies.append(np.add.reduceat(powers, np.arange(0, len(part), step)))
    return np.concatenate(energies)


@lru_cache(maxsize=4)
def _k_response(sample_rate: int, chunk: int) -> tuple[NDArray[np.complex128], int]:
    """Frequency response of the K-weighting, its impulse response cut at 0.5 s (below -200 dB), and the FFT size."""
    ring = round(0.5 * sample_rate)
    size = chunk + ring
    shape = _shelf(sample_rate), _high_pass(sample_rate)
    turns = np.exp(-2j * np.pi * np.fft.rfftfreq(4 * ring))
    exact = np.prod([np.polyval(b[::-1], turns) / np.polyval(a[::-1], turns) for b, a in shape], axis=0)
    impulse = np.fft.irfft(exact, 4 * ring)[:ring]
    return np.fft.rfft(impulse, size), size


def _shelf(sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients of the first stage, which models the head: +4 dB above 2 kHz."""
    k = np.tan(np.pi * SHELF_HZ / sample_rate)
    high = 10 ** (SHELF_GAIN_DB / 20)
    band = high**0.4996667741545416
    b = np.array([high + band * k / SHELF_Q + k * k, 2 * (k * k - high), high - band * k / SHELF_Q + k * k])
    a = np.array([1 + k / SHELF_Q + k * k, 2 * (k * k - 1), 1 - k / SHELF_Q + k * k])
    return b / a[0], a / a[0]


def _high_pass(sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients of the second stage (RLB curve): what lies below 40 Hz hardly counts."""
    k = np.tan(np.pi * PASS_HZ / sample_rate)
    a = np.array([1 + k / PASS_Q + k * k, 2 * (k * k - 1), 1 - k / PASS_Q + k * k])
    return np.array([1.0, -2.0, 1.0]), a / a[0]
