"""Whisper in torch: the float32 reference on the CPU, and the engine for CUDA and MPS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from sonant.engines import seq2seq_checks as checks
from sonant.engines.base import EngineOptions
from sonant.engines.engine_torch import runtime
from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.net_torch import Cache, Cross, Whisper
from sonant.weights.checkpoint import Checkpoint

__all__ = ["TorchMemory", "TorchSeq2Seq", "open"]


@dataclass
class TorchMemory:
    """The ``Memory`` protocol: cross keys and values on the device, and the cache of decoded tokens."""

    windows: int
    beams: int
    cross: Cross
    cache: Cache = field(default_factory=Cache)

    @property
    def length(self) -> int:
        """Tokens decoded so far."""
        return self.cache.length


class TorchSeq2Seq:
    """The ``Seq2Seq`` protocol over the reference network."""

    def __init__(self, net: Whisper, device: torch.device, dtype: torch.dtype, threads: int = 0) -> None:
        self.net = net.to(device=device, dtype=dtype)
        self.config: WhisperConfig = net.config
        self.device, self.dtype, self.threads = device, dtype, threads
        self.description = f"torch, {device}, {str(dtype).removeprefix('torch.')}"

    @torch.inference_mode()
    def encode(self, features: NDArray[np.float32]) -> TorchMemory:
        """See ``engines.base.Seq2Seq``."""
        checks.features(features, self.config)
        with runtime.threads(self.threads):
            cross = self.net.encode(torch.from_numpy(features).to(self.device, self.dtype))
        return TorchMemory(features.shape[0], 1, cross)

    def fork(self, memory: TorchMemory, windows: Sequence[int], beams: int = 1) -> TorchMemory:
        """See ``engines.base.Seq2Seq``."""
        checks.fork(memory, windows, beams)
        return TorchMemory(len(windows), beams, memory.cross.select(list(windows)))

    @torch.inference_mode()
    def step(self, memory: TorchMemory, tokens: NDArray[np.int64], every: bool = False) -> NDArray[np.float32]:
        """See ``engines.base.Seq2Seq``."""
        checks.step(memory, tokens, self.config)
        with runtime.threads(self.threads):
            logits = self.net.decode(torch.from_numpy(tokens).to(self.device), memory.cross, memory.cache, every)
        return logits.float().cpu().numpy()

    @torch.inference_mode()
    def reorder(self, memory: TorchMemory, rows: NDArray[np.int64]) -> None:
        """See ``engines.base.Seq2Seq``."""
        checks.reorder(memory, rows)
        memory.cache.reorder(torch.from_numpy(rows).to(self.device))

    def rewind(self, memory: TorchMemory, length: int) -> None:
        """See ``engines.base.Seq2Seq``."""
        checks.rewind(memory, length)
        memory.cache.length = length

    @torch.inference_mode()
    def align(
        self, memory: TorchMemory, window: int, tokens: NDArray[np.int64], heads: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See ``engines.base.Seq2Seq``."""
        checks.align(memory, window, tokens, heads, self.config)
        cross = memory.cross.select([window])
        layers = {layer for layer, _ in heads}
        with runtime.threads(self.threads):
            asked = torch.from_numpy(tokens)[None].to(self.device)
            hidden, scores = self.net.model.decoder(asked, cross, Cache(), layers)
            logits = self.net.project(hidden)[0]
        stacked = torch.stack([scores[layer][0, head] for layer, head in heads])
        return stacked.float().cpu().numpy(), logits.float().cpu().numpy()


def open(checkpoint: Checkpoint, options: EngineOptions) -> TorchSeq2Seq:  # noqa: A001  the name every engine has
    """Open a Whisper checkpoint.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that torch doesn't have here.
    """
    config = WhisperConfig.from_hf(checkpoint.config)
    device = runtime.device_of(options)
    dtype = runtime.dtype_of(options, device)
    stored = runtime.read(checkpoint.weights)
    tied = checks.tied_output(config, stored, lambda a, b: torch.equal(stored[a], stored[b]))
    state = {checks.canonical(key): tensor.to(dtype) for key, tensor in stored.items() if key not in tied}
    with torch.device("meta"):
        net = Whisper(config)
    return TorchSeq2Seq(runtime.fill(net, state, checkpoint.id), device, dtype, options.threads)
