"""``faster_whisper.audio``: sound files to samples."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sonant.audio import io
from sonant.compat.whisper import audio

__all__ = ["decode_audio", "pad_or_trim"]

SAMPLE_RATE = 16_000


def decode_audio(
    input_file: str | BinaryIO, sampling_rate: int = SAMPLE_RATE, split_stereo: bool = False
) -> NDArray[np.float32] | tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Samples (N,) float32 of any sound file; left and right apart where ``split_stereo`` is asked for."""
    if not split_stereo:
        return io.read(input_file, sampling_rate).samples
    source = input_file if isinstance(input_file, str) else input_file.read()
    left, right = (io.read(source, sampling_rate, channel=channel).samples for channel in (0, 1))
    return left, right


def pad_or_trim(array: NDArray[np.float32], length: int = 3000, *, axis: int = -1) -> NDArray[np.float32]:
    """The array with ``axis`` cut, or filled with zeros, to ``length``."""
    return audio.pad_or_trim(array, length, axis=axis)
