"""The sound of one recording at 16 kHz mono, readable at any place, in bounded memory.

A file is decoded once, block by block; what is longer than ten minutes goes to an unnamed temporary file that is mapped
into memory (230 MB of disk an hour), so hours of sound cost no memory, and any window can be read again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sonant.audio.features import SAMPLE_RATE
from sonant.errors import BadInput
from sonant.records import Audio

__all__ = ["Sound", "open_sound"]

IN_MEMORY_SAMPLES = 600 * SAMPLE_RATE  # 38 MB
BLOCK_S = 30.0


class Sound:
    """Samples of a recording, float32 at 16 kHz; use it in a ``with`` statement."""

    def __init__(self, samples: NDArray[np.float32], spool: IO[bytes] | None = None) -> None:
        """Hold ``samples`` (N,), and the temporary file that they are mapped from."""
        self._samples, self._spool = samples, spool

    def __enter__(self) -> Sound:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spool is not None:
            self._spool.close()

    def __len__(self) -> int:
        """Samples in all."""
        return len(self._samples)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self._samples) / SAMPLE_RATE

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples [start, stop) of the recording."""
        return np.asarray(self._samples[start:stop])


def open_sound(audio: str | Path | Audio | NDArray[Any], warn: Callable[[str], None]) -> Sound:
    """The sound of a file, an ``Audio``, or an array.

    Args:
        audio: a path ("-" is standard input); an ``Audio`` of any rate; or samples at 16 kHz, (N,) or (N, channels),
            float in [-1, 1] or a signed integer type.
        warn: called with a line for each thing that was lost in decoding (a file that ends early ...).

    Raises:
        UnreadableAudio: there is no sample, or one is NaN or infinite, or the file can't be decoded.
        BadInput: it is none of these.
    """
    if not isinstance(audio, str | Path | Audio | np.ndarray):
        raise BadInput(f"audio is a {type(audio).__name__}; give a path, a sonant.Audio, or a NumPy array at 16 kHz")
    from sonant.audio import io  # decoders load with the first sound, not with the package

    if isinstance(audio, str | Path):
        return _spooled(io.stream(audio, SAMPLE_RATE, BLOCK_S, warn))
    return Sound(io.as_samples(audio, SAMPLE_RATE))


def _spooled(source: Iterator[NDArray[np.float32]]) -> Sound:
    """Blocks of a stream, in memory or, where they are many, in a temporary file."""
    blocks: list[NDArray[np.float32]] = []
    held, spool = 0, None
    try:
        for block in source:
            if spool is None and held + len(block) > IN_MEMORY_SAMPLES:
                spool = tempfile.TemporaryFile(prefix="sonant-")  # noqa: SIM115 - Sound closes it
                spool.writelines(piece.tobytes() for piece in blocks)
                blocks = []
            if spool is None:
                blocks.append(block)
            else:
                spool.write(block.tobytes())
            held += len(block)
    except BaseException:
        if spool is not None:
            spool.close()
        raise
    if spool is None:
        return Sound(np.concatenate(blocks))
    spool.flush()
    return Sound(np.memmap(spool, np.float32, "r", shape=(held,)), spool)
