"""What plain text, markup and SSML are read into: things to say, pauses, and turns of manner, in order.

text or fragments -> [Event] (markup, ssml) -> [Passage | Pause] (reader) -> [Utterance | Pause] (plan) -> sound
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sonant.text.tokens import Spoken

__all__ = ["Ending", "Event", "Manner", "Passage", "Pause", "Say", "Stop", "Turn", "cut_pieces", "written"]

Ending = Literal["none", "clause", "sentence", "paragraph"]
"""What stands between a stretch of speech and the next one."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the text asks to be spoken, besides what the caller chose.

    Attributes:
        voice: name or blend; None for the caller's.
        language: code; None for the voice's or the caller's.
        rate: factor of the caller's speed.
        gain: factor of the caller's volume.
    """

    voice: str | None = None
    language: str | None = None
    rate: float = 1.0
    gain: float = 1.0


@dataclass(frozen=True, slots=True)
class Say:
    """A piece of text to be spoken."""

    piece: Spoken


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence that the text asks for; it takes the place of the natural pause there."""

    duration_s: float
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """From here on this manner."""

    manner: Manner
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stop:
    """A sentence or paragraph ends here, whatever the punctuation."""

    ending: Ending
    span: tuple[int, int]


Event = Say | Pause | Turn | Stop


@dataclass(frozen=True, slots=True)
class Passage:
    """One sentence, or a part of one that is spoken by itself.

    Attributes:
        pieces: its text, not normalised yet.
        manner: how the text asks for it to be spoken.
        ending: what follows it.
        source: the user's text from ``start`` on, as far as the pieces' spans reach.
        start: place of ``source`` in the whole.
        warnings: a line each.
    """

    pieces: tuple[Spoken, ...]
    manner: Manner
    ending: Ending
    source: str
    start: int
    warnings: tuple[str, ...] = ()


def written(passages: tuple[Passage, ...], span: tuple[int, int]) -> str:
    """The user's text within a span, markup and tags left out."""
    first, last = span
    parts, done = [], first
    for passage in passages:
        for piece in passage.pieces:
            start, end = piece.span
            if end <= done or start >= last:
                continue
            if piece.rule == "text" and end - start == len(piece.text):
                parts.append(piece.text[max(done - start, 0) : last - start])
                done = min(end, last)
            else:
                original = passage.source[start - passage.start : end - passage.start]
                parts.append(piece.text if piece.rule == "text" else original)
                done = end
    return "".join(parts)


def cut_pieces(pieces: tuple[Spoken, ...], at: int) -> tuple[tuple[Spoken, ...], tuple[Spoken, ...]]:
    """Cut pieces after ``at`` characters of their joined text; one with fixed phonemes goes whole to the left."""
    left: list[Spoken] = []
    for number, piece in enumerate(pieces):
        if at <= 0:
            return tuple(left), pieces[number:]
        size = len(piece.text)
        if at < size and piece.phonemes is None:
            start, end = piece.span
            aligned = piece.rule == "text" and end - start == size
            middle = (start + at, start + at) if aligned else (end, start)
            left.append(replace(piece, text=piece.text[:at], span=(start, middle[0])))
            rest = replace(piece, text=piece.text[at:], span=(middle[1], end))
            return tuple(left), (rest, *pieces[number + 1 :])
        left.append(piece)
        at -= size
    return tuple(left), ()
