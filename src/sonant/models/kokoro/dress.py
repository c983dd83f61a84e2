"""What the style makes of every AdaIN: scales and shifts, computed in float32 for all of them at once. NumPy only.

A style row colours the voice (first half) and the prosody (second half). Each AdaIN has a linear layer from its half to
a scale and a shift for every channel; stacked they are one matrix, and its product is one input of a graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.models.kokoro.fold import Floats, sign_of
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["Dressing", "convolution_before", "dressed_keys"]


def dressed_keys(shapes: Mapping[str, Sequence[int]], part: str) -> dict[str, int]:
    """Keys of a part's AdaIN layers in the checkpoint's order, and their channels; ``part`` as in "decoder."."""
    found = {}
    for key, shape in shapes.items():
        name = key.removesuffix(".fc.bias")
        if key.startswith(part) and name != key and ".lstms." not in key:
            found[name] = shape[0] // 2
    return found


def convolution_before(name: str) -> str | None:
    """The convolution whose output an AdaIN normalises, where nothing else hears that output."""
    head, _, last = name.rpartition(".")
    if last == "norm2":
        return f"{head}.conv1"
    block, _, kind = head.rpartition(".")
    return f"{block}.convs1.{last}" if kind == "adain2" else None


class Dressing:
    """The stacked linear layers of one part's AdaINs."""

    def __init__(self, stored: Mapping[str, Tensor], keys: Sequence[str]) -> None:
        weights, biases = [], []
        for name in keys:
            weight, bias = (to_float32(stored[f"{name}.fc.{kind}"]).copy() for kind in ("weight", "bias"))
            channels = len(bias) // 2
            bias[:channels] += 1  # AdaIN multiplies by 1 + scale
            before = convolution_before(name)
            if before is not None:  # its weight's sign, which the normalisation doesn't undo (``fold``)
                sign = sign_of(stored[f"{before}.weight_g"])
                weight[:channels] *= sign[:, None]
                bias[:channels] *= sign
            weights.append(weight)
            biases.append(bias)
        self.weight: NDArray[np.float32] = np.concatenate(weights)
        self.bias: NDArray[np.float32] = np.concatenate(biases)

    @one_core
    def __call__(self, style: Floats) -> Floats:
        """(B, 1, 2 x all channels) for (B, style): scale, then shift of each AdaIN, in the order of the keys."""
        return (style @ self.weight.T + self.bias)[:, None]
