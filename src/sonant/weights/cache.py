"""The cache on disk: where it is, who may write in it, and how a model appears in it whole or not at all.

    CACHE/models/ID/       a fetched model, ready when sonant.lock.json is in it
    CACHE/imports/SHA/     a foreign file given by path, imported once
    CACHE/voices/ID/       voices lent to checkpoints that have none
    CACHE/compiled/NAME/   what was made of a model's files once, named after all that decides it
    CACHE/partial/         downloads that were cut off, to go on with
    CACHE/locks/           one lock a model, so that two processes don't fetch it at once

``SONANT_CACHE`` moves it; ``SONANT_OFFLINE=1`` keeps sonant off the network.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonant.errors import CorruptFile, OutputError

__all__ = [
    "LOCK_NAME",
    "FileSum",
    "Lock",
    "Progress",
    "folder",
    "locked",
    "offline",
    "published",
    "read_lock",
    "sha256_of",
    "sum_of",
    "write_lock",
]

Progress = Callable[[str, int, int], None]  # label, bytes done, bytes in all (0 where unknown)

LOCK_NAME = "sonant.lock.json"
_CHUNK_BYTES = 2**20
_LOCK_TIMEOUT_S = 3600.0  # another process may be fetching gigabytes


def folder() -> Path:
    """The cache: ``SONANT_CACHE``, or "sonant" in the user's cache folder of this platform."""
    if given := os.environ.get("SONANT_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "sonant"


def offline() -> bool:
    """Whether ``SONANT_OFFLINE`` forbids the network (any value but empty, 0, false, no, off)."""
    return os.environ.get("SONANT_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of a model against other processes; a dead holder's lock is free again.

    Raises:
        OutputError: the cache can't be written, or another process has held the lock for an hour.
    """
    import filelock  # what is cached needs none

    locks = folder() / "locks"
    with writing(locks):
        locks.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(locks / f"{name}.lock", timeout=_LOCK_TIMEOUT_S):
            yield
    except filelock.Timeout as error:
        raise OutputError(
            f"another process has been fetching {name} for an hour; stop it, or remove {locks}"
        ) from error


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn the system's errors of writing under ``target`` into one clear line; other errors pass."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # EFBIG: over the user's file size limit
            raise OutputError(f"the disk is full at {target}: free some space, or set SONANT_CACHE") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR):
            raise OutputError(f"{target} can't be written ({error.strerror}); set SONANT_CACHE elsewhere") from error
        raise


@contextlib.contextmanager
def published(target: Path) -> Iterator[Path]:
    """A new folder to fill; it becomes ``target`` when the block ends well, and vanishes when it doesn't.

    Call it under the target's lock: what a killed process left behind for the same target is removed first.

    Raises:
        OutputError: the disk is full or read-only; nothing is left behind.
    """
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f".{target.name}.*.new"):
            shutil.rmtree(left, ignore_errors=True)
        staging = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.new"
        staging.mkdir()
    try:
        with writing(target.parent):
            yield staging
            _replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(staging: Path, target: Path) -> None:
    if target.exists():  # a folder that isn't ready; readers that hold its files keep them
        old = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.new"
        target.replace(old)
        staging.replace(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        staging.replace(target)


@dataclass(frozen=True, slots=True)
class FileSum:
    """Checksum and size of one file."""

    sha256: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class Lock:
    """What sonant.lock.json records of a folder.

    Attributes:
        id: catalog id, or the stem of the imported file.
        family: of the network.
        source: where the weights came from, in words ("hub hexgrad/Kokoro-82M@COMMIT", "pypi ...").
        files: the files as they lie in the folder.
        downloads: the files as they came, before import.
    """

    id: str
    family: str
    source: str
    files: dict[str, FileSum]
    downloads: dict[str, FileSum]


def sha256_of(path: Path, tick: Callable[[int], None] | None = None) -> str:
    """The checksum of a file; ``tick`` is told the bytes done."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if tick:
                tick(done)
    return digest.hexdigest()


def sum_of(path: Path) -> FileSum:
    """Checksum and size of a file."""
    return FileSum(sha256_of(path), path.stat().st_size)


def write_lock(where: Path, lock: Lock) -> None:
    """Write the lock file of a folder: with it the folder counts as ready."""

    def table(sums: dict[str, FileSum]) -> dict[str, Any]:
        return {name: {"sha256": s.sha256, "bytes": s.nbytes} for name, s in sorted(sums.items())}

    text = {
        "version": 1,
        "id": lock.id,
        "family": lock.family,
        "source": lock.source,
        "files": table(lock.files),
        "downloads": table(lock.downloads),
    }
    temporary = where / f".{LOCK_NAME}.new"
    temporary.write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(where / LOCK_NAME)


def read_lock(where: Path) -> Lock | None:
    """The lock file of a folder, None where there is none.

    Raises:
        CorruptFile: it is there and can't be read.
    """
    path = where / LOCK_NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        sums = [{n: FileSum(s["sha256"], s["bytes"]) for n, s in raw[part].items()} for part in ("files", "downloads")]
        return Lock(raw["id"], raw["family"], raw["source"], *sums)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFile(f"{path} is damaged ({error!r}); remove the folder and fetch the model again") from error
