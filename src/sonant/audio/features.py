"""Log-mel features of the Whisper family: 30 s of sound become (n_mels, 3000) numbers near [-1, 1].

Method and constants: openai-whisper ``audio.py`` (``log_mel_spectrogram``); mel scale and normalisation of the filters:
Slaney's Auditory Toolbox, as in librosa's ``filters.mel``. The filters are computed here, not shipped.

The dynamic range is cut 8 decades of power below a peak. Whose peak is a choice that has a name:
``floor="file"`` is the loudest bin of the whole recording (openai-whisper, faster-whisper sequential),
``floor="window"`` the loudest bin of each 30 s window (transformers' short form, live audio): it needs no second
look at the sound. ``log_mel`` floors at the peak of what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.errors import BadInput
from sonant.kernels import best
from sonant.kernels.library import Library

__all__ = [
    "FRAMES_PER_SECOND",
    "HOP",
    "SAMPLE_RATE",
    "WINDOW_FRAMES",
    "WINDOW_SAMPLES",
    "Reader",
    "log_mel",
    "mel_filters",
    "mel_peak",
    "mel_window",
    "pad_or_trim",
]

SAMPLE_RATE = 16_000  # Hz
FFT_SAMPLES = 400  # 25 ms
HOP = 160  # samples: 10 ms
FRAMES_PER_SECOND = SAMPLE_RATE // HOP
WINDOW_SAMPLES = 30 * SAMPLE_RATE
WINDOW_FRAMES = WINDOW_SAMPLES // HOP  # 3000
QUIETEST = 1e-10  # power below which a bin counts as this
LOG_QUIETEST = -10.0
RANGE_DECADES = 8.0  # of power kept below the peak
BLOCK_FRAMES = 256  # frames transformed at once: their spectra stay in the cache (twice as fast as 1024)

Reader = Callable[[int, int], NDArray[np.float32]]  # (start, stop) in samples, inside the recording -> (stop - start,)


def log_mel(samples: NDArray[np.float32], n_mels: int = 80, padding: int = 0) -> NDArray[np.float32]:
    """Log-mel features of a whole recording, floored 8 decades below its own peak.

    Args:
        samples: (N,) float32 in [-1, 1], mono, 16 kHz.
        n_mels: 80, or 128 for large-v3 and its children.
        padding: zero samples appended before the transform.

    Returns:
        (n_mels, (N + padding) // 160) float32.
    """
    samples = _checked(samples)
    if padding > 0:
        samples = np.concatenate([samples, np.zeros(padding, np.float32)])
    spectrum = _log_power(lambda start, stop: samples[start:stop], len(samples), 0, len(samples) // HOP, n_mels)
    return _finish(spectrum, float(spectrum.max(initial=LOG_QUIETEST)))


def mel_peak(read: Reader, length: int, n_mels: int = 80) -> float:
    """The loudest log10 mel power of a recording, read block by block: what ``floor="file"`` needs beforehand.

    Args:
        read: gives samples [start, stop) of the recording.
        length: samples in all.
        n_mels: as in ``log_mel``.
    """
    peak, frames = LOG_QUIETEST, _sounding(length)
    for start in range(0, frames, WINDOW_FRAMES):
        peak = max(peak, float(_log_power(read, length, start, min(start + WINDOW_FRAMES, frames), n_mels).max()))
    return peak


def mel_window(
    read: Reader, length: int, start: int, stop: int, *, n_mels: int = 80, peak: float | None = None
) -> NDArray[np.float32]:
    """Frames [start, stop) of a recording's features, as if the whole (and silence after it) had been transformed.

    Args:
        read: gives samples [start, stop) of the recording.
        length: samples in all; what lies after them is silence.
        start: first frame, 10 ms each.
        stop: frame after the last; may lie past the end.
        n_mels: as in ``log_mel``.
        peak: log10 power to floor below (see ``mel_peak``); None for this window's own.

    Returns:
        (n_mels, stop - start) float32.
    """
    spectrum = _log_power(read, length, start, stop, n_mels)
    return _finish(spectrum, float(spectrum.max(initial=LOG_QUIETEST)) if peak is None else peak)


def pad_or_trim(features: NDArray[np.float32], frames: int = WINDOW_FRAMES) -> NDArray[np.float32]:
    """Exactly ``frames`` columns of (n_mels, T) features: cut, or followed by zeros as the models were trained."""
    features = features[:, :frames]
    return np.pad(features, ((0, 0), (0, frames - features.shape[1])))


@lru_cache(maxsize=4)
def mel_filters(n_mels: int) -> NDArray[np.float32]:
    """Triangular filters (n_mels, 201) on Slaney's mel scale over 0-8 kHz, each of unit area per Hz.

    Raises:
        BadInput: no filters can be made for this count.
    """
    if not 1 <= n_mels <= FFT_SAMPLES // 2:
        raise BadInput(f"n_mels is {n_mels}; Whisper uses 80 or 128, and 1 to {FFT_SAMPLES // 2} can be made")
    bins_hz = np.linspace(0, SAMPLE_RATE / 2, FFT_SAMPLES // 2 + 1)
    edges_hz = _mel_to_hz(np.linspace(0, _hz_to_mel(SAMPLE_RATE / 2), n_mels + 2))
    widths = np.diff(edges_hz)
    rising = (bins_hz - edges_hz[:-2, None]) / widths[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)


LINEAR_HZ_PER_MEL = 200 / 3  # Slaney: linear below 1 kHz ...
BREAK_HZ = 1000.0
LOG_STEP = np.log(6.4) / 27  # ... then 27 mels for each factor of 6.4


def _hz_to_mel(hz: float) -> float:
    if hz < BREAK_HZ:
        return hz / LINEAR_HZ_PER_MEL
    return float(BREAK_HZ / LINEAR_HZ_PER_MEL + np.log(hz / BREAK_HZ) / LOG_STEP)


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    break_mel = BREAK_HZ / LINEAR_HZ_PER_MEL
    return np.where(
        mels < break_mel, mels * LINEAR_HZ_PER_MEL, BREAK_HZ * np.exp(LOG_STEP * np.maximum(mels - break_mel, 0))
    )


@lru_cache(maxsize=1)
def _hann() -> NDArray[np.float32]:
    """Periodic Hann window, (400,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES)).astype(np.float32)


def _log_power(read: Reader, length: int, start: int, stop: int, n_mels: int) -> NDArray[np.float32]:
    """log10 of mel power, (n_mels, stop - start), no floor but QUIETEST; frame k is centred on sample 160 k."""
    output = np.full((n_mels, max(0, stop - start)), np.float32(LOG_QUIETEST))
    heard, kernels = min(stop, _sounding(length)), best.library()
    for first in range(start, heard, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, heard)
        samples, made = _centred(read, length, first * HOP, (last - 1) * HOP), output[:, first - start : last - start]
        if kernels:
            _mel_by_kernels(kernels, samples, made)
        else:
            made[:] = _mel_in_numpy(samples, n_mels)
    return output


def _sounding(length: int) -> int:
    """Frames that hear some of a recording, those that reach past its end too; later ones hear silence alone."""
    return -(-(length + FFT_SAMPLES // 2) // HOP)


def _mel_by_kernels(kernels: Library, samples: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """log10 of mel power of the frames of samples to ``out`` (n_mels, F); ``mel.c``."""
    n_mels, frames = out.shape
    filters, bins = mel_filters(n_mels), _bins(n_mels)
    tables = (array.ctypes.data for array in (_hann(), _turns(), filters, bins))
    row = out.strides[0] // out.itemsize
    kernels.functions.sonant_log_mel(samples.ctypes.data, frames, *tables, n_mels, out.ctypes.data, row)


@one_core
def _mel_in_numpy(samples: NDArray[np.float32], n_mels: int) -> NDArray[np.float32]:
    """The same, (n_mels, F)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FFT_SAMPLES)[::HOP]
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mel = np.maximum(mel_filters(n_mels) @ power.T, np.float32(QUIETEST))
    return np.maximum(np.log10(mel), np.float32(LOG_QUIETEST))


@lru_cache(maxsize=4)
def _bins(n_mels: int) -> NDArray[np.int64]:
    """The bins of each filter that aren't zero, (n_mels, 2): the first, and the one behind the last."""
    found = [np.flatnonzero(row) for row in mel_filters(n_mels)]
    return np.array([(bins[0], bins[-1] + 1) if len(bins) else (0, 0) for bins in found], np.int64)


@lru_cache(maxsize=1)
def _turns() -> NDArray[np.float32]:
    """Cosine and sine of each part of a turn, (400, 2)."""
    angles = 2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def _centred(read: Reader, length: int, first: int, last: int) -> NDArray[np.float32]:
    """Samples [first - 200, last + 200): mirrored before the start of the recording, zeros after its end."""
    half = FFT_SAMPLES // 2
    start, stop = first - half, last + half
    span = np.zeros(stop - start, np.float32)
    inside = read(max(start, 0), max(min(stop, length), 0))
    span[max(-start, 0) : max(-start, 0) + len(inside)] = inside
    if start < 0:
        mirror = np.arange(-start, 0, -1)  # sample -k is sample k
        head = read(0, min(length, -start + 1))
        span[:-start] = np.where(mirror < len(head), head[np.minimum(mirror, len(head) - 1)], 0) if len(head) else 0
    return span


def _finish(spectrum: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
    """Cut the range below the peak and scale: a peak of power 1 becomes 1, the floor 2 less."""
    return (np.maximum(spectrum, np.float32(peak - RANGE_DECADES)) + np.float32(4.0)) / np.float32(4.0)


def _checked(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise BadInput(f"samples have shape {samples.shape}; features are made of one channel, shape (N,)")
    return samples
