"""Voice files in every spelling, as (510, 256) float32: ours, hexgrad's .pt, raw .bin, and packs of many voices."""

from __future__ import annotations

import ast
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.errors import CorruptFile, UnknownName, UnsupportedCheckpoint
from sonant.weights import torch_archive
from sonant.weights.tensors import NUMPY_TYPES, Tensor, read_file, to_float32

__all__ = ["ROWS", "pack_names", "read_pack", "read_voice"]

ROWS, WIDTH = 510, 256
_RAW_BYTES = ROWS * WIDTH * 4
_NPY_MAGIC = b"\x93NUMPY"
_NPY_HEADER_LIMIT = 4096

Styles = NDArray[np.float32]


def read_voice(path: Path) -> Styles:
    """Read a file that holds one voice: .safetensors, .pt, or raw little-endian float32 (.bin).

    Raises:
        CorruptFile: damaged, or of another size.
        UnsupportedCheckpoint: another format.
    """
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return _styles(_only(list(read_file(path)), path), path)
    if suffix in (".pt", ".pth"):
        return _styles(_only(list(torch_archive.flatten(torch_archive.load(path))), path), path)
    if suffix == ".bin":
        size = path.stat().st_size
        if size != _RAW_BYTES:
            raise CorruptFile(f"{path} has {size} bytes; a raw voice has {_RAW_BYTES} (510 x 256 float32)")
        return _finite(np.fromfile(path, "<f4").reshape(ROWS, WIDTH), path)
    raise UnsupportedCheckpoint(f"{path} is no voice file; sonant reads .safetensors, .pt and raw .bin")


def _only(tensors: list[Tensor], path: Path) -> Tensor:
    if len(tensors) != 1:
        raise CorruptFile(f"{path} holds {len(tensors)} tensors; a voice is one")
    return tensors[0]


def _styles(tensor: Tensor, path: Path) -> Styles:
    if tensor.shape not in ((ROWS, WIDTH), (ROWS, 1, WIDTH)) or tensor.dtype not in ("F64", "F32", "F16", "BF16"):
        raise CorruptFile(f"{path} holds {tensor.dtype}{list(tensor.shape)}; a Kokoro voice is float (510, 1, 256)")
    return _finite(to_float32(tensor).reshape(ROWS, WIDTH), path)


def _finite(styles: NDArray[Any], path: Path) -> Styles:
    if not np.isfinite(styles).all():
        raise CorruptFile(f"{path} holds numbers that are not finite")
    return np.ascontiguousarray(styles, np.float32)


def pack_names(path: Path) -> tuple[str, ...]:
    """Names of the voices in a pack (kokoro-onnx's voices-v1.0.bin, an npz), empty where the file is no pack."""
    if not zipfile.is_zipfile(path):
        return ()
    with zipfile.ZipFile(path) as archive:
        return tuple(sorted(name[:-4] for name in archive.namelist() if name.endswith(".npy") and "/" not in name))


def read_pack(path: Path, name: str) -> Styles:
    """Read one voice of a pack.

    Raises:
        UnknownName: it isn't in the pack.
        CorruptFile: its entry is damaged or no voice.
    """
    names = pack_names(path)
    if name not in names:
        raise UnknownName("voice", name, names, f"of {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(f"{name}.npy")
            if info.file_size > 2 * _RAW_BYTES + _NPY_HEADER_LIMIT:
                raise CorruptFile(f"{path}: {name} claims {info.file_size} bytes")
            data = archive.read(info)
    except zipfile.BadZipFile as error:
        raise CorruptFile(f"{path}: {name} is damaged ({error})") from error
    return _styles(_npy(data, name, path), path)


def _npy(data: bytes, name: str, path: Path) -> Tensor:
    """An .npy entry as a tensor. The header is a Python literal (numpy/lib/format.py), parsed as one and no more."""
    try:
        if data[:6] != _NPY_MAGIC:
            raise ValueError("no .npy")
        width, form = (2, "<H") if data[6] == 1 else (4, "<I")
        length = struct.unpack(form, data[8 : 8 + width])[0]
        start = 8 + width + length
        if length > _NPY_HEADER_LIMIT:
            raise ValueError("header too long")
        header = ast.literal_eval(data[8 + width : start].decode("latin1").strip())
        shape, code = tuple(header["shape"]), {"<f4": "F32", "<f2": "F16", "<f8": "F64"}[header["descr"]]
        if header["fortran_order"]:
            raise ValueError("column order")
        array = np.frombuffer(data[start:], NUMPY_TYPES[code]).reshape(shape)
    except (ValueError, KeyError, TypeError, SyntaxError, IndexError, struct.error) as error:
        raise CorruptFile(f"{path}: {name} is no array of floats ({error})") from error
    return Tensor(name, code, shape, lambda: array)
