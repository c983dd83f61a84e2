"""Where a stream's first utterance may be cut, so that its first words are heard while the others are being made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonant.records import Word
from sonant.text.phonemes import join
from sonant.tts.plan import Utterance
from sonant.tts.timing import FRAME_S, groups, places, shifted

__all__ = ["Half", "halves"]

SHORTEST_S = 0.4  # of an opening
LEAST_REST_S = 1.0  # less isn't worth a call of its own


@dataclass(frozen=True, slots=True)
class Half:
    """What comes before or after the cut.

    Attributes:
        utterance: its part of the tokens, with the whole's passages.
        frames: durations of its symbols, with pads.
        words: with times from its own beginning.
        whole: whether the utterance begins and ends with it.
    """

    utterance: Utterance
    frames: NDArray[np.int64]
    words: tuple[Word, ...]
    whole: tuple[bool, bool] = (True, True)


def halves(
    utterance: Utterance, frames: NDArray[np.int64], words: tuple[Word, ...], share: float
) -> tuple[Half, Half, int] | None:
    """The first words, as few as may be, the others, and the frame between; None where there are too few for that.

    Args:
        utterance: what is said.
        frames: (T + 2,) durations of its symbols.
        words: what ``timing.words`` makes of both.
        share: of the speech that is in the first words at least.
    """
    tokens, found = utterance.tokens, places(utterance.tokens)
    sounding = (
        index
        for group in groups(tokens, utterance.written, spaced=utterance.language not in "jz")
        if (index := next((index for index in group if tokens[index].phonemes), None)) is not None
    )
    for count, (index, word) in enumerate(zip(sounding, words, strict=True)):
        if word.start_s - words[0].start_s < max(SHORTEST_S, share * (words[-1].end_s - words[0].start_s)):
            continue
        if words[-1].end_s - word.start_s < LEAST_REST_S:
            return None
        cut = round(word.start_s / FRAME_S - 0.25)  # down: words begin with a frame, or in the middle of one
        parts = tokens[:index], tokens[index:]
        first, second = (replace(utterance, tokens=part, phonemes=join(part)) for part in parts)
        edges = np.concatenate([[0], np.cumsum(frames)])
        before, after = len(first.phonemes) + 1, found[index][0] + 1  # symbols up to the halves' sounds
        head = np.append(frames[:before], max(0, cut - edges[before]))
        tail = np.append(edges[after] - cut, frames[after:])
        return (
            Half(replace(first, ending="none"), head, words[:count], (True, False)),
            Half(second, tail, shifted(words[count:], -cut * FRAME_S), (False, True)),
            cut,
        )
    return None
