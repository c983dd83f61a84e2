"""The pages of a checkpoint's files: mapped into memory, handed to a runtime, given back to the system."""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.errors import CorruptFile, ModelFileMissing
from sonant.weights.tensors import Tensor, read_file

__all__ = ["array_of", "forget_pages", "forgetting", "tensors_of", "trim"]


def tensors_of(files: Iterable[Path], spelling: Callable[[str], str] = str) -> dict[str, Tensor]:
    """The tensors of a checkpoint's files by key; headers are read, numbers stay on disk.

    Args:
        files: safetensors files.
        spelling: from the key in the file to the canonical one.

    Raises:
        ModelFileMissing: a file isn't there.
        CorruptFile: a header is wrong, or a key occurs twice.
    """
    found: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise ModelFileMissing(f"{file} is missing; fetch the model again or give another folder")
        for tensor in read_file(file):
            key = spelling(tensor.key)
            if key in found:
                raise CorruptFile(f"{file}: tensor {key!r} occurs twice in this checkpoint")
            found[key] = tensor.renamed(key)
    return found


def array_of(tensor: Tensor) -> NDArray[Any]:
    """The tensor's numbers over the file's pages (BF16 as uint16 bits); copied only where the file misaligns them."""
    return np.require(tensor.read(), requirements=["A", "C"])


def forget_pages(arrays: Iterable[NDArray[Any]]) -> None:
    """Give mapped pages back to the system; they are read from the file again when they are needed.

    A runtime packs matrices into its own layout when it compiles; without this the file's pages would count twice.
    """
    advice = getattr(mmap, "MADV_DONTNEED", None)  # absent on Windows, which trims mapped pages by itself
    if advice is not None:
        for mapping in {_mapping(array) for array in arrays} - {None}:
            mapping.madvise(advice)


def _mapping(array: Any) -> Any:
    """The file mapping that an array lies in, None for one that lies in none; a checkpoint's arrays share it."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return getattr(array, "_mmap", None)


@contextmanager
def forgetting(arrays: Sequence[NDArray[Any]], every_s: float = 0.01) -> Iterator[None]:
    """Give mapped pages back again and again while the block runs, and at its end.

    For a runtime that packs a large model's matrices one after the other: without this the file's pages and the packed
    copies are in memory together at the peak. A page that goes too early is read from the file once more.
    """
    done = threading.Event()

    def sweep() -> None:
        while not done.wait(every_s):
            forget_pages(arrays)

    sweeper = threading.Thread(target=sweep, daemon=True)
    sweeper.start()
    try:
        yield
    finally:
        done.set()
        sweeper.join()
        forget_pages(arrays)
        trim()


def trim() -> None:
    """Let glibc give freed memory back: compiling leaves tens of megabytes in small pieces. Nothing elsewhere."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
