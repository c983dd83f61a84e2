"""Kokoro's decoder and Whisper's encoder by our own kernels, where they were compiled and the CPU has what it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.engines import cpu, pages
from sonant.errors import MissingExtra
from sonant.kernels.library import Library, open_level
from sonant.kernels.team import Team
from sonant.models.kokoro import fold, names
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.net_kernels import Decoder
from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.net_kernels import Encoder
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["find", "missing", "open_decoder", "open_encoder", "speech_dtype", "whisper_dtypes"]

Arrays = Mapping[str, NDArray[Any]]


def find(dtype: str, threads: int = 0) -> Team | None:
    """The best kernels that can be used here; None without any.

    Args:
        dtype: "float32" or "int16".
        threads: of the CPU; 0 for one a core.
    """
    for library in _libraries():
        if library.whole or dtype == "float32":
            return Team(library, threads or cpu.cores(), whole=dtype == "int16")
    return None


def speech_dtype(bfloat16: bool | None = None) -> tuple[str, str]:
    """What "auto" means for Kokoro: dtype and reason; ``bfloat16`` as in ``cpu.auto_dtype``."""
    dtype, reason = cpu.auto_dtype(bfloat16)
    if dtype == "float32":
        found = next(_libraries(), None)
        if found is None:
            return dtype, f"{reason}, and {missing()}"
        if found.whole:
            return "int16", f"{reason}; sonant's kernels ({found.level}) multiply int16 faster than float32"
    return dtype, reason


def whisper_dtypes() -> cpu.Dtypes:
    """What "auto" means for Whisper."""
    chosen = cpu.whisper_dtypes()
    if chosen.encoder == "float32" and (found := next(_libraries(), None)) and found.whole:
        words = f"sonant's kernels ({found.level}) for the encoder, a quarter of the weights to read for each token"
        return cpu.Dtypes("int16", chosen.decoder, words)
    return chosen


def missing() -> str:
    """Why no kernels can be used, in words."""
    said = "sonant has no kernels for it"
    for level in cpu.kernel_levels():
        try:
            open_level(level)
        except MissingExtra as error:
            said = str(error)
    return said


def _libraries() -> Iterator[Library]:
    """Those that can be used, best first."""
    for level in cpu.kernel_levels():
        with contextlib.suppress(MissingExtra):  # ``missing`` says why
            yield open_level(level)


def open_encoder(config: WhisperConfig, tensors: Mapping[str, Tensor], team: Team) -> KernelEncoder:
    """Pack a Whisper's weights; the file's pages are given back."""
    parts = [one for key, one in tensors.items() if key.startswith("model.encoder.") or ".encoder_attn." in key]
    with pages.forgetting([pages.array_of(one) for one in parts]):
        return KernelEncoder(Encoder(config, tensors, team))


class KernelEncoder:
    """Whisper's encoder, one window after the other."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.lock = encoder, Lock()  # one window has all cores

    def __call__(self, features: NDArray[np.float32], cross: Sequence[NDArray[np.float32]]) -> None:
        """(B, n_mels, T) log-mel to keys and values (B, H, F, E) of each decoder layer in turn, which are written."""
        for window, heard in enumerate(features):
            with self.lock:
                self.encoder(heard, [array[window] for array in cross])


def open_decoder(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], team: Team) -> KernelDecoder:
    """Pack a checkpoint's weights; the file's pages are given back."""
    config = KokoroConfig.from_hexgrad(checkpoint.config)
    shapes = fold.derived_shapes(names.shapes(checkpoint.config))
    mapped = [pages.array_of(one) for key, one in tensors.items() if key.startswith("decoder.") and key in shapes]
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
