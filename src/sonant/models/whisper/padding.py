"""Padding of a window that need not be computed: a window is 30 s, however little is said in it.

What lies behind the sound hears itself and little else. In every layer a frame of padding becomes nearly what it
becomes in any other window, and what it is more than that varies slowly from frame to frame. So one frame of ``EVERY``
is computed. Keys and values of those between are what they usually are, in a window that was heard whole once, plus
what their computed neighbours are more.

Some frames of padding become something else: of a norm many times the others', and all attend to them ("registers";
Darcet et al., "Vision Transformers Need Registers", 2024, saw them in pictures). Where they stand hardly depends on the
sound. Those of the usual window are always computed, and a frame that became one is nobody's neighbour.

Legend: F encoder frames of a window, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from sonant.audio import io
from sonant.audio.features import HOP, SAMPLE_RATE, mel_window, pad_or_trim
from sonant.kernels.filling import Neighbours
from sonant.kernels.library import Floats

__all__ = ["Usual", "another_window", "gains", "sounding", "stands_apart", "usual_window"]

EVERY = 5  # frames
MARGIN = 50  # frames behind the sound that are all computed, a second
ENDING = 64  # frames at the window's end, where registers are many
APART = 1.5  # times the median norm of padding: another kind of frame
MOST = 0.8  # of the frames: where more must be computed, all of them are


@dataclass(frozen=True, slots=True)
class Usual:
    """What frames of padding usually become.

    Attributes:
        heard: (layers, F, 2 D) float16, keys and values of each encoder layer.
        told: (2 times decoder layers, F, D) float16, keys and values of each decoder layer.
        apart: (F,) bool, frames that became another kind in some layer.
    """

    heard: NDArray[np.float16]
    told: NDArray[np.float16]
    apart: NDArray[np.bool_]

    @classmethod
    def read(cls, numbers: NDArray[np.float16], layers: int, parts: int, frames: int, width: int) -> Usual:
        """From what ``numbers`` gave, which may be mapped; ``parts`` are the keys and values of the decoder."""
        heard, told, apart = np.split(numbers, np.cumsum([layers * frames * 2 * width, parts * frames * width]))
        return cls(heard.reshape(layers, frames, 2 * width), told.reshape(parts, frames, width), apart != 0)

    def numbers(self) -> NDArray[np.float16]:
        """All of it in a row."""
        return np.concatenate([self.heard.ravel(), self.told.ravel(), self.apart.astype(np.float16)])

    def places(self, sounds: int) -> NDArray[np.int64] | None:
        """Frames to compute, rising, where the first ``sounds`` have sound; None where that is no gain."""
        frames = len(self.apart)
        return np.flatnonzero(self.apart | chosen(frames, sounds)) if gains(frames, sounds) else None

    def neighbours(self, places: NDArray[np.int64], sounds: int, hidden: Floats) -> Neighbours:
        """Who tells what the others are.

        Args:
            places: the computed frames.
            sounds: as above.
            hidden: (R, D), what these are in some layer.
        """
        telling = ~(self.apart[places] | stands_apart(hidden, places >= sounds + MARGIN))
        telling[: sounds + MARGIN] = True
        return Neighbours.of(places, telling, len(self.apart))


def chosen(frames: int, sounds: int) -> NDArray[np.bool_]:
    """The frames of a window that are computed whatever they become; its first ``sounds`` have sound."""
    first, ending = sounds + MARGIN, frames - ENDING
    made = np.zeros(frames, bool)
    made[:first] = made[ending:] = made[first + EVERY // 2 : ending : EVERY] = True
    return made


def gains(frames: int, sounds: int) -> bool:
    """Whether so few of them are computed that it is worth it."""
    return bool(chosen(frames, sounds).sum() <= MOST * frames)


def stands_apart(hidden: Floats, padding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of (R, D) frames are of another kind than most frames of padding."""
    sizes = np.sqrt(np.einsum("td,td->t", hidden, hidden))
    return np.asarray(sizes > APART * np.median(sizes[padding]))


def sounding(features: Floats) -> int:
    """Encoder frames of (n_mels, 2 F) log-mel that may hear sound: behind them all features are the same."""
    loud = np.flatnonzero((features != features[:, -1:]).any(axis=0))
    return (int(loud[-1]) + 3) // 2 if len(loud) else 0  # each hears two features on both sides


def usual_window(n_mels: int) -> Floats:
    """(n_mels, 3000) log-mel of a sentence of a second, spoken by Kokoro, and padding."""
    return _features(_sentence(), n_mels)


def another_window(n_mels: int) -> Floats:
    """The same of something else as long as two of them: noise of that loudness, then the sentence backwards."""
    sentence = _sentence()
    noise = np.random.default_rng(0).standard_normal(len(sentence)).astype(np.float32)
    return _features(np.concatenate([noise * sentence.std(), sentence[::-1]]), n_mels)


def _features(samples: Floats, n_mels: int) -> Floats:
    heard = mel_window(lambda start, stop: samples[start:stop], len(samples), 0, len(samples) // HOP, n_mels=n_mels)
    return pad_or_trim(heard)


@cache
def _sentence() -> Floats:
    """The sound of "The rain had stopped.", af_heart."""
    with resources.as_file(resources.files(__package__) / "data" / "sentence.flac") as path:
        return io.read(path, SAMPLE_RATE).samples
