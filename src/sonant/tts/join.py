"""Chunks become one sound: silence trimmed, ends eased to zero, natural pauses between.

The network leaves silence at both ends of a chunk. It is cut back to a margin around the speech, never into a word; the
ends are eased to zero by half a cosine, so that no join has a step; and the pause that the punctuation asks for is put
*before* the chunk that follows it. So a stream needs to know nothing of what comes next, and its chunks, played one
after the other, are exactly the joined sound.

    [pause][margin~~speech~~margin] [pause][margin~~speech~~margin]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.tts.options import KOKORO_RATE, SpeakOptions
from sonant.tts.script import Ending
from sonant.tts.timing import HOP_S, levels

__all__ = ["Pauses", "Seam", "eased", "speech_bounds", "trimmed"]

HEAD_MARGIN_S, TAIL_MARGIN_S = 0.02, 0.05  # kept around the speech: soft onsets and the last breath of a vowel
EASE_S = 0.005


@dataclass(frozen=True, slots=True)
class Pauses:
    """Silence between two chunks in seconds, by what ends the first, at speed 1.

    The network's own pauses inside a chunk, six voices: 0.37 s in the median at a full stop, 0.3 at a question mark,
    0.11 at a semicolon, 0.07 at a comma.

    Attributes:
        clause: after a comma, colon, semicolon or dash.
        sentence: after a full stop.
        paragraph: after a paragraph.
    """

    clause: float = 0.12
    sentence: float = 0.36
    paragraph: float = 0.7


class Seam:
    """Knows how much silence goes before the next chunk."""

    def __init__(self, options: SpeakOptions) -> None:
        """Pauses are those of the options, else natural ones."""
        natural = Pauses()
        self._pauses = Pauses(
            natural.clause,
            natural.sentence if options.gap_s is None else options.gap_s,
            natural.paragraph if options.paragraph_gap_s is None else options.paragraph_gap_s,
        )
        self._trim = options.trim
        self._asked: float | None = None  # pauses of the text since the last chunk
        self._natural = 0.0

    def pause(self, duration_s: float) -> None:
        """The text asks for silence here; it takes the place of the natural pause."""
        self._asked = (self._asked or 0.0) + duration_s

    def spoken(self, ending: Ending, speed: float) -> None:
        """A chunk has been spoken; faster speech has shorter pauses."""
        pauses = self._pauses
        lengths = {"none": 0.0, "clause": pauses.clause, "sentence": pauses.sentence, "paragraph": pauses.paragraph}
        self._natural, self._asked = lengths[ending] / speed if self._trim else 0.0, None

    @property
    def before_s(self) -> float:
        """Silence before the next chunk in seconds."""
        return self._natural if self._asked is None else self._asked

    @property
    def rest_s(self) -> float:
        """Silence that the text asks for after its last word, in seconds."""
        return self._asked or 0.0


def speech_bounds(samples: NDArray[np.float32], first_word_s: float, last_word_s: float) -> tuple[int, int]:
    """Samples between which the speech lies, margins included.

    Args:
        samples: (N,) at 24 kHz.
        first_word_s: start of the first word in seconds; the cut never comes later.
        last_word_s: end of the last word in seconds; the cut never comes earlier.
    """
    first, last = round(first_word_s * KOKORO_RATE), round(last_word_s * KOKORO_RATE)
    loud = np.flatnonzero(levels(samples, KOKORO_RATE))
    if len(loud):
        hop = round(HOP_S * KOKORO_RATE)
        first = min(first, int(loud[0]) * hop - round(HEAD_MARGIN_S * KOKORO_RATE))
        last = max(last, int(loud[-1] + 1) * hop + round(TAIL_MARGIN_S * KOKORO_RATE))
    first = max(0, min(first, len(samples)))
    return first, max(first, min(last, len(samples)))


def eased(samples: NDArray[np.float32], whole: tuple[bool, bool] = (True, True)) -> NDArray[np.float32]:
    """A copy whose first and last 5 ms rise from and fall to zero by half a cosine, where those ends are ``whole``."""
    samples = np.array(samples, np.float32)
    size = min(round(EASE_S * KOKORO_RATE), len(samples) // 2)
    if size:
        # Half-sample offsets: neither end is wasted on an exact 0 or 1, the outermost sample is within 0.02 % of zero.
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(size) + 0.5) / size)).astype(np.float32)
        if whole[0]:
            samples[:size] *= ramp
        if whole[1]:
            samples[len(samples) - size :] *= ramp[::-1]
    return samples


def trimmed(
    samples: NDArray[np.float32],
    first_word_s: float,
    last_word_s: float,
    before_s: float,
    trim: bool = True,
    whole: tuple[bool, bool] = (True, True),
) -> tuple[NDArray[np.float32], float]:
    """A chunk ready to be joined.

    Args:
        samples: (N,) float32 of the network, 24 kHz.
        first_word_s: start of its first word in seconds.
        last_word_s: end of its last word in seconds.
        before_s: silence to put before it, in seconds.
        trim: False keeps all of the network's silence.
        whole: whether the utterance begins and ends with it; an end at which it goes on stays as it is.

    Returns:
        The samples, and by how many seconds the times of its words move.
    """
    bounds = speech_bounds(samples, first_word_s, last_word_s) if trim else (0, len(samples))
    first, last = bounds[0] if whole[0] else 0, bounds[1] if whole[1] else len(samples)
    silence = round(before_s * KOKORO_RATE)
    joined = np.concatenate([np.zeros(silence, np.float32), eased(samples[first:last], whole)])
    return joined, (silence - first) / KOKORO_RATE
