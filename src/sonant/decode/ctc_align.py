"""Forced alignment: where each symbol of a known text lies in the frames of a CTC network.

Viterbi over the CTC topology (Graves et al., "Connectionist Temporal Classification", 2006; alignment as in Kürzinger
et al., "CTC-Segmentation of Large Corpora", 2020): states are blank, symbol, blank, symbol, ..., blank; a path stays,
moves one state on, or jumps over a blank between two different symbols.

Text and audio of any length: the states are kept in a band that follows the best path, two bits of back-pointer a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.errors import BadInput

__all__ = ["STAR", "Span", "align"]

STAR = -1  # a target that stands for any sound: text that is unknown
BAND = 8192  # states kept at a time, about two minutes of text on each side of the path; wider when a path is lost


@dataclass(frozen=True, slots=True)
class Span:
    """Frames of one symbol: ``start`` (inclusive) to ``end`` (exclusive), and its mean probability on them."""

    start: int
    end: int
    confidence: float


def align(log_probs: NDArray[np.float32], targets: Sequence[int], blank: int = 0, band: int = BAND) -> list[Span]:
    """The most likely place of every target.

    Args:
        log_probs: (F, V) float32, natural logarithms.
        targets: ids of the symbols in order; ``STAR`` matches any symbol but blank.
        blank: id of the blank.
        band: states kept at a time.

    Returns:
        A span for each target, in order, without overlap.

    Raises:
        BadInput: more symbols than the frames can hold; says both counts.
    """
    frames, symbols = len(log_probs), np.asarray(targets, np.int64)
    if symbols.size == 0:
        return []
    repeats = int(np.count_nonzero(symbols[1:] == symbols[:-1]))
    if symbols.size + repeats > frames:
        raise BadInput(
            f"the text has {symbols.size} symbols ({repeats} doubled) but the audio has only {frames} frames: "
            "it is too short for this text"
        )
    while True:
        path = _viterbi(log_probs, symbols, blank, band)
        if path is not None:
            return _spans(log_probs, symbols, blank, path)
        band *= 2


def _emissions(row: NDArray[np.float32], states: NDArray[np.int64], blank: int) -> NDArray[np.float32]:
    """Scores of the states on one frame; a star scores as the best symbol that isn't blank."""
    scores = row[states]
    stars = states == STAR
    if stars.any():
        scores[stars] = max(row[:blank].max(initial=-np.inf), row[blank + 1 :].max(initial=-np.inf))
    return scores


def _viterbi(
    log_probs: NDArray[np.float32], symbols: NDArray[np.int64], blank: int, band: int
) -> NDArray[np.int64] | None:
    """State of every frame on the best path, or None when the band lost it."""
    frames, count = len(log_probs), 2 * len(symbols) + 1
    states = np.full(count, blank, np.int64)
    states[1::2] = symbols
    skips = np.zeros(count, bool)  # whether a state may be entered from two before
    skips[3::2] = (symbols[1:] != symbols[:-1]) | (symbols[1:] == STAR)
    width = min(band, count)
    lows = np.zeros(frames, np.int64)
    steps = np.zeros((frames, (width + 3) // 4), np.uint8)
    scores = np.full(width, -np.inf, np.float32)
    first = _emissions(log_probs[0], states[:2], blank)
    scores[: len(first)] = first
    low = 0
    for frame in range(1, frames):
        # The band follows the best state, but never so slowly that the end can't be reached, nor past it.
        wanted = low + int(scores.argmax()) - width // 2
        new_low = min(max(low, wanted), count - width)
        padded = np.full(width + 2, -np.inf, np.float32)  # scores of states new_low - 2 ... new_low + width - 1
        source = np.arange(new_low - 2, new_low + width) - low
        inside = (source >= 0) & (source < width)
        padded[inside] = scores[source[inside]]
        stay, move = padded[2:], padded[1:-1]
        jump = np.where(skips[new_low : new_low + width], padded[:-2], -np.inf)
        step = np.where(move > stay, 1, 0).astype(np.uint8)
        best = np.maximum(stay, move)
        step[jump > best] = 2
        scores = np.maximum(best, jump) + _emissions(log_probs[frame], states[new_low : new_low + width], blank)
        low = new_low
        lows[frame] = low
        packed = np.zeros(steps.shape[1] * 4, np.uint8)
        packed[:width] = step
        steps[frame] = packed[0::4] | packed[1::4] << 2 | packed[2::4] << 4 | packed[3::4] << 6
    ends = [state for state in (count - 1, count - 2) if low <= state < low + width]
    if not ends or max(scores[state - low] for state in ends) == -np.inf:
        return None
    state = max(ends, key=lambda end: scores[end - low])
    path = np.zeros(frames, np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        place = state - lows[frame]
        if not 0 <= place < width:
            return None
        state -= int(steps[frame, place // 4] >> (2 * (place % 4)) & 3)
    return path


def _spans(
    log_probs: NDArray[np.float32], symbols: NDArray[np.int64], blank: int, path: NDArray[np.int64]
) -> list[Span]:
    """Spans of the odd states of a path."""
    starts = np.searchsorted(path, 2 * np.arange(len(symbols)) + 1, side="left")
    ends = np.searchsorted(path, 2 * np.arange(len(symbols)) + 1, side="right")
    spans = []
    for symbol, start, end in zip(symbols.tolist(), starts.tolist(), ends.tolist(), strict=True):
        if symbol == STAR:
            scores = np.delete(log_probs[start:end], blank, axis=1).max(1)
        else:
            scores = log_probs[start:end, symbol]
        spans.append(Span(start, end, float(np.exp(scores).mean())))
    return spans
