"""Frame targets: which letter or phone each frame of the network should hold, where times are known.

The synthesiser's phones are known to 25 ms, so a layer can be taught them frame by frame, which needs far less speech
than to find them by CTC alone. A letter gets its even share of its word.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonant.text.vocab import CtcVocabulary
from sonant.train.data import Utterance

__all__ = ["UNKNOWN", "letters", "phones"]

UNKNOWN = -100
"""Target of a frame that nothing is known of; cross-entropy leaves it out."""
BLANK_SHARE = 0.35  # of each letter's time that the targets call blank, so that CTC's peaks come easily


def letters(
    utterance: Utterance, vocabulary: CtcVocabulary, stretch: float, hop_s: float, frames: int
) -> NDArray[np.int64]:
    """(frames,) symbols: a letter, the delimiter in the last frame before a word, blank elsewhere.

    Args:
        utterance: without word times all frames are ``UNKNOWN``.
        vocabulary: of the network.
        stretch: by how much the sound has become longer since its times were taken.
        hop_s: seconds from frame to frame.
        frames: of the sound.
    """
    if not utterance.words:
        return np.full(frames, UNKNOWN, np.int64)
    line = np.full(frames, vocabulary.blank, np.int64)
    delimiter = vocabulary.ids.get(vocabulary.delimiter, vocabulary.blank)
    for place, (text, start_s, end_s) in enumerate(utterance.words):
        before, ended = vocabulary.blank, 0
        symbols = vocabulary.encode(text)
        edges = np.linspace(start_s * stretch, end_s * stretch, len(symbols) + 1) / hop_s
        for symbol, start, end in zip(symbols, edges[:-1], edges[1:], strict=True):
            first = max(round(start), ended + 1) if symbol == before else round(start)  # CTC parts equals by a blank
            last = max(first + 1, round(start + (end - start) * (1 - BLANK_SHARE)))
            line[first:last] = symbol
            before, ended = symbol, last
        if place:
            line[max(round(edges[0]) - 1, 0)] = delimiter
    return line


def phones(
    utterance: Utterance, inventory: dict[str, int], stretch: float, hop_s: float, frames: int
) -> NDArray[np.int64]:
    """(frames,) phones by their number in ``inventory``, 0 where nothing is said; see ``letters``."""
    if not utterance.phones:
        return np.full(frames, UNKNOWN, np.int64)
    line = np.zeros(frames, np.int64)
    for symbol, start_s, end_s in utterance.phones:
        line[round(start_s * stretch / hop_s) : round(end_s * stretch / hop_s)] = inventory[symbol]
    return line
