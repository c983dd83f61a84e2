"""Whisper over our own kernels: an encoder, and a decoder of int8 weights that follows any encoder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.engines import pages
from sonant.engines import seq2seq_checks as checks
from sonant.engines.kernel_parts.usual import Thinning
from sonant.engines.seq2seq_graph import Source
from sonant.kernels.decoder import Cross, Decoder, Told
from sonant.kernels.library import Floats
from sonant.kernels.team import Team
from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.decoder_kernels import make_decoder
from sonant.models.whisper.net_kernels import Encoder
from sonant.weights.tensors import Tensor

__all__ = ["Hear", "KernelEncoder", "KernelMemory", "KernelSeq2Seq", "open_decoder", "open_encoder"]

Hear = Callable[[Floats], Generator[Floats, None, None]]
"""(n_mels, T) log-mel of a window to keys and values (H, F, E) of each decoder layer in turn, good until the next."""


def open_encoder(
    config: WhisperConfig, tensors: Mapping[str, Tensor], team: Team, files: Sequence[Path]
) -> KernelEncoder:
    """Pack a Whisper's weights, read from these files; the files' pages are given back."""
    parts = [one for key, one in tensors.items() if key.startswith("model.encoder.") or ".encoder_attn." in key]
    with pages.forgetting([one.read() for one in parts]):
        return KernelEncoder(Encoder(config, tensors, team), config, files)


def open_decoder(source: Source, team: Team) -> Decoder:
    """Pack a decoder's weights; the file's pages are given back."""
    parts = [one for key, one in source.tensors.items() if key.startswith(("model.decoder.", "proj_out."))]
    with pages.forgetting([one.read() for one in parts]):
        return make_decoder(source.config, source.tensors, team)


class KernelEncoder:
    """Whisper's encoder, one window after the other (``Hear``)."""

    def __init__(self, encoder: Encoder, config: WhisperConfig, files: Sequence[Path]) -> None:
        self.encoder, self.lock = encoder, Lock()  # one window has all cores
        self.thinning = Thinning(encoder, config.num_mel_bins, files)
        self.shape = config.max_source_positions, config.decoder_attention_heads, config.head_size

    def __call__(self, features: Floats) -> Generator[Floats, None, None]:
        """See ``Hear``."""
        with self.lock:
            for made in self.encoder(features, self.thinning.usual(features)):
                yield made.reshape(self.shape).transpose(1, 0, 2)


class KernelMemory:
    """The ``Memory`` protocol; ``told`` is what the decoder made of its tokens, once there were some."""

    def __init__(self, cross: Cross, beams: int = 1) -> None:
        self.cross, self.windows, self.beams = cross, len(cross.keys), beams
        self.told: Told | None = None

    @property
    def length(self) -> int:
        """See ``Memory``."""
        return self.told.length if self.told else 0


class KernelSeq2Seq:
    """The ``Seq2Seq`` protocol over a decoder of the kernels."""

    def __init__(self, source: Source, hear: Hear, decoder: Decoder, description: str) -> None:
        self.config, self.embed, self.description = source.config, source.embed, description
        self.hear, self.decoder, self.team = hear, decoder, decoder.team

    def encode(self, features: Floats) -> KernelMemory:
        """See ``engines.base.Seq2Seq``."""
        checks.features(features, self.config)
        cross = Cross.empty(self.team, self.decoder.sizes, self.config.decoder_layers, len(features))
        for window, heard in enumerate(features):
            made = self.hear(heard)
            for layer in range(self.config.decoder_layers):
                cross.put(self.team, layer, window, next(made), next(made))
            made.close()
        return KernelMemory(cross)

    def fork(self, memory: KernelMemory, windows: Sequence[int], beams: int = 1) -> KernelMemory:
        """See ``engines.base.Seq2Seq``; a run of windows is shared, picked ones are copied."""
        checks.fork(memory, windows, beams)
        return KernelMemory(memory.cross.picked(windows), beams)

    def step(self, memory: KernelMemory, tokens: NDArray[np.int64], every: bool = False) -> Floats:
        """See ``engines.base.Seq2Seq``."""
        return self._step(memory, tokens, every)

    def _step(
        self, memory: KernelMemory, tokens: NDArray[np.int64], every: bool, queries: Floats | None = None
    ) -> Floats:
        checks.step(memory, tokens, self.config)
        if memory.told is None:
            memory.told = self.decoder.begin(memory.cross, memory.beams)
        logits = self.decoder.step(memory.told, self.embed(tokens, memory.length), every=every, queries=queries)
        return logits[..., : self.config.vocab_size]

    def reorder(self, memory: KernelMemory, rows: NDArray[np.int64]) -> None:
        """See ``engines.base.Seq2Seq``; nothing of the cache is moved."""
        checks.reorder(memory, rows)
        if memory.told is not None:
            memory.told.reorder(rows)

    def rewind(self, memory: KernelMemory, length: int) -> None:
        """See ``engines.base.Seq2Seq``."""
        checks.rewind(memory, length)
        if memory.told is not None:
            memory.told.length = length

    def align(
        self, memory: KernelMemory, window: int, tokens: NDArray[np.int64], heads: Sequence[tuple[int, int]]
    ) -> tuple[Floats, Floats]:
        """See ``engines.base.Seq2Seq``."""
        checks.align(memory, window, tokens, heads, self.config)
        fresh, size = self.fork(memory, [window]), self.config.head_size
        queries = np.empty((self.config.decoder_layers, len(tokens), self.decoder.width), np.float32)
        logits = self._step(fresh, tokens[None], True, queries)[0]
        scores = np.empty((len(heads), len(tokens), self.config.max_source_positions), np.float32)
        for row, (layer, head) in enumerate(heads):
            keys = fresh.cross.keys_of(layer, 0, head)
            with one_core:
                np.matmul(queries[layer, :, head * size : (head + 1) * size], keys.T, out=scores[row])
        return scores, logits


def widened(array: NDArray[Any]) -> Floats:
    """Numbers of a float32 array, or of bfloat16 bits (the upper halves of float32)."""
    return array if array.dtype == np.float32 else (array.astype(np.uint32) << 16).view(np.float32)
