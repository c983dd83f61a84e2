"""The CPU's cores: how many there are, and NumPy's work on all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core

__all__ = ["by_parts", "cores", "on_cores"]

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Cores that this process may use; two threads of one core count once, since they share its multipliers."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = Path("/sys/devices/system/cpu")
    try:
        found = {(siblings / f"cpu{one}/topology/thread_siblings_list").read_text(encoding="ascii") for one in allowed}
    except OSError:  # not Linux, or it doesn't tell
        return len(allowed)
    return len(found)


def on_cores(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """``work`` of each, as many at a time as there are cores, for NumPy lets go of Python's lock; results in order."""
    if len(items) < 2 or cores() == 1:
        return [work(item) for item in items]
    with one_core:
        return list(_threads().map(work, items))


def by_parts(work: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[Any], least: int) -> NDArray[Any]:
    """``work`` of rows that don't depend on each other, some on each core, none of fewer than ``least``; joined."""
    parts = min(cores(), len(rows) // least) if len(rows) >= 2 * least else 1  # frames of live sound come one by one
    return np.concatenate(on_cores(work, np.array_split(rows, parts)))


@cache
def _threads() -> ThreadPoolExecutor:
    if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
        os.register_at_fork(after_in_child=_threads.cache_clear)
    return ThreadPoolExecutor(cores(), "sonant-numpy")
