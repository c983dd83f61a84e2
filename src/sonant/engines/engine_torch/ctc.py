"""wav2vec 2.0 in torch: the float32 reference on the CPU, and the engine for CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonant.engines.base import EngineOptions
from sonant.engines.engine_torch import runtime
from sonant.errors import BadInput
from sonant.models.wav2vec2.adapters import PARTS, AdapterCache, stack
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.names import canonical
from sonant.models.wav2vec2.net_torch import (
    AdapterWeights,
    Headless,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
)
from sonant.models.wav2vec2.pretrain_torch import Wav2Vec2ForPreTraining
from sonant.weights.checkpoint import Checkpoint

__all__ = ["TorchCtc", "open"]


Net = Wav2Vec2ForCTC | Wav2Vec2ForSequenceClassification | Wav2Vec2ForPreTraining | Headless
NETS: dict[str, type[Net]] = {
    "ctc": Wav2Vec2ForCTC,
    "classifier": Wav2Vec2ForSequenceClassification,
    "pretraining": Wav2Vec2ForPreTraining,
    "none": Headless,
}


class TorchCtc:
    """The ``Ctc`` protocol over the reference network."""

    def __init__(self, net: Net, adapters: AdapterCache | None, device: torch.device, dtype: torch.dtype):
        self.config = net.config
        self.net = net.to(device=device, dtype=dtype).eval()
        self.adapters, self.device, self.dtype = adapters, device, dtype
        self.description = f"torch, {device}, {str(dtype).removeprefix('torch.')}"

    @torch.inference_mode()
    def log_probs(
        self,
        waveforms: NDArray[np.float32],
        lengths: NDArray[np.int64],
        languages: Sequence[str] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        self.config.need("ctc")
        sounds, counts = self._inputs(waveforms, lengths)
        weights, heads = (None, None) if languages is None else self._languages(languages)
        logits, frames = self.net(sounds, counts, weights, heads)
        return logits.float().log_softmax(2).cpu().numpy(), frames.cpu().numpy()

    @torch.inference_mode()
    def classify(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """See ``engines.base.Ctc``."""
        self.config.need("classifier")
        found: NDArray[np.float32] = self.net(*self._inputs(waveforms, lengths)).float().log_softmax(1).cpu().numpy()
        return found

    @torch.inference_mode()
    def units(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        self.config.need("pretraining")
        net = cast("Wav2Vec2ForPreTraining", self.net)
        features, frames = net.wav2vec2.feature_extractor(*self._inputs(waveforms, lengths))
        _, normed = net.wav2vec2.feature_projection(features)
        return net.quantizer.codes(normed).cpu().numpy(), frames.cpu().numpy()

    @torch.inference_mode()
    def hidden_states(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64], layers: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        wrong = [layer for layer in layers if not 0 <= layer <= self.config.num_hidden_layers]
        if wrong:
            raise BadInput(f"layer {wrong[0]} is out of range; allowed: 0 to {self.config.num_hidden_layers}")
        heard = self.net.wav2vec2(*self._inputs(waveforms, lengths))
        states = torch.stack([heard.states[layer] for layer in layers])
        return states.float().cpu().numpy(), heard.frames.cpu().numpy()

    def _inputs(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        sounds = torch.from_numpy(waveforms).to(device=self.device, dtype=self.dtype)
        return sounds, torch.from_numpy(lengths).to(self.device)

    def _languages(self, languages: Sequence[str]) -> tuple[AdapterWeights, list[tuple[Tensor, Tensor]]]:
        """Adapters and heads of each row."""
        if self.adapters is None:
            raise BadInput("this checkpoint has no language adapters; leave the language out")
        rows = [self.adapters.get(language) for language in languages]

        def tensor(array: NDArray[np.float32]) -> Tensor:
            return torch.from_numpy(array).to(device=self.device, dtype=self.dtype)

        stacked = stack(rows)
        heads = [(tensor(row.head_weight), tensor(row.head_bias)) for row in rows]
        return AdapterWeights(*(tensor(stacked[part]) for part in PARTS)), heads


def open(checkpoint: Checkpoint, options: EngineOptions) -> TorchCtc:  # noqa: A001  the name every engine module has
    """Open a wav2vec 2.0 checkpoint.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that this torch doesn't have.
    """
    device = runtime.device_of(options)
    dtype = runtime.dtype_of(options, device)
    config = Wav2Vec2Config.from_hf(checkpoint.config)
    state = {canonical(key): tensor.float() for key, tensor in runtime.read(checkpoint.weights).items()}
    state.setdefault("wav2vec2.masked_spec_embed", torch.zeros(config.hidden_size))  # only training reads it
    with torch.device("meta"):
        net: Net = NETS[config.head](config)
    adapters = AdapterCache(checkpoint.folder, config, lambda adapter: adapter) if config.adapter_attn_dim else None
    return TorchCtc(runtime.fill(net, state, checkpoint.id), adapters, device, dtype)
