"""Sound as CTC networks take it: 16 kHz, in blocks, normalised where the checkpoint was trained so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.asr.frames import FrameWindows
from sonant.audio import io
from sonant.engines.base import Ctc
from sonant.errors import CorruptFile
from sonant.records import Audio
from sonant.weights.checkpoint import Checkpoint

__all__ = ["SAMPLE_RATE", "Heard", "Sounding", "blocks_of", "cutter", "normalise", "wants_normalised"]

SAMPLE_RATE = 16_000
NORM_FLOOR = 1e-7  # added to the variance, as the family's feature extractor does

Sounding = str | Path | Audio | NDArray[np.float32]


def normalise(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit variance, as checkpoints with ``do_normalize`` were trained."""
    return ((samples - samples.mean()) / np.sqrt(samples.var() + NORM_FLOOR)).astype(np.float32)


def wants_normalised(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint was trained on normalised sound: ``do_normalize`` of its preprocessor_config.json.

    Where that file is missing, config.json is asked, and then True is taken, which holds for all published ones.
    """
    path = checkpoint.folder / "preprocessor_config.json"
    settings = checkpoint.config
    if path.is_file():
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorruptFile(f"{path} is not JSON ({error})") from error
    return bool(settings.get("do_normalize", True))


def blocks_of(audio: Sounding) -> Iterator[NDArray[np.float32]]:
    """Blocks of 16 kHz samples of any source."""
    if isinstance(audio, str | Path):
        return io.stream(audio, SAMPLE_RATE)
    return iter([io.as_samples(audio, SAMPLE_RATE)])


def cutter(engine: Ctc, chunk_s: float, context_s: float) -> FrameWindows:
    """Windows of a network's frames that keep ``chunk_s`` seconds and hear ``context_s`` on each side.

    At the ends of the sound, which have no context, they keep more; a sound that one window can hear is not cut.
    """
    frames_per_s = SAMPLE_RATE / engine.config.samples_per_frame
    context = round(context_s * frames_per_s)
    hop, field = engine.config.samples_per_frame, engine.config.receptive_field
    return FrameWindows(max(1, round(chunk_s * frames_per_s)), context, context, hop=hop, field=field, fill=True)


class Heard:
    """Counts what passes: samples and peak, for the report."""

    def __init__(self, progress: Callable[[float], None] | None = None) -> None:
        """``progress`` is called with the seconds so far."""
        self.samples, self.peak, self.progress = 0, 0.0, progress

    @property
    def duration_s(self) -> float:
        """Seconds so far."""
        return self.samples / SAMPLE_RATE

    def watch(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """The same blocks."""
        for block in blocks:
            self.samples += len(block)
            self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
            if self.progress:
                self.progress(self.duration_s)
            yield block
