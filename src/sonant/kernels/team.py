"""Threads that share the portions of a kernel's call (``crew.c``)."""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from copy import copy
from functools import cache
from threading import Lock
from weakref import WeakSet

import numpy as np

from sonant.kernels.library import Desk, Dtype, Floats, Library

__all__ = ["Team"]

Work = Callable[[int, int, int], object]  # of a member: begin, end


class _Hands:
    """Threads of teams, and what they share; a forked process, which has none of its parent's threads, begins anew."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.begin()
        _watch_forks()
        _all_hands.add(self)

    def begin(self) -> None:
        """Nobody works yet."""
        self.pool = ThreadPoolExecutor(max(self.size - 1, 1), "sonant-kernels")
        self.lock = Lock()
        self.spaces = [np.empty(0, np.float32) for _ in range(self.size)]
        self.desk = Desk(self.size)


_all_hands: WeakSet[_Hands] = WeakSet()


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):  # not Windows, which has no forks
        os.register_at_fork(after_in_child=_begin_all)


def _begin_all() -> None:
    for hands in list(_all_hands):
        hands.begin()


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
        self.hands = _Hands(self.size)

    def of(self, dtype: Dtype) -> Team:
        """The same threads for products of another dtype."""
        assert dtype in self.library.dtypes
        made = copy(self)
        made.dtype = dtype
        return made

    def portions(self, total: int, most: int) -> int:
        """Into how many equal ranges ``total`` is cut, none longer than ``most``: as many for each member."""
        return min(-(-total // (most * self.size)) * self.size, total)

    def call(self, kernel: str, given: ctypes.Structure, total: int, most: int, floats: int = 0) -> None:
        """Let a kernel do all portions of its call; a helper that comes too late does none.

        Args:
            kernel: its name, without "sonant" in front.
            given: what it reads.
            total: of what the portions are.
            most: see ``portions``.
            floats: of space that each member needs.
        """
        hands, functions = self.hands, self.library.functions
        desk = hands.desk
        with hands.lock:
            for member in range(self.size):
                self.space(member, floats)
            desk.kernel = ctypes.cast(getattr(functions, f"sonant_{kernel}"), ctypes.c_void_p)
            desk.given = ctypes.addressof(given)
            desk.total, desk.portions = total, self.portions(total, most)
            try:
                functions.sonant_hold(desk.where)
                for member in range(1, min(self.size, desk.portions)):
                    if not desk.there[member]:
                        hands.pool.submit(functions.sonant_help, ctypes.byref(desk), member)
                functions.sonant_run(desk.where)  # in one go, lest Ctrl-C leave a call open
            finally:
                desk.held = 0

    def together(self, kernel: str, given: ctypes.Structure, floats: int) -> None:
        """Let a kernel do one portion for each member, all at a time: they may wait for each other."""
        self.call(kernel, given, self.size, 1, floats)

    def share(self, total: int, most: int, work: Work) -> None:
        """Call ``work`` for the portions, where it is no kernel."""
        count = self.portions(total, most)
        edges = [total * place // count for place in range(count + 1)] if count else [0]
        ranges = iter(list(itertools.pairwise(edges)))

        def help_out(member: int) -> None:
            for begin, end in ranges:  # a list's iterator hands every range to one member
                work(member, begin, end)

        hands = self.hands
        with hands.lock:
            others: list[Future[None]] = []
            try:
                hands.desk.dismissed = 1  # who waits for a kernel's call gives its thread back
                others.extend(hands.pool.submit(help_out, member) for member in range(1, min(self.size, count)))
                help_out(0)
            finally:
                wait(others)
                hands.desk.dismissed = 0
                for other in others:
                    other.result()

    def space(self, member: int, floats: int) -> Floats:
        """A member's own memory, inside ``share``; what it held is lost."""
        hands = self.hands
        if len(hands.spaces[member]) < floats:
            hands.spaces[member] = np.empty(floats, np.float32)
            hands.desk.rooms[member] = hands.spaces[member].ctypes.data
        return hands.spaces[member]
