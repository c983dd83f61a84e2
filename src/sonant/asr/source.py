"""The sound of one recording at 16 kHz mono, readable at any place, in bounded memory.

A file is decoded once, block by block; what is longer than two minutes goes to an unnamed temporary file (230 MB an
hour), so hours of sound cost no memory, and any window can be read again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sonant.audio.features import SAMPLE_RATE
from sonant.errors import BadInput, OutputError
from sonant.records import Audio

__all__ = ["Sound", "open_sound"]

IN_MEMORY_SAMPLES = 120 * SAMPLE_RATE  # 8 MB
SAMPLE_BYTES = 4
BLOCK_S = 30.0


class Sound:
    """Samples of a recording, float32 at 16 kHz; use it in a ``with`` statement."""

    def __init__(self, samples: NDArray[np.float32]) -> None:
        """Hold ``samples`` (N,)."""
        self._samples = samples

    def __enter__(self) -> Sound:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def __len__(self) -> int:
        """Samples in all."""
        return len(self._samples)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self) / SAMPLE_RATE

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples [start, stop) of the recording."""
        return self._samples[start:stop]


class SpooledSound(Sound):
    """The same in a temporary file. It is read, not mapped: pages of a mapping count as memory of this process."""

    def __init__(self, spool: IO[bytes], length: int) -> None:
        """Take a file of ``length`` float32 samples; it is closed at the end."""
        self._spool, self._length = spool, length

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        start, stop, _ = slice(start, stop).indices(self._length)
        self._spool.seek(start * SAMPLE_BYTES)
        return np.frombuffer(self._spool.read(max(0, stop - start) * SAMPLE_BYTES), np.float32)


def open_sound(audio: str | Path | Audio | NDArray[Any], warn: Callable[[str], None]) -> Sound:
    """The sound of a file, an ``Audio``, or an array.

    Args:
        audio: a path ("-" is standard input); an ``Audio`` of any rate; or samples at 16 kHz, (N,) or (N, channels),
            float in [-1, 1] or a signed integer type.
        warn: called with a line for each thing that was lost in decoding (a file that ends early ...).

    Raises:
        UnreadableAudio: there is no sample, or one is NaN or infinite, or the file can't be decoded.
        BadInput: it is none of these.
        OutputError: it is long, and the temporary folder is full or can't be written.
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
            blocks.append(block)
            held += len(block)
            if held > IN_MEMORY_SAMPLES:
                with _clear_errors():
                    spool = spool or tempfile.TemporaryFile(prefix="sonant-")  # noqa: SIM115 - Sound closes it
                    spool.writelines(piece.tobytes() for piece in blocks)
                blocks = []
        if spool is None:
            return Sound(np.concatenate(blocks))
        with _clear_errors():
            spool.flush()
        return SpooledSound(spool, held)
    except BaseException:
        if spool is not None:
            with suppress(OSError):  # of a full disk, which was told already
                spool.close()
        raise


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Say what the temporary file is for where it can't be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"sound of more than {IN_MEMORY_SAMPLES // SAMPLE_RATE} s goes to a temporary file, which can't be written "
            f"({error.strerror}); free some space, or set TMPDIR to a folder that has some"
        ) from error
