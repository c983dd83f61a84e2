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

if TYPE_CHECKING:
    from sonant.engines.synth_flow import Halves

__all__ = ["Begun", "like_the_whole"]

MARGIN = 4  # frames behind the opening that its sound hears
PIECE, PIECES = 6, 4  # frames of a piece of the rest, and how many
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
        source: (columns, n_fft + 2), the excitation's spectrum.
    """

    def __init__(self, net: GeneratorConfig, halves: Halves, frames: Ints, features: Floats, source: Floats) -> None:
        self.net, self.halves, self.frames, self.features, self.source = net, halves, frames, features, source
        self.samples = 2 * net.samples_per_half_frame  # of a frame
        self.end, self.tail = 0, np.zeros(0, np.float32)

    def opening(self, end: int) -> Floats:
        """See ``BegunSynth``."""
        spans = like_the_whole(self.features, min(end + MARGIN, len(self.features) // 2))
        columns, last = 2 * self.net.columns_per_half_frame, spans[-1][1]
        heard = np.concatenate([self.features[2 * begin : 2 * stop] for begin, stop in spans])
        excited = [self.source[columns * begin : columns * stop] for begin, stop in spans]
        source = np.concatenate([*excited, self.source[columns * last :][:1]])
        sound = spectrum.waveform(self.halves.generate(heard, source), self.net)
        self.end = end * self.samples
        self.tail = sound[self.end : self.end + FADE]
        return sound[: self.end]

    def rest(self) -> Floats:
        """See ``BegunSynth``."""
        sound = spectrum.waveform(self.halves.generate(self.features, self.source), self.net)[self.end :]
        rise = (np.arange(len(self.tail), dtype=np.float32) + 0.5) / max(1, len(self.tail))
        sound[: len(rise)] = self.tail + rise * (sound[: len(rise)] - self.tail)
        return sound


def like_the_whole(features: Floats, end: int) -> list[Span]:
    """Frames 0 to ``end``, then pieces of the rest with which their mean and deviation come nearest to the whole's.

    The pieces are chosen one after the other, each the best beside those before it.
    """
    frames = features.reshape(len(features) // 2, -1, features.shape[1]).astype(np.float64)
    moments = np.stack([frames.mean(axis=1), (frames**2).mean(axis=1)])  # (2, F, C)
    mean, square = moments.mean(axis=1)
    variance = np.maximum(square - mean**2, 0)
    variance += FAINT * variance.mean()
    sums = np.concatenate([np.zeros_like(moments[:, :1]), np.cumsum(moments, axis=1)], axis=1)  # (2, F + 1, C)
    chosen, count, total = [(0, end)], end, sums[:, end]
    begins = np.arange(end, len(frames) - PIECE + 1, STRIDE)
    for _ in range(PIECES):
        if not len(begins):
            break
        count += PIECE
        found = total[:, None] + sums[:, begins + PIECE] - sums[:, begins]  # (2, candidates, C)
        means = found[0] / count
        deviations = np.sqrt(np.maximum(found[1] / count - means**2, 0) / variance)
        best = int(np.argmin(((means - mean) ** 2 / variance + (deviations - 1) ** 2).mean(axis=1)))
        begin, total = int(begins[best]), found[:, best]
        chosen.append((begin, begin + PIECE))
        begins = begins[np.abs(begins - begin) >= PIECE]
    return sorted(chosen)
