"""Reads what ``torch.save`` writes (.pt, .pth, .bin), without torch and without running anything from the file.

The archive is a zip of uncompressed entries: NAME/data.pkl describes the objects, NAME/data/KEY holds the numbers of a
storage, NAME/byteorder their byte order (torch/serialization.py, ``_save``). Nothing is extracted to disk, so paths
inside the archive lead nowhere. Files of torch before 1.6 (no zip) are refused.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.errors import CorruptFile, UnsupportedCheckpoint
from sonant.weights import pickle_reader
from sonant.weights.pickle_reader import StorageRef
from sonant.weights.tensors import NUMPY_TYPES, Tensor

__all__ = ["flatten", "load"]

_PICKLE_LIMIT_BYTES = 64 * 2**20  # the description of a 3 GB checkpoint takes 0.2 MB
_DEPTH_LIMIT = 8
_KEY = re.compile(r"[0-9A-Za-z_]+")


def load(path: Path) -> Any:
    """Read an archive: dictionaries, lists, numbers, strings, and ``Tensor`` where a tensor was.

    The numbers are read when a tensor is; zip's checksum is verified then.

    Raises:
        CorruptFile: not such an archive, damaged, or with anything in it but tensors and plain data.
        UnsupportedCheckpoint: the format of torch before 1.6, or big-endian numbers.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            head = file.read(2)
        if head[:1] == b"\x80":
            raise UnsupportedCheckpoint(
                f"{path} is a bare pickle, as torch before 1.6 wrote it; open it with torch once and save it again"
            )
        raise CorruptFile(f"{path} is no torch archive, or the download is not whole")
    try:
        with zipfile.ZipFile(path) as archive:
            return _Archive(path, archive).objects()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise CorruptFile(f"{path}: the archive is damaged ({error})") from error


class _Archive:
    """One open archive: checks every entry before its numbers are promised."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.entries = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in self.entries if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CorruptFile(f"{path} has {len(pickles)} entries named data.pkl; a torch archive has one")
        self.root = pickles[0].removesuffix("data.pkl")
        if self._small(archive, self.root + "byteorder", b"little") != b"little":
            raise UnsupportedCheckpoint(f"{path} was written on a big-endian machine")
        self.pickle = self._small(archive, pickles[0], b"")

    def objects(self) -> Any:
        return pickle_reader.read(self.pickle, self._tensor, str(self.path))

    def _small(self, archive: zipfile.ZipFile, name: str, missing: bytes) -> bytes:
        info = self.entries.get(name)
        if info is None:
            return missing
        if info.file_size > _PICKLE_LIMIT_BYTES:
            raise CorruptFile(f"{self.path}: {name} claims {info.file_size} bytes")
        return archive.read(info)

    def _tensor(self, storage: StorageRef, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        """Check that the tensor lies inside its storage and the storage inside the file."""
        dtype = NUMPY_TYPES[storage.dtype]
        name = f"{self.root}data/{storage.key}"
        info = self.entries.get(name)
        if not _KEY.fullmatch(storage.key) or info is None:
            raise CorruptFile(f"{self.path}: the storage {storage.key!r} is missing from the archive")
        if info.compress_type != zipfile.ZIP_STORED:
            raise CorruptFile(f"{self.path}: {name} is compressed; torch stores numbers plainly")
        if storage.count < 0 or info.file_size != storage.count * dtype.itemsize:
            raise CorruptFile(f"{self.path}: {name} has {info.file_size} bytes, not {storage.count} x {dtype.itemsize}")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        empty = math.prod(size) == 0
        # a stride of 0 lets a few bytes pose as terabytes: no more numbers than the storage holds
        if offset < 0 or (not empty and last >= storage.count) or math.prod(size) > storage.count:
            raise CorruptFile(
                f"{self.path}: a tensor {list(size)} at {offset} reaches past its storage {storage.key!r}"
            )

        def read() -> NDArray[Any]:
            if empty:
                return np.zeros(size, dtype)
            flat = np.frombuffer(_entry(self.path, name), dtype)
            strides = tuple(step * dtype.itemsize for step in stride)
            return np.lib.stride_tricks.as_strided(flat[offset:], size, strides, writeable=False)

        return Tensor("", storage.dtype, size, read)


def _entry(path: Path, name: str) -> bytes:
    """The bytes of one entry, its checksum verified."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (zipfile.BadZipFile, EOFError, KeyError, OSError) as error:
        raise CorruptFile(f"{path}: {name} is damaged ({error})") from error


def flatten(tree: Any, prefix: str = "", depth: int = 0) -> Iterator[Tensor]:
    """The tensors of nested dictionaries under keys joined with dots; other values are passed over.

    Raises:
        CorruptFile: nested deeper than any checkpoint is.
    """
    if depth > _DEPTH_LIMIT:
        raise CorruptFile(f"dictionaries nested more than {_DEPTH_LIMIT} deep at {prefix!r}")
    if isinstance(tree, Tensor):
        yield tree.renamed(prefix)
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key), depth + 1)
