"""Weights in panels, as the kernels read them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Dtype, Floats, aligned, wide
from sonant.kernels.team import Team

__all__ = ["TOGETHER", "filled_panels", "pack_amx", "pack_bytes", "pack_panels", "pack_rows", "packed", "round_panels"]

TOGETHER: dict[Dtype, int] = {"float32": 1, "int16": 2, "bfloat16": 32, "bfloat16x3": 32, "int8": 64}
"""Inputs that are multiplied together."""


def filled_panels(team: Team, weights: Floats, depth: int, panels: int) -> Floats:
    """(taps, inputs, outputs) as (taps, depth, panels, panel), zeros beyond."""
    assert weights.dtype == np.float32
    filled = np.empty((weights.shape[0], depth, panels, team.library.panel), np.float32)
    steps = (step // weights.itemsize for step in weights.strides)
    given, made = (weights.ctypes.data, *weights.shape, *steps, depth, panels), filled.ctypes.data
    fill = team.library.functions.sonant_fill_panels
    team.share(panels, panels, lambda _, begin, end: fill(*given, begin, end, made))
    return filled


def packed(team: Team, filled: Floats) -> tuple[NDArray[Any], Floats | None]:
    """Weights (taps, depth, panels, panel) for ``sonant_multiply``, and their scales in int16."""
    taps, depth, *_ = filled.shape
    deep = team.library.functions.sonant_deep()
    parts = [filled[tap, k : k + deep] for tap in range(taps) for k in range(0, depth, deep)]
    made = [round_panels(team, np.ascontiguousarray(part.transpose(1, 0, 2))) for part in parts]
    scales = [own.reshape(-1) for _, own in made if own is not None]
    return np.concatenate([part.reshape(-1) for part, _ in made]), np.concatenate(scales) if scales else None


def pack_amx(team: Team, filled: Floats) -> NDArray[Any]:
    """The same for ``sonant_amx_multiply``, bfloat16's bits; depth being a multiple of 32."""
    taps, depth, panels, panel = filled.shape
    made = aligned((panels, depth // 32, taps, 16, panel, 2), np.uint16)
    pack, given, to = (
        team.library.functions.sonant_amx_pack,
        (filled.ctypes.data, taps, depth, panels),
        made.ctypes.data,
    )
    team.share(panels, panels, lambda _, begin, end: pack(*given, begin, end, to))
    return made


def pack_panels(team: Team, panels: Floats) -> NDArray[Any]:
    """Weights (..., depth, panel) in bfloat16's bits, each panel as tiles read it."""
    *count, depth, panel = panels.shape
    made = aligned((*count, depth // 32, 16, panel, 2), np.uint16)
    total, pack = math.prod(count), team.library.functions.sonant_amx_pack_panels
    given, to = (panels.ctypes.data, depth), made.ctypes.data
    team.share(total, total, lambda _, begin, end: pack(*given, begin, end, to))
    return made


def pack_rows(team: Team, rows: Floats, depth: int) -> NDArray[Any]:
    """The same of one tap, out of (outputs, inputs); rows may stand apart."""
    outputs, inputs = rows.shape
    panel, pack = team.library.panel, team.library.functions.sonant_amx_pack_rows
    panels = wide(outputs, panel) // panel
    made = aligned((panels, depth // 32, 1, 16, panel, 2), np.uint16)
    given, to = (rows.ctypes.data, rows.strides[0] // rows.itemsize, inputs, outputs, depth), made.ctypes.data
    team.share(panels, panels, lambda _, begin, end: pack(*given, begin, end, to))
    return made


def pack_bytes(team: Team, rows: Floats, depth: int) -> tuple[NDArray[Any], Floats, NDArray[np.int32]]:
    """(outputs, inputs) for ``sonant_amx_multiply_bytes``, with what outputs are worth and come to."""
    outputs, inputs = rows.shape
    width, panel = wide(outputs, team.library.panel), team.library.panel
    made = aligned((width // panel, depth // 64, 16, panel, 4), np.int8)
    scales, sums = np.empty(width, np.float32), np.empty(width, np.int32)
    pack, given = (
        team.library.functions.sonant_amx_pack_bytes,
        (rows.ctypes.data, rows.strides[0] // rows.itemsize, inputs, outputs, depth),
    )
    to = made.ctypes.data, scales.ctypes.data, sums.ctypes.data
    team.share(width // panel, width // panel, lambda _, begin, end: pack(*given, begin, end, *to))
    return made, scales, sums


def round_panels(team: Team, panels: Floats) -> tuple[NDArray[Any], Floats | None]:
    """Weights (..., depth, panel) as the team multiplies them: as they are, or in int16 and a scale for each output."""
    if team.dtype == "float32":
        return panels, None
    *count, depth, panel = panels.shape
    whole, scales = np.empty(panels.shape, np.int16), np.empty((*count, panel), np.float32)
    given = panels.ctypes.data, depth
    made = whole.ctypes.data, scales.ctypes.data
    total, rounds = scales.size // panel, team.library.functions.sonant_round_panels
    team.share(total, total, lambda _, begin, end: rounds(*given, begin, end, *made))
    return whole, scales
