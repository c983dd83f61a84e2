"""Whisper's encoder over our own kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.engines import pages
from sonant.kernels.team import Team
from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.net_kernels import Encoder
from sonant.weights.tensors import Tensor

__all__ = ["KernelEncoder", "open_encoder"]


def open_encoder(config: WhisperConfig, tensors: Mapping[str, Tensor], team: Team) -> KernelEncoder:
    """Pack a Whisper's weights; the file's pages are given back."""
    parts = [one for key, one in tensors.items() if key.startswith("model.encoder.") or ".encoder_attn." in key]
    with pages.forgetting([one.read() for one in parts]):
        return KernelEncoder(Encoder(config, tensors, team))


class KernelEncoder:
    """Whisper's encoder, one window after the other."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.lock = encoder, Lock()  # one window has all cores

    def __call__(self, features: NDArray[np.float32], cross: Sequence[NDArray[Any]]) -> None:
        """(B, n_mels, T) log-mel to keys and values (B, H, F, E) of each decoder layer in turn, which are written."""
        for window, heard in enumerate(features):
            with self.lock:
                self.encoder(heard, [array[window] for array in cross])
