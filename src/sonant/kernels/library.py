"""Opens the compiled kernels and names their functions."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.errors import MissingExtra
from sonant.kernels import build

__all__ = ["Dressed", "Floats", "Heads", "Library", "Rows", "Shape", "address", "open_file", "open_level", "wide"]

Floats = NDArray[np.float32]
INT = ctypes.c_int64
POINTER = ctypes.c_void_p


class Shape(ctypes.Structure):
    """``convolution`` of convolutions.c; pointers are addresses of arrays that the caller keeps."""

    _fields_ = (
        *((name, POINTER) for name in ("x", "dress", "weights", "scales", "bias", "residual", "out")),
        *((name, INT) for name in ("rows", "inputs", "outputs", "kernel", "dilation")),
    )


class Rows(ctypes.Structure):
    """``product`` of products.c."""

    _fields_ = (
        *((name, POINTER) for name in ("inputs", "input_scales", "weights", "weight_scales", "bias", "out")),
        *((name, INT) for name in ("stride", "taps", "depth", "panels", "out_row", "group", "group_step", "more")),
    )


class Dressed(ctypes.Structure):
    """``dress`` of products.c."""

    _fields_ = (
        *((name, POINTER) for name in ("scale", "shift")),
        *((name, ctypes.c_float) for name in ("epsilon", "slope")),
        ("activation", ctypes.c_int32),
    )


class Heads(ctypes.Structure):
    """``attention`` of attention.c."""

    _fields_ = (
        *((name, POINTER) for name in ("queries", "keys", "values", "out")),
        *((name, POINTER) for name in ("packed", "packed_scales", "packed_values")),
        *((name, INT) for name in ("rows", "heads", "size", "row", "out_row")),
    )


@dataclass(frozen=True, slots=True)
class Library:
    """The kernels of one level; functions release Python's lock.

    Attributes:
        level: a key of ``build.LEVELS``.
        panel: counts of channels are multiples of it.
        whole: whether products of int16 are there, and faster than float32.
        functions: the shared library.
    """

    level: str
    panel: int
    whole: bool
    functions: ctypes.CDLL


def address(array: NDArray[Any] | None) -> int | None:
    """Where an array's numbers lie; None for none."""
    return None if array is None else array.ctypes.data


def wide(channels: int, panel: int) -> int:
    """The next multiple."""
    return -(-channels // panel) * panel


@cache
def open_level(level: str) -> Library:
    """The kernels of a level.

    Raises:
        MissingExtra: they weren't compiled when sonant was installed, or from another source; says what to do.
    """
    return open_file(build.file_of(level), level)


def open_file(path: Path, level: str) -> Library:
    """The kernels in a file; as ``open_level``."""
    again = "install sonant again where there is a C compiler"
    if not path.is_file():
        raise MissingExtra(f"sonant's kernels for {level} weren't compiled; {again}")
    try:
        functions = ctypes.CDLL(str(path))
    except OSError as error:
        raise MissingExtra(f"sonant's kernels for {level} can't be opened ({error}); {again}") from None
    functions.sonant_source.restype = ctypes.c_char_p
    if functions.sonant_source().decode() != build.digest():
        raise MissingExtra(f"sonant's kernels for {level} were compiled from another source; {again}")
    functions.sonant_frame.argtypes = [POINTER, INT, INT, POINTER, INT, INT, POINTER, POINTER, INT, POINTER]
    functions.sonant_pack_heads.argtypes = functions.sonant_attend.argtypes = [POINTER, INT, INT, POINTER]
    functions.sonant_attend_space.argtypes = [POINTER]
    functions.sonant_round_panels.argtypes = [POINTER, INT, INT, INT, POINTER, POINTER]
    functions.sonant_multiply.argtypes = [POINTER, INT, INT, INT, INT]
    functions.sonant_moments.argtypes = [POINTER, INT, INT, INT, POINTER]
    functions.sonant_points.argtypes = [POINTER, POINTER, INT, INT, INT, INT, INT, POINTER]
    functions.sonant_convolve.argtypes = [POINTER, INT, INT, POINTER, POINTER]
    functions.sonant_tiles.argtypes = [POINTER]
    functions.sonant_space.argtypes = [POINTER, INT]
    functions.sonant_attend_blocks.argtypes = [POINTER]
    for name in ("tiles", "space", "attend_blocks", "attend_space", "panel", "deep", "whole"):
        getattr(functions, f"sonant_{name}").restype = INT
    return Library(level, int(functions.sonant_panel()), bool(functions.sonant_whole()), functions)
