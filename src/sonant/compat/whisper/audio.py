"""``whisper.audio``: decoding and features, as NumPy arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.audio import features, io
from sonant.audio.features import SAMPLE_RATE

__all__ = [
    "CHUNK_LENGTH",
    "FRAMES_PER_SECOND",
    "HOP_LENGTH",
    "N_FFT",
    "N_FRAMES",
    "N_SAMPLES",
    "N_SAMPLES_PER_TOKEN",
    "SAMPLE_RATE",
    "TOKENS_PER_SECOND",
    "load_audio",
    "log_mel_spectrogram",
    "mel_filters",
    "pad_or_trim",
]

N_FFT = 400
HOP_LENGTH = features.HOP
CHUNK_LENGTH = 30
N_SAMPLES = features.WINDOW_SAMPLES
N_FRAMES = features.WINDOW_FRAMES
N_SAMPLES_PER_TOKEN = HOP_LENGTH * 2
FRAMES_PER_SECOND = features.FRAMES_PER_SECOND
TOKENS_PER_SECOND = SAMPLE_RATE // N_SAMPLES_PER_TOKEN


def load_audio(file: str | Path, sr: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Samples (N,) float32 of any sound file, mixed to one channel, at ``sr`` Hz."""
    return io.read(file, sr).samples


def pad_or_trim(array: NDArray[np.float32], length: int = N_SAMPLES, *, axis: int = -1) -> NDArray[np.float32]:
    """The array with ``axis`` cut, or filled with zeros, to ``length``."""
    size = array.shape[axis]
    if size > length:
        return np.take(array, np.arange(length), axis)
    filled = [(0, 0)] * array.ndim
    filled[axis] = (0, length - size)
    return np.pad(array, filled)


def mel_filters(n_mels: int) -> NDArray[np.float32]:
    """Mel filters (n_mels, 201); the original's ``device`` argument has no meaning here."""
    return features.mel_filters(n_mels)


def log_mel_spectrogram(
    audio: str | Path | NDArray[np.float32], n_mels: int = 80, padding: int = 0
) -> NDArray[np.float32]:
    """Log-mel features (n_mels, frames) of a file or of 16 kHz samples."""
    samples = load_audio(audio) if isinstance(audio, str | Path) else np.asarray(audio, np.float32)
    return features.log_mel(samples, n_mels, padding)
