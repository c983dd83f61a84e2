"""Transformer layers on tiles, all in one call (``layers_amx.c``)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from sonant.kernels.library import Floats, Run, Stack, Tiled, address, aligned, wide
from sonant.kernels.product import Dress, Product
from sonant.kernels.team import Team

__all__ = ["Tiles"]

BLOCK = 32  # rows of two tiles
SLAB = 192  # rows that go through a layer together: what lies between its products then fits the second cache


class LayerParts(Protocol):
    """What a layer multiplies by."""

    asks: Product
    mixes: Product
    parts: list[tuple[Product, Product]]
    norms: list[Dress]


class Tiles:
    """Layers of one form, packed for tiles.

    Args:
        team: runs them, in bfloat16 or int8; it has tiles.
        layers: their parts, which are kept.
        heads: of the attention.
        epsilon: of the norms.
        before: norms stand before attention and inner part, not behind their sums.
    """

    def __init__(self, team: Team, layers: Sequence[LayerParts], heads: int, epsilon: float, *, before: bool) -> None:
        self.team, self.layers, first = team, layers, layers[0]
        self.width, self.parts, part = first.mixes.inputs, len(first.parts), first.parts[0][0].outputs
        products = [
            one for layer in layers for one in (layer.asks, layer.mixes, *(p for pair in layer.parts for p in pair))
        ]
        self.products = (Tiled * len(products))(*map(self._tiled, products))
        self.norms = np.array([[(norm.scale, norm.shift) for norm in layer.norms] for layer in layers], np.float32)
        sizes = self.width, heads, self.width // heads, part, self.parts, int(team.dtype == "int8"), int(before)
        self.sizes = *sizes, epsilon

    def _tiled(self, one: Product) -> Tiled:
        return Tiled(
            *map(address, (one.weights, one.scales, one.sums, one.bias)),
            one.depth,
            one.width // self.team.library.panel,
        )

    def __call__(self, hidden: Floats, chosen: range) -> None:
        """(T, D) through consecutive layers, in place."""
        rows, width = hidden.shape
        assert width == self.width
        assert hidden.flags.c_contiguous
        slab = min(SLAB, wide(-(-rows // self.team.size), BLOCK))
        functions, filled = self.team.library.functions, wide(rows, BLOCK)
        queries, heard = aligned((2, rows, width), np.uint16)
        keys, values = aligned((2, filled, width), np.uint16)
        products = ctypes.addressof(self.products) + chosen.start * (2 + 2 * self.parts) * ctypes.sizeof(Tiled)
        network = Stack(products, self.norms[chosen.start :].ctypes.data, len(chosen), *self.sizes)
        stack = ctypes.addressof(network)
        counters = np.zeros(functions.sonant_amx_layers_phases(stack) + 1, np.int64)
        lengths = rows, slab, self.team.size, counters.ctypes.data, counters[-1:].ctypes.data, 0
        given = Run(*map(address, (hidden, queries, heard, keys, values)), stack, *lengths)
        floats = functions.sonant_amx_layers_space(ctypes.addressof(given))
        self.team.together("amx_layers", given, floats)
