"""Numbers, dates, money, signs and abbreviations -> words, in all nine languages.

Pieces with fixed phonemes pass untouched.
A language is a module with ``normalize(pieces: Sequence[Spoken]) -> list[Spoken]``, imported when it is first used.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sonant.text.languages import canonical
from sonant.text.tokens import Spoken

__all__ = ["normalize"]

_MODULES = {
    "a": "english",
    "b": "english",
    "e": "spanish",
    "f": "french",
    "h": "hindi",
    "i": "italian",
    "j": "japanese",
    "p": "portuguese",
    "z": "mandarin",
}


def normalize(pieces: Sequence[Spoken], language: str) -> list[Spoken]:
    """Turn everything that isn't a word into words.

    Args:
        pieces: of the user's text, markup taken out. Joined, their texts are the text.
        language: code or alias.

    Returns:
        Pieces in order; each keeps the span of the original it stands for, and names its rule. Nothing is left out
        unsaid: a sign without sound becomes a piece with empty text.

    Raises:
        UnknownName: no such language.
    """
    code = canonical(language)
    module = importlib.import_module(f"{__name__}.{_MODULES[code]}")
    short = list(_short(pieces))
    if code == "b":
        return list(module.normalize(short, british=True))
    return list(module.normalize(short))


_LONGEST = 8000  # characters that the rules look at together; keeps work on any text linear
_PLACES = (re.compile(r"\n+"), re.compile(r"[.!?…]\s+|[。！？।]"), re.compile(r"\s+"))


def _short(pieces: Iterable[Spoken]) -> Iterator[Spoken]:
    """The pieces, long ones cut at the end of a line, else of a sentence, else of a word."""
    for piece in pieces:
        text, start, place = piece.text, piece.span[0], 0
        aligned = piece.rule == "text" and piece.span[1] - start == len(text)
        while piece.phonemes is None and len(text) - place > _LONGEST:
            end = _good_end(text, place)
            span = (start + place, start + end) if aligned else piece.span
            yield replace(piece, text=text[place:end], span=span)
            place = end
        span = (start + place, piece.span[1]) if aligned else piece.span
        yield replace(piece, text=text[place:], span=span) if place else piece


def _good_end(text: str, place: int) -> int:
    """Where to cut: the last good place in the second half of the window, or the window's end."""
    for pattern in _PLACES:
        ends = [match.end() for match in pattern.finditer(text, place + _LONGEST // 2, place + _LONGEST)]
        if ends:
            return ends[-1]
    return place + _LONGEST
