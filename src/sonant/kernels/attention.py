"""Attention to a whole sequence (``attention.c``)."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from sonant.kernels.library import Dtype, Floats, Heads, address, aligned, wide
from sonant.kernels.team import Team

__all__ = ["attend"]

BLOCKS_AT_ONCE = 4  # of queries


@dataclass(frozen=True, slots=True)
class _Form:
    """How keys and values are packed, and what attends to them.

    Attributes:
        kernels: what their names begin with.
        together: numbers of a key that are multiplied together.
        keys: their type.
        values: theirs.
    """

    kernels: str
    together: int
    keys: type[np.generic]
    values: type[np.generic]


FORMS: dict[Dtype, _Form] = {
    "float32": _Form("", 2, np.float32, np.float32),
    "int16": _Form("", 2, np.int16, np.float32),
    "bfloat16": _Form("amx_", 32, np.uint16, np.uint16),
    "bfloat16x3": _Form("", 2, np.float32, np.float32),
    "int8": _Form("amx_", 32, np.uint16, np.uint16),  # bytes are for the products around it
}


def attend(team: Team, queries: Floats, keys: Floats, values: Floats, heads: int) -> Floats:
    """softmax(queries keys^T) values, head by head; every query attends to every key.

    Args:
        team: runs it; in bfloat16 where products are of bytes, queries times keys in int16 where a head's sums fit.
        queries: (T, heads x size), scaled already.
        keys: (K, heads x size).
        values: the same; their rows stand as far from each other as those of the keys.
        heads: their number.

    Returns:
        (T, heads x size).
    """
    (rows, width), there = queries.shape, len(keys)
    size, panel, functions = width // heads, team.library.panel, team.library.functions
    assert keys.strides == values.strides
    form = FORMS["float32" if team.dtype == "int16" and size > functions.sonant_deep() else team.dtype]
    deep, filled = wide(size, form.together), wide(there, panel)
    packed = aligned((heads, filled * deep), form.keys)
    scales = np.empty((heads, filled), np.float32) if form.keys is np.int16 else None
    packed_values = aligned((heads, filled * wide(size, panel)), form.values)
    out = np.empty((rows, width), np.float32)
    parts = (queries, keys, values, out, packed, scales, packed_values)
    apart, keys_apart = (one.strides[0] // one.itemsize for one in (queries, keys))
    given = Heads(*map(address, parts), rows, there, heads, size, apart, keys_apart, width)
    where = ctypes.addressof(given)
    room, blocks = (getattr(functions, f"sonant_{form.kernels}attend_{name}")(where) for name in ("space", "blocks"))
    team.call(f"{form.kernels}pack_heads", given, heads, 1, deep * panel)
    team.call(f"{form.kernels}attend", given, blocks, BLOCKS_AT_ONCE, room)
    return out
