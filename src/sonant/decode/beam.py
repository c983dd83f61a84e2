"""Beam search with patience over many windows.

Source: openai-whisper ``decoding.py`` (``BeamSearchDecoder``); patience: Kasai et al., "Beam Decoding with Controlled
Patience", arXiv:2204.05424. A window that has collected its texts is frozen: what the others still need doesn't
change it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonant.decode.ranking import rank

__all__ = ["BeamSearch", "Candidate", "until_end"]

Candidate = tuple[tuple[int, ...], float]  # tokens without the end token, sum of log-probabilities


class BeamSearch:
    """``beams`` rows a window; the texts that ended are collected until there are ``beams * patience`` of them."""

    def __init__(self, windows: int, beams: int, eot: int, patience: float = 1.0) -> None:
        """Begin with ``beams`` equal rows a window."""
        self._beams, self._eot = beams, eot
        self._wanted = max(1, round(beams * patience))
        self._sums = np.zeros(windows * beams, np.float32)
        self._finished: list[dict[tuple[int, ...], float]] = [{} for _ in range(windows)]

    @property
    def done(self) -> bool:
        """Whether every window has collected enough."""
        return all(len(finished) >= self._wanted for finished in self._finished)

    def choose(
        self, logits: NDArray[np.float32], written: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Next token of each row and the row that it continues."""
        likeliest, values, total = rank(logits, self._beams + 1)
        sums = self._sums[:, None] + (values - total[:, None])  # of each continuation, (R, beams + 1)
        tokens = np.full(len(logits), self._eot, np.int64)
        rows = np.arange(len(logits))
        for window, finished in enumerate(self._finished):
            if len(finished) >= self._wanted:
                continue
            first = window * self._beams
            for slot, (sequence, row, score) in enumerate(self._extend(window, likeliest, sums, written), first):
                tokens[slot], rows[slot], self._sums[slot] = sequence[-1], row, score
        return tokens, rows

    def _extend(
        self,
        window: int,
        likeliest: NDArray[np.int64],
        sums: NDArray[np.float32],
        written: NDArray[np.int64],
    ) -> list[tuple[tuple[int, ...], int, float]]:
        """The window's next rows, best first: text, row that it continues, sum of log-probabilities."""
        first = window * self._beams
        scores: dict[tuple[int, ...], tuple[float, int]] = {}  # equal texts (all rows at the first step) count once
        for row in range(first, first + self._beams):
            text = tuple(written[row].tolist())
            for token, score in zip(likeliest[row].tolist(), sums[row].tolist(), strict=True):
                scores[(*text, token)] = score, row
        finished, rows = self._finished[window], []
        for sequence in sorted(scores, key=lambda one: scores[one][0], reverse=True):
            score, row = scores[sequence]
            if sequence[-1] == self._eot:
                if len(finished) < self._wanted:
                    finished[sequence[:-1]] = score
                continue
            rows.append((sequence, row, score))
            if len(rows) == self._beams:
                break
        return rows

    def candidates(self, window: int, written: NDArray[np.int64]) -> list[Candidate]:
        """Texts that ended, and the best unfinished ones where there are fewer than beams."""
        finished = dict(self._finished[window])
        first = window * self._beams
        for beam in np.argsort(self._sums[first : first + self._beams])[::-1]:
            if len(finished) >= self._beams:
                break
            row = first + int(beam)
            finished[until_end(written[row], self._eot)] = float(self._sums[row])
        return list(finished.items())


def until_end(tokens: NDArray[np.int64], eot: int) -> tuple[int, ...]:
    """Tokens (t,) before the first end token."""
    ends = np.flatnonzero(tokens == eot)
    return tuple(int(token) for token in (tokens[: ends[0]] if len(ends) else tokens))
