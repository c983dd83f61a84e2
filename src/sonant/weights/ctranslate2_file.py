"""Reads CTranslate2 ``model.bin`` files (binary version 6), without ctranslate2.

Layout, little-endian (ctranslate2/specs/model_spec.py, ``ModelSpec._serialize``): uint32 version; string spec name;
uint32 revision; uint32 count; per variable: string name, uint8 rank, uint32 sizes, uint8 type, uint32 bytes, data; then
uint32 alias count and pairs of strings. A string is a uint16 length that counts the closing NUL, and the bytes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sonant.errors import CorruptFile, UnsupportedCheckpoint
from sonant.weights.tensors import NUMPY_TYPES, Tensor

__all__ = ["Ctranslate2File", "dequantised", "read"]

VERSION = 6
_TYPES = ("F32", "I8", "I16", "I32", "F16", "BF16")  # by CTranslate2's type number
_MAX_RANK = 8
_SCALE = "_scale"


@dataclass(frozen=True, slots=True)
class Ctranslate2File:
    """The variables of one file by name, with aliases resolved by the caller.

    Attributes:
        spec: the model's kind, "WhisperSpec" or another.
        revision: of the spec.
        tensors: variables by name; numbers are read on demand.
        aliases: other names of variables.
    """

    spec: str
    revision: int
    tensors: dict[str, Tensor]
    aliases: dict[str, str]


def read(path: Path) -> Ctranslate2File:
    """Read the table of a ``model.bin``; the numbers stay on disk.

    Raises:
        CorruptFile: the file ends early, goes on after its end, or a size is wrong.
        UnsupportedCheckpoint: another version of the format.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        version = _uint32(file, path)
        if version != VERSION:
            raise UnsupportedCheckpoint(
                f"{path} starts with version {version}; sonant reads CTranslate2 version {VERSION}. "
                "Convert the model again with ctranslate2 3.11 or later"
            )
        spec, revision, count = _string(file, path), _uint32(file, path), _uint32(file, path)
        tensors: dict[str, Tensor] = {}
        for _ in range(count):
            tensor = _variable(file, path, size)
            if tensor.key in tensors:
                raise CorruptFile(f"{path}: variable {tensor.key!r} occurs twice")
            tensors[tensor.key] = tensor
        aliases = {_string(file, path): _string(file, path) for _ in range(_uint32(file, path))}
        if file.tell() != size:
            raise CorruptFile(f"{path}: {size - file.tell()} bytes after the end of the model")
    if missing := sorted(set(aliases.values()) - set(tensors)):
        raise CorruptFile(f"{path}: an alias names {missing[0]!r}, which isn't in the file")
    return Ctranslate2File(spec, revision, tensors, aliases)


def _variable(file: BinaryIO, path: Path, size: int) -> Tensor:
    name = _string(file, path)
    rank = _exactly(file, 1, path)[0]
    if rank > _MAX_RANK:
        raise CorruptFile(f"{path}: variable {name!r} has {rank} axes")
    shape = tuple(_uint32(file, path) for _ in range(rank))
    code, nbytes = _exactly(file, 1, path)[0], _uint32(file, path)
    if code >= len(_TYPES):
        raise CorruptFile(f"{path}: variable {name!r} has the unknown type {code}")
    dtype, start = NUMPY_TYPES[_TYPES[code]], file.tell()
    if math.prod(shape) * dtype.itemsize != nbytes or start + nbytes > size:
        raise CorruptFile(f"{path}: variable {name!r} {_TYPES[code]}{list(shape)} doesn't fit its {nbytes} bytes")
    file.seek(nbytes, 1)

    def numbers() -> NDArray[Any]:
        flat = np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=(nbytes,)) if nbytes else np.zeros(0, "u1")
        return flat.view(dtype).reshape(shape)

    return Tensor(name, _TYPES[code], shape, numbers)


def dequantised(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo int8 and int16 weights: W = q / scale, a scale a row (int8) or one for all (int16), as float32.

    CTranslate2 stores ``name`` as integers, ``name_scale`` beside it (``ModelSpec._quantize``: q = round(W * scale)).
    """
    plain = {}
    for name, tensor in tensors.items():
        if name.endswith(_SCALE) and name[: -len(_SCALE)] in tensors:
            continue
        scale = tensors.get(name + _SCALE)
        plain[name] = tensor if scale is None else _scaled(tensor, scale)
    return plain


def _scaled(tensor: Tensor, scale: Tensor) -> Tensor:
    if tensor.dtype not in ("I8", "I16") or scale.shape not in ((), (1,), tensor.shape[:1]):
        raise UnsupportedCheckpoint(f"{tensor.key}: {tensor.dtype}{tensor.shape} with a scale of shape {scale.shape}")

    def numbers() -> NDArray[Any]:
        factors = scale.read().astype(np.float32).reshape(-1, *[1] * (len(tensor.shape) - 1))
        return tensor.read().astype(np.float32) / factors

    return Tensor(tensor.key, "F32", tensor.shape, numbers)


def _exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise CorruptFile(f"{path} ends early, at byte {file.tell()}: the download is not whole")
    return data


def _uint32(file: BinaryIO, path: Path) -> int:
    return int(struct.unpack("<I", _exactly(file, 4, path))[0])


def _string(file: BinaryIO, path: Path) -> str:
    length = int(struct.unpack("<H", _exactly(file, 2, path))[0])
    try:
        return _exactly(file, length, path).rstrip(b"\0").decode()
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{path}: a name at byte {file.tell()} is not text") from error
