"""NumPy's matrix products on the calling thread alone.

NumPy's BLAS has a thread for each core, and after a product they spin for tens of milliseconds in case another one
comes. The network, which comes instead, finds its cores taken: on two of them Whisper base took 281 ms for a short
clip, and takes 205 since the products before it, which are small, leave those threads asleep.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import ContextDecorator
from functools import cache
from threading import Lock

from threadpoolctl import threadpool_info

__all__ = ["one_core"]

AFFIXES = [(before, after) for before in ("scipy_", "") for after in ("64_", "")]  # of OpenBLAS's names, by its builds


class _OneCore(ContextDecorator):
    """``with one_core:`` or ``@one_core``. The setting is the process's: the first in makes it, the last out undoes it.

    (threadpoolctl itself lets one thread of a process set it, for as long as that lives.)
    """

    def __init__(self) -> None:
        self.lock, self.inside = Lock(), 0
        self.before: list[int] = []

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.before = [get() for get, _ in _pools()]
                for _, put in _pools():
                    put(1)
            self.inside += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                for (_, put), count in zip(_pools(), self.before, strict=True):
                    put(count)


@cache
def _pools() -> list[tuple[Callable[[], int], Callable[[int], None]]]:
    """How many threads each OpenBLAS has that shares them in the process, NumPy's among them: to ask and to set."""
    found = [one for one in threadpool_info() if one["internal_api"] == "openblas"]
    return [_functions(one["filepath"]) for one in found if one["threading_layer"] == "pthreads"]


def _functions(path: str) -> tuple[Callable[[], int], Callable[[int], None]]:
    library = ctypes.CDLL(path)  # it is loaded, so this finds it
    for before, after in AFFIXES:
        names = [f"{before}openblas_{what}_num_threads{after}" for what in ("get", "set")]
        if all(hasattr(library, name) for name in names):
            get, put = (getattr(library, name) for name in names)
            put.restype = None
            return get, put
    return lambda: 1, lambda _: None  # a build that can't be told


one_core = _OneCore()
