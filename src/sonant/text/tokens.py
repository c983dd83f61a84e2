"""What travels through the text front-end: pieces of text to be spoken, then tokens with phonemes.

    text -> [Spoken] (markup) -> [Spoken] (normalised) -> sentences of [Spoken] -> [Token] (g2p) -> chunks of [Token]

Every piece and token keeps the character span of the user's original text that it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["G2P", "Spoken", "Token"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of text to be spoken.

    Attributes:
        text: what to say. White space inside and between pieces counts; pieces are joined as they are.
        span: (start, end) in the user's original text. Where ``len(text) == end - start`` and ``rule == "text"`` the
            piece is that text, character by character; otherwise it stands for the span as a whole.
        rule: what made it: "text" (untouched), or the name of a normaliser rule ("year", "currency", ...) or "markup".
        phonemes: fixed phonemes given by the user; g2p keeps them.
        stress: change of stress asked for by the user: -2, -1, -0.5, 0.5, 1 or 2 (misaki's scale), None for none.
        flags: number flags asked for by the user (misaki's "a", "&", "n").
    """

    text: str
    span: tuple[int, int]
    rule: str = "text"
    phonemes: str | None = None
    stress: float | None = None
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A spoken word or a punctuation mark, with its phonemes.

    Attributes:
        text: the spoken form.
        phonemes: symbols of Kokoro's alphabet; punctuation that is in the alphabet stands for itself; "" for what has
            no sound (a dropped bracket, say).
        whitespace: " " when a space follows, else "".
        span: (start, end) in the user's original text. Tokens of one expanded number share their span.
        source: what gave the phonemes: "gold", "silver", "stem", "letters", "spelled", "espeak", "markup",
            "punctuation", ...
        tag: part-of-speech tag (Penn), where there is one.
    """

    text: str
    phonemes: str
    whitespace: str
    span: tuple[int, int]
    source: str
    tag: str = ""

    @property
    def is_word(self) -> bool:
        """Whether it is a word, not punctuation."""
        return any(character.isalnum() for character in self.text)


class G2P(Protocol):
    """Grapheme to phoneme, one sentence at a time; safe to call from several threads."""

    def __call__(self, pieces: Sequence[Spoken]) -> list[Token]:
        """Phonemes for one sentence.

        Raises:
            UnspeakableText: a word has no reading and no fallback is installed.
        """
