"""The one parameter that inference wants otherwise than a checkpoint has it: the positional convolution's weight.

It is stored as direction and length (Salimans & Kingma, "Weight Normalization", 2016; one length for each place of the
kernel). Left to a runtime, the product is a constant of 52 MB in MMS that stays in memory beside its packed copy;
multiplied here and mapped from an unnamed temporary file, its pages go back to the system as those of a checkpoint do.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sonant.weights.tensors import Tensor, to_float32

__all__ = ["POSITION", "folded_position"]

POSITION = "wav2vec2.encoder.pos_conv_embed.conv"
ROWS = 64  # output channels at a time


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


def _rows(tensor: Tensor, start: int) -> NDArray[np.float32]:
    return to_float32(tensor.rows(tensor.key, start, min(start + ROWS, tensor.shape[0])))
