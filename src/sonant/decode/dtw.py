"""Dynamic time warping of words onto frames, and the median filter before it.

Source: openai-whisper ``timing.py`` (``dtw_cpu``, ``backtrace``, ``median_filter``); same ties, same path. By kernels
where there are some (``warping.c``).
Legend: N tokens, M frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sonant.kernels import best
from sonant.kernels.library import Library, place

__all__ = ["median_filter", "warp"]

DIAGONAL, UP, LEFT = 0, 1, 2
TILE = 64  # rows filtered at once: their shifted copies stay in the cache
KERNEL_WIDTH = 7  # of the kernels' median
MOST_LANES = 16  # floats of the longest register

# Exchanges that bring the median of 7 to place 3 (N. Devillard, "Fast median search", 1998).
_SEVEN = ((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4))

Path = tuple[NDArray[np.int64], NDArray[np.int64]]


def warp(cost: NDArray[np.floating]) -> Path:
    """The cheapest monotonic path through (N, M) costs, from corner to corner.

    Returns:
        Token index and frame index of each point of the path, two (P,) arrays.
    """
    kernels = best.library()
    return _warp_in_numpy(cost) if kernels is None else _warp_by_kernels(kernels, cost)


def _warp_by_kernels(kernels: Library, cost: NDArray[np.floating]) -> Path:
    tokens, frames = cost.shape
    path = np.empty((tokens + frames, 2), np.int64)
    costs = np.array(cost, np.float64, order="C")
    totals, moves = np.empty(frames + 1), np.empty((tokens, frames), np.int8)
    count = kernels.functions.sonant_warp(place(costs), tokens, frames, place(totals), place(moves), place(path))
    points = path[len(path) - count :]
    return points[:, 0], points[:, 1]


def _warp_in_numpy(cost: NDArray[np.floating]) -> Path:
    """Cells of one anti-diagonal don't depend on each other, so each diagonal is one NumPy step."""
    tokens, frames = cost.shape
    skewed = np.full((tokens + frames - 1, tokens), np.inf)  # [i + j, i] = cost[i, j]
    rows = np.arange(tokens)
    for row in range(tokens):
        skewed[row : row + frames, row] = cost[row]
    moves = np.empty((tokens + frames - 1, tokens), np.int8)
    before = np.full(tokens + 1, np.inf)  # totals of the diagonal two back; place i + 1 is token i
    before[0] = 0  # the corner
    last = np.full(tokens + 1, np.inf)
    for diagonal in range(tokens + frames - 1):
        across, up, left = before[:-1], last[:-1], last[1:]
        is_across = (across < up) & (across < left)
        is_up = (up < across) & (up < left)
        moves[diagonal] = np.where(is_across, DIAGONAL, np.where(is_up, UP, LEFT))
        cheapest = np.where(is_across, across, np.where(is_up, up, left))
        total = np.full(tokens + 1, np.inf)
        total[1:] = skewed[diagonal] + cheapest
        before, last = last, total
    return _path(moves, rows[-1], frames - 1)


def _path(moves: NDArray[np.int8], token: int, frame: int) -> Path:
    """Walk back from the last corner; past the first row or column there is one way only."""
    path = []
    while token >= 0 or frame >= 0:
        path.append((token, frame))
        move = LEFT if token < 0 else UP if frame < 0 else moves[token + frame, token]
        token -= move != LEFT
        frame -= move != UP
    points = np.array(path[::-1], np.int64).reshape(-1, 2)
    return points[:, 0], points[:, 1]


def median_filter(values: NDArray[np.float32], width: int = KERNEL_WIDTH) -> NDArray[np.float32]:
    """Running median along the last axis, mirrored at the ends; as it is where it is no longer than half the width."""
    half = width // 2
    if values.shape[-1] <= half:
        return values
    kernels = best.library() if width == KERNEL_WIDTH and values.dtype == np.float32 else None
    return _medians_in_numpy(values, width) if kernels is None else _medians_by_kernels(kernels, values)


def _medians_by_kernels(kernels: Library, values: NDArray[np.float32]) -> NDArray[np.float32]:
    count = values.shape[-1]
    rows, output = np.ascontiguousarray(values), np.empty(values.shape, np.float32)
    space = np.zeros(count + KERNEL_WIDTH + MOST_LANES, np.float32)
    given = rows.ctypes.data, rows.size // count, count
    kernels.functions.sonant_medians(*given, place(space), output.ctypes.data)
    return output


def _medians_in_numpy(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    half, flat = width // 2, values.reshape(-1, values.shape[-1])
    output = np.empty_like(flat)
    for start in range(0, len(flat), TILE):
        padded = np.pad(flat[start : start + TILE], ((0, 0), (half, half)), mode="reflect")
        output[start : start + TILE] = _median(padded, width)
    return output.reshape(values.shape)


def _median(padded: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    size = padded.shape[1] - width + 1
    if width != KERNEL_WIDTH:
        windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)
        return np.partition(windows, width // 2, axis=2)[:, :, width // 2]
    places = [padded[:, shift : shift + size] for shift in range(width)]
    for low, high in _SEVEN:
        places[low], places[high] = np.minimum(places[low], places[high]), np.maximum(places[low], places[high])
    return places[3]
