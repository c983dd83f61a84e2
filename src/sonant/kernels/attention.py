"""Attention of a whole sequence to itself (``attention.c``)."""

from __future__ import annotations

import ctypes

import numpy as np

from sonant.kernels.library import Floats, Heads, address, wide
from sonant.kernels.team import Team

__all__ = ["attend"]

BLOCKS_AT_ONCE = 4  # of queries


def attend(team: Team, queries: Floats, keys: Floats, values: Floats, heads: int) -> Floats:
    """softmax(queries keys^T) values, head by head; every row attends to every row.

    Args:
        team: runs it; queries times keys in int16, where it has that and the sums of a head fit.
        queries: (T, heads x size), scaled already; a row of the three stands as far from the next as of the others.
        keys: the same.
        values: the same.
        heads: their number.

    Returns:
        (T, heads x size).
    """
    rows, width = queries.shape
    size, panel, functions = width // heads, team.library.panel, team.library.functions
    assert queries.strides == keys.strides == values.strides
    deep, filled, whole = wide(size, 2), wide(rows, panel), team.whole and size <= functions.sonant_deep()
    packed = np.empty((heads, filled * deep), np.int16 if whole else np.float32)
    scales = np.empty((heads, filled), np.float32) if whole else None
    packed_values = np.empty((heads, rows, wide(size, panel)), np.float32)
    out = np.empty((rows, width), np.float32)
    parts = (queries, keys, values, out, packed, scales, packed_values)
    given = Heads(*map(address, parts), rows, heads, size, queries.strides[0] // queries.itemsize, width)
    where = ctypes.addressof(given)

    def pack(member: int, begin: int, end: int) -> None:
        functions.sonant_pack_heads(where, begin, end, team.space(member, deep * panel).ctypes.data)

    def work(member: int, begin: int, end: int) -> None:
        space = team.space(member, functions.sonant_attend_space(where))
        functions.sonant_attend(where, begin, end, space.ctypes.data)

    team.share(heads, 1, pack)
    team.share(functions.sonant_attend_blocks(where), BLOCKS_AT_ONCE, work)
    return out
