"""What a wav2vec 2.0 network makes of a recording before its head: hidden states, and discrete units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.asr.ctc_sound import SAMPLE_RATE, normalise
from sonant.asr.frames import FrameWindow
from sonant.engines.base import Ctc
from sonant.errors import UnreadableAudio

__all__ = ["Features", "Units", "features", "units"]


@dataclass(frozen=True, slots=True)
class Features:
    """Hidden states of a recording.

    Attributes:
        values: (F, D) float32.
        rate_hz: frames a second, 50 in every published checkpoint.
        layers: the layers they are the mean of.
    """

    values: NDArray[np.float32]
    rate_hz: float
    layers: tuple[int, ...]

    def pooled(self) -> NDArray[np.float32]:
        """Mean over the frames, (D,)."""
        return self.values.mean(0)


@dataclass(frozen=True, slots=True)
class Units:
    """Discrete units of a recording.

    Attributes:
        values: (F, G) int64, the entry of each of G codebooks that fits a frame best.
        rate_hz: frames a second.
        entries: entries of a codebook; values are below it.
    """

    values: NDArray[np.int64]
    rate_hz: float
    entries: int

    def joined(self) -> NDArray[np.int64]:
        """One number a frame, (F,) below entries ** G: the codebooks' entries as digits, the first the highest."""
        groups = self.values.shape[1]
        return self.values @ self.entries ** np.arange(groups - 1, -1, -1, dtype=np.int64)


def features(engine: Ctc, normalised: bool, windows: Iterable[FrameWindow], layers: int | Sequence[int]) -> Features:
    """Hidden states of the kept frames of all windows; see ``CtcRecognizer.features``."""
    depth = engine.config.num_hidden_layers + 1
    wanted = [layers] if isinstance(layers, int) else list(layers)
    chosen = [layer + depth if layer < 0 else layer for layer in wanted]
    kept = []
    for window in windows:
        states, _ = engine.hidden_states(*_row(window, normalised), chosen)
        kept.append(states.mean(0)[0, window.skip : window.skip + window.keep])
    return Features(np.concatenate(_some(kept, engine)), SAMPLE_RATE / engine.config.samples_per_frame, tuple(chosen))


def units(engine: Ctc, normalised: bool, windows: Iterable[FrameWindow]) -> Units:
    """Discrete units of the kept frames of all windows; see ``CtcRecognizer.units``."""
    engine.config.need("pretraining")
    kept = []
    for window in windows:
        found, _ = engine.units(*_row(window, normalised))
        kept.append(found[0, window.skip : window.skip + window.keep])
    rate_hz = SAMPLE_RATE / engine.config.samples_per_frame
    return Units(np.concatenate(_some(kept, engine)), rate_hz, engine.config.num_codevectors_per_group)


def _row(window: FrameWindow, normalised: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A window as a batch of one."""
    samples = normalise(window.samples) if normalised else window.samples
    return samples[None], np.array([len(samples)])


def _some(kept: list[NDArray], engine: Ctc) -> list[NDArray]:
    if not kept:
        field_ms = engine.config.receptive_field / SAMPLE_RATE * 1000
        raise UnreadableAudio(f"the audio is shorter than one frame of {field_ms:.0f} ms")
    return kept
