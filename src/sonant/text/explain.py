"""Why a text is spoken as it is: span by span, what was written, what is said, its phonemes, and what made them.

The way is that of synthesis: normalise, split into sentences, speak. Markup is taken out by the caller, who passes its
pieces; a plain text needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sonant.text.g2p import load
from sonant.text.normalize import normalize
from sonant.text.phonemes import join
from sonant.text.split import sentences
from sonant.text.tokens import Spoken, Token

__all__ = ["ExplainedSpan", "explain"]


@dataclass(frozen=True, slots=True)
class ExplainedSpan:
    """One stretch of the user's text and its reading.

    Attributes:
        span: (start, end) in the text.
        written: the text there.
        spoken: the words that are said for it; "" for signs without sound.
        phonemes: what the voice gets; "" for silence.
        rule: "text" for words as written, else the normaliser's rule ("currency", "year", ...), several joined by "+".
        sources: where the phonemes come from, in order: "gold", "silver", "letters", "espeak", "openjtalk", "pypinyin",
            "markup", "punctuation", ...
        sentence: number of the sentence, from 0.
    """

    span: tuple[int, int]
    written: str
    spoken: str
    phonemes: str
    rule: str
    sources: tuple[str, ...]
    sentence: int


def explain(text: str, language: str, pieces: Sequence[Spoken] | None = None) -> list[ExplainedSpan]:
    """The reading of ``text``, in the order in which it is spoken. White space alone is left out.

    Args:
        text: the user's text.
        language: code or alias, any of the nine.
        pieces: its pieces where it holds markup (spans into ``text``); default: the text as one piece.

    Raises:
        UnknownName: no such language.
        MissingExtra: the language needs an optional package.
        UnspeakableText: a word has no reading.
    """
    spoken = normalize([Spoken(text, (0, len(text)))] if pieces is None else pieces, language)
    g2p = load(language)
    result: list[ExplainedSpan] = []
    for number, sentence in enumerate(sentences(spoken, language)):
        result.extend(_spans(text, sentence, g2p(sentence), number))
    return result


@dataclass(slots=True)
class _Group:
    """What overlaps: the tokens and the rules of one stretch."""

    start: int
    end: int
    tokens: list[Token]
    pieces: list[Spoken]


def _spans(text: str, pieces: Sequence[Spoken], tokens: Sequence[Token], sentence: int) -> Iterable[ExplainedSpan]:
    """Explained spans of one sentence: a token, or all that one rule or one token holds together."""
    made = [piece for piece in pieces if piece.rule != "text"]
    groups: list[_Group] = []
    parts = [(token.span, token, None) for token in tokens] + [(piece.span, None, piece) for piece in made]
    for (start, end), token, piece in sorted(parts, key=lambda part: part[0]):
        if not groups or start >= groups[-1].end:
            groups.append(_Group(start, end, [], []))
        group = groups[-1]
        group.end = max(group.end, end)
        if token is not None:
            group.tokens.append(token)
        if piece is not None:
            group.pieces.append(piece)
    for group in groups:
        rules = dict.fromkeys(piece.rule for piece in group.pieces)
        whole = sum(piece.span[1] - piece.span[0] for piece in group.pieces) == group.end - group.start
        said = (piece.text for piece in group.pieces) if whole else (t.text + t.whitespace for t in group.tokens)
        yield ExplainedSpan(
            (group.start, group.end),
            text[group.start : group.end],
            "".join(said).strip(),
            join(group.tokens),
            "+".join(rules) or "text",
            tuple(dict.fromkeys(token.source for token in group.tokens)),
            sentence,
        )
