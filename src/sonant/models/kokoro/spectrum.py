"""From Kokoro's spectra to samples: the inverse short-time Fourier transform. NumPy only, the same for every engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.cores import by_parts
from sonant.models.kokoro.config import GeneratorConfig

__all__ = ["waveform"]

LEAST_COLUMNS = 4096  # that a core transforms by itself


@one_core
def waveform(spectra: NDArray[np.float32], config: GeneratorConfig) -> NDArray[np.float32]:
    """Overlap-add of the columns (iSTFTNet, Kaneko et al. 2022), with a periodic Hann window, edges trimmed.

    Args:
        spectra: (columns, n_fft + 2): log magnitudes of the bins, then phases before their sine, as the decoder makes
            them.
        config: of the generator: n_fft and hop, a quarter of it.

    Returns:
        ((columns - 1) x hop,) float32.
    """
    n_fft, hop, bins = config.n_fft, config.hop, config.bins
    basis = _inverse_basis(n_fft)

    def heard(columns: NDArray[np.float32]) -> NDArray[np.float32]:
        magnitude, phase = np.exp(columns[:, :bins]), np.sin(columns[:, bins:])
        return np.concatenate([magnitude * np.cos(phase), magnitude * np.sin(phase)], axis=1) @ basis

    pieces = by_parts(heard, spectra, LEAST_COLUMNS)  # (columns, n_fft)
    count, overlap = len(pieces), n_fft // hop
    total = np.zeros((count + overlap - 1, hop), np.float32)
    weight = np.zeros_like(total)
    window = (_window(n_fft) ** 2).astype(np.float32).reshape(overlap, hop)
    for i in range(overlap):
        total[i : i + count] += pieces[:, i * hop : (i + 1) * hop]
        weight[i : i + count] += window[i]
    kept = slice(n_fft // 2, n_fft // 2 + (count - 1) * hop)
    return total.reshape(-1)[kept] / weight.reshape(-1)[kept]


def _window(n_fft: int) -> NDArray[np.float64]:
    return np.hanning(n_fft + 1)[:n_fft]


def _inverse_basis(n_fft: int) -> NDArray[np.float32]:
    """(n_fft + 2, n_fft): real then imaginary parts of the bins to windowed samples; the ends count once."""
    bins = n_fft // 2 + 1
    turns = 2 * np.pi * np.outer(np.arange(bins), np.arange(n_fft)) / n_fft
    times = np.full((bins, 1), 2.0)
    times[[0, -1]] = 1.0
    basis = np.concatenate([times * np.cos(turns), -times * np.sin(turns)]) / n_fft
    basis[[bins, -1]] = 0.0  # the imaginary part of the first and last bin has no part in a real signal
    return (basis * _window(n_fft)).astype(np.float32)
