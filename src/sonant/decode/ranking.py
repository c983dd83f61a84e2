"""What a search asks of logits at every step: the likeliest tokens, and the logarithm of the sum of all exponentials.

By the kernels where there are some: in one pass for each, where NumPy makes arrays as large as the logits.
Legend: R rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sonant.kernels import best
from sonant.kernels.library import place

__all__ = ["best_tokens", "rank"]

BLOCK = 128  # logits looked at together

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Ranking = tuple[Ints, Floats, Floats]


def rank(logits: Floats, count: int = 1) -> Ranking:
    """The likeliest tokens of each row, and its log-sum-exp.

    Args:
        logits: (R, V), -inf for what may not be written; rows may stand apart, a row's logits not.
        count: how many tokens.

    Returns:
        Ids (R, count), the likeliest first and of equal ones the lower id first, their logits (R, count), and the
        logarithm of the sum of a row's exponentials (R,), -inf where nothing may be written. ``count`` is V at most.
    """
    return (_by_kernels() or _in_numpy)(logits, min(count, logits.shape[1]))


@cache
def _by_kernels() -> Callable[[Floats, int], Ranking] | None:
    found = best.library()
    if found is None:
        return None
    function = found.functions.sonant_rank

    def ranked(logits: Floats, count: int) -> Ranking:
        assert logits.dtype == np.float32
        assert logits.strides[1] == logits.itemsize
        rows, size = logits.shape
        ids, values = np.empty((rows, count), np.int64), np.empty((rows, count + 1), np.float32)
        given = logits.ctypes.data, rows, logits.strides[0] // logits.itemsize, size, count
        function(*given, place(ids), place(values))
        return ids, values[:, :count], values[:, count]

    return ranked


def _in_numpy(logits: Floats, count: int) -> Ranking:
    ids, values = best_tokens(logits, count)
    with np.errstate(invalid="ignore"):  # a row without an allowed token
        sums = np.log(np.exp(logits - values[:, :1]).sum(axis=1)) + values[:, 0]
    return ids, values, np.where(values[:, 0] == -np.inf, values[:, 0], sums)


def best_tokens(logits: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``count`` largest logits of each row, largest first: ids (R, count) and values (R, count).

    The largest ``count`` lie in the ``count`` blocks with the largest maxima, so most logits are looked at once only.
    """
    rows, size = logits.shape
    blocks = -(-size // BLOCK)
    padded = np.full((rows, blocks * BLOCK), -np.inf, np.float32)
    padded[:, :size] = logits
    count = min(count, size)
    maxima = padded.reshape(rows, blocks, BLOCK).max(axis=2)
    chosen = np.argsort(-maxima, axis=1, kind="stable")[:, : min(count, blocks)]  # (R, blocks kept)
    ids = (chosen[:, :, None] * BLOCK + np.arange(BLOCK)).reshape(rows, -1)
    ids.sort(axis=1)  # equal logits: the lower id first, whatever block it lies in
    values = np.take_along_axis(padded, ids, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(values, order, axis=1)
