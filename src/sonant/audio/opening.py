"""A source of sound as a binary file, whatever it was given as; pipes stay pipes."""

from __future__ import annotations

import io
import os
import shutil
import stat
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, cast

from sonant.errors import UnreadableAudio

__all__ = ["Source", "binary", "direct", "looks_like_text", "peek", "seekable"]

Source = str | Path | bytes | bytearray | memoryview | BinaryIO
PEEKED = 512  # bytes


def binary(source: Source, stack: ExitStack) -> tuple[BinaryIO, str]:
    """The source as a binary file, and what to call it in messages."""
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source), "the given bytes"
    if isinstance(source, str | Path):
        if str(source) == "-":
            return sys.stdin.buffer, "standard input"
        path = Path(source)
        if path.is_dir():
            raise UnreadableAudio(f"{path}: is a folder; name the files in it")
        try:
            return stack.enter_context(path.open("rb")), str(path)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise UnreadableAudio(f"{source}: {getattr(error, 'strerror', None) or error}") from error
    if not hasattr(source, "read"):
        raise UnreadableAudio(f"audio is a {type(source).__name__}; give a path, bytes or a file opened with 'rb'")
    return source, str(getattr(source, "name", "the given file"))


def peek(file: BinaryIO, name: str, stack: ExitStack) -> tuple[bytes, BinaryIO]:
    """The first bytes, and the file as if they had not been read.

    A pipe is decoded as it comes, but an MP4 has its table of contents anywhere: one from a pipe is spooled to disk.
    """
    can_go_back = seekable(file)
    if can_go_back:
        file.seek(0)
    head: Any = file.read(PEEKED)
    if isinstance(head, str):
        raise UnreadableAudio(f"{name}: is opened as text; open it with 'rb'")
    if not head:
        raise UnreadableAudio(f"{name}: is empty (0 bytes)")
    if can_go_back:
        file.seek(0)
        return head, file
    if head[4:8] != b"ftyp":
        return head, cast("BinaryIO", Pipe(head, file))
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
    spool.write(head)
    shutil.copyfileobj(file, spool, 1 << 20)
    spool.seek(0)
    return head, cast("BinaryIO", spool)


class Pipe:
    """A file that can only be read, beginning with bytes that were taken from it already."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self.head, self.file = head, file

    def seekable(self) -> bool:
        """It can't go back."""
        return False

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes."""
        if self.head:
            part, self.head = (self.head, b"") if size < 0 else (self.head[:size], self.head[size:])
            return part + self.file.read() if size < 0 else part
        read_some = getattr(self.file, "read1", self.file.read)  # live: take what is there, don't wait for a full block
        return read_some(size)


def seekable(file: BinaryIO) -> bool:
    """Whether it can go back; a FIFO, a terminal and a socket can't, whatever their wrapper says."""
    try:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):
            return False
    except (OSError, AttributeError):
        pass  # not a file of the system: ask it
    return bool(getattr(file, "seekable", lambda: False)())


def direct(file: BinaryIO) -> Any:
    """The absolute path of a plain file opened by name, which libraries read without calling back; else the file."""
    name = getattr(file, "name", None)
    if isinstance(file, io.BufferedReader) and isinstance(name, str) and Path(name).is_file():
        return str(Path(name).absolute())
    return file


def looks_like_text(head: bytes) -> bool:
    """Whether the first bytes read as text."""
    try:
        text = head.decode("utf-8") if len(head) < PEEKED else head[: PEEKED - 4].decode("utf-8", errors="ignore")
    except UnicodeDecodeError:
        return False
    plain = sum(letter.isprintable() or letter in "\n\r\t\f" for letter in text)
    return plain == len(text) and len(text) * 2 > len(head) // 2
