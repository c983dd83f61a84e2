"""Text of a sentence with the place of every character in the user's original, and the table of punctuation marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sonant.text.tokens import Spoken, Token

__all__ = ["MARKS", "Stretch", "mark_token", "spaced", "stretches"]

_STANDS_FOR = {  # a mark of Kokoro's alphabet: the marks that it stands for; "" for marks without sound or pause
    "“": "«‹„‟‘‚‛〝「『《〈【〖",
    "”": "»›’〞〟」』》〉】〗",
    '"': "＂",
    "(": "[{〔［｛（⟨",
    ")": "]}〕］｝）⟩",
    ".": "。．｡।॥",
    ",": "、，､",
    "!": "！‼",
    "?": "？⁇⁉‽",
    ":": "：",
    ";": "；",
    "—": "–―─⸺〜～",
    "…": "⋯︙",
    "": "¿¡・·•‧՚",
}

MARKS: dict[str, str] = {mark: mark for mark in ';:,.!?—…"()“”'}
MARKS |= {mark: ours for ours, marks in _STANDS_FOR.items() for mark in marks}
"""Punctuation mark -> what stands for it in Kokoro's alphabet."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pieces joined up to the next one with fixed phonemes.

    Attributes:
        text: the text; "" where ``fixed`` is set.
        places: the span of every character of ``text`` in the original.
        pieces: index of the piece of every character.
        fixed: a piece whose phonemes the user gave.
        space: whether white space follows at once, for a fixed piece.
    """

    text: str
    places: tuple[tuple[int, int], ...] = ()
    pieces: tuple[int, ...] = ()
    fixed: Spoken | None = None
    space: bool = False

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Span in the original of ``text[start:end]``."""
        places = self.places[start:end]
        return min(place[0] for place in places), max(place[1] for place in places)


def stretches(pieces: Sequence[Spoken]) -> Iterator[Stretch]:
    """Join pieces to stretches of running text, cut at pieces with fixed phonemes."""
    text: list[str] = []
    places: list[tuple[int, int]] = []
    owners: list[int] = []
    for number, piece in enumerate(pieces):
        if piece.phonemes is not None:
            if text:
                yield Stretch("".join(text), tuple(places), tuple(owners))
                text, places, owners = [], [], []
            following = next((other.text for other in pieces[number + 1 :] if other.text), "")
            yield Stretch("", fixed=piece, space=following[:1].isspace() or piece.text[-1:].isspace())
            continue
        start, end = piece.span
        aligned = piece.rule == "text" and end - start == len(piece.text)
        text.append(piece.text)
        owners += [number] * len(piece.text)
        places += (
            [(start + step, start + step + 1) for step in range(len(piece.text))]
            if aligned
            else [piece.span] * len(piece.text)
        )
    if text:
        yield Stretch("".join(text), tuple(places), tuple(owners))


def mark_token(mark: str, whitespace: str, span: tuple[int, int]) -> Token:
    """The token of a punctuation mark."""
    return Token(mark, MARKS[mark], whitespace, span, "punctuation")


_OPENING, _CLOSING = frozenset("(“"), frozenset(")”.,;:!?…")


def spaced(tokens: Sequence[Token], joined: Callable[[Token, Token], bool] | None = None) -> list[Token]:
    """White space for scripts that write none, as the voices were trained.

    A space stands between words, behind closing marks and before opening ones; none where ``joined`` says that two
    words run together, none at the end. A sign without sound leaves a space.
    """
    result: list[Token] = []
    following: Token | None = None
    for token in reversed(tokens):
        space = ""
        if following is not None and token.phonemes:
            closes, opens = following.phonemes in _CLOSING, following.phonemes in _OPENING
            if token.source == "punctuation" and not opens:
                space = " " if token.phonemes in _CLOSING and not closes else ""
            elif opens:
                space = " "
            else:
                space = "" if closes or (joined is not None and joined(token, following)) else " "
        result.append(replace(token, whitespace=space))
        following = token if token.phonemes else following
    return result[::-1]
