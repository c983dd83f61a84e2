"""Products of rows with a matrix, and the convolutions that are such products: of few steps or with a stride."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Floats, Rows, address, wide
from sonant.kernels.team import Team

__all__ = ["Product", "round_panels"]

ROWS_AT_ONCE = 96  # HIGH of kernels.c: rows that read a panel of weights together


class Product:
    """rows times a matrix, plus a bias.

    Args:
        team: runs it, in float32 or int16.
        weights: (taps, inputs, outputs): a row hears so many neighbouring steps.
        bias: (outputs,), zeros where None.
    """

    def __init__(self, team: Team, weights: Floats, bias: Floats | None = None) -> None:
        taps, inputs, outputs = weights.shape
        self.team, self.taps, self.inputs, self.outputs = team, taps, inputs, outputs
        panel = team.library.panel
        self.depth = wide(inputs, 2) if team.whole else inputs  # int16 is multiplied in pairs
        self.width = wide(outputs, panel)
        filled = np.zeros((taps, self.depth, self.width), np.float32)
        filled[:, :inputs, :outputs] = weights
        panels = filled.reshape(taps, self.depth, -1, panel).transpose(2, 0, 1, 3)  # (panels, taps, depth, panel)
        self.weights, self.scales = round_panels(team, np.ascontiguousarray(panels))
        self.bias = np.zeros(self.width, np.float32)
        self.bias[:outputs] = 0 if bias is None else bias

    def __call__(
        self, x: Floats, stride: int = 1, pad: tuple[int, int] | None = None, out: Floats | None = None
    ) -> Floats:
        """(T, inputs) to (rows, outputs, filled up to whole panels with zeros).

        Args:
            x: steps.
            stride: steps from row to row.
            pad: steps of silence before and after; None for as many as keep the count.
            out: where the rows go; only they have to be whole in memory.
        """
        before, after = ((self.taps - 1) // 2, self.taps // 2) if pad is None else pad
        steps, scales = self._framed(x, before, after)
        rows = (len(steps) - self.taps) // stride + 1
        if out is None:
            out = np.empty((rows, self.width), np.float32)
        assert out.shape == (rows, self.width)
        parts = (steps, scales, self.weights, self.scales, self.bias, out)
        given = Rows(*map(address, parts), stride, self.taps, self.depth, out.strides[0] // out.itemsize)
        where, multiply = ctypes.addressof(given), self.team.library.functions.sonant_multiply
        panels = self.width // self.team.library.panel
        if rows >= 2 * self.team.size * ROWS_AT_ONCE:
            self.team.share(rows, ROWS_AT_ONCE, lambda _, begin, end: multiply(where, begin, end, 0, panels))
        else:  # each member reads its own part of the weights
            self.team.share(panels, panels, lambda _, begin, end: multiply(where, 0, rows, begin, end))
        return out

    def _framed(self, x: Floats, before: int, after: int) -> tuple[NDArray[Any], Floats | None]:
        """The steps between silence; in int16 with a scale for each."""
        if not self.team.whole:
            kept = not before and not after and x.flags.c_contiguous
            return x if kept else np.pad(x, ((before, after), (0, 0))), None
        x = np.ascontiguousarray(x)
        steps = np.empty((before + len(x) + after, self.depth), np.int16)
        scales = np.zeros(len(steps), np.float32)
        steps[:before] = steps[before + len(x) :] = 0
        given = x.ctypes.data, self.inputs
        made = steps[before:].ctypes.data, self.depth, scales[before:].ctypes.data
        round_rows = self.team.library.functions.sonant_round_rows
        self.team.share(len(x), len(x), lambda _, begin, end: round_rows(*given, begin, end, *made))
        return steps, scales


def round_panels(team: Team, panels: Floats) -> tuple[NDArray[Any], Floats | None]:
    """Weights (..., depth, panel) as the team multiplies them: as they are, or in int16 and a scale for each output."""
    if not team.whole:
        return panels, None
    *count, depth, panel = panels.shape
    whole, scales = np.empty(panels.shape, np.int16), np.empty((*count, panel), np.float32)
    given = panels.ctypes.data, depth
    made = whole.ctypes.data, scales.ctypes.data
    total, rounds = scales.size // panel, team.library.functions.sonant_round_panels
    team.share(total, total, lambda _, begin, end: rounds(*given, begin, end, *made))
    return whole, scales
