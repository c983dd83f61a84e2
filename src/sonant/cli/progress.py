"""Progress bars on stderr, there only where it is a terminal: logs and pipes stay clean."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["Bars"]


class Bars:
    """Bars of one command; a context manager that clears them away at the end."""

    def __init__(self) -> None:
        """Nothing is drawn before the first report."""
        self._rich: Any = None
        self._tasks: dict[str, Any] = {}
        self._seen = sys.stderr.isatty()

    def __enter__(self) -> Bars:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bars off the screen."""
        self.hide()

    def fetching(self, label: str, done: int, total: int) -> None:
        """Bytes of a download: the callback of ``load_tts`` and ``load_asr``."""
        self._show(label, done / 1e6, total / 1e6 or None, " MB")

    def hearing(self, name: str) -> Callable[..., None]:
        """A callback for seconds heard, and of how many."""

        def heard(done_s: float, total_s: float | None = None) -> None:
            self._show(name, done_s, total_s, " s")

        return heard

    def counting(self, done: int, total: int | None) -> None:
        """Recordings of many, of nobody knows how many where ``total`` is None."""
        self._show("recordings", done, total, "")

    def busy(self, label: str) -> None:
        """Something of unknown length."""
        self._show(label, 0, None, "")

    def hide(self) -> None:
        """Take the bars off the screen before something is printed; the next report draws them again."""
        if self._rich is not None:
            self._rich.stop()
        self._rich, self._tasks = None, {}

    def _show(self, label: str, done: float, total: float | None, unit: str) -> None:
        if not self._seen:
            return
        if self._rich is None:
            self._rich = _drawn()
            self._rich.start()
        if label not in self._tasks:
            self._tasks[label] = self._rich.add_task(label, total=total, amount="")
        amount = f"{done:.0f}/{total:.0f}{unit}" if total else f"{done:.0f}{unit}" if done else ""
        self._rich.update(self._tasks[label], completed=done, total=total, amount=amount)


def _drawn() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    amount = TextColumn("{task.fields[amount]}")
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)  # standard output is ours: rich would send it to the console
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
