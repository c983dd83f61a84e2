"""Rows that weren't computed, from those that were (``filling.c``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Filling, Floats, address
from sonant.kernels.team import Team

__all__ = ["Neighbours", "fill"]

ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Of each of T rows: the computed ones before and behind it, and the share of the latter.

    Attributes:
        places: (R,) int64, the computed rows, rising.
        before: (T,) int64, an index into ``places``; a computed row's own.
        after: the same.
        shares: (T,) float32, 0 to 1.
    """

    places: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    shares: Floats

    @staticmethod
    def of(places: NDArray[np.int64], telling: NDArray[np.bool_], count: int) -> Neighbours:
        """Between the ``telling`` ones of the computed rows; the outermost of these tell what is beyond them."""
        told, rows = np.flatnonzero(telling), np.arange(count)
        right = np.searchsorted(places[told], rows).clip(max=len(told) - 1)
        left = (right - 1).clip(min=0)
        left[rows >= places[told[-1]]] = len(told) - 1
        before, after = told[left], told[right]
        span = places[after] - places[before]
        shares = np.clip((rows - places[before]) / np.maximum(span, 1), 0, 1).astype(np.float32)
        before[places] = after[places] = np.arange(len(places))
        shares[places] = 0
        return Neighbours(places, before, after, shares)


def fill(team: Team, made: Floats, usual: NDArray[np.float16], neighbours: Neighbours) -> Floats:
    """(R, W) computed rows to (T, W): the others are what they usually are, plus what their neighbours are more.

    Args:
        team: runs it.
        made: only its rows have to be whole in memory; W is a multiple of 16.
        usual: (T, W), of which a row's own and its neighbours' are read.
        neighbours: of the T rows.
    """
    out = np.empty(usual.shape, np.float32)
    assert made.shape == (len(neighbours.places), usual.shape[1])
    assert not made.shape[1] % 16
    parts: list[NDArray[Any]] = [made, usual, neighbours.places, neighbours.before, neighbours.after, neighbours.shares]
    given = Filling(*map(address, [*parts, out]), made.strides[0] // made.itemsize, made.shape[1])
    team.call("fill", given, len(out), ROWS_AT_ONCE)
    return out
