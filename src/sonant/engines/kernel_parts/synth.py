"""Kokoro's decoder over our own kernels."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.engines import pages
from sonant.kernels.team import Team
from sonant.models.kokoro import fold, names
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.net_kernels import Decoder
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["KernelDecoder", "open_decoder"]

Arrays = Mapping[str, NDArray[Any]]


def open_decoder(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], team: Team) -> KernelDecoder:
    """Pack a checkpoint's weights; the file's pages are given back."""
    config = KokoroConfig.from_hexgrad(checkpoint.config)
    shapes = fold.derived_shapes(names.shapes(checkpoint.config))
    mapped = [one.read() for key, one in tensors.items() if key.startswith("decoder.") and key in shapes]
    with pages.forgetting(mapped):
        return KernelDecoder(Decoder(config, shapes, tensors, team))


class KernelDecoder:
    """The decoder's part of ``synth_graph``: a batch, one utterance after the other."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.lock = decoder, Lock()  # one utterance has all cores

    def __call__(self, feeds: Arrays) -> list[NDArray[Any]]:
        """Spectra (B, N, n_fft + 2), zeros past each end."""
        text, source = feeds["text"], feeds["source"]
        spectra = np.zeros_like(source)
        columns = (source.shape[1] - 1) // text.shape[1]
        for row, frames in enumerate(int(length) for length in feeds["lengths"]):
            end = frames * columns + 1
            pitch, energy = (feeds[name][row, : 2 * frames] for name in ("pitch", "energy"))
            with self.lock:
                spectra[row, :end] = self.decoder(
                    text[row, :frames], pitch, energy, source[row, :end], feeds["dressing"][row]
                )
        return [spectra]
