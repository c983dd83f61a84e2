"""What has been spoken of a book so far, on disk: an interrupted run goes on where it stopped, sample for sample.

    work folder
      lock                       one process at a time
      chunks/KEY.flac, KEY.npz   each call of the network: sound and durations; gone when their chapter is whole
      chapters/KEY.flac, KEY.txt whole chapters, and what was warned of

A key is a hash of all that the sound depends on, so changed text or another voice is spoken anew and nothing else is.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from sonant.audio.loudness import Limiter
from sonant.engines.base import Synth
from sonant.errors import BadInput, OutputError
from sonant.files import whole_file
from sonant.tts.options import KOKORO_RATE

__all__ = ["KeepingSynth", "Work", "chapter_blocks", "chapter_duration_s", "digest", "write_chapter"]

Take = tuple[NDArray[np.float32], NDArray[np.int64]]

_FULL_SCALE = 2**15
_CEILING = 1 - 2.0**-15


def digest(*parts: Any) -> str:
    """A short name for what the parts say."""
    found = hashlib.sha256()
    for part in parts:
        data = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()[:32]


class Work:
    """A work folder; a context manager that holds its lock."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made when the work begins."""
        self.folder = folder
        self.chunks, self.chapters = folder / "chunks", folder / "chapters"
        self._lock = FileLock(folder / "lock")

    def __enter__(self) -> Work:
        """Make and lock the folder.

        Raises:
            BadInput: another process works in it.
            OutputError: it can't be made.
        """
        try:
            for folder in (self.chunks, self.chapters):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise BadInput(f"another process works in {self.folder}; wait for it, or choose another place") from error
        except OSError as error:
            raise OutputError(f"cannot work in {self.folder}: {error.strerror or error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder."""
        self._lock.release()

    def chapter(self, key: str) -> Path:
        """Where a whole chapter lies or will lie."""
        return self.chapters / f"{key}.flac"

    def forget_chunks(self) -> None:
        """Their chapter is whole."""
        for path in self.chunks.iterdir():
            path.unlink()

    def remove(self) -> None:
        """The book is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)


class KeepingSynth:
    """The ``Synth`` protocol over another: what it spoke is on disk, and is not spoken again.

    Sound goes through 16 bits either way, so that a run that was interrupted ends like one that wasn't.
    """

    def __init__(self, engine: Synth, folder: Path) -> None:
        """Keep what ``engine`` speaks in ``folder``."""
        self.engine, self.folder = engine, folder
        self.sample_rate, self.description = engine.sample_rate, engine.description
        self.spoken = self.kept = 0  # utterances of the network, and from disk

    def synthesize(
        self,
        tokens: Sequence[NDArray[np.int64]],
        styles: NDArray[np.float32],
        speeds: NDArray[np.float32],
        seeds: Sequence[int],
    ) -> list[Take]:
        """See ``engines.base.Synth``."""
        keys = [
            digest(self.description, np.asarray(ids, "<i8"), np.asarray(style, "<f4"), float(speed), int(seed))
            for ids, style, speed, seed in zip(tokens, styles, speeds, seeds, strict=True)
        ]
        found = [self._load(key) for key in keys]
        missing = [number for number, take in enumerate(found) if take is None]
        if missing:
            spoken = self.engine.synthesize(
                [tokens[number] for number in missing],
                styles[missing],
                speeds[missing],
                [seeds[number] for number in missing],
            )
            for number, take in zip(missing, spoken, strict=True):
                found[number] = self._save(keys[number], take)
        self.spoken += len(missing)
        self.kept += len(keys) - len(missing)
        return [take for take in found if take is not None]

    def begin(self, *_given: object) -> None:
        """See ``engines.base.Synth``: what is kept was spoken whole."""

    def _load(self, key: str) -> Take | None:
        # The durations are written last: where they are, the sound is whole.
        sound, rest = self.folder / f"{key}.flac", self.folder / f"{key}.npz"
        if not rest.is_file() or not sound.is_file():
            return None
        samples, _ = soundfile.read(sound, dtype="float32")
        with np.load(rest, allow_pickle=False) as found:
            return samples * found["peak"], found["frames"]

    def _save(self, key: str, take: Take) -> Take:
        samples, frames = take
        peak = np.float32(max(1.0, float(np.abs(samples).max(initial=0.0)) / _CEILING))  # 16 bits end at full scale
        numbers = np.rint(samples / peak * _FULL_SCALE).astype(np.int16)
        with whole_file(self.folder / f"{key}.flac") as file:
            soundfile.write(file, numbers, self.sample_rate, format="FLAC", subtype="PCM_16")
        with whole_file(self.folder / f"{key}.npz") as file:
            np.savez(file, frames=frames, peak=peak)
        return (numbers / np.float32(_FULL_SCALE)) * peak, frames


def write_chapter(path: Path, blocks: Iterator[NDArray[np.float32]]) -> None:
    """Blocks of sound as one FLAC file, whole or not at all; peaks above full scale are limited."""
    limiter = Limiter(KOKORO_RATE, _CEILING)
    with (
        whole_file(path) as file,
        soundfile.SoundFile(file, "w", KOKORO_RATE, 1, format="FLAC", subtype="PCM_16") as sound,
    ):
        for block in blocks:
            sound.write(limiter.push(block))
        sound.write(limiter.push(np.zeros(0, np.float32), last=True))


def chapter_blocks(path: Path, size: int = 1 << 16) -> Iterator[NDArray[np.float32]]:
    """Blocks of a chapter's sound."""
    with soundfile.SoundFile(path) as sound:
        while len(block := sound.read(size, dtype="float32")):
            yield block


def chapter_duration_s(path: Path) -> float:
    """Length of a chapter's sound."""
    return float(soundfile.info(path).duration)
