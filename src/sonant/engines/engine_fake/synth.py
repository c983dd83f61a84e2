"""A voice without weights: a sine wave as long as its tokens ask for. For tests of everything around the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonant.engines.base import EngineOptions
from sonant.errors import BadInput
from sonant.weights.checkpoint import Checkpoint

__all__ = ["FakeSynth", "open"]

FRAME_SAMPLES = 600  # Kokoro's duration frame, 25 ms at 24 kHz
FRAMES_PER_TOKEN = 4  # at speed 1
LOUDNESS = 0.3


class FakeSynth:
    """The ``Synth`` protocol; the pitch follows the style's mean, so that voices differ."""

    sample_rate = 24_000
    description = "fake, sine wave"

    def synthesize(
        self,
        tokens: Sequence[NDArray[np.int64]],
        styles: NDArray[np.float32],
        speeds: NDArray[np.float32],
        seeds: Sequence[int],
    ) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """See ``engines.base.Synth``; the seed changes nothing, because there is no noise."""
        counts = {len(tokens), len(styles), len(speeds), len(seeds)}
        if len(counts) != 1:
            raise BadInput(f"{len(tokens)} utterances, {len(styles)} styles, {len(speeds)} speeds, {len(seeds)} seeds")
        return [self._say(row, styles[index], float(speeds[index])) for index, row in enumerate(tokens)]

    def begin(self, *_given: object) -> None:
        """See ``engines.base.Synth``: a sine is there at once."""

    def _say(
        self, tokens: NDArray[np.int64], style: NDArray[np.float32], speed: float
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        frames = np.full(len(tokens) + 2, max(1, round(FRAMES_PER_TOKEN / speed)), np.int64)
        seconds = np.arange(frames.sum() * FRAME_SAMPLES) / self.sample_rate
        pitch_hz = 220 * 2 ** np.clip(float(style.mean()), -1, 1)
        return (LOUDNESS * np.sin(2 * np.pi * pitch_hz * seconds)).astype(np.float32), frames


def open(checkpoint: Checkpoint, options: EngineOptions) -> FakeSynth:  # noqa: A001, ARG001  the name and signature of all
    """A fake voice; it needs nothing of the checkpoint."""
    return FakeSynth()
