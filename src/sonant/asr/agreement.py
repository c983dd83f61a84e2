"""Which words of hypotheses about growing sound are sure: committed words only grow, and never change.

Each hypothesis hears the buffer anew, committed words included. Where the new ones begin is found by text and time
together: the place with the fewest edits between the committed words and what stands before it, one edit counting as
much as half a second off, up to a limit. (whisper_streaming compares times, then runs of up to five words.)
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sonant.records import Word
from sonant.text.whisper_languages import UNSPACED

__all__ = ["Agreement", "joined", "letters"]

SECONDS_PER_EDIT = 0.5
MOST_EDITS_OFF = 1.5  # times may be wrong by any amount; text that agrees outweighs them


class Agreement:
    """Committed and partial words of one stream, in times of the stream."""

    def __init__(self) -> None:
        """No words yet."""
        self.committed: list[Word] = []
        self.partial: list[Word] = []

    @property
    def sure_s(self) -> float:
        """End of the last committed word."""
        return self.committed[-1].end_s if self.committed else 0.0

    def agree(self, words: Sequence[Word], start_s: float) -> list[Word]:
        """Commit what this hypothesis and the one before have in common, as it is spelled now.

        Args:
            words: of the whole buffer, committed ones included.
            start_s: where the buffer starts.
        """
        fresh = self._fresh(words, start_s)
        same = 0
        for word, before in zip(fresh, self.partial, strict=False):
            if letters(word.text) != letters(before.text):
                break
            same += 1
        return self._commit(fresh, same)

    def until(self, words: Sequence[Word], start_s: float, time_s: float) -> list[Word]:
        """Commit the words that end by this time; those after the first that doesn't wait with it."""
        fresh = self._fresh(words, start_s)
        return self._commit(fresh, sum(1 for _word in itertools.takewhile(lambda word: word.end_s <= time_s, fresh)))

    def settle(self, words: Sequence[Word], start_s: float) -> list[Word]:
        """Commit all words: the utterance has ended."""
        fresh = self._fresh(words, start_s)
        return self._commit(fresh, len(fresh))

    def settle_partial(self) -> list[Word]:
        """Commit the words that are known so far."""
        return self._commit(self.partial, len(self.partial))

    def _commit(self, fresh: list[Word], count: int) -> list[Word]:
        """The first words become sure; they don't begin before the last committed one ends."""
        self.partial = fresh[count:]
        committed = []
        for word in fresh[:count]:
            start_s = max(word.start_s, self.sure_s)
            committed.append(replace(word, start_s=start_s, end_s=max(word.end_s, start_s)))
            self.committed.append(committed[-1])
        return committed

    def _fresh(self, words: Sequence[Word], start_s: float) -> list[Word]:
        """The words after the committed ones."""
        known = [word for word in self.committed if (word.start_s + word.end_s) / 2 >= start_s]
        if not known:  # the buffer was cut behind them
            return [word for word in words if (word.start_s + word.end_s) / 2 >= self.sure_s]
        costs = _edits([letters(word.text) for word in known], [letters(word.text) for word in words])
        for place in range(len(words) + 1):
            off_s = abs(_border_s(words, place, start_s) - known[-1].end_s)
            costs[place] += min(off_s / SECONDS_PER_EDIT, MOST_EDITS_OFF)
        return list(words[int(costs.argmin()) :])


def letters(text: str) -> str:
    """Letters and digits of a word, in lower case; marks alone stay as they are."""
    kept = "".join(c for c in unicodedata.normalize("NFC", text).casefold() if unicodedata.category(c)[0] in "LNM")
    return kept or text


def joined(words: Sequence[Word], language: str | None) -> str:
    """Words as running text."""
    return ("" if language in UNSPACED else " ").join(word.text for word in words)


def _border_s(words: Sequence[Word], place: int, start_s: float) -> float:
    """Where the words before ``place`` end."""
    return words[place - 1].end_s if place else start_s


def _edits(known: Sequence[str], heard: Sequence[str]) -> np.ndarray:
    """Levenshtein distances (len(heard) + 1,) of ``known`` to each beginning of ``heard``."""
    row = np.arange(len(heard) + 1, dtype=np.float64)
    for word in known:
        below = np.empty_like(row)
        below[0] = row[0] + 1
        for place, other in enumerate(heard):
            below[place + 1] = min(row[place] + (word != other), row[place + 1] + 1, below[place] + 1)
        row = below
    return row
