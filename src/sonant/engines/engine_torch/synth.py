"""Kokoro in torch: the float32 reference on the CPU, and the engine for CUDA."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonant.engines.base import EngineOptions
from sonant.engines.engine_torch import runtime
from sonant.engines.synth_flow import SynthFlow
from sonant.engines.synth_graph import stored_tensors
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.net_torch import Kokoro
from sonant.models.kokoro.net_torch_layers import fold_weight_norm
from sonant.models.kokoro.source import SourceWeights
from sonant.weights.checkpoint import Checkpoint

__all__ = ["TorchParts", "open"]

BATCH_FRAMES = 16_000  # on a GPU: 400 s of speech in one call
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class TorchParts:
    """The parts of the network on a device; text and prosody stay float32, so that durations don't depend on dtype."""

    def __init__(self, net: Kokoro, device: torch.device, dtype: torch.dtype, threads: int = 0) -> None:
        self.net = net.to(device)
        self.net.decoder.to(dtype)
        self.device, self.dtype, self.threads = device, dtype, threads

    @torch.inference_mode()
    def text(self, tokens: Ints, style: Floats, lengths: Ints) -> tuple[Floats, Floats, Floats]:
        """See ``Parts``."""
        with runtime.threads(self.threads):
            durations, prosody, text = self.net.text(self._put(tokens), self._put(style), self._put(lengths))
        return _get(durations), _get(prosody), _get(text)

    @torch.inference_mode()
    def prosody(self, frames: Floats, style: Floats, lengths: Ints) -> tuple[Floats, Floats]:
        """See ``Parts``."""
        with runtime.threads(self.threads):
            pitch, energy = self.net.prosody(self._put(frames), self._put(style), self._put(lengths))
        return _get(pitch), _get(energy)

    @torch.inference_mode()
    def decode(
        self, text: Floats, pitch: Floats, energy: Floats, source: Floats, style: Floats, lengths: Ints
    ) -> Floats:
        """See ``Parts``."""
        with runtime.threads(self.threads):
            made = self.net.decode(
                self._half(text),
                self._half(pitch),
                self._half(energy),
                self._half(source),
                self._half(style),
                self._put(lengths),
            )
        return _get(made)

    def halves(self, style: Floats) -> None:
        """See ``Parts``: here the decoder is spoken whole."""

    def _half(self, array: Floats) -> Tensor:
        return self._put(array).to(self.dtype)

    def _put(self, array: NDArray[np.generic]) -> Tensor:
        # mapped voices are read-only, which torch would warn of
        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(self.device)


def _get(tensor: Tensor) -> Floats:
    return tensor.float().cpu().numpy()


def open(checkpoint: Checkpoint, options: EngineOptions) -> SynthFlow:  # noqa: A001  the name every engine has
    """Open a Kokoro checkpoint.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that torch doesn't have here.
    """
    config = KokoroConfig.from_hexgrad(checkpoint.config)
    device = runtime.device_of(options)
    dtype = runtime.dtype_of(options, device)
    wanted = stored_tensors(checkpoint)
    state = {key: tensor.float() for key, tensor in runtime.read(checkpoint.weights).items() if key in wanted}
    with torch.device("meta"):
        net = Kokoro(config)
    runtime.fill(net, state, checkpoint.id)
    fold_weight_norm(net)
    merge = net.decoder.generator.m_source.l_linear
    weights = SourceWeights(_get(merge.weight.detach()[0]), float(merge.bias.detach()[0]))
    parts = TorchParts(net, device, dtype, options.threads)
    description = f"torch, {device}, {str(dtype).removeprefix('torch.')}"
    return SynthFlow(config, parts, weights, description, 0 if device.type == "cpu" else BATCH_FRAMES)
