"""Places in the cache for what is made of a checkpoint's files once, and read from then on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sonant.weights import cache

__all__ = ["Place"]

UNUSED_S = 7 * 24 * 3600  # seconds


class Place:
    """A folder with one file. Its name says all that decides the content.

    Args:
        part: what it is, "encoder" for instance.
        files: the checkpoint's files; path, size and time of change stand for their content.
        machine: what else stays the same when code changes.
        makers: names of the modules whose source decides what it is; a change of one makes another place.
        version: of a library that decides it, too.
        facts: whatever else does.
        file: the file's name.

    Attributes:
        folder: where it is.
        path: its file.
        make: what the names of all places begin with that differ in ``facts`` alone.
    """

    def __init__(
        self,
        part: str,
        files: Iterable[Path],
        machine: str,
        makers: Iterable[str],
        version: str,
        facts: object,
        file: str,
    ) -> None:
        files = list(files)
        states = [[one.stat().st_size, one.stat().st_mtime_ns] for one in files]
        self.group = f"{part}-{_digest([machine, *(str(one.resolve()) for one in files)])}"
        self.make = f"{self.group}-{_digest([version, *states, *(_source(maker) for maker in makers)])}"
        self.folder = cache.folder() / "compiled" / f"{self.make}-{_digest(facts)}"
        self.path = self.folder / file

    def others(self, beginning: str) -> list[Path]:
        """Files in places whose names begin so, but for this one."""
        found = self.folder.parent.glob(f"{beginning}-*/{self.path.name}")
        return [path for path in found if path.parent != self.folder]

    def used(self) -> None:
        """Note that it was read now."""
        with contextlib.suppress(OSError):  # a cache that is for reading only
            os.utime(self.path)
            self.forget_unused()

    def keep(self, write: Callable[[Path], object]) -> None:
        """Let ``write`` make the file where there is none.

        Raises:
            OSError: the cache can't be written.
        """
        with cache.locked(f"compiled-{self.folder.name}"):
            if not self.path.is_file():
                with cache.published(self.folder) as staging:
                    write(staging / self.path.name)

    def forget_unused(self) -> None:
        """Remove those of the same part and files, of older code for instance, that nobody used for a week."""
        for path in self.others(self.group):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                if time.time() - path.stat().st_mtime > UNUSED_S:
                    shutil.rmtree(path.parent, ignore_errors=True)  # a process that has it mapped keeps its pages


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]


@functools.cache
def _source(module: str) -> str:
    """Digest of a module's source, without importing it."""
    found = importlib.util.find_spec(module)
    assert found is not None  # a module of ours
    return hashlib.sha256(Path(str(found.origin)).read_bytes()).hexdigest()
