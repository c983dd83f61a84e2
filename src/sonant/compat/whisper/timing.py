"""``whisper.timing``: dynamic time warping and the median filter, on anything that NumPy can read as an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.decode import dtw as ours

__all__ = ["dtw", "dtw_cpu", "dtw_cuda", "median_filter"]


def dtw_cpu(x: Any) -> NDArray[np.int64]:
    """The cheapest path through (N, M) costs: row and column of each of its points, (2, P)."""
    return np.stack(ours.warp(np.asarray(x)))


def dtw_cuda(x: Any, BLOCK_SIZE: int = 1024) -> NDArray[np.int64]:  # noqa: ARG001, N803  the original's name
    """The same; there is no GPU kernel here, a tensor of a GPU is copied."""
    return dtw_cpu(x.cpu() if hasattr(x, "cpu") else x)


def dtw(x: Any) -> NDArray[np.int64]:
    """See ``dtw_cpu``."""
    return dtw_cuda(x)


def median_filter(x: Any, filter_width: int) -> NDArray[np.float32]:
    """Running median along the last axis, mirrored at the ends."""
    return ours.median_filter(np.asarray(x), filter_width)
