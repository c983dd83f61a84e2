"""What padding usually becomes in a checkpoint's encoder: heard once, tried once, and kept in the cache."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.engines.kept import Place
from sonant.kernels import build
from sonant.kernels.library import Floats
from sonant.models.whisper.net_kernels import Encoder
from sonant.models.whisper.padding import Usual, another_window, sounding, usual_window

__all__ = ["Thinning"]

log = logging.getLogger(__name__)

MAKERS = ("sonant.kernels.transformer", "sonant.models.whisper.net_kernels", "sonant.models.whisper.padding", __name__)
NEAR = 0.02  # what a frame may be off by, of itself, on average: bfloat16's own error in base
MOST_BYTES = 128 * 2**20  # up to small; the encoders of larger ones hear all of a window


class Thinning:
    """Decides whether an encoder may leave padding out, window by window.

    What it takes for that is made when the first window comes that would gain. The encoder then hears another window
    without it, and with it; where the two differ more than bfloat16 would make them, it never leaves anything out.

    Args:
        encoder: of a Whisper; its products are of int16.
        n_mels: of its features.
        files: the checkpoint's.
    """

    def __init__(self, encoder: Encoder, n_mels: int, files: Sequence[Path]) -> None:
        self.encoder, self.n_mels, self.files = encoder, n_mels, files
        self.fits = encoder.team.dtype == "int16" and encoder.usual_bytes <= MOST_BYTES
        self.made: Usual | None = None

    def usual(self, features: Floats) -> Usual | None:
        """What to leave out of (n_mels, 2 F) log-mel by; None to hear all of it."""
        if not self.fits or not self.encoder.gains(sounding(features)):
            return None
        if self.made is None:
            self.made = self._found()
            self.fits = self.made is not None
        return self.made

    def _found(self) -> Usual | None:
        """From the cache, or made; None where it is no good."""
        team = self.encoder.team
        machine = f"{team.library.level} {team.dtype}"
        place = Place("padding", self.files, machine, MAKERS, build.digest(), self.n_mels, "usual.npy")
        if place.path.is_file():
            place.used()
            try:
                return self.encoder.read_usual(np.load(place.path, mmap_mode="r"))
            except (OSError, EOFError, ValueError) as error:
                log.warning("%s can't be read and is made again: %s", place.path, error)
                shutil.rmtree(place.folder, ignore_errors=True)
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float16 it is no good, which shows
            made = self.encoder.usual(usual_window(self.n_mels))
            numbers = made.numbers() if self._near(made) else np.empty(0, np.float16)
        try:
            place.keep(lambda path: np.save(path, numbers))
        except OSError as error:
            log.warning("what padding becomes can't be cached, so it is heard again by the next process: %s", error)
        return self.encoder.read_usual(numbers)

    def _near(self, made: Usual) -> bool:
        """Whether a window comes out as without it."""
        features = another_window(self.n_mels)
        sounds = sounding(features)
        whole, thin = (self._heard(features, usual, sounds) for usual in (None, made))
        off = np.linalg.norm(thin - whole, axis=1) / np.linalg.norm(whole, axis=1)
        return bool(off.mean() <= NEAR)

    def _heard(self, features: Floats, usual: Usual | None, sounds: int) -> NDArray[np.float32]:
        """(sounds, 2 D times layers): what the decoder is told of the sound."""
        return np.concatenate([made[:sounds].copy() for made in self.encoder(features, usual)], axis=1)
