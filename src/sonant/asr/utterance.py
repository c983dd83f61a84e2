"""Utterances of a live stream: voice opens one, a pause ends it; between them nothing is kept but a short run-up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sonant.asr.voice import LEAST_FRAMES
from sonant.audio.features import SAMPLE_RATE
from sonant.audio.vad import FRAME, StreamingVad

__all__ = ["Gate"]

HYSTERESIS = 0.15  # below threshold minus this a frame is silent (Silero's rule)


class Gate:
    """Holds the sound of the utterance under way.

    ``push`` and ``finish`` go on frame by frame while they are iterated: False after each frame of an utterance, True
    when it has ended; the caller then takes ``sound()`` and calls ``forget``.
    """

    def __init__(self, vad: bool, threshold: float, silence_s: float, pad_s: float) -> None:
        """Start silent; without ``vad`` all sound is one utterance."""
        self._vad = StreamingVad() if vad else None
        self._threshold = threshold
        self._pause, self._pad = round(silence_s * SAMPLE_RATE), round(pad_s * SAMPLE_RATE)
        self._waiting = np.zeros(0, np.float32)  # less than a frame
        self._kept = np.zeros(0, np.float32)  # the utterance, or the run-up to one
        self._taken = 0  # samples that are through the gate
        self._open = not vad
        self._last_voice = 0  # sample after the last frame with voice
        self._voiced = 0  # frames of the utterance with voice

    @property
    def heard_s(self) -> float:
        """Seconds taken from the stream, also those that wait for a whole frame."""
        return (self._taken + len(self._waiting)) / SAMPLE_RATE

    @property
    def length(self) -> int:
        """Samples of the utterance under way."""
        return len(self._kept) if self._open else 0

    @property
    def start_s(self) -> float:
        """Where the kept sound starts in the stream."""
        return (self._taken - len(self._kept)) / SAMPLE_RATE

    @property
    def speaks(self) -> bool:
        """Whether the utterance has voice enough for a word; always without ``vad``."""
        return self._vad is None or self._voiced >= LEAST_FRAMES

    def sound(self) -> NDArray[np.float32]:
        """(N,) samples of the utterance, without the pause after it but for the pad."""
        if self._vad is None:
            return self._kept
        beyond = self._taken - (self._last_voice + self._pad)
        return self._kept[: max(0, len(self._kept) - max(0, beyond))]

    def push(self, block: NDArray[np.float32]) -> Iterator[bool]:
        """Take a block, frame by frame."""
        samples = np.concatenate([self._waiting, block])
        whole = len(samples) // FRAME * FRAME
        self._waiting = samples[whole:].copy()
        for first in range(0, whole, FRAME):
            yield from self._frame(samples[first : first + FRAME])

    def finish(self) -> Iterator[bool]:
        """The end of the stream: its last samples, and the end of an open utterance."""
        rest, self._waiting = self._waiting, np.zeros(0, np.float32)
        if len(rest):
            yield from self._frame(rest)
        if self._open:
            yield True

    def forget(self) -> None:
        """The utterance was heard: keep only the run-up to the next one."""
        self._open, self._voiced = self._vad is None, 0
        self._kept = self._kept[len(self._kept) - min(len(self._kept), self._spare()) :].copy()

    def drop_until(self, time_s: float) -> None:
        """Forget the utterance's sound before this time of the stream."""
        first = round(time_s * SAMPLE_RATE) - (self._taken - len(self._kept))
        self._kept = self._kept[max(0, first) :].copy()

    def _spare(self) -> int:
        """Samples after the last voice that the ended utterance didn't have, at most a pad: nothing is heard twice."""
        if self._vad is None:
            return 0
        return max(0, min(self._pad, self._taken - self._last_voice - self._pad))

    def _frame(self, frame: NDArray[np.float32]) -> Iterator[bool]:
        self._kept = np.concatenate([self._kept, frame])
        self._taken += len(frame)
        if self._vad is None:
            yield False
            return
        probability = float((self._vad.push(frame) if len(frame) == FRAME else self._rest(frame))[-1])
        if probability >= self._threshold:
            self._open, self._last_voice = True, self._taken
            self._voiced += 1
        elif self._open and probability >= self._threshold - HYSTERESIS:
            self._last_voice = self._taken
        if not self._open:
            self._kept = self._kept[-self._pad :] if self._pad else self._kept[:0]
        elif self._taken - self._last_voice >= self._pause:
            yield True
        else:
            yield False

    def _rest(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._vad is not None
        self._vad.push(frame)
        return self._vad.finish()
