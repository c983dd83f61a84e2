"""Who speaks when: the probabilities of Silero's voice activity detector, and the rules that make spans of them.

The network (``vad_network``) hears 32 ms at a time and 4 ms of what came before.

Legend: N samples, F frames of 512 samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.audio import vad_network
from sonant.audio.vad_network import CONTEXT, FRAME, MIRROR, SAMPLE_RATE
from sonant.cores import by_parts
from sonant.errors import BadInput

__all__ = ["FRAME", "SAMPLE_RATE", "StreamingVad", "VadOptions", "spans", "speech_probabilities", "speech_spans"]

BATCH = 512  # frames at once
LEAST_FRAMES = 32  # that a core hears by itself
SHORT_PAUSE_MS = 98  # a pause where a span that grew too long may be cut (silero-vad ``utils_vad.py``)


@dataclass(frozen=True, slots=True)
class VadOptions:
    """When a probability counts as speech; names and defaults are those of faster-whisper.

    Attributes:
        threshold: speech begins at this probability.
        neg_threshold: speech may end below this one; None is threshold - 0.15, and 0.01 at least.
        min_speech_duration_ms: shorter spans are dropped.
        max_speech_duration_s: longer spans are cut at their longest pause, or where they are full if there is none.
        min_silence_duration_ms: a pause must last this long to end a span.
        speech_pad_ms: spans are widened by this at both ends; where two would meet, they share what lies between.
    """

    threshold: float = 0.5
    neg_threshold: float | None = None
    min_speech_duration_ms: int = 0
    max_speech_duration_s: float = math.inf
    min_silence_duration_ms: int = 2000
    speech_pad_ms: int = 400

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("threshold", "neg_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise BadInput(f"{name} is {value}; allowed: above 0, up to 1")
        for name in ("min_speech_duration_ms", "min_silence_duration_ms", "speech_pad_ms"):
            if getattr(self, name) < 0:
                raise BadInput(f"{name} is {getattr(self, name)}; allowed: 0 or more milliseconds")
        least_s = 2 * self.speech_pad_ms / 1000 + 2 * FRAME / SAMPLE_RATE
        if self.max_speech_duration_s < least_s:
            raise BadInput(
                f"max_speech_duration_s is {self.max_speech_duration_s}; allowed: {least_s:.3f} or more, "
                "because both pads lie inside it"
            )

    @property
    def silence_threshold(self) -> float:
        """The probability below which speech may end."""
        return max(self.threshold - 0.15, 0.01) if self.neg_threshold is None else self.neg_threshold


def speech_probabilities(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of speech in each frame of a whole sound.

    Args:
        samples: (N,) float32 in [-1, 1], mono, 16 kHz.

    Returns:
        (F,) float32 with F = ceil(N / 512); the last frame is filled with silence.
    """
    detector = StreamingVad()
    return np.concatenate([detector.push(np.asarray(samples, np.float32)), detector.finish()])


def speech_spans(samples: NDArray[np.float32], options: VadOptions | None = None) -> list[tuple[int, int]]:
    """Where somebody speaks: (start, end) in samples, in order, never overlapping, inside the sound.

    Args:
        samples: (N,) float32 in [-1, 1], mono, 16 kHz.
        options: the rules; None for the defaults.
    """
    return spans(speech_probabilities(samples), len(samples), options)


class StreamingVad:
    """The detector for sound that arrives block by block: any block size gives the probabilities of the whole."""

    def __init__(self) -> None:
        """Begin with silence before the sound."""
        self._network = vad_network.load()
        self._waiting = np.zeros(0, np.float32)
        self._context = np.zeros(CONTEXT, np.float32)
        self._state = self._network.memory.begin()

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) float32 samples in; the probabilities of the frames that are complete now, (F,) float32, F >= 0."""
        if samples.ndim != 1:
            raise BadInput(f"samples have shape {samples.shape}; voice activity is found in one channel, shape (N,)")
        samples = np.concatenate([self._waiting, samples.astype(np.float32, copy=False)])
        whole = len(samples) // FRAME
        self._waiting = samples[whole * FRAME :].copy()
        batches = (samples[first * FRAME : min(first + BATCH, whole) * FRAME] for first in range(0, whole, BATCH))
        return np.concatenate([np.zeros(0, np.float32), *map(self._hear, batches)])

    def finish(self) -> NDArray[np.float32]:
        """The probability of a last, incomplete frame filled with silence: (1,), or (0,) if nothing waits."""
        if not len(self._waiting):
            return np.zeros(0, np.float32)
        return self.push(np.zeros(FRAME - len(self._waiting), np.float32))

    def _hear(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (F,) of F * 512 samples."""
        frames = samples.reshape(-1, FRAME)
        contexts = np.concatenate([self._context[None], frames[:-1, -CONTEXT:]])
        self._context = frames[-1, -CONTEXT:].copy()
        mirrored = frames[:, -2 : -2 - MIRROR : -1]
        samples = np.concatenate([contexts, frames, mirrored], axis=1)  # (F, 640)
        features = by_parts(self._network.features, samples, LEAST_FRAMES)  # (F, 128)
        return self._network.judge(self._network.memory(features, self._state))


def spans(probabilities: NDArray[np.float32], length: int, options: VadOptions | None = None) -> list[tuple[int, int]]:
    """Spans of speech from the probabilities of its frames.

    Args:
        probabilities: (F,) of frames of 512 samples.
        length: of the sound in samples.
        options: the rules; None for the defaults.

    Returns:
        (start, end) in samples, in order, not overlapping, inside [0, length].
    """
    options = options or VadOptions()
    raw = [(a, min(b, length)) for a, b in _raw_spans(probabilities, options)]
    least = SAMPLE_RATE * options.min_speech_duration_ms / 1000
    return _padded([span for span in raw if span[1] - span[0] > least], length, options)


def _raw_spans(probabilities: Sequence[float] | NDArray[np.float32], options: VadOptions) -> Iterator[tuple[int, int]]:
    """Hysteresis, pauses and the longest length: spans before padding, in samples."""
    pad = SAMPLE_RATE * options.speech_pad_ms / 1000
    longest = SAMPLE_RATE * options.max_speech_duration_s - FRAME - 2 * pad
    pause = SAMPLE_RATE * options.min_silence_duration_ms / 1000
    short_pause = SAMPLE_RATE * SHORT_PAUSE_MS / 1000
    begin: int | None = None  # of the span that is open
    quiet: int | None = None  # where the pause that is heard now began
    pauses: list[tuple[int, int]] = []  # in the open span: where it may be cut
    place = 0
    for number, probability in enumerate(np.asarray(probabilities).tolist()):
        place = number * FRAME
        if begin is None:
            if probability >= options.threshold:
                begin = place
            continue
        if probability >= options.threshold and quiet is not None:
            if place - quiet > short_pause:
                pauses.append((quiet, place))
            quiet = None
        elif probability < options.silence_threshold and quiet is None:
            quiet = place
        if place - begin > longest:
            open_pause = [(quiet, place)] if quiet is not None else []
            cut = max(pauses + open_pause, key=lambda found: found[1] - found[0], default=(place, place))
            yield begin, cut[0]
            if cut in open_pause:
                begin, quiet, pauses = None, None, []
            else:
                begin, pauses = cut[1], [found for found in pauses if found[0] > cut[1]]
        elif quiet is not None and place - quiet >= pause and probability < options.silence_threshold:
            yield begin, quiet
            begin, quiet, pauses = None, None, []
    if begin is not None:
        yield begin, place + FRAME


def _padded(raw: list[tuple[int, int]], length: int, options: VadOptions) -> list[tuple[int, int]]:
    """Spans widened at both ends; neighbours share the silence between them in halves where it is short."""
    pad = SAMPLE_RATE * options.speech_pad_ms // 1000
    padded = []
    for number, (begin, end) in enumerate(raw):
        before = begin - raw[number - 1][1] if number else None
        after = raw[number + 1][0] - end if number + 1 < len(raw) else None
        left = pad if before is None or before >= 2 * pad else before - before // 2
        right = pad if after is None or after >= 2 * pad else after // 2
        padded.append((max(0, begin - left), min(length, end + right)))
    return padded
