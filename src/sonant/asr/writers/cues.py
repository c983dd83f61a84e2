"""Segments and words become captions: which words stand on which line of which caption, and from when to when.

The rules of lines and captions are openai-whisper's (``utils.py``, ``SubtitlesWriter``), on records that keep no spaces
around words: the spaces come back from the segment's own text, so scripts without spaces get none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sonant.asr.writers.options import CaptionOptions
from sonant.errors import BadInput
from sonant.records import Segment

__all__ = ["Cue", "Piece", "cues", "one_line", "pieces"]

LONG_PAUSE_S = 3.0  # begins a new caption where captions are filled across segments
UNBOUNDED = 1000  # characters of a line, where no width is given
FURTHEST_GAP = 20  # characters between two words that may belong to neither (an opening bracket ...)
LINE_ENDS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029\0]+\s*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A word as it stands in running text, the space before it included; times where they are known."""

    text: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption: lines of pieces, the first of each line without a space before it."""

    start_s: float
    end_s: float
    lines: tuple[tuple[Piece, ...], ...]

    @property
    def timed(self) -> bool:
        """Whether its words have times."""
        return all(piece.start_s is not None for line in self.lines for piece in line)


def one_line(text: str) -> str:
    """The text without outer spaces, and with a space for each line end: captions give line ends a meaning."""
    return LINE_ENDS.sub(" ", text).strip()


def cues(segments: Sequence[Segment], options: CaptionOptions) -> Iterator[Cue]:
    """Captions in order; a segment without text gives none.

    Raises:
        BadInput: an option needs the times of words, and no segment has any.
    """
    segments = [segment for segment in segments if one_line(segment.text)]
    if segments and options.needs_words and not any(segment.words for segment in segments):
        raise BadInput(
            f"{options.needs_words[0]} needs the times of words, and this transcript has none; "
            "transcribe with word_timestamps=True"
        )
    layout = _Layout(options)
    for segment in segments:
        yield from layout.add(segment)
    yield from layout.flush()


class _Layout:
    """The caption that is being filled."""

    def __init__(self, options: CaptionOptions) -> None:
        self.options = options
        self.flowing = options.max_line_width is not None and options.max_line_count is not None
        self.lines: list[list[Piece]] = []
        self.width = 0
        self.last_s = 0.0

    def add(self, segment: Segment) -> Iterator[Cue]:
        """Captions that are complete when this segment has come."""
        if not segment.words:
            yield from self.flush()
            yield Cue(segment.start_s, segment.end_s, self._wrapped(segment))
            return
        words = pieces(segment)
        size = self.options.max_words_per_line or len(words)
        for number, piece in enumerate(words):
            yield from self._place(piece, first=number % size == 0)

    def flush(self) -> Iterator[Cue]:
        """The caption that is being filled, if there is one."""
        if self.lines:
            first, last = self.lines[0][0], self.lines[-1][-1]
            assert first.start_s is not None  # only timed words are placed
            assert last.end_s is not None
            yield Cue(first.start_s, last.end_s, tuple(map(tuple, self.lines)))
        self.lines, self.width = [], 0

    def _place(self, piece: Piece, first: bool) -> Iterator[Cue]:
        options = self.options
        assert piece.start_s is not None
        fresh = piece.start_s - self.last_s > LONG_PAUSE_S if self.flowing else first
        room = self.width + len(piece.text) <= (options.max_line_width or UNBOUNDED)
        if self.lines and room and not fresh:
            self.lines[-1].append(piece)
            self.width += len(piece.text)
        else:
            full = options.max_line_count is not None and len(self.lines) >= options.max_line_count
            if fresh or full:
                yield from self.flush()
            piece = replace(piece, text=piece.text.strip())
            self.lines.append([piece])
            self.width = len(piece.text)
        self.last_s = piece.start_s or 0.0

    def _wrapped(self, segment: Segment) -> tuple[tuple[Piece, ...], ...]:
        """Text without word times, broken at spaces where a line would grow too wide."""
        lines: list[str] = []
        for match in re.finditer(r"\s*\S+", one_line(segment.text)):
            if lines and len(lines[-1]) + len(match[0]) <= (self.options.max_line_width or UNBOUNDED * UNBOUNDED):
                lines[-1] += match[0]
            else:
                lines.append(match[0].strip())
        return tuple((Piece(line),) for line in lines)


def pieces(segment: Segment) -> list[Piece]:
    """The words of a segment with the text between them; joined, they are the segment's text.

    Where a word can't be found in the text, the words are taken to be right, and stand with a space between them.
    """
    text = LINE_ENDS.sub(" ", segment.text).rstrip()
    found: list[Piece] = []
    place, all_found = 0, True
    for word in segment.words:
        spelled = LINE_ENDS.sub(" ", word.text).strip()
        start = text.find(spelled, place)
        near = start >= 0 and len(text[place:start].strip()) <= FURTHEST_GAP
        if near:
            end = start + len(spelled)
            found.append(Piece(text[place:end], word.start_s, word.end_s))
            place = end
        else:
            found.append(Piece(f" {spelled}", word.start_s, word.end_s))
            all_found = False
    if all_found and text[place:].strip():
        found[-1] = replace(found[-1], text=found[-1].text + text[place:])
    return [piece for piece in found if piece.text.strip()] or [Piece(one_line(text), segment.start_s, segment.end_s)]
