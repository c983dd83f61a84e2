"""Files appear whole or not at all: results are written beside their place and moved there when they are complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sonant.errors import OutputError, SonantError

__all__ = ["whole_file", "write_text"]


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """A binary file to write into, which becomes ``path`` when the block ends well and vanishes when it doesn't.

    An old file of that name stays as it is until then. Devices and pipes (``/dev/stdout``) are written to directly.

    Raises:
        OutputError: the folder is missing, the disk is full, or the file may not be written.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file to write")
        with _reported(path), path.open("wb") as device:
            yield device
        return
    place = Path(os.path.realpath(path))  # a link keeps pointing where it pointed
    part = place.with_name(f".{place.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        with _reported(path):
            with part.open("x+b") as file:
                yield file
            if place.exists():
                part.chmod(place.stat().st_mode & 0o7777)
            part.replace(place)
    except BaseException:  # also Ctrl-C: nothing half-written stays
        part.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> Path:
    """Write UTF-8 text with its line ends as they are; the path.

    Raises:
        OutputError: it couldn't be written whole.
    """
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))
    return Path(path)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Errors of the system as ours, naming the file that was wanted and not its stand-in."""
    try:
        yield
    except SonantError:
        raise
    except FileNotFoundError as error:
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}; make it first") from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
