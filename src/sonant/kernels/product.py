"""Products of rows with a matrix, and the convolutions that are such products: of few steps or with a stride."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Dressed, Floats, Rows, address, wide
from sonant.kernels.team import Team

__all__ = ["GELU", "PLAIN", "Dress", "Product", "Steps", "frame", "put_on", "round_panels"]

ROWS_AT_ONCE = 96  # HIGH of products.c: rows that read a panel of weights together
FRAMED_AT_ONCE = 256  # rows
MOST_LANES = 16  # floats of the longest register
ACTIVATIONS = ("none", "leaky", "gelu")  # in the order of products.c


@dataclass(frozen=True, slots=True)
class Dress:
    """What is done to a step before it is multiplied: a norm, an affine, an activation, each of which may be left out.

    Attributes:
        scale: (channels,), times which a step is taken.
        shift: (channels,), which is added; both or none.
        epsilon: of a norm over the channels (LayerNorm) before that; None for none.
        activation: "gelu" (by the error function), "leaky" (negative numbers times ``slope``) or "none".
        slope: see there.
    """

    scale: Floats | None = None
    shift: Floats | None = None
    epsilon: float | None = None
    activation: Literal["none", "leaky", "gelu"] = "none"
    slope: float = 0.0

    def given(self) -> tuple[Dressed, list[Floats]]:
        """As the kernels read it, and the arrays that must live as long."""
        assert self.epsilon is None or self.scale is not None
        rows = [_filled(row) for row in (self.scale, self.shift) if row is not None]
        scale, shift = map(address, rows or (None, None))
        epsilon = -1.0 if self.epsilon is None else self.epsilon
        return Dressed(scale, shift, epsilon, self.slope, ACTIVATIONS.index(self.activation)), rows


def _filled(row: Floats) -> Floats:
    """Up to whole registers, with zeros."""
    out = np.zeros(wide(len(row), MOST_LANES), np.float32)
    out[: len(row)] = row
    return out


PLAIN, GELU = Dress(), Dress(activation="gelu")


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps as a product reads them: (T, inputs) float32, or int16 with a scale for each step."""

    numbers: NDArray[Any]
    scales: Floats | None


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
        filled = np.zeros((taps, self.depth, self.width // panel, panel), np.float32)
        filled.reshape(taps, self.depth, -1)[:, :inputs, :outputs] = weights
        deep = team.library.functions.sonant_deep()
        parts = [filled[tap, k : k + deep] for tap in range(taps) for k in range(0, self.depth, deep)]
        made = [round_panels(team, np.ascontiguousarray(part.transpose(1, 0, 2))) for part in parts]
        self.weights = np.concatenate([part.reshape(-1) for part, _ in made])
        self.scales = (
            np.concatenate([scales.reshape(-1) for _, scales in made if scales is not None]) if team.whole else None
        )
        self.bias = np.zeros(self.width, np.float32)
        self.bias[:outputs] = 0 if bias is None else bias

    def __call__(
        self,
        x: Floats | Steps,
        stride: int = 1,
        pad: tuple[int, int] | None = None,
        out: Floats | None = None,
        dress: Dress = PLAIN,
        *,
        more: bool = False,
    ) -> Floats:
        """(T, inputs) to (rows, outputs, filled up to whole panels with zeros).

        Args:
            x: steps; framed ones are taken as they are.
            stride: steps from row to row.
            pad: steps of silence before and after; None for as many as keep the count.
            out: where the rows go; only they have to be whole in memory. (groups, rows, size) puts so many outputs
                behind each other, whole panels.
            dress: done to each step first.
            more: add to what ``out`` holds.
        """
        if isinstance(x, Steps):
            steps = x
        else:
            around = ((self.taps - 1) // 2, self.taps // 2) if pad is None else pad
            assert x.shape[1] == self.inputs
            steps = frame(self.team, x, dress, around)
        rows = (len(steps.numbers) - self.taps) // stride + 1
        if out is None:
            out = np.empty((rows, self.width), np.float32)
        grouped = out if out.ndim == 3 else out[None]
        panels, panel = self.width // self.team.library.panel, self.team.library.panel
        assert grouped.shape == (self.width // grouped.shape[2], rows, grouped.shape[2])
        assert not grouped.shape[2] % panel
        steps_to = [step // out.itemsize for step in grouped.strides]
        layout = steps_to[1], grouped.shape[2] // panel, steps_to[0], int(more)
        parts = (steps.numbers, steps.scales, self.weights, self.scales, self.bias, out)
        given = Rows(*map(address, parts), stride, self.taps, self.depth, panels, *layout)
        where, multiply = ctypes.addressof(given), self.team.library.functions.sonant_multiply
        if rows >= 2 * self.team.size * ROWS_AT_ONCE:
            self.team.share(rows, ROWS_AT_ONCE, lambda _, begin, end: multiply(where, begin, end, 0, panels))
        else:  # each member reads its own part of the weights
            self.team.share(panels, panels, lambda _, begin, end: multiply(where, 0, rows, begin, end))
        return out


def frame(team: Team, x: Floats, dress: Dress = PLAIN, pad: tuple[int, int] = (0, 0)) -> Steps:
    """(T, channels), dressed, between steps of silence, as the team's products read it."""
    if not team.whole and dress is PLAIN and not any(pad) and x.flags.c_contiguous:
        return Steps(x, None)
    steps = len(x) + sum(pad)
    numbers = np.empty((steps, wide(x.shape[1], 2) if team.whole else x.shape[1]), np.int16 if team.whole else x.dtype)
    scales = np.zeros(steps, np.float32) if team.whole else None
    numbers[: pad[0]] = numbers[steps - pad[1] :] = 0
    _dress_to(team, x, dress, numbers[pad[0] :], None if scales is None else scales[pad[0] :])
    return Steps(numbers, scales)


def put_on(team: Team, x: Floats, dress: Dress) -> Floats:
    """(T, channels), dressed, as float32."""
    out = np.empty(x.shape, np.float32)
    _dress_to(team, x, dress, out, None)
    return out


def _dress_to(team: Team, x: Floats, dress: Dress, out: NDArray[Any], scales: Floats | None) -> None:
    channels = x.shape[1]
    assert channels == 1 or x.strides[1] == x.itemsize
    how, held = dress.given()
    given = x.ctypes.data, x.strides[0] // x.itemsize, channels, ctypes.addressof(how)
    made = out.ctypes.data, out.shape[1], address(scales)
    kernel, floats = team.library.functions.sonant_frame, wide(channels, MOST_LANES)

    def work(member: int, begin: int, end: int) -> None:
        kernel(*given, begin, end, team.space(member, floats).ctypes.data, *made)

    team.share(len(x), FRAMED_AT_ONCE, work)
    del held


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
