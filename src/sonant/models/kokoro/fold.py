"""Parameters as inference wants them, derived from a checkpoint's: NumPy only.

The templates (``graph_text``, ``graph_decoder``) read nearly all parameters under the checkpoint's own keys, where
they lie; so the directions ``X.weight_v`` of weight-normalised convolutions, the bulk of them. Small ones are derived
when a checkpoint is opened:

- ``X.scale`` = ``X.weight_g`` / |``X.weight_v``| (Salimans & Kingma 2016), which multiplies a convolution's output (of
  a transposed convolution its input, the axis that torch normalises there);
- ``X.eps``: where an instance normalisation follows, it undoes that scale and any bias, but for its epsilon: the
  convolution stays unscaled, and the epsilon is divided by the scale's square; ``X.sign``, which is not undone, goes
  into the style's scale;
- ``X.phases`` of a transposed convolution as an ordinary one: kernel 3, one group of output channels for each of the
  ``rate`` steps that one input step becomes (``graph_layers.Layers.upsample``), and ``X.phases_bias``;
- ``X.forward.W``, ``.R``, ``.B`` and ``X.backward....`` of an LSTM: torch orders the gates input, forget, cell, output,
  ONNX input, output, forget, cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sonant.errors import UnsupportedCheckpoint
from sonant.models.kokoro.config import HARMONICS
from sonant.models.kokoro.source import SourceWeights
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["DIRECTIONS", "NORM_EPS", "derived", "derived_shapes", "sign_of", "source_weights"]

NORM_EPS = 1e-5  # of torch's InstanceNorm1d and LayerNorm, which hexgrad keeps
EPS_LIMITS = (1e-12, 1e12)  # a row of zeros must not make 0 / 0
DIRECTIONS = {"forward": "", "backward": "_reverse"}  # of an LSTM: names in ONNX, torch's suffixes
_GATES = (0, 3, 1, 2)  # ONNX's order, counted in torch's
_MERGE = "decoder.generator.m_source.l_linear"
Floats = NDArray[np.float32]


def derived_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the derived parameters, beside those of the checkpoint."""
    found = dict(shapes)
    for key, shape in shapes.items():
        name = key.rpartition(".")[0]
        if key.endswith(".weight_v"):
            found[f"{name}.scale"] = found[f"{name}.eps"] = found[f"{name}.sign"] = (shape[0],)
            if _is_upsampling(name):
                inputs, outputs, kernel = shape
                found[f"{name}.phases"] = (kernel // 2 * outputs, inputs, 3)
                found[f"{name}.phases_bias"] = (kernel // 2 * outputs,)
        elif key.endswith(".weight_ih_l0"):
            for direction in DIRECTIONS:
                found[f"{name}.{direction}.W"] = (1, *shape)
                found[f"{name}.{direction}.R"] = (1, shape[0], shape[0] // 4)
                found[f"{name}.{direction}.B"] = (1, 2 * shape[0])
    return found


def derived(stored: Mapping[str, Tensor], origin: str) -> dict[str, Tensor]:
    """The checkpoint's tensors with the derived ones beside them.

    A derived tensor is made when it is first read, and kept.

    Raises:
        UnsupportedCheckpoint: a tensor to derive from is missing.
    """
    try:
        return _derived(stored)
    except KeyError as error:
        raise UnsupportedCheckpoint(f"{origin} lacks the parameter {error.args[0]!r} of its network") from None


def _derived(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = dict(stored)
    for key, tensor in stored.items():
        name = key.rpartition(".")[0]
        if key.endswith(".weight_v"):
            made = _normed(name, stored[f"{name}.weight_g"], tensor)
            if _is_upsampling(name):
                made += _phases(name, tensor, stored[f"{name}.bias"])
        elif key.endswith(".weight_ih_l0"):
            made = []
            for direction, suffix in DIRECTIONS.items():
                names = [f"{name}.{kind}_l0{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
                made += _lstm(f"{name}.{direction}", [stored[each] for each in names])
        else:
            continue
        found.update({each.key: each for each in made})
    return found


def sign_of(length: Tensor) -> Floats:
    """Signs of a weight-normalised convolution's rows. (A row of zeros gives 0 whatever its sign.)"""
    return np.sign(to_float32(length).reshape(-1))


def _scale_of(length: Tensor, direction: Tensor) -> Floats:
    """Length over norm of each row, 0 for a row of zeros."""
    flat = to_float32(direction).reshape(direction.shape[0], -1)
    norm = np.sqrt(np.einsum("ij,ij->i", flat, flat))
    return np.divide(to_float32(length).reshape(-1), norm, out=np.zeros_like(norm), where=norm > 0)


def source_weights(stored: Mapping[str, Tensor], origin: str) -> SourceWeights:
    """The weights that merge the harmonics.

    Raises:
        UnsupportedCheckpoint: they are missing or of another shape.
    """
    weight, bias = stored.get(f"{_MERGE}.weight"), stored.get(f"{_MERGE}.bias")
    if weight is None or bias is None or weight.shape != (1, HARMONICS) or bias.shape != (1,):
        raise UnsupportedCheckpoint(f"{origin} lacks {_MERGE}.weight (1, {HARMONICS}) or {_MERGE}.bias (1,)")
    return SourceWeights(to_float32(weight)[0].copy(), float(to_float32(bias)[0]))


def _kept(key: str, shape: tuple[int, ...], make: Callable[[], Floats]) -> Tensor:
    return Tensor(key, "F32", shape, cache(make))


def _normed(name: str, length: Tensor, direction: Tensor) -> list[Tensor]:
    scale = cache(lambda: _scale_of(length, direction))

    def eps() -> Floats:
        with np.errstate(divide="ignore"):
            return np.clip(NORM_EPS / np.square(scale()), *EPS_LIMITS).astype(np.float32)

    shape = (direction.shape[0],)
    return [
        _kept(f"{name}.scale", shape, scale),
        _kept(f"{name}.eps", shape, eps),
        _kept(f"{name}.sign", shape, lambda: sign_of(length)),
    ]


def _is_upsampling(name: str) -> bool:
    return name.startswith("decoder.generator.ups.")


def _phases(name: str, weight: Tensor, bias: Tensor) -> list[Tensor]:
    """The kernel of 2 x rate taps split by the place j of an output step inside its input step i.

    Output step rate x i + j hears tap j + rate / 2 of input i, and of one neighbour: of i - 1 in the first half (tap
    j + 3 rate / 2), of i + 1 in the second (tap j - rate / 2).
    """
    inputs, outputs, kernel = weight.shape
    rate, half = kernel // 2, kernel // 4

    def phases() -> Floats:
        taps = to_float32(weight).transpose(2, 1, 0)  # (kernel, outputs, inputs)
        made = np.zeros((rate, outputs, inputs, 3), np.float32)
        made[:half, :, :, 0] = taps[rate + half :]
        made[:, :, :, 1] = taps[half : half + rate]
        made[half:, :, :, 2] = taps[:half]
        return made.reshape(rate * outputs, inputs, 3)

    return [
        _kept(f"{name}.phases", (rate * outputs, inputs, 3), phases),
        _kept(f"{name}.phases_bias", (rate * outputs,), lambda: np.tile(to_float32(bias), rate)),
    ]


def _lstm(name: str, parts: list[Tensor]) -> list[Tensor]:
    """W, R, B of one direction from torch's weight_ih, weight_hh, bias_ih, bias_hh."""
    wide, again, first, second = parts
    rows = wide.shape[0]

    def turned(tensor: Tensor) -> Floats:
        gates = to_float32(tensor).reshape(4, rows // 4, -1)
        return gates[list(_GATES)].reshape(tensor.shape)

    return [
        _kept(f"{name}.W", (1, *wide.shape), lambda: turned(wide)[None]),
        _kept(f"{name}.R", (1, *again.shape), lambda: turned(again)[None]),
        _kept(f"{name}.B", (1, 2 * rows), lambda: np.concatenate([turned(first), turned(second)])[None]),
    ]
