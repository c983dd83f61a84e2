"""Kokoro's excitation: harmonics of the pitch plus noise, as the spectrum that the generator listens to. NumPy only.

One place for all engines, so that the same seed gives the same noise everywhere. The harmonic-plus-noise source is
Wang, Takaki & Yamagishi 2019 (NSF) as hexgrad/kokoro 0.9.4 ``istftnet.SineGen`` runs it:

- The phase of harmonic h is the running sum of h x pitch over half frames (300 samples, 80 a second), linear between
  their middles, constant before the first and after the last. Summed here in cycles and float64; the reference sums
  radians in float32, which rounds to about 0.01 rad after ten seconds.
- The reference draws a random initial phase, but adds it to sample 0 alone, which the interpolation to half frames
  never reads: no phase is random in what it speaks, and none is drawn here.
- Its noise has one Gaussian for each harmonic, then merged by the weights w. Their sum is one Gaussian of |w| times the
  amplitude: that one is drawn, a ninth of the work for the same distribution.
- Negative pitch (it happens in unvoiced half frames) wraps to (pitch mod rate) as in the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.cores import by_parts, on_cores
from sonant.models.kokoro.config import HARMONICS, SAMPLE_RATE, GeneratorConfig

__all__ = ["Excitation", "SourceWeights", "excitation", "noise", "source_spectrum"]

SINE_AMPLITUDE = 0.1
VOICED_NOISE = 0.003  # amplitude of the noise beside a voiced sine
LEAST_COLUMNS = 4096  # that a core transforms by itself
UNVOICED_NOISE = SINE_AMPLITUDE / 3
AT_ONCE = 32  # half frames: their numbers stay in the second cache
VOICED_HZ = 10.0  # pitch above this is voiced
SILENT_BIN = 1e-6  # below this a bin is rounding error, and its angle would be any number: without noise an unvoiced
# stretch is constant, so that only its first two bins hold anything


@dataclass(frozen=True, slots=True)
class SourceWeights:
    """``decoder.generator.m_source.l_linear``: merges the harmonics.

    Attributes:
        harmonics: (9,) float32.
        bias: one number.
    """

    harmonics: NDArray[np.float32]
    bias: float


def noise(samples: int, seed: int) -> NDArray[np.float32]:
    """(samples,) standard normal numbers of ``numpy.random.Generator(PCG64(seed))``; zeros where seed is negative."""
    if seed < 0:
        return np.zeros(samples, np.float32)
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(samples, np.float32)


class Excitation:
    """The source signal, or any stretch of it.

    Args:
        pitch: (S,) Hz, one value a half frame.
        weights: of the harmonics.
        seed: of the noise; negative for none.
        samples_per_step: samples of a half frame.
    """

    def __init__(self, pitch: NDArray[np.float32], weights: SourceWeights, seed: int, samples_per_step: int) -> None:
        self.weights, self.samples, self.steps = weights, samples_per_step, len(pitch)
        turns = pitch.astype(np.float64)[:, None] * np.arange(1, HARMONICS + 1) / SAMPLE_RATE
        phase = np.cumsum(turns % 1.0, axis=0) * samples_per_step  # (S, 9) cycles; wrapped as the reference wraps
        # Between the middles of neighbouring half frames the phase runs from one value to the next.
        start = np.concatenate([phase[:1], phase])  # (S + 1, 9)
        self.start = (start % 1.0).astype(np.float32)
        self.slope = np.concatenate([np.zeros((1, HARMONICS)), np.diff(phase, axis=0), np.zeros((1, HARMONICS))])
        voiced, norm = pitch > VOICED_HZ, float(np.linalg.norm(weights.harmonics))
        self.sine_gain = np.where(voiced, SINE_AMPLITUDE, 0.0).astype(np.float32)
        self.noise_gain = np.where(voiced, VOICED_NOISE, UNVOICED_NOISE).astype(np.float32) * norm
        self.noise = noise(self.steps * samples_per_step, seed)

    def __call__(self, begin: int, end: int) -> NDArray[np.float32]:
        """((end - begin) x samples_per_step,) float32, between -1 and 1: these half frames of it."""
        samples = self.samples
        within = (np.arange(samples) + 0.5) / samples  # (300,)
        merged = np.zeros((end + 1 - begin, samples), np.float32)

        def merge(first: int) -> None:
            block, out = slice(first, min(first + AT_ONCE, end + 1)), merged[first - begin :][:AT_ONCE]
            for h in range(HARMONICS):
                run = self.slope[block, h, None] * within
                run -= np.floor(run)  # % 1.0 to the last bit, ten times as fast
                angle = self.start[block, h, None] + run.astype(np.float32)
                angle *= np.float32(2 * np.pi)
                out += self.weights.harmonics[h] * np.sin(angle, out=angle)

        on_cores(merge, range(begin, end + 1, AT_ONCE))
        half = samples // 2  # the first segment is read from its middle, the last up to it
        sines = merged.reshape(-1)[half : half + (end - begin) * samples]
        gains = (np.repeat(gain[begin:end], samples) for gain in (self.sine_gain, self.noise_gain))
        signal = sines * next(gains) + next(gains) * self.noise[begin * samples : end * samples]
        return np.tanh(signal + np.float32(self.weights.bias))

    def spectrum(self, begin: int, end: int, config: GeneratorConfig) -> NDArray[np.float32]:
        """``source_spectrum`` of the whole over these half frames, and the column behind them."""
        first, last = max(0, begin - 1), min(self.steps, end + 1)  # a column hears less than a half frame around it
        columns = config.columns_per_half_frame
        found = source_spectrum(self(first, last), config)
        return found[(begin - first) * columns :][: (end - begin) * columns + 1]


def excitation(
    pitch: NDArray[np.float32], weights: SourceWeights, seed: int, samples_per_step: int
) -> NDArray[np.float32]:
    """(S x samples_per_step,): all of the source signal; arguments as in ``Excitation``."""
    return Excitation(pitch, weights, seed, samples_per_step)(0, len(pitch))


@one_core
def source_spectrum(signal: NDArray[np.float32], config: GeneratorConfig) -> NDArray[np.float32]:
    """Magnitudes and angles of the signal's short-time Fourier transform (periodic Hann window, reflected edges).

    Args:
        signal: (N,) with N a multiple of the hop.
        config: of the generator: n_fft and hop.

    Returns:
        (N / hop + 1, n_fft + 2) float32: magnitudes of the bins of each column, then their angles. The first and last
        bin are real, so that their angle is 0 or pi; the angle of an empty bin is 0.
    """
    n_fft, bins = config.n_fft, config.bins
    padded = np.pad(signal, n_fft // 2, mode="reflect")
    columns = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[:: config.hop]
    turns = 2 * np.pi * np.outer(np.arange(n_fft), np.arange(bins)) / n_fft
    window = np.hanning(n_fft + 1)[:n_fft, None]  # periodic
    basis = np.concatenate([window * np.cos(turns), -window * np.sin(turns)[:, 1:-1]], axis=1).astype(np.float32)
    return by_parts(partial(_polar, basis=basis), columns, LEAST_COLUMNS)


def _polar(columns: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """(columns, n_fft) to magnitudes and angles."""
    bins = (len(basis) + 2) // 2
    spectrum = columns @ basis  # (columns, bins + bins - 2)
    real, imaginary = spectrum[:, :bins], spectrum[:, bins:]
    out = np.zeros((len(spectrum), 2 * bins), np.float32)
    magnitudes, angles = out[:, :bins], out[:, bins:]
    magnitudes[:, [0, -1]] = np.abs(real[:, [0, -1]])
    magnitudes[:, 1:-1] = np.sqrt(real[:, 1:-1] ** 2 + imaginary**2)
    angles[:, [0, -1]] = np.where(real[:, [0, -1]] < 0, np.float32(np.pi), 0)
    # The first and last column are symmetric, so real: rounding must not decide between pi and -pi.
    turned = np.where(np.abs(imaginary) < SILENT_BIN, np.float32(0), imaginary)
    angles[:, 1:-1] = np.arctan2(turned, real[:, 1:-1])
    angles[magnitudes < SILENT_BIN] = 0
    return out
