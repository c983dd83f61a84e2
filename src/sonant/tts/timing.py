"""When each word is spoken: from the network's durations to words of the user's own text.

A phoneme string of T symbols has T + 2 durations (a pad at each end) in frames of 600 samples at 24 kHz: 40 frames a
second. As in ``KPipeline.join_timestamps`` (hexgrad/kokoro 0.9.4) half of a space belongs to each of its neighbours,
and speech begins a little before the alignment says. Unlike there, this holds for every language, a word is what the
user wrote (what "1984" became is one word again), and silence belongs to no word: the network counts the pause before a
full stop to the last sounds before it, 0.1 to 0.4 s too much, and ``settled`` takes it away.

    phonemes   |pad| h ə l ˈ O |,| | w ˈ ɜ ɹ l d |.|pad|
    words          [  Hello   ]   [    world    ]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.records import Word
from sonant.text.tokens import Token

__all__ = [
    "FRAME_S",
    "HOP_S",
    "LEAD_FRAMES",
    "groups",
    "levels",
    "places",
    "settled",
    "shifted",
    "symbol_times",
    "words",
]

FRAME_S = 600 / 24_000
LEAD_FRAMES = 2
"""Speech begins this much before the alignment says. hexgrad/kokoro takes 3, with a question mark; against the onsets
of 9 sentences in each of 4 voices that is 35 ms early in the median, and 2 is 10 ms early."""

HOP_S = 0.005
QUIET_DB = -50.0
"""Level of silence, below the loudest 5 ms: the network's own silence lies under -150 dB, the softest f above -50."""
REST_S = 0.1  # quiet stretches from this length on are pauses; shorter ones are the closure of a p, t or k
BEFORE_S, AFTER_S = 0.01, 0.02  # left to a word around its sound
SHORTEST_S = 0.03

_INSIDE = frozenset("'’‘ʼ-‐‑&@._/")  # characters that hold a written word together


def places(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Start and end of every token in the phoneme string that ``text.phonemes.join`` makes of them."""
    result: list[tuple[int, int]] = []
    place, space = 0, False
    for token in tokens:
        if token.phonemes:
            place += bool(space and place)
            result.append((place, place + len(token.phonemes)))
            place, space = result[-1][1], False
        else:
            result.append((place, place))
        space = space or bool(token.whitespace)
    return result


def words(
    tokens: Sequence[Token],
    frames: NDArray[np.int64],
    written: Callable[[tuple[int, int]], str],
    spaced: bool = True,
) -> tuple[Word, ...]:
    """Words with times from the start of the utterance.

    Args:
        tokens: what was spoken.
        frames: (T + 2,) durations of the symbols of ``phonemes.join(tokens)``, both pads included.
        written: the user's text of a span.
        spaced: the language puts spaces between words; there, tokens that the user wrote together are one word.

    Returns:
        Words in order of time, none before 0 or after the end; a word without sound is not among them.
    """
    edges = np.concatenate([[0], np.cumsum(frames)]).astype(np.float64)
    lead = min(LEAD_FRAMES, float(frames[0]))
    found = places(tokens)
    size = len(frames) - 2
    breaks = _breaks(found)
    result: list[Word] = []
    for group in groups(tokens, written, spaced):
        heard = [index for index in group if tokens[index].phonemes]
        if not heard:
            continue
        first, last = found[heard[0]][0], found[heard[-1]][1]
        start, end = edges[first + 1], edges[last + 1]
        if first - 1 in breaks:
            start -= frames[first] / 2
        if last in breaks and last < size:
            end += frames[last + 1] / 2
        span = min(tokens[index].span[0] for index in group), max(tokens[index].span[1] for index in group)
        text = written(span).strip() or "".join(tokens[index].text for index in group)
        sounds = "".join(tokens[index].phonemes + tokens[index].whitespace for index in heard).strip()
        start_s, end_s = max(0.0, (start - lead) * FRAME_S), max(0.0, (end - lead) * FRAME_S)
        result.append(Word(text, float(start_s), float(end_s), span=span, phonemes=sounds))
    return tuple(result)


def symbol_times(frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """(T, 2) start and end in seconds of each symbol of an utterance, from its start.

    Args:
        frames: (T + 2,) durations of the symbols, both pads included.
    """
    edges = np.cumsum(frames).astype(np.float64) - min(LEAD_FRAMES, float(frames[0]))
    return np.stack([edges[:-2], edges[1:-1]], axis=1) * FRAME_S


def _breaks(found: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Places of the spaces between tokens in the phoneme string."""
    gaps: list[int] = []
    end = 0
    for first, last in found:
        if last > first:
            gaps.extend(range(end, first))
            end = last
    return frozenset(gaps)


def groups(tokens: Sequence[Token], written: Callable[[tuple[int, int]], str], spaced: bool) -> list[list[int]]:
    """Indices of the tokens of each written word; punctuation that holds no word together belongs to none."""
    found: list[list[int]] = []
    reach = -1  # end of the last group's span
    for index, token in enumerate(tokens):
        if not token.is_word and not _says_something(token):
            continue
        start, end = token.span
        together = found and (start < reach or (spaced and _joined(tokens, found[-1][-1], index, written)))
        if together:
            found[-1].append(index)
            reach = max(reach, end)
        else:
            found.append([index])
            reach = end
    return found


def _says_something(token: Token) -> bool:
    """A sign with a reading ("%" spoken as a word) is a word; a mark that stands for itself is not."""
    return len(token.phonemes) > 1 and token.source != "punctuation"


def _joined(tokens: Sequence[Token], left: int, right: int, written: Callable[[tuple[int, int]], str]) -> bool:
    """Whether the user wrote two words as one: "don" + "'t", "well" + "-" + "known", "MP" + "3"."""
    if any(tokens[index].phonemes or tokens[index].whitespace for index in range(left + 1, right)):
        return False
    start, end = tokens[left].span[1], tokens[right].span[0]
    if start > end or (tokens[left].whitespace and start < end):
        return False
    return all(character in _INSIDE for character in written((start, end)))


def settled(found: Sequence[Word], samples: NDArray[np.float32], sample_rate: int) -> tuple[Word, ...]:
    """Words whose ends lie in a pause of the sound, drawn back to where the sound ends.

    Args:
        found: words with times from the start of ``samples``.
        samples: (N,) float32.
        sample_rate: in Hz.
    """
    starts, ends = _pauses(samples, sample_rate)
    return tuple(_settled(word, starts, ends) for word in found)


def _settled(word: Word, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> Word:
    start_s, end_s = word.start_s, word.end_s
    for pause_start, pause_end in zip(starts, ends, strict=True):
        if pause_start <= start_s < pause_end - BEFORE_S < end_s - SHORTEST_S:
            start_s = float(pause_end - BEFORE_S)
        if start_s + SHORTEST_S < pause_start + AFTER_S < end_s <= pause_end:
            end_s = float(pause_start + AFTER_S)
    return word if (start_s, end_s) == (word.start_s, word.end_s) else replace(word, start_s=start_s, end_s=end_s)


def levels(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.bool_]:
    """Whether each 5 ms of a sound is louder than its silence."""
    hop = round(HOP_S * sample_rate)
    count = len(samples) // hop
    if not count:
        return np.zeros(0, np.bool_)
    energy = np.mean(samples[: count * hop].reshape(count, hop).astype(np.float64) ** 2, axis=1)
    return energy > energy.max() * 10 ** (QUIET_DB / 10)


def _pauses(samples: NDArray[np.float32], sample_rate: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Start and end in seconds of every quiet stretch; one at the end of the sound has no end."""
    loud = levels(samples, sample_rate)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], loud, [True]]).astype(np.int8)))
    starts, ends = edges[::2] * HOP_S, edges[1::2] * HOP_S
    if len(loud) and not loud[-1]:
        ends[-1] = np.inf
    kept = ends - starts >= REST_S
    return starts[kept], ends[kept]


def shifted(found: Sequence[Word], by_s: float, end_s: float | None = None) -> tuple[Word, ...]:
    """Words moved in time; none begins before 0 or, where ``end_s`` is given, ends after it."""
    latest = np.inf if end_s is None else end_s
    return tuple(
        replace(
            word,
            start_s=float(min(max(0.0, word.start_s + by_s), latest)),
            end_s=float(min(max(0.0, word.end_s + by_s), latest)),
        )
        for word in found
    )
