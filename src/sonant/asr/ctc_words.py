"""From the symbols that a CTC search found to words, characters and segments with times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sonant.decode.ctc import Hypothesis
from sonant.decode.ctc_options import CtcOptions
from sonant.records import Segment, Word
from sonant.text.vocab import CtcVocabulary

__all__ = ["segments_of", "words_of"]

SURELY_NOT = 1e-10  # floor under a word's probability before its logarithm is taken


def words_of(hypothesis: Hypothesis, vocabulary: CtcVocabulary, frame_s: float) -> tuple[list[Word], list[Word]]:
    """Words and characters of a hypothesis, with seconds and confidences; ``frame_s`` seconds from frame to frame."""
    words: list[Word] = []
    characters: list[Word] = []
    pending: list[Word] = []

    def close() -> None:
        if pending:
            confidence = float(np.mean([letter.confidence for letter in pending]))
            text = "".join(letter.text for letter in pending)
            words.append(Word(text, pending[0].start_s, pending[-1].end_s, confidence))
            pending.clear()

    delimiter = vocabulary.ids.get(vocabulary.delimiter)
    for symbol, span in zip(hypothesis.ids, hypothesis.spans, strict=True):
        if symbol == delimiter:
            close()
        elif symbol not in vocabulary.silent:
            letter = Word(vocabulary.symbols[symbol], span.start * frame_s, span.end * frame_s, span.confidence)
            pending.append(letter)
            characters.append(letter)
    close()
    return words, characters


def segments_of(
    words: Sequence[Word], characters: Sequence[Word], options: CtcOptions, language: str | None
) -> tuple[Segment, ...]:
    """Words grouped at pauses and at the longest allowed length; ``characters`` may be empty."""
    groups: list[list[Word]] = []
    for word in words:
        group = groups[-1] if groups else []
        if (
            not group
            or word.start_s - group[-1].end_s >= options.pause_s
            or word.end_s - group[0].start_s > options.max_segment_s
        ):
            groups.append([word])
        else:
            group.append(word)
    return tuple(
        Segment(
            group[0].start_s,
            group[-1].end_s,
            " " + " ".join(word.text for word in group),
            words=tuple(group),
            avg_logprob=float(np.mean([np.log(max(word.confidence or 0.0, SURELY_NOT)) for word in group])),
            language=language,
            characters=tuple(letter for letter in characters if group[0].start_s <= letter.start_s < group[-1].end_s),
        )
        for group in groups
    )
