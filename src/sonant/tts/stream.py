"""Chunks made ahead by a thread, so that the next one is ready when the one before it has been played."""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

from sonant.errors import BadInput

__all__ = ["ahead_of"]

T = TypeVar("T")

_LOOK_S = 0.02  # how often both sides look for a cancel
_LEAVE_S = 10.0  # how long the interpreter waits, when it ends, for the item that is just being made


def ahead_of(items: Iterator[T], ahead: int, cancel: threading.Event | None = None) -> Iterator[T]:
    """The items, up to ``ahead`` of them made before they are asked for.

    Closing the iterator, or setting ``cancel``, ends it at once: what is being made just then is finished by the thread
    and dropped. An error of ``items`` comes out where its item would have been.
    """
    if not 0 <= ahead <= 1000:
        raise BadInput(f"ahead is {ahead}; allowed: 0 to 1000")
    flag = cancel or threading.Event()
    return _Worker(items, ahead).items(flag) if ahead else _one_by_one(items, flag)


def _one_by_one(items: Iterator[T], cancel: threading.Event) -> Iterator[T]:
    for item in items:
        if cancel.is_set():
            return
        yield item


class _End:
    """What the thread puts last: the error that ended it, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Worker:
    """The thread and its queue."""

    def __init__(self, items: Iterator[T], ahead: int) -> None:
        self._items = items
        self._made: queue.Queue[object] = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sonant-speak", daemon=True)

    def items(self, cancel: threading.Event) -> Iterator[T]:
        atexit.register(self._leave)
        self._thread.start()
        try:
            while not cancel.is_set():
                try:
                    item = self._made.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                if isinstance(item, _End):
                    if item.error is not None:
                        raise item.error
                    return
                yield item  # type: ignore[misc]
        finally:
            self._stop.set()

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as caught:  # noqa: BLE001 - every error belongs to the thread that asks for the items
            error = caught
        self._put(_End(error))
        atexit.unregister(self._leave)

    def _leave(self) -> None:
        """A runtime that is computing while the interpreter goes would abort the process."""
        self._stop.set()
        self._thread.join(_LEAVE_S)

    def _put(self, item: object) -> bool:
        while not self._stop.is_set():
            try:
                self._made.put(item, timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False
