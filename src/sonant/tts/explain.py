"""How a text would be said, span by span: what is written, the words it becomes, their phonemes, and by which rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sonant.text.normalize import normalize
from sonant.text.phonemes import join
from sonant.text.tokens import G2P, Spoken, Token
from sonant.tts.lexicon import UserLexicon
from sonant.tts.script import Manner, Passage, Pause, written

__all__ = ["Explained", "explain"]


@dataclass(frozen=True, slots=True)
class Explained:
    """One word or mark of the text.

    Attributes:
        span: (start, end) in the user's text.
        text: what is written there.
        spoken: the words that it becomes; "" for what has no sound.
        phonemes: of these words.
        rule: what made the words: "text" for none, else the normaliser's rule, "markup", "lexicon", "sub", ...
        source: what gave the phonemes: "gold", "letters", "espeak", "markup", "punctuation", ...
        language: code of the language that it is read in.
    """

    span: tuple[int, int]
    text: str
    spoken: str
    phonemes: str
    rule: str
    source: str
    language: str


def explain(
    passages: Iterable[Passage | Pause],
    language: Callable[[Manner], str],
    g2p: Callable[[str], G2P],
    lexicon: UserLexicon | None = None,
) -> Iterator[Explained | Pause]:
    """Rows in order of the text; the arguments are those of ``plan.plan``."""
    for passage in passages:
        if isinstance(passage, Pause):
            yield passage
            continue
        code = language(passage.manner)
        pieces = normalize(lexicon.apply(passage.pieces) if lexicon else passage.pieces, code)
        tokens = g2p(code)(pieces)
        for group in _groups(tokens):
            span = min(token.span[0] for token in group), max(token.span[1] for token in group)
            yield Explained(
                span=span,
                text=written((passage,), span).strip(),
                spoken="".join(token.text + token.whitespace for token in group if token.phonemes).strip(),
                phonemes=join(group),
                rule=_rule(pieces, span),
                source=group[0].source,
                language=code,
            )


def _groups(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Tokens that stand for the same stretch of the text."""
    group: list[Token] = []
    for token in tokens:
        if group and not (token.span == group[-1].span and token.is_word and group[-1].is_word):
            yield group
            group = []
        group.append(token)
    if group:
        yield group


def _rule(pieces: Sequence[Spoken], span: tuple[int, int]) -> str:
    """The rule of the piece that a span is from; a rule that made words is told before plain text."""
    inside = [piece for piece in pieces if piece.span[0] < span[1] and span[0] < piece.span[1]]
    made = [piece.rule for piece in inside if piece.rule != "text"]
    if made:
        return made[0]
    return "markup" if any(piece.stress is not None or piece.flags for piece in inside) else "text"
