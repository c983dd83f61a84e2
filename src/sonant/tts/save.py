"""Speech into a file while it is spoken: memory holds a chunk, however long the text is.

What stays of each chunk are its words, for captions. A loudness needs the whole sound before its first sample: then the
sound waits in an unnamed file on the disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sonant.audio.encode import Encoder
from sonant.audio.formats import EncodeOptions
from sonant.audio.io import as_samples
from sonant.audio.loudness import loudness_gain
from sonant.errors import UnspeakableText
from sonant.files import whole_file
from sonant.records import Segment, SpeechChunk, Transcript
from sonant.tts.timing import shifted

__all__ = ["Saved", "save"]

PIECE = 1 << 16  # samples at a time


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written.

    Attributes:
        path: of the sound.
        transcript: the words with their times in the file, a segment a chunk.
        duration_s: length in seconds.
        warnings: a line each.
    """

    path: Path
    transcript: Transcript
    duration_s: float
    warnings: tuple[str, ...]


def save(chunks: Iterable[SpeechChunk], path: str | Path, options: EncodeOptions | None = None) -> Saved:
    """Write chunks one after the other, as they come; the file appears whole or not at all.

    Args:
        chunks: of one sample rate (``Speaker.chunks``, ``Speaker.stream``), one or more.
        path: the suffix chooses the format, where the options name none.
        options: how it is written.

    Raises:
        BadInput: no such format or option; or an error of the chunks.
        UnspeakableText: there is no sound in them.
        OutputError: the file couldn't be written; what was there before is still there.
    """
    path = Path(path)
    options = (options or EncodeOptions()).for_path(path)
    notes = _Notes()
    with whole_file(path) as file:
        sound = notes.samples(chunks)
        first = next(sound, None)
        if first is None:
            raise UnspeakableText("nothing was spoken; give a text with a word in it")
        with Encoder(file, notes.sample_rate, options) as encoder:
            blocks = chain([first], sound)
            del first  # the chain alone holds it
            if options.loudness_lufs is None:
                _write(encoder, blocks)
            else:
                with tempfile.TemporaryFile() as waiting:
                    _write_at(options.loudness_lufs, encoder, blocks, notes.sample_rate, waiting)
    return notes.saved(path)


class _Notes:
    """What is kept of the chunks that have gone."""

    def __init__(self) -> None:
        self.sample_rate = self.count = 0
        self.segments: list[Segment] = []
        self.warnings: list[str] = []

    def samples(self, chunks: Iterable[SpeechChunk]) -> Iterator[NDArray[np.float32]]:
        """The chunks' sounds."""
        for chunk in chunks:
            self.sample_rate = chunk.audio.sample_rate
            start_s = self.count / self.sample_rate
            words = shifted(chunk.words, start_s)
            if words:
                text = " " + chunk.graphemes.strip()
                self.segments.append(Segment(words[0].start_s, words[-1].end_s, text, words=words))
            self.warnings.extend(chunk.warnings)
            self.count += len(chunk.audio.samples)
            block = chunk.audio.samples
            del chunk
            if len(block):
                yield as_samples(block, self.sample_rate)  # which refuses NaN

    def saved(self, path: Path) -> Saved:
        duration_s = self.count / self.sample_rate
        warnings = tuple(self.warnings)
        return Saved(path, Transcript(tuple(self.segments), None, duration_s, warnings=warnings), duration_s, warnings)


def _write(encoder: Encoder, blocks: Iterable[NDArray[np.float32]]) -> None:
    for block in blocks:
        for start in range(0, len(block), PIECE):
            encoder.write(block[start : start + PIECE])


def _write_at(
    target_lufs: float, encoder: Encoder, blocks: Iterable[NDArray[np.float32]], sample_rate: int, waiting: IO[bytes]
) -> None:
    """Keep the blocks on the disk until all are known, then write them with the gain that they need."""
    for block in blocks:
        waiting.write(block.tobytes())
    waiting.flush()
    sound = np.memmap(waiting, np.float32, "r")
    gain = loudness_gain(sound, sample_rate, target_lufs)
    _write(encoder, (sound[start : start + PIECE] * gain for start in range(0, len(sound), PIECE)))
