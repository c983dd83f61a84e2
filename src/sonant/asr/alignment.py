"""Word and character times for a text that is known: `sonant align`.

The written words are brought into the alphabet of the network (numbers and symbols through the normaliser of the
language, letters in the network's case, accents dropped where it lacks them; what still has no symbol becomes a star,
which matches any sound), placed by Viterbi over the CTC log-probabilities, and given back as they were written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.decode.ctc_align import STAR, Span, align
from sonant.errors import UnspeakableText
from sonant.records import Word
from sonant.text.tokens import Spoken
from sonant.text.vocab import CtcVocabulary

__all__ = ["Aligned", "Normaliser", "Written", "align_words", "spell"]

Normaliser = Callable[[Sequence[Spoken]], Sequence[Spoken]]


@dataclass(frozen=True, slots=True)
class Written:
    """A written word and the symbols it is spoken with.

    Attributes:
        text: as written, with its punctuation.
        span: (start, end) in the text.
        ids: symbols of its spoken form, delimiters between spoken words included; ``STAR`` for what has no symbol.
        letters: which character of the written word each id stands for, or None for those of an expanded number.
    """

    text: str
    span: tuple[int, int]
    ids: tuple[int, ...]
    letters: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Aligned:
    """Words in the order of the text, characters where the written ones are spoken as they stand, and warnings."""

    words: tuple[Word, ...]
    characters: tuple[Word, ...]
    warnings: tuple[str, ...]


def spell(text: str, vocabulary: CtcVocabulary, normalise: Normaliser | None = None) -> list[Written]:
    """Bring a text into the alphabet of a network, a written word at a time.

    Args:
        text: any text; words are divided by white space.
        vocabulary: symbols of the network.
        normalise: the language's normaliser, which writes numbers and symbols out.

    Raises:
        UnspeakableText: no word of it has a sound.
    """
    pieces = [Spoken(text, (0, len(text)))]
    spoken = list(normalise(pieces)) if normalise else pieces
    words = [_written(text, match.start(), match.end(), spoken, vocabulary) for match in re.finditer(r"\S+", text)]
    if not any(word.ids for word in words):
        raise UnspeakableText("the text to align has no letter or number")
    return words


def align_words(
    log_probs: NDArray[np.float32], written: Sequence[Written], vocabulary: CtcVocabulary, frame_s: float
) -> Aligned:
    """Place written words in log-probabilities (F, V); ``frame_s`` is the seconds from frame to frame."""
    delimiter = vocabulary.ids.get(vocabulary.delimiter)
    targets: list[int] = []
    starts: list[int] = []
    for word in written:
        if targets and word.ids and delimiter is not None:
            targets.append(delimiter)
        starts.append(len(targets))
        targets.extend(word.ids)
    spans = align(log_probs, targets, vocabulary.blank)
    words: list[Word] = []
    characters: list[Word] = []
    for word, first in zip(written, starts, strict=True):
        own = spans[first : first + len(word.ids)]
        words.append(_word(word, own, words, frame_s))
        for letter, span in zip(word.letters, own, strict=True):
            if letter is not None:
                place = word.span[0] + letter
                characters.append(
                    Word(
                        word.text[letter], span.start * frame_s, span.end * frame_s, span.confidence, (place, place + 1)
                    )
                )
    starred = [word.text for word in written if STAR in word.ids]
    warnings = (f"no symbol for {', '.join(starred[:5])}: any sound was taken for it",) if starred else ()
    return Aligned(tuple(words), tuple(characters), warnings)


def _word(word: Written, spans: Sequence[Span], before: Sequence[Word], frame_s: float) -> Word:
    """The written word with its time; one without a sound stands at the end of the word before it."""
    if not spans:
        place = before[-1].end_s if before else 0.0
        return Word(word.text, place, place, None, word.span)
    confidence = float(np.mean([span.confidence for span in spans]))
    return Word(word.text, spans[0].start * frame_s, spans[-1].end * frame_s, confidence, word.span)


def _written(text: str, start: int, end: int, spoken: Sequence[Spoken], vocabulary: CtcVocabulary) -> Written:
    """Symbols of the written word text[start:end], from the spoken pieces that stand for it."""
    ids: list[int] = []
    letters: list[int | None] = []
    for piece in spoken:
        left, right = piece.span
        if left >= end or right <= start:
            continue
        if piece.rule == "text" and len(piece.text) == right - left:
            first, last = max(start, left), min(end, right)
            for place in range(first, last):
                symbols = _symbols(piece.text[place - left], vocabulary)
                ids.extend(symbols)
                letters.extend([place - start] * len(symbols))
        elif start <= left < end:  # an expansion belongs to the word it begins in
            for number, part in enumerate(piece.text.split()):
                symbols = [symbol for character in part for symbol in _symbols(character, vocabulary)]
                if number and symbols and vocabulary.delimiter in vocabulary.ids:
                    symbols = [vocabulary.ids[vocabulary.delimiter], *symbols]
                ids.extend(symbols)
                letters.extend([None] * len(symbols))
    return Written(text[start:end], (start, end), tuple(ids), tuple(letters))


def _symbols(character: str, vocabulary: CtcVocabulary) -> list[int]:
    """Ids of one written character: itself, its base letters, a star for any other letter, nothing for marks."""
    folded = vocabulary.fold(character)
    for candidate in (folded, unicodedata.normalize("NFD", folded)):
        found = [vocabulary.ids[part] for part in candidate if part in vocabulary.ids and part != vocabulary.delimiter]
        if found:
            return found
    return [STAR] if character.isalnum() else []
