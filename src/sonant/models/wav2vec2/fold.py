"""What inference wants otherwise than a checkpoint has it: the positional convolution, the group norm, adapters.

The weight is stored as direction and length (Salimans & Kingma, "Weight Normalization", 2016; one length for each place
of the kernel). Left to a runtime, the product is a constant of 52 MB in MMS that stays in memory beside its packed
copy; multiplied here and mapped from an unnamed temporary file, its pages go back to the system as a checkpoint's do.

The group norm of the first convolution takes every channel's mean and deviation over a whole utterance. Both follow
from the frames that the convolution reads: with their mean m and covariance C a filter w has the mean w m and the
variance w C w, so the utterance can be heard in pieces, and the channels are never in memory over all of it.

A language's adapter begins with a norm whose gain and shift are drawn into the matrix behind it, and its matrices are
turned once, when they are read: where each of MMS's 48 layers cut and turned its own, the graph took 20 MB more.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.models.wav2vec2.adapters import Adapter
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["FOLDED_PARTS", "GROUP_NORM_EPS", "POSITION", "FirstNorm", "folded_adapter", "folded_position"]

GROUP_NORM_EPS = 1e-5  # torch's default, which the family's feature encoder and adapters keep

POSITION = "wav2vec2.encoder.pos_conv_embed.conv"
FIRST = "wav2vec2.feature_extractor.conv_layers.0"
FOLDED_PARTS = ("down_weight", "down_bias", "up_weight", "up_bias")
ROWS = 64  # output channels at a time
STEPS = 16_000  # frames of the first convolution at a time: 5 s, 1.3 MB


def folded_position(stored: Mapping[str, Tensor]) -> Tensor:
    """``POSITION``.weight, (D, D / groups, kernel) float32, computed when it is first read."""
    length, direction = (stored[f"{POSITION}.parametrizations.weight.original{part}"] for part in (0, 1))

    @functools.cache
    def read() -> NDArray[np.float32]:
        squares = np.zeros(direction.shape[2], np.float64)
        for start in range(0, direction.shape[0], ROWS):
            squares += np.square(_rows(direction, start), dtype=np.float64).sum((0, 1))
        scale = (to_float32(length).reshape(-1) / np.sqrt(squares)).astype(np.float32)
        with tempfile.TemporaryFile(prefix="sonant-") as file:
            for start in range(0, direction.shape[0], ROWS):
                file.write((_rows(direction, start) * scale).tobytes())
            file.flush()
            return np.memmap(file, np.float32, "r", shape=direction.shape)

    return Tensor(f"{POSITION}.weight", "F32", direction.shape, read)


def folded_adapter(adapter: Adapter) -> Adapter:
    """Its parts by ``FOLDED_PARTS``: (L, D, A), (L, 1, A), (L, A, D), (L, 1, D), for a norm without gain."""
    parts = adapter.parts
    down = parts["linear_1.weight"]
    shift = np.matmul(down, parts["norm.bias"][:, :, None])[:, :, 0]
    made = (
        (down * parts["norm.weight"][:, None]).transpose(0, 2, 1),
        (parts["linear_1.bias"] + shift)[:, None],
        parts["linear_2.weight"].transpose(0, 2, 1),
        parts["linear_2.bias"][:, None],
    )
    return replace(adapter, parts=dict(zip(FOLDED_PARTS, map(np.ascontiguousarray, made), strict=True)))


def _rows(tensor: Tensor, start: int) -> NDArray[np.float32]:
    return to_float32(tensor.rows(tensor.key, start, min(start + ROWS, tensor.shape[0])))


class FirstNorm:
    """The group norm after the first convolution, for one utterance at a time."""

    def __init__(self, config: Wav2Vec2Config, stored: Mapping[str, Tensor]) -> None:
        """Read the convolution and the norm, 25 kB."""

        def numbers(key: str) -> NDArray[np.float64]:
            return to_float32(stored[f"{FIRST}.{key}"]).astype(np.float64)

        self.stride, self.filters = config.conv_stride[0], numbers("conv.weight")[:, 0]  # (C, kernel)
        self.bias = numbers("conv.bias") if config.conv_bias else np.zeros(len(self.filters))
        self.weight, self.shift = numbers("layer_norm.weight"), numbers("layer_norm.bias")

    @one_core
    def of(self, samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """``scale`` and ``shift`` (1, C, 1) of the convolution's output over (N,) samples."""
        kernel = self.filters.shape[1]
        frames = np.lib.stride_tricks.sliding_window_view(samples, kernel)[:: self.stride]
        total, products = np.zeros(kernel), np.zeros((kernel, kernel))
        for start in range(0, len(frames), STEPS):
            part = frames[start : start + STEPS].astype(np.float64)
            total += part.sum(0)
            products += part.T @ part
        mean = total / len(frames)
        covariance = products / len(frames) - np.outer(mean, mean)
        variance = np.einsum("ck,kl,cl->c", self.filters, covariance, self.filters)
        scale = self.weight / np.sqrt(np.maximum(variance, 0) + GROUP_NORM_EPS)
        shift = self.shift - (self.filters @ mean + self.bias) * scale
        return {"scale": _column(scale), "shift": _column(shift)}


def _column(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32).reshape(1, -1, 1)
