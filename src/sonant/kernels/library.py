"""Opens the compiled kernels and names their functions."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sonant.errors import MissingExtra
from sonant.kernels import build

__all__ = [
    "Adding",
    "Desk",
    "Dressed",
    "Dtype",
    "Filling",
    "Floats",
    "Framing",
    "Heads",
    "Library",
    "Matrix",
    "Network",
    "Norming",
    "Recurrence",
    "Rows",
    "Run",
    "Shape",
    "Stack",
    "Step",
    "Stored",
    "Summing",
    "Tiled",
    "Window",
    "address",
    "aligned",
    "open_file",
    "open_level",
    "place",
    "wide",
]

Floats = NDArray[np.float32]
Dtype = Literal["float32", "int16", "bfloat16", "bfloat16x3", "int8"]
"""What products read is rounded to it; three products of bfloat16 are nearly as exact as float32's (4e-6, 5e-7)."""
INT = ctypes.c_int64
POINTER = ctypes.c_void_p
LINE = 64  # bytes


class Desk(ctypes.Structure):
    """``desk`` of crew.c, with what it points to.

    Attributes:
        there: (members,) int64, whether each looks out for calls.
        rooms: addresses of the members' spaces.
    """

    _fields_ = (
        *((name, POINTER) for name in ("kernel", "given")),
        *((name, INT) for name in ("total", "portions")),
        *((name, POINTER) for name in ("spaces", "present")),
        *((name, INT) for name in ("held", "dismissed")),
        *((name, INT * 9) for name in ("number", "next", "inside")),
    )

    def __init__(self, members: int) -> None:
        super().__init__()
        self.there, self.rooms = np.zeros(members, np.int64), (POINTER * members)()
        self.present, self.spaces = self.there.ctypes.data, ctypes.addressof(self.rooms)
        self.where = ctypes.addressof(self)


class Shape(ctypes.Structure):
    """``convolution`` of convolutions.c; pointers are addresses of arrays that the caller keeps."""

    _fields_ = (
        *((name, POINTER) for name in ("x", "dress", "weights", "scales", "bias", "residual", "out", "moments")),
        *((name, INT) for name in ("rows", "inputs", "outputs", "kernel", "dilation", "halves")),
    )


class Summing(ctypes.Structure):
    """``summing`` of convolutions.c."""

    _fields_ = (("x", POINTER), ("moments", POINTER), ("channels", INT))


class Norming(ctypes.Structure):
    """``norming`` of convolutions.c."""

    _fields_ = (
        *((name, POINTER) for name in ("moments", "eps", "scale", "shift", "factors", "summands")),
        *((name, INT) for name in ("portions", "width", "channels", "steps", "eps_step")),
    )


class Adding(ctypes.Structure):
    """``adding`` of convolutions.c."""

    _fields_ = tuple((name, POINTER) for name in ("first", "second", "out"))


class Rows(ctypes.Structure):
    """``product`` of products.c."""

    _fields_ = (
        *((name, POINTER) for name in ("inputs", "input_scales", "weights", "weight_scales", "bias", "out")),
        *((name, INT) for name in ("stride", "taps", "depth", "panels", "out_row", "more")),
        ("weight_sums", POINTER),
        ("zero", INT),
        ("gelu", POINTER),
        *((name, INT) for name in ("rows", "by_panels")),
    )


class Dressed(ctypes.Structure):
    """``dress`` of products.c."""

    _fields_ = (
        *((name, POINTER) for name in ("scale", "shift")),
        *((name, ctypes.c_float) for name in ("epsilon", "slope")),
        ("activation", ctypes.c_int32),
    )


class Framing(ctypes.Structure):
    """``framing`` of products.h."""

    _fields_ = (
        *((name, POINTER) for name in ("x", "how", "to", "scales")),
        *((name, INT) for name in ("x_row", "channels", "kind", "stride", "halves", "zero")),
    )


class Stored(ctypes.Structure):
    """``stored_matrix`` of panels.h."""

    _fields_ = (
        *((name, POINTER) for name in ("numbers", "factors")),
        *((name, INT) for name in ("taps", "inputs", "outputs", "tap_step", "input_step", "output_step")),
    )


class Heads(ctypes.Structure):
    """``attention`` of attention.c."""

    _fields_ = (
        *((name, POINTER) for name in ("queries", "keys", "values", "out")),
        *((name, POINTER) for name in ("packed", "packed_scales", "packed_values")),
        *((name, INT) for name in ("rows", "keys_known", "heads", "size", "row", "key_row", "out_row")),
    )


class Filling(ctypes.Structure):
    """``filling`` of filling.c."""

    _fields_ = (
        *((name, POINTER) for name in ("made", "usual", "places", "before", "after", "shares", "out")),
        *((name, INT) for name in ("made_row", "width")),
    )


class Recurrence(ctypes.Structure):
    """``recurrence`` of recurrent.c."""

    _fields_ = (
        *((name, POINTER) for name in ("given", "weights", "state", "out")),
        *((name, INT) for name in ("steps", "given_row", "hidden", "units", "out_row")),
    )


class Matrix(ctypes.Structure):
    """``matrix`` of decoder.c."""

    _fields_ = (*((name, POINTER) for name in ("weights", "scales", "bias")), ("depth", INT), ("panels", INT))


class Network(ctypes.Structure):
    """``decoder`` of decoder.c."""

    _fields_ = (
        ("matrices", POINTER),
        ("norms", POINTER),
        *((name, INT) for name in ("layers", "channels", "width", "heads", "size", "inner", "frames", "longest")),
    )


class Step(ctypes.Structure):
    """``step`` of decoder.c."""

    _fields_ = (
        *((name, POINTER) for name in ("hidden", "asked", "heard", "inner", "cache", "lines")),
        *((name, POINTER) for name in ("keys", "key_scales", "values", "value_scales", "queries", "logits", "network")),
        *((name, INT) for name in ("sequences", "tokens", "past", "beams", "every", "members")),
        *((name, POINTER) for name in ("next", "arrived")),
        ("phase", INT),
    )


class Window(ctypes.Structure):
    """``window`` of packing.c."""

    _fields_ = (
        *((name, POINTER) for name in ("keys", "values", "to_keys", "key_scales", "to_values", "value_scales")),
        *((name, INT) for name in ("head_step", "frame_step", "frames", "size")),
    )


class Tiled(ctypes.Structure):
    """``tiled`` of layers_amx.c."""

    _fields_ = (
        *((name, POINTER) for name in ("weights", "scales", "sums", "bias")),
        *((name, INT) for name in ("depth", "panels")),
    )


class Stack(ctypes.Structure):
    """``stack`` of layers_amx.c."""

    _fields_ = (
        *((name, POINTER) for name in ("products", "norms")),
        *((name, INT) for name in ("layers", "width", "heads", "size", "part", "parts", "whole", "before")),
        ("epsilon", ctypes.c_float),
    )


class Run(ctypes.Structure):
    """``run`` of layers_amx.c."""

    _fields_ = (
        *((name, POINTER) for name in ("hidden", "queries", "heard", "keys", "values", "layers")),
        *((name, INT) for name in ("rows", "slab", "members")),
        *((name, POINTER) for name in ("next", "arrived")),
        ("phase", INT),
    )


@dataclass(frozen=True, slots=True)
class Library:
    """The kernels of one level; functions release Python's lock.

    Attributes:
        level: a key of ``build.LEVELS``.
        panel: counts of channels are multiples of it.
        dtypes: of products that it has, where they are faster than float32's.
        functions: the shared library.
    """

    level: str
    panel: int
    dtypes: frozenset[Dtype]
    functions: ctypes.CDLL


def address(array: NDArray[Any] | None) -> int | None:
    """Where an array's numbers lie; None for none."""
    return None if array is None else array.ctypes.data


def place(array: Any) -> int:
    """The same of an array that is whole in memory and may be written to; ``ctypes.data`` takes ten times as long."""
    return ctypes.addressof(ctypes.c_char.from_buffer(array))


def wide(channels: int, panel: int) -> int:
    """The next multiple."""
    return -(-channels // panel) * panel


def aligned(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Room that begins with a cache line, as tiles are read fastest."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size].view(dtype).reshape(shape)


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
    functions.sonant_hold.argtypes = functions.sonant_run.argtypes = [POINTER]
    functions.sonant_help.argtypes = [POINTER, INT]
    functions.sonant_attend_space.argtypes = [POINTER]
    functions.sonant_pack_matrix.argtypes = [POINTER, *[INT] * 5, POINTER, POINTER]
    functions.sonant_pack_points.argtypes = [POINTER, POINTER, *[INT] * 5, POINTER, POINTER, POINTER]
    functions.sonant_pack_points_space.argtypes = [POINTER, INT]
    functions.sonant_tiles.argtypes = functions.sonant_norm.argtypes = [POINTER]
    functions.sonant_rank.argtypes = [POINTER, *[INT] * 4, POINTER, POINTER]
    functions.sonant_log_mel.argtypes = [POINTER, INT, *[POINTER] * 4, INT, POINTER, INT]
    functions.sonant_warp.argtypes = [POINTER, INT, INT, POINTER, POINTER, POINTER]
    functions.sonant_medians.argtypes = [POINTER, INT, INT, POINTER, POINTER]
    functions.sonant_space.argtypes = [POINTER, INT]
    functions.sonant_attend_blocks.argtypes = [POINTER]
    functions.sonant_decode_phases.argtypes = functions.sonant_decode_space.argtypes = [POINTER]
    functions.sonant_pack_rows.argtypes = [POINTER, *[INT] * 6, ctypes.c_float, POINTER, POINTER, POINTER]
    counts = (
        "warp",
        "tiles",
        "space",
        "attend_blocks",
        "attend_space",
        "decode_phases",
        "decode_space",
        "pack_points_space",
        "panel",
        "deep",
        "whole",
    )
    for name in counts:
        getattr(functions, f"sonant_{name}").restype = INT
    tiles = _has_amx(functions)
    has: dict[Dtype, bool] = {
        "float32": True,
        "int16": bool(functions.sonant_whole()),
        "bfloat16": tiles,
        "bfloat16x3": tiles,
        "int8": tiles,
    }
    dtypes = frozenset(dtype for dtype, there in has.items() if there)
    return Library(level, int(functions.sonant_panel()), dtypes, functions)


def _has_amx(functions: ctypes.CDLL) -> bool:
    """Whether amx.c was compiled, and its tiles may be used."""
    if not hasattr(functions, "sonant_amx_allowed"):
        return False
    functions.sonant_amx_pack_bytes.argtypes = [POINTER, *[INT] * 6, *[POINTER] * 3]
    for name in ("blocks", "space"):
        function = getattr(functions, f"sonant_amx_attend_{name}")
        function.argtypes, function.restype = [POINTER], INT
    functions.sonant_amx_pack_rows.argtypes = [POINTER, *[INT] * 6, POINTER]
    functions.sonant_amx_pack.argtypes = [POINTER, *[INT] * 4, POINTER]
    functions.sonant_amx_layers_space.argtypes = functions.sonant_amx_layers_phases.argtypes = [POINTER]
    functions.sonant_amx_layers_space.restype = functions.sonant_amx_layers_phases.restype = INT
    functions.sonant_amx_space.argtypes = [POINTER, INT]
    functions.sonant_amx_space.restype = functions.sonant_amx_allowed.restype = INT
    return bool(functions.sonant_amx_allowed())
