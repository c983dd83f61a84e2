"""How live recognition would feel: a recording played against a clock, each word's delay and each revision counted.

The clock is virtual: sound arrives at its own pace, hypotheses take the time that they really take on this machine, and
what arrived meanwhile comes as one block. So an hour is simulated as fast as it can be heard, delays are those that a
listener would have, and a machine that falls behind is seen to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.asr.agreement import letters
from sonant.asr.live import LiveOptions, LiveStream, LiveUpdate, Transcriber
from sonant.audio.features import SAMPLE_RATE
from sonant.errors import BadInput
from sonant.records import Word

__all__ = ["SimulateOptions", "Simulation", "TimedWord", "simulate"]


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """How the recording is played.

    Attributes:
        block_s: sound in a block, as a microphone gives it.
        speed: of the sound against the clock: 2 plays it twice as fast, which leaves half the time for hearing.
        paced: wait for the clock, so that words come as they would; without it the clock is virtual.
        instant: count hearing as if it took no time: delays are then those of the policy alone, on any machine.
    """

    block_s: float = 0.1
    speed: float = 1.0
    paced: bool = False
    instant: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0.001 <= self.block_s <= 60:
            raise BadInput(f"block_s is {self.block_s!r}; allowed: 0.001 to 60 seconds")
        if not 0.01 <= self.speed <= 1000:
            raise BadInput(f"speed is {self.speed!r}; allowed: 0.01 to 1000")


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A committed word, and when.

    Attributes:
        word: with times in the sound.
        commit_s: seconds of the clock since the stream began.
        latency_s: from the word's end to its commit, by the clock.
        lag_s: sound after the word's end that had come until then.
    """

    word: Word
    commit_s: float
    latency_s: float
    lag_s: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulated stream came to.

    Attributes:
        words: all of them, in order, with their delays.
        shown: words of partial text that were shown anew or changed.
        revised: of these, words that took another word's place, or that vanished.
        audio_s: length of the recording.
        clock_s: when the last word was there.
        busy_s: time spent hearing.
    """

    words: tuple[TimedWord, ...]
    shown: int
    revised: int
    audio_s: float
    clock_s: float
    busy_s: float

    @property
    def mean_latency_s(self) -> float:
        """Mean delay from a word's end to its commit; NaN without words."""
        return float(np.mean([word.latency_s for word in self.words])) if self.words else float("nan")

    @property
    def mean_lag_s(self) -> float:
        """Mean sound between a word's end and its commit; NaN without words."""
        return float(np.mean([word.lag_s for word in self.words])) if self.words else float("nan")

    def latency_s(self, percent: float) -> float:
        """The delay that this many percent of the words stay below; NaN without words."""
        return float(np.percentile([word.latency_s for word in self.words], percent)) if self.words else float("nan")

    @property
    def revision_rate(self) -> float:
        """Revised words by words shown, 0 without any."""
        return self.revised / self.shown if self.shown else 0.0

    def lines(self) -> list[str]:
        """The report, for people."""
        load = self.busy_s / self.audio_s if self.audio_s else 0.0
        return [
            f"{self.audio_s:.2f} s of sound, {len(self.words)} words, {self.clock_s:.2f} s by the clock",
            f"latency of a word: mean {self.mean_latency_s:.2f} s, 95 % {self.latency_s(95):.2f} s",
            f"sound between a word and its commit: mean {self.mean_lag_s:.2f} s",
            f"words shown {self.shown}, taken back while partial {self.revised} ({self.revision_rate:.1%})",
            f"load: {load:.2f} s of work for a second of sound",
        ]


def simulate(
    recognizer: Transcriber,
    samples: NDArray[np.float32],
    live: LiveOptions | None = None,
    played: SimulateOptions | None = None,
    show: Callable[[LiveUpdate], None] | None = None,
) -> Simulation:
    """Play a recording to a live stream.

    Args:
        recognizer: hears it.
        samples: (N,) float32 at 16 kHz.
        live: how it is heard; ``hurry`` decides what happens where the machine falls behind.
        played: how it is played.
        show: called with each update that brings something.
    """
    played = played or SimulateOptions()
    stream, block = LiveStream(recognizer, live), max(1, round(played.block_s * SAMPLE_RATE))
    began, clock_s, busy_s, at = time.perf_counter(), 0.0, 0.0, 0
    words: list[TimedWord] = []
    partial: tuple[Word, ...] = ()
    shown = revised = 0
    while True:
        ended = at >= len(samples)
        due_s = min(at + block, len(samples)) / SAMPLE_RATE / played.speed  # when the next block is whole
        if not ended and due_s > clock_s:
            if played.paced:
                time.sleep(max(0.0, due_s - (time.perf_counter() - began)))
            clock_s = due_s
        arrived = len(samples) if ended else _arrived(clock_s * played.speed, block, len(samples), at)
        start = time.perf_counter()
        update = stream.finish() if ended else stream.feed(np.asarray(samples[at:arrived], np.float32))
        spent_s = time.perf_counter() - start
        at, busy_s = arrived, busy_s + spent_s
        clock_s += 0.0 if played.instant else spent_s
        words += [
            TimedWord(word, clock_s, clock_s - word.end_s / played.speed, at / SAMPLE_RATE - word.end_s)
            for word in update.committed
        ]
        fresh, changed = _revisions(partial, (*update.committed, *update.partial))
        shown, revised, partial = shown + fresh, revised + changed, update.partial
        if show is not None and (update.committed or fresh or changed):
            show(update)
        if ended:
            return Simulation(tuple(words), shown, revised, len(samples) / SAMPLE_RATE, clock_s, busy_s)


def _arrived(heard_s: float, block: int, total: int, at: int) -> int:
    """Samples that are there now: whole blocks, at least one more than before."""
    whole = int(heard_s * SAMPLE_RATE + 0.5) // block * block
    return min(total, max(whole, at + block))


def _revisions(before: Sequence[Word], now: Sequence[Word]) -> tuple[int, int]:
    """Words that are new on the screen, and how many of those shown before were replaced or vanished."""
    same = sum(letters(a.text) == letters(b.text) for a, b in zip(before, now, strict=False))
    return len(now) - same, len(before) - same
