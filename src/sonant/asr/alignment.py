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

WORD, CHARACTER = r"\S+", r"\w[^\w\s]*|[^\w\s]+"
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


def spell(
    text: str, vocabulary: CtcVocabulary, normalise: Normaliser | None = None, *, spaced: bool = True
) -> list[Written]:
    """Bring a text into the alphabet of a network, a written word at a time.

    Args:
        text: any text; words are divided by white space.
        vocabulary: symbols of the network.
        normalise: the language's normaliser, which writes numbers and symbols out.
        spaced: False for languages without spaces: every character with the marks after it is a word.

    Raises:
        UnspeakableText: no word of it has a sound.
    """
    pieces = [Spoken(text, (0, len(text)))]
    spoken = list(normalise(pieces)) if normalise else pieces
    places = [match.span() for match in re.finditer(WORD if spaced else CHARACTER, text)]
    shares = _shares(spoken, places)
    words = [_written(text, place, spoken, shares, vocabulary) for place in places]
    if not any(word.ids for word in words):
        raise UnspeakableText("the text to align has no letter or number")
    return words


def align_words(
    log_probs: NDArray[np.float32],
    written: Sequence[Written],
    vocabulary: CtcVocabulary,
    frame_s: float,
    *,
    spaced: bool = True,
) -> Aligned:
    """Place written words in log-probabilities (F, V).

    ``frame_s`` is the seconds from frame to frame; ``spaced`` whether the network hears a delimiter between words.
    """
    delimiter = vocabulary.ids.get(vocabulary.delimiter) if spaced else None
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


def _shares(spoken: Sequence[Spoken], places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[str]]:
    """Spoken words of expansions, by number of the piece and start of the written word that they belong to.

    An expansion over several written words ("5 kg") is dealt out to them in order, as evenly as it goes.
    """
    shares: dict[tuple[int, int], list[str]] = {}
    for number, piece in enumerate(spoken):
        left, right = piece.span
        covered = [start for start, end in places if start < right and end > left]
        parts = re.findall(r"[^\s-]+", piece.text)  # "eighty-four" is two words to a recogniser
        if not covered or _stands(piece):
            continue
        for index, start in enumerate(covered):
            shares[number, start] = parts[index * len(parts) // len(covered) : (index + 1) * len(parts) // len(covered)]
    return shares


def _stands(piece: Spoken) -> bool:
    """Whether a piece is spoken as it is written, character by character."""
    return piece.rule == "text" and len(piece.text) == piece.span[1] - piece.span[0]


def _written(
    text: str,
    place: tuple[int, int],
    spoken: Sequence[Spoken],
    shares: dict[tuple[int, int], list[str]],
    vocabulary: CtcVocabulary,
) -> Written:
    """Symbols of the written word at a place, from the spoken pieces that stand for it."""
    ids: list[int] = []
    letters: list[int | None] = []
    start, end = place
    for number, piece in enumerate(spoken):
        left, right = piece.span
        if left >= end or right <= start:
            continue
        if _stands(piece):
            for at in range(max(start, left), min(end, right)):
                symbols = _symbols(piece.text[at - left], vocabulary)
                ids.extend(symbols)
                letters.extend([at - start] * len(symbols))
            continue
        for count, part in enumerate(shares.get((number, start), ())):
            symbols = [symbol for character in part for symbol in _symbols(character, vocabulary)]
            if count and ids and symbols and vocabulary.delimiter in vocabulary.ids:
                symbols = [vocabulary.ids[vocabulary.delimiter], *symbols]
            ids.extend(symbols)
            letters.extend([None] * len(symbols))
    return Written(text[start:end], place, tuple(ids), tuple(letters))


def _symbols(character: str, vocabulary: CtcVocabulary) -> list[int]:
    """Ids of one written character: itself, its base letters, a star for any other letter, nothing for marks."""
    folded = vocabulary.fold(character)
    for candidate in (folded, unicodedata.normalize("NFD", folded)):
        found = [vocabulary.ids[part] for part in candidate if part in vocabulary.ids and part != vocabulary.delimiter]
        if found:
            return found
    return [STAR] if character.isalnum() else []
