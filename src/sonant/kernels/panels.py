"""Weights in panels, as the kernels read them (``panels.c``)."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Dtype, Floats, Stored, address, aligned, wide
from sonant.kernels.team import Team

__all__ = ["POINTS", "TOGETHER", "Given", "pack", "pack_amx", "pack_bytes", "pack_points", "pack_rows"]

TOGETHER: dict[Dtype, int] = {"float32": 1, "int16": 2, "bfloat16": 32, "bfloat16x3": 32, "int8": 64}
"""Inputs that are multiplied together."""
POINTS = 16
KINDS: dict[Dtype, int] = {"float32": 0, "int16": 1, "bfloat16": 2}  # of panels.c
STORED: dict[Dtype, type[np.generic]] = {"float32": np.float32, "int16": np.int16, "bfloat16": np.uint16}


class Given:
    """Weights (taps, inputs, outputs), wherever their numbers lie, and what each output is taken times."""

    def __init__(self, weights: Floats, factors: Floats | None = None) -> None:
        assert weights.dtype == np.float32
        assert factors is None or (factors.shape == weights.shape[2:] and factors.dtype == np.float32)
        self.held = weights, None if factors is None else np.ascontiguousarray(factors)
        steps = (step // weights.itemsize for step in weights.strides)
        self.shape = Stored(*map(address, self.held), *weights.shape, *steps)
        self.where = ctypes.addressof(self.shape)


def pack(team: Team, given: Given, depth: int, panels: int) -> tuple[NDArray[Any], Floats | None]:
    """For ``sonant_multiply``: weights one after the other, and their scales in int16."""
    functions, taps, panel = team.library.functions, given.shape.taps, team.library.panel
    made, scales = np.empty(taps * depth * panels * panel, STORED[team.dtype]), None
    if team.dtype == "int16":
        scales = np.empty(taps * -(-depth // functions.sonant_deep()) * panels * panel, np.float32)
    fixed, to = (given.where, int(scales is not None), depth, panels), (made.ctypes.data, address(scales))
    team.share(panels, panels, lambda _, begin, end: functions.sonant_pack_matrix(*fixed, begin, end, *to))
    return made, scales


def pack_points(team: Team, given: Given, roots: Floats, depth: int, panels: int) -> tuple[NDArray[Any], Floats | None]:
    """Of a convolution, last tap first, at ``POINTS`` points: as ``convolutions.h`` says, and their scales in int16.

    Args:
        team: packs them, in its dtype.
        given: the weights.
        roots: (2, points, taps), real and imaginary parts of the points' powers.
        depth: inputs up to whole panels.
        panels: of outputs.
    """
    functions, count = team.library.functions, (POINTS, panels, 3)
    made = aligned((*count, depth, team.library.panel), STORED[team.dtype])
    scales = np.empty((*count, team.library.panel), np.float32) if team.dtype == "int16" else None
    fixed = given.where, roots.ctypes.data, KINDS[team.dtype], depth, panels
    to, floats = (made.ctypes.data, address(scales)), functions.sonant_pack_points_space(given.where, depth)

    def work(member: int, begin: int, end: int) -> None:
        functions.sonant_pack_points(*fixed, begin, end, team.space(member, floats).ctypes.data, *to)

    team.share(panels, panels, work)
    return made, scales


def pack_amx(team: Team, given: Given, depth: int, panels: int) -> NDArray[Any]:
    """For ``sonant_amx_multiply``, or for thrice where the team does that: bfloat16's bits; depth in whole 32s."""
    thrice = team.dtype == "bfloat16x3"
    taps = given.shape.taps * (2 if thrice else 1)
    made = aligned((panels, depth // 32, taps, 16, team.library.panel, 2), np.uint16)
    fixed, to = (given.where, int(thrice), depth), made.ctypes.data
    function = team.library.functions.sonant_amx_pack
    team.share(panels, panels, lambda _, begin, end: function(*fixed, begin, end, to))
    return made


def pack_rows(team: Team, rows: Floats, depth: int) -> NDArray[Any]:
    """The same of one tap, out of (outputs, inputs); rows may stand apart."""
    outputs, inputs = rows.shape
    panel, function = team.library.panel, team.library.functions.sonant_amx_pack_rows
    panels = wide(outputs, panel) // panel
    made = aligned((panels, depth // 32, 1, 16, panel, 2), np.uint16)
    given, to = (rows.ctypes.data, rows.strides[0] // rows.itemsize, inputs, outputs, depth), made.ctypes.data
    team.share(panels, panels, lambda _, begin, end: function(*given, begin, end, to))
    return made


def pack_bytes(team: Team, rows: Floats, depth: int) -> tuple[NDArray[Any], Floats, NDArray[np.int32]]:
    """(outputs, inputs) for ``sonant_amx_multiply_bytes``, with what outputs are worth and come to."""
    outputs, inputs = rows.shape
    width, panel = wide(outputs, team.library.panel), team.library.panel
    made = aligned((width // panel, depth // 64, 16, panel, 4), np.int8)
    scales, sums = np.empty(width, np.float32), np.empty(width, np.int32)
    function, given = (
        team.library.functions.sonant_amx_pack_bytes,
        (rows.ctypes.data, rows.strides[0] // rows.itemsize, inputs, outputs, depth),
    )
    to = made.ctypes.data, scales.ctypes.data, sums.ctypes.data
    team.share(width // panel, width // panel, lambda _, begin, end: function(*given, begin, end, *to))
    return made, scales, sums
