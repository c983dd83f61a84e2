"""Transformer layers over the kernels, and how parameters reach them, for every network that has some.

Legend: T steps, D width; activations are (T, D up to whole panels), what is behind D being zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sonant.kernels.attention import attend
from sonant.kernels.library import Floats
from sonant.kernels.product import GELU, GELU_WITHIN, PLAIN, Dress, Product, put_on
from sonant.kernels.team import Team
from sonant.kernels.tiles import Tiles

__all__ = ["Layer", "LayerKeys", "Layers", "Parameters", "Spread"]

Spread = Callable[[int, Floats, Floats], Floats]
"""A layer's number, (T, D up to whole panels) that it hears, and (T, 2 D) keys and values: to what all attend to."""

SHARED = 96  # rows for each thread from which all layers are one call: below, threads share weights, not rows
INNER_AT_ONCE = 1365  # channels


class Parameters:
    """Reads a checkpoint's parameters as layers want them.

    Args:
        team: the kernels and their threads.
        read: a parameter as float32 by its key; None where the checkpoint has none of that name.
    """

    def __init__(self, team: Team, read: Callable[[str], Floats | None]) -> None:
        self.team, self.read = team, read

    def without_bytes(self) -> Parameters:
        """The same for what bytes are too coarse for, or have no kernel for: in bfloat16."""
        return Parameters(self.team.of("bfloat16"), self.read) if self.team.dtype == "int8" else self

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


class Layers:
    """Transformer layers: self-attention, then an inner part with GELU, each added to what it hears.

    Args:
        read: the parameters.
        keys: of the layers.
        names: of their parts.
        heads: of the attention.
        epsilon: of the norms.
        before: norms stand before the two parts (pre-norm), not behind their sums.
    """

    def __init__(
        self,
        read: Parameters,
        keys: Sequence[str],
        names: LayerKeys,
        heads: int,
        epsilon: float,
        *,
        before: bool = True,
    ) -> None:
        self.layers = [Layer(read, key, names, heads, epsilon, before=before) for key in keys]
        self.tiles = (
            Tiles(read.team, self.layers, heads, epsilon, before=before) if self._fit_tiles(read, heads) else None
        )

    def __len__(self) -> int:
        return len(self.layers)

    def _fit_tiles(self, read: Parameters, heads: int) -> bool:
        """Whether all layers can be one call (``layers_amx.c``)."""
        first = self.layers[0]
        sizes = first.mixes.inputs, first.mixes.inputs // heads, first.parts[0][0].outputs
        fit = not any(size % step for size, step in zip(sizes, (64, 32, 64), strict=True))
        return fit and read.team.dtype in GELU_WITHIN and first.gelu is GELU

    def __call__(self, hidden: Floats, first: int = 0, last: int | None = None, spread: Spread | None = None) -> None:
        """Layers [first, last) of (T, D up to whole panels), in place.

        Args:
            hidden: the steps.
            first: a layer.
            last: the one behind the last.
            spread: makes what the steps attend to; None for themselves.
        """
        chosen = range(len(self.layers))[first:last]
        if self.tiles is not None and spread is None and len(hidden) >= SHARED * self.layers[0].team.size:
            self.tiles(hidden, chosen)
            return
        for layer in chosen:
            self.layers[layer](hidden, partial(spread, layer) if spread else None)


class Layer:
    """One of them, product by product; on tiles the inner part is in pieces that a core's cache holds.

    Where products are of bytes these are the inner part's alone: two thirds of the work, and a third of the error.
    """

    def __init__(
        self, read: Parameters, key: str, names: LayerKeys, heads: int, epsilon: float, *, before: bool = True
    ) -> None:
        self.team, self.heads, self.before = read.team, heads, before
        self.norms = [read.norm(f"{key}.{name}", epsilon) for name in (names.first_norm, names.second_norm)]
        attention, around = f"{key}.{names.attention}", read.without_bytes()
        self.asks, self.gelu = around.asking([f"{attention}.{name}" for name in names.asks], heads), names.gelu
        self.mixes = around.product(f"{attention}.{names.mixes}")
        widens, narrows = (read.numbers(f"{key}.{name}.weight") for name in (names.widens, names.narrows))
        bias, last = (read.numbers(f"{key}.{name}.bias") for name in (names.widens, names.narrows))
        part = _part(len(widens)) if read.team.dtype in GELU_WITHIN else len(widens)
        self.parts = [
            (
                Product(read.team, widens[at : at + part].T[None], bias[at : at + part]),
                Product(read.team, narrows[:, at : at + part].T[None], None if at else last),
            )
            for at in range(0, len(widens), part)
        ]

    def __call__(self, hidden: Floats, spread: Callable[[Floats, Floats], Floats] | None = None) -> None:
        """(T, D up to whole panels), in place; ``spread`` as for ``Layers``."""
        width = self.mixes.inputs
        own = hidden[:, :width]
        first, second = self.norms if self.before else (PLAIN, PLAIN)
        made = self.asks(own, dress=first)
        queries, heard = made[:, :width], made[:, width : 3 * width]
        heard = heard if spread is None else spread(hidden, heard)
        self.mixes(attend(self.team, queries, heard[:, :width], heard[:, width:], self.heads), out=hidden, more=True)
        if not self.before:
            own[:] = put_on(self.team, own, self.norms[0])
        inner = [widens.activated(own, second, self.gelu) for widens, _ in self.parts]
        for (_, narrows), steps in zip(self.parts, inner, strict=True):
            narrows(steps, out=hidden, more=True)
        if not self.before:
            own[:] = put_on(self.team, own, self.norms[1])


def _part(inner: int) -> int:
    """The largest equal part of an inner width that is a multiple of tiles' 64 bytes and not above INNER_AT_ONCE."""
    fit = (inner // count for count in range(1, inner // 64 + 1) if inner % (64 * count) == 0)
    return next((part for part in fit if part <= INNER_AT_ONCE), inner)
