"""Tensors on their way from one file to another: name, type and shape known at once, numbers read one tensor at a time.

Types are the codes of safetensors ("F32", "BF16", ...). NumPy has no bfloat16, so BF16 travels as its uint16 bits;
``to_float32`` gives the numbers. Format: https://github.com/huggingface/safetensors (README, "Format").
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.errors import CorruptFile

__all__ = ["HEADER_LIMIT_BYTES", "NUMPY_TYPES", "Tensor", "of_array", "read_file", "to_float32", "write_file"]

HEADER_LIMIT_BYTES = 100_000_000  # the safetensors library refuses longer headers too

NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # bits, not numbers
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_CODES = {dtype: code for code, dtype in NUMPY_TYPES.items() if code != "BF16"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor whose numbers are read when ``read`` is called.

    Attributes:
        key: its name.
        dtype: safetensors code, a key of ``NUMPY_TYPES``.
        shape: sizes, outermost first.
        read: gives the numbers in ``shape`` (for BF16 the uint16 bits); may be called more than once.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """Size of the numbers in bytes."""
        return math.prod(self.shape) * NUMPY_TYPES[self.dtype].itemsize

    def renamed(self, key: str) -> Tensor:
        """The same tensor under another name."""
        return Tensor(key, self.dtype, self.shape, self.read)

    def rows(self, key: str, start: int, stop: int) -> Tensor:
        """Rows ``start:stop`` of the first axis under another name."""
        return Tensor(key, self.dtype, (stop - start, *self.shape[1:]), lambda: self.read()[start:stop])

    def float32(self, key: str | None = None) -> Tensor:
        """The same numbers as float32."""
        return Tensor(key or self.key, "F32", self.shape, lambda: to_float32(self))


def of_array(key: str, array: NDArray[Any]) -> Tensor:
    """Wrap an array that lies in memory already.

    Raises:
        CorruptFile: its dtype has no safetensors code.
    """
    code = _CODES.get(array.dtype.newbyteorder("<"))
    if code is None:
        raise CorruptFile(f"tensor {key!r} has the type {array.dtype}, which a weight file can't hold")
    return Tensor(key, code, tuple(array.shape), lambda: array)


def to_float32(tensor: Tensor) -> NDArray[np.float32]:
    """The numbers of a float tensor (F64, F32, F16 or BF16) as float32 in its shape."""
    numbers = tensor.read()
    if tensor.dtype == "BF16":  # bfloat16 is the upper half of a float32
        return (numbers.astype("<u4") << 16).view("<f4").reshape(tensor.shape)
    return np.asarray(numbers, dtype=np.float32, order="C")


def read_file(path: Path) -> Iterator[Tensor]:
    """List the tensors of a safetensors file; the numbers stay on disk, memory-mapped, until they are read.

    Raises:
        CorruptFile: the header or an offset is wrong, or the file is cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length > min(size - 8, HEADER_LIMIT_BYTES):
            raise CorruptFile(f"{path} is no safetensors file or is cut short (header of {length} bytes, file {size})")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise CorruptFile(f"{path}: the safetensors header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise CorruptFile(f"{path}: the safetensors header is not a JSON object")
    for key, row in header.items():
        if key != "__metadata__":
            yield _mapped(path, key, row, 8 + length, size)


def _mapped(path: Path, key: str, row: Any, data_start: int, size: int) -> Tensor:
    try:
        code, shape = row["dtype"], tuple(int(n) for n in row["shape"])
        start, stop = (int(n) for n in row["data_offsets"])
        dtype = NUMPY_TYPES[code]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFile(f"{path}: bad entry for {key!r} in the safetensors header ({error!r})") from error
    expected = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or start < 0 or stop - start != expected or data_start + stop > size:
        raise CorruptFile(f"{path}: tensor {key!r} {code}{list(shape)} doesn't fit bytes {start}..{stop} of the file")

    def read() -> NDArray[Any]:
        if not expected:
            return np.zeros(shape, dtype)
        flat = np.memmap(path, dtype=np.uint8, mode="r", offset=data_start + start, shape=(expected,))
        return flat.view(dtype).reshape(shape)

    return Tensor(key, code, shape, read)


def write_file(path: Path, tensors: Iterable[Tensor], progress: Callable[[int, int], None] | None = None) -> None:
    """Write a safetensors file, one tensor in memory at a time, sorted by name so that equal content is equal bytes.

    Args:
        path: written in place; the caller renames it when it is whole.
        tensors: each name once.
        progress: called with (bytes done, bytes in all).

    Raises:
        CorruptFile: a name occurs twice, or a tensor gives other than its announced type and shape.
    """
    # widest types first keeps every tensor aligned to its own size, as the safetensors library orders them
    rows = sorted(tensors, key=lambda t: (-NUMPY_TYPES[t.dtype].itemsize, t.key))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # transformers opens only files that say "pt"
    offset = 0
    for tensor in rows:
        if tensor.key in header:
            raise CorruptFile(f"tensor {tensor.key!r} occurs twice")
        stop = offset + tensor.nbytes
        header[tensor.key] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [offset, stop]}
        offset = stop
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        done = 0
        for tensor in rows:
            numbers = np.asarray(tensor.read(), dtype=NUMPY_TYPES[tensor.dtype], order="C")
            if numbers.shape != tensor.shape:
                raise CorruptFile(f"tensor {tensor.key!r} should be {list(tensor.shape)}, is {list(numbers.shape)}")
            file.write(numbers.reshape(-1).view(np.uint8).data)
            done += tensor.nbytes
            if progress:
                progress(done, offset)
