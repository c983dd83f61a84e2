"""Threads that share the ranges of a kernel's call."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from threading import Lock

import numpy as np

from sonant.kernels.library import Dtype, Floats, Library

__all__ = ["Team"]

Work = Callable[[int, int, int], object]  # of a member: begin, end


class Team:
    """A library and the threads that run it, one call at a time.

    Args:
        library: the kernels.
        size: threads, the caller's counted.
        dtype: what products read is rounded to it, one of the library's.
    """

    def __init__(self, library: Library, size: int, dtype: Dtype = "float32") -> None:
        assert dtype in library.dtypes
        self.library, self.size, self.dtype = library, max(size, 1), dtype
        self.pool = ThreadPoolExecutor(max(self.size - 1, 1), "sonant-kernels")
        self.lock = Lock()
        self.spaces = [np.empty(0, np.float32) for _ in range(self.size)]

    def of(self, dtype: Dtype) -> Team:
        """The same threads for products of another dtype."""
        assert dtype in self.library.dtypes
        made = copy(self)
        made.dtype = dtype
        return made

    def share(self, total: int, most: int, work: Work) -> None:
        """Call ``work`` for equal ranges of ``total``, none longer than ``most``, as many for each member."""
        rounds = -(-total // (most * self.size))
        count = min(rounds * self.size, total)
        edges = [total * place // count for place in range(count + 1)] if count else [0]
        ranges = iter(list(itertools.pairwise(edges)))

        def help_out(member: int) -> None:
            for begin, end in ranges:  # a list's iterator hands every range to one member
                work(member, begin, end)

        self.together(help_out, count)

    def together(self, work: Callable[[int], object], most: int | None = None) -> None:
        """Call ``work`` once for each member, or ``most`` of them, all at a time: they may wait for each other."""
        with self.lock:
            size = self.size if most is None else min(self.size, most)
            others = [self.pool.submit(work, member) for member in range(1, size)]
            try:
                work(0)
            finally:
                for other in others:
                    other.result()

    def space(self, member: int, floats: int) -> Floats:
        """A member's own memory, inside ``share``; what it held is lost."""
        if len(self.spaces[member]) < floats:
            self.spaces[member] = np.empty(floats, np.float32)
        return self.spaces[member]
