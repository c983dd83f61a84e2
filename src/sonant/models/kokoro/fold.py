"""Parameters as inference wants them, derived from a checkpoint's: NumPy only.

The templates (``graph_text``, ``graph_decoder``) read most parameters under the checkpoint's own keys. Two kinds are
derived once when a checkpoint is opened, because doing it in the graph would cost every compilation instead:

- ``X.weight`` of a weight-normalised convolution, from ``X.weight_g`` and ``X.weight_v`` (Salimans & Kingma 2016);
- ``X.forward.W``, ``.R``, ``.B`` and ``X.backward....`` of an LSTM: torch orders the gates input, forget, cell, output,
  ONNX input, output, forget, cell.

A derived tensor is made when it is first read, and again after that: nothing keeps it but the runtime.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sonant.errors import UnsupportedCheckpoint
from sonant.models.kokoro.config import HARMONICS
from sonant.models.kokoro.source import SourceWeights
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["derived", "derived_shapes", "source_weights"]

DIRECTIONS = {"forward": "", "backward": "_reverse"}
_GATES = (0, 3, 1, 2)  # ONNX's order, counted in torch's
_MERGE = "decoder.generator.m_source.l_linear"


def derived_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the derived parameters, beside those of the checkpoint."""
    found = dict(shapes)
    for key, shape in shapes.items():
        if key.endswith(".weight_v"):
            found[key.removesuffix("_v")] = shape
        elif key.endswith(".weight_ih_l0"):
            layer, rows = key.removesuffix(".weight_ih_l0"), shape[0]
            for direction in DIRECTIONS:
                found[f"{layer}.{direction}.W"] = (1, *shape)
                found[f"{layer}.{direction}.R"] = (1, rows, rows // 4)
                found[f"{layer}.{direction}.B"] = (1, 2 * rows)
    return found


def derived(stored: Mapping[str, Tensor], origin: str) -> dict[str, Tensor]:
    """The checkpoint's tensors with the derived ones beside them.

    Raises:
        UnsupportedCheckpoint: half of a pair is missing.
    """
    found = dict(stored)

    def need(key: str) -> Tensor:
        if key not in stored:
            raise UnsupportedCheckpoint(f"{origin} lacks the parameter {key!r} of its network")
        return stored[key]

    for key in stored:
        if key.endswith(".weight_v"):
            made = _folded(need(key.removesuffix("_v") + "_g"), stored[key], key.removesuffix("_v"))
            found[made.key] = made
        elif key.endswith(".weight_ih_l0"):
            layer = key.removesuffix(".weight_ih_l0")
            for direction, suffix in DIRECTIONS.items():
                names = [f"{layer}.{kind}_l0{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
                for made in _lstm(f"{layer}.{direction}", [need(name) for name in names]):
                    found[made.key] = made
    return found


def source_weights(stored: Mapping[str, Tensor], origin: str) -> SourceWeights:
    """The weights that merge the harmonics.

    Raises:
        UnsupportedCheckpoint: they are missing or of another shape.
    """
    weight, bias = stored.get(f"{_MERGE}.weight"), stored.get(f"{_MERGE}.bias")
    if weight is None or bias is None or weight.shape != (1, HARMONICS) or bias.shape != (1,):
        raise UnsupportedCheckpoint(f"{origin} lacks {_MERGE}.weight (1, {HARMONICS}) or {_MERGE}.bias (1,)")
    return SourceWeights(to_float32(weight)[0].copy(), float(to_float32(bias)[0]))


def _folded(length: Tensor, direction: Tensor, key: str) -> Tensor:
    def read() -> NDArray[np.float32]:
        v = to_float32(direction)
        flat = v.reshape(len(v), -1)
        norm = np.sqrt(np.einsum("ij,ij->i", flat, flat))
        return v * (to_float32(length).reshape(-1) / norm).reshape(-1, *[1] * (v.ndim - 1))

    return Tensor(key, "F32", direction.shape, read)


def _lstm(key: str, parts: list[Tensor]) -> list[Tensor]:
    """W, R, B of one direction from torch's weight_ih, weight_hh, bias_ih, bias_hh."""
    wide, again, first, second = parts
    rows = wide.shape[0]

    def turned(tensor: Tensor) -> NDArray[np.float32]:
        gates = to_float32(tensor).reshape(4, rows // 4, -1)
        return gates[list(_GATES)].reshape(tensor.shape)

    return [
        Tensor(f"{key}.W", "F32", (1, *wide.shape), lambda: turned(wide)[None]),
        Tensor(f"{key}.R", "F32", (1, *again.shape), lambda: turned(again)[None]),
        Tensor(f"{key}.B", "F32", (1, 2 * rows), lambda: np.concatenate([turned(first), turned(second)])[None]),
    ]
