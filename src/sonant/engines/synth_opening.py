"""The beginning of an utterance, spoken before the rest of it.

Kokoro's vocoder normalises every channel over the whole utterance, so its first sound needs its last. What the vocoder
hears is known for all frames, though, at a twentieth of the work, and so is how it is spread. The opening is spoken
together with a few short pieces of the rest, chosen so that mean and deviation of what is heard come near the whole's:
its statistics then do, too. Figures in docs/performance.md.

Legend: F frames of 25 ms; features have two rows a frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sonant.models.kokoro import spectrum
from sonant.models.kokoro.config import GeneratorConfig
from sonant.models.kokoro.source import Excitation

if TYPE_CHECKING:
    from sonant.engines.synth_flow import Halves

__all__ = ["Begun", "like_the_whole"]

MARGIN = 4  # frames behind the opening that its sound hears
PIECE, PIECES = 6, 5  # frames of a piece of the rest, and how many
STRIDE = 2  # frames between pieces to choose from
FADE = 240  # samples over which the opening becomes the rest, 10 ms
FAINT = 1e-3  # of a variance: channels that hardly move decide nothing

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Span = tuple[int, int]


class Begun:
    """``engines.base.BegunSynth``.

    Args:
        net: the vocoder's shape.
        halves: the decoder with its style.
        frames: (T + 2,) durations.
        features: (2 F, channels), what the vocoder hears.
        excitation: of all half frames.
    """

    def __init__(
        self, net: GeneratorConfig, halves: Halves, frames: Ints, features: Floats, excitation: Excitation
    ) -> None:
        self.net, self.halves, self.frames, self.features, self.excitation = net, halves, frames, features, excitation
        self.share = halves.share
        self.samples = 2 * net.samples_per_half_frame  # of a frame
        self.end, self.tail = 0, np.zeros(0, np.float32)

    def opening(self, end: int) -> Floats:
        """See ``BegunSynth``."""
        spans = like_the_whole(self.features, min(end + MARGIN, len(self.features) // 2))
        heard = np.concatenate([self.features[2 * begin : 2 * stop] for begin, stop in spans])
        *excited, last = (self.excitation.spectrum(2 * begin, 2 * stop, self.net) for begin, stop in spans)
        source = np.concatenate([*(each[:-1] for each in excited), last])
        sound = spectrum.waveform(self.halves.generate(heard, source), self.net)
        self.end = end * self.samples
        self.tail = sound[self.end : self.end + FADE]
        return sound[: self.end]

    def rest(self) -> Floats:
        """See ``BegunSynth``."""
        source = self.excitation.spectrum(0, len(self.features), self.net)
        sound = spectrum.waveform(self.halves.generate(self.features, source), self.net)[self.end :]
        rise = (np.arange(len(self.tail), dtype=np.float32) + 0.5) / max(1, len(self.tail))
        sound[: len(rise)] = self.tail + rise * (sound[: len(rise)] - self.tail)
        return sound


def like_the_whole(features: Floats, end: int) -> list[Span]:
    """Frames 0 to ``end``, then pieces of the rest with which their mean and deviation come nearest to the whole's.

    The pieces are chosen one after the other, each the best beside those before it.
    """
    mean, variance = features.mean(axis=0), features.var(axis=0)
    scaled = (features - mean) / np.sqrt(variance + FAINT * variance.mean())  # the whole's mean is 0, its deviation 1
    moments = np.stack([scaled, scaled**2])
    frames = (moments[:, 0::2] + moments[:, 1::2]) / 2  # (2, F, C)
    begins = np.arange(end, frames.shape[1] - PIECE + 1, STRIDE)
    pieces = sum(frames[:, begins + i] for i in range(PIECE))  # (2, candidates, C)
    chosen, count, total = [(0, end)], end, frames[:, :end].sum(axis=1)
    for _ in range(PIECES):
        if not len(begins):
            break
        count += PIECE
        found = (total[:, None] + pieces) / count
        deviations = np.sqrt(np.maximum(found[1] - found[0] ** 2, 0))
        best = int(np.argmin((found[0] ** 2 + (deviations - 1) ** 2).mean(axis=1)))
        begin, total = int(begins[best]), total + pieces[:, best]
        chosen.append((begin, begin + PIECE))
        left = np.abs(begins - begin) >= PIECE
        begins, pieces = begins[left], pieces[:, left]
    return sorted(chosen)
