"""Transformer layers over the kernels, and how parameters reach them, for every network that has some.

Legend: T steps, D width; activations are (T, D up to whole panels), what is behind D being zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sonant.kernels.attention import attend
from sonant.kernels.library import Floats
from sonant.kernels.product import GELU, PLAIN, Dress, Product, put_on
from sonant.kernels.team import Team

__all__ = ["Layer", "LayerKeys", "Parameters"]


class Parameters:
    """Reads a checkpoint's parameters as layers want them.

    Args:
        team: the kernels and their threads.
        read: a parameter as float32 by its key; None where the checkpoint has none of that name.
    """

    def __init__(self, team: Team, read: Callable[[str], Floats | None]) -> None:
        self.team, self.read = team, read

    def numbers(self, key: str) -> Floats:
        """A parameter that is there."""
        found = self.read(key)
        assert found is not None  # checkpoints are checked when they are opened
        return found

    def norm(self, key: str, epsilon: float) -> Dress:
        """A LayerNorm on the way into a product."""
        return Dress(self.numbers(f"{key}.weight").copy(), self.numbers(f"{key}.bias").copy(), epsilon)

    def product(self, key: str) -> Product:
        """A linear layer (outputs, inputs), or a convolution (outputs, inputs, taps)."""
        weight = self.numbers(f"{key}.weight")
        weight = weight[..., None] if weight.ndim == 2 else weight
        return Product(self.team, weight.transpose(2, 1, 0), self.read(f"{key}.bias"))

    def asking(self, keys: Sequence[str], heads: int) -> Product:
        """Queries, keys and values in one product; queries are scaled for the scores."""
        weights = [self.numbers(f"{key}.weight") for key in keys]
        none = np.zeros(len(weights[0]), np.float32)
        biases = [none if (bias := self.read(f"{key}.bias")) is None else bias for key in keys]
        scale = np.float32(1 / math.sqrt(len(none) // heads))
        weights[0], biases[0] = weights[0] * scale, biases[0] * scale
        return Product(self.team, np.concatenate(weights).T[None], np.concatenate(biases))


@dataclass(frozen=True, slots=True)
class LayerKeys:
    """What a family calls the parts of a layer, behind the layer's own key; and its form of GELU."""

    attention: str
    first_norm: str
    widens: str
    narrows: str
    second_norm: str
    asks: tuple[str, str, str] = ("q_proj", "k_proj", "v_proj")  # behind the attention's key, as the next
    mixes: str = "out_proj"
    gelu: Dress = GELU


class Layer:
    """Self-attention, then a feed-forward part with GELU, each added to what it hears.

    Args:
        read: the parameters.
        key: of the layer.
        keys: of its parts.
        heads: of the attention.
        epsilon: of its norms.
        before: norms stand before the two parts (pre-norm), not behind their sums.
    """

    def __init__(
        self, read: Parameters, key: str, keys: LayerKeys, heads: int, epsilon: float, *, before: bool = True
    ) -> None:
        self.team, self.heads, self.before = read.team, heads, before
        self.norms = [read.norm(f"{key}.{name}", epsilon) for name in (keys.first_norm, keys.second_norm)]
        attention = f"{key}.{keys.attention}"
        self.asks, self.gelu = read.asking([f"{attention}.{name}" for name in keys.asks], heads), keys.gelu
        self.mixes = read.product(f"{attention}.{keys.mixes}")
        self.widens, self.narrows = (read.product(f"{key}.{name}") for name in (keys.widens, keys.narrows))

    def __call__(self, hidden: Floats) -> None:
        """(T, D up to whole panels), in place."""
        width = self.mixes.inputs
        own = hidden[:, :width]
        first, second = self.norms if self.before else (PLAIN, PLAIN)
        made = self.asks(own, dress=first)
        queries, keys, values = (made[:, part * width : (part + 1) * width] for part in range(3))
        self.mixes(attend(self.team, queries, keys, values, self.heads), out=hidden, more=True)
        if not self.before:
            own[:] = put_on(self.team, own, self.norms[0])
        self.narrows(self.widens.activated(own, second, self.gelu), out=hidden, more=True)
        if not self.before:
            own[:] = put_on(self.team, own, self.norms[1])
