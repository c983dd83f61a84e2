"""Products of rows with a matrix, and the convolutions that are such products: of few steps or with a stride."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Dressed, Dtype, Floats, Framing, Rows, address, aligned, wide
from sonant.kernels.panels import TOGETHER, Given, pack, pack_amx, pack_bytes, pack_rows
from sonant.kernels.team import Team

__all__ = ["GELU", "GELU_WITHIN", "PLAIN", "TANH_GELU", "Dress", "Product", "Steps", "frame", "halves", "put_on"]

ROWS_AT_ONCE: dict[Dtype, int] = {
    "float32": 96,
    "int16": 96,
    "bfloat16": 256,
    "bfloat16x3": 256,
    "int8": 256,
}  # that read a panel of weights together
FRAMED_AT_ONCE = 256  # rows
MOST_LANES = 16  # floats of the longest register
STORED: dict[Dtype, type[np.generic]] = {
    "float32": np.float32,
    "int16": np.int16,
    "bfloat16": np.uint16,
    "bfloat16x3": np.uint16,
    "int8": np.uint8,
}
MULTIPLIES: dict[Dtype, str] = {
    "float32": "multiply",
    "int16": "multiply",
    "bfloat16": "amx_multiply",
    "bfloat16x3": "amx_multiply_thrice",
    "int8": "amx_multiply_bytes",
}
FRAMED: dict[Dtype, int] = {"float32": 0, "int16": 1, "bfloat16": 2, "bfloat16x3": 3}  # kinds of products.c
GELU_WITHIN: tuple[Dtype, ...] = ("bfloat16", "int8")  # where a product on tiles ends with GELU, at no cost
MIDDLE, LOW = 128, 32  # the byte for 0, where numbers lie on both sides of it; of what GELU makes, hardly ever negative
ACTIVATIONS = ("none", "leaky", "gelu", "tanh gelu")  # in the order of products.c


@dataclass(frozen=True, slots=True)
class Dress:
    """What is done to a step before it is multiplied: a norm, an affine, an activation, each of which may be left out.

    Attributes:
        scale: (channels,), times which a step is taken.
        shift: (channels,), which is added; both or none.
        epsilon: of a norm over the channels (LayerNorm) before that; None for none.
        activation: "gelu" (by the error function), "tanh gelu" (its older form), "leaky" (negative numbers times
            ``slope``) or "none".
        slope: see there.
    """

    scale: Floats | None = None
    shift: Floats | None = None
    epsilon: float | None = None
    activation: Literal["none", "leaky", "gelu", "tanh gelu"] = "none"
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


PLAIN, GELU, TANH_GELU = Dress(), Dress(activation="gelu"), Dress(activation="tanh gelu")


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps as a product reads them: (T, inputs) float32, bfloat16's bits, or whole numbers with a scale for each step.

    Attributes:
        numbers: int16, or uint8, of which ``zero`` stands for 0.
    """

    numbers: NDArray[Any]
    scales: Floats | None
    zero: int = 0

    def part(self, begin: int, end: int) -> Steps:
        """Some steps of them."""
        scales = None if self.scales is None else self.scales[begin:end]
        return Steps(self.numbers[begin:end], scales, self.zero)


class Product:
    """rows times a matrix, plus a bias.

    Args:
        team: runs it, in its dtype.
        weights: (taps, inputs, outputs): a row hears so many neighbouring steps; one in int8.
        bias: (outputs,), zeros where None.
        factors: (outputs,), times which the weights are taken; not in int8.
    """

    def __init__(self, team: Team, weights: Floats, bias: Floats | None = None, factors: Floats | None = None) -> None:
        taps, inputs, outputs = weights.shape
        self.team, self.taps, self.inputs, self.outputs = team, taps, inputs, outputs
        panel = team.library.panel
        self.depth, self.width = wide(inputs, TOGETHER[team.dtype]), wide(outputs, panel)
        self.scales: Floats | None = None
        self.sums: NDArray[np.int32] | None = None
        panels = self.width // panel
        if team.dtype in ("float32", "int16"):
            self.weights, self.scales = pack(team, Given(weights, factors), self.depth, panels)
        elif taps > 1 or factors is not None or team.dtype == "bfloat16x3":
            assert team.dtype != "int8"
            self.weights = pack_amx(team, Given(weights, factors), self.depth, panels)
        else:
            rows = weights[0].T
            if rows.strides[1] != rows.itemsize:  # stored so, mostly
                rows = np.ascontiguousarray(rows)
            if team.dtype == "int8":
                self.weights, self.scales, self.sums = pack_bytes(team, rows, self.depth)
            else:
                self.weights = pack_rows(team, rows, self.depth)
        self.bias = np.zeros(self.width, np.float32)
        self.bias[:outputs] = 0 if bias is None else bias
        self.own = tuple(map(address, (self.weights, self.scales, self.bias, self.sums)))

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
            out: where the rows go; only they have to be whole in memory.
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
        assert out.shape == (rows, self.width)
        self._multiply(steps, stride, out, more=more)
        return out

    def activated(self, x: Floats, dress: Dress = PLAIN, gelu: Dress = GELU) -> Steps:
        """GELU of (T, outputs) for another product, as ``frame`` gives it; x and dress as above, of one tap."""
        if self.team.dtype not in GELU_WITHIN or gelu is not GELU:
            return frame(self.team, self(x, dress=dress)[:, : self.outputs], gelu)
        steps = frame(self.team, x, dress)
        made = aligned((len(x), self.width), np.uint16)
        self._multiply(steps, 1, made)
        return Steps(made, None) if self.team.dtype == "bfloat16" else _to_bytes(self.team, made, PLAIN, LOW)

    def _multiply(self, steps: Steps, stride: int, out: NDArray[Any], *, more: bool = False) -> None:
        """Rows to ``out``, or, where that is for bfloat16's bits, their GELU."""
        rows, panels = len(out), self.width // self.team.library.panel
        made, gelu = (None, out) if out.dtype == np.uint16 else (out, None)
        weights, scales, bias, sums = self.own
        parts = address(steps.numbers), address(steps.scales), weights, scales, bias, address(made)
        layout = stride, self.taps, self.depth, panels, out.strides[0] // out.itemsize, int(more)
        most = ROWS_AT_ONCE[self.team.dtype]
        by_panels = rows < 2 * self.team.size * most  # each member reads its own part of the weights
        rest = sums, steps.zero, address(gelu), rows, int(by_panels)
        given = Rows(*parts, *layout, *rest)
        total, most = (panels, panels) if by_panels else (rows, most)
        self.team.call(MULTIPLIES[self.team.dtype], given, total, most)


def frame(team: Team, x: Floats, dress: Dress = PLAIN, pad: tuple[int, int] = (0, 0)) -> Steps:
    """(T, channels), dressed, between steps of silence, as the team's products read it."""
    if team.dtype == "float32" and dress is PLAIN and not any(pad) and x.flags.c_contiguous:
        return Steps(x, None)
    if team.dtype == "int8":
        assert not any(pad)
        return _to_bytes(team, x, dress, LOW if dress.activation == "gelu" else MIDDLE)
    steps = len(x) + sum(pad)
    depth = wide(x.shape[1], TOGETHER[team.dtype]) * (2 if team.dtype == "bfloat16x3" else 1)
    numbers = aligned((steps, depth), STORED[team.dtype])
    scales = np.zeros(steps, np.float32) if team.dtype == "int16" else None
    numbers[: pad[0]] = numbers[steps - pad[1] :] = 0
    _dress_to(team, x, dress, team.dtype, numbers[pad[0] :], None if scales is None else scales[pad[0] :])
    return Steps(numbers, scales)


def halves(team: Team, x: Floats) -> NDArray[np.uint16]:
    """(T, channels) in bfloat16's bits."""
    out = aligned(x.shape, np.uint16)
    _dress_to(team, x, PLAIN, "bfloat16", out)
    return out


def put_on(team: Team, x: Floats, dress: Dress) -> Floats:
    """(T, channels), dressed, as float32."""
    out = np.empty(x.shape, np.float32)
    _dress_to(team, x, dress, "float32", out)
    return out


def _dress_to(
    team: Team, x: Floats, dress: Dress, dtype: Dtype, out: NDArray[Any], scales: Floats | None = None
) -> None:
    channels = x.shape[1]
    assert channels == 1 or x.strides[1] == x.itemsize
    how, held = dress.given()
    sizes = x.strides[0] // x.itemsize, channels, FRAMED[dtype], out.shape[1], 0, 0
    given = Framing(x.ctypes.data, ctypes.addressof(how), out.ctypes.data, address(scales), *sizes)
    team.call("frame", given, len(x), FRAMED_AT_ONCE, wide(channels, MOST_LANES))
    del held


def _to_bytes(team: Team, x: NDArray[Any], dress: Dress, zero: int) -> Steps:
    """(T, channels) of float32 or bfloat16's bits, dressed, as bytes."""
    steps, channels = x.shape
    assert channels == 1 or x.strides[1] == x.itemsize
    numbers, scales = aligned((steps, wide(channels, TOGETHER["int8"])), np.uint8), np.empty(steps, np.float32)
    how, held = dress.given()
    sizes = x.strides[0] // x.itemsize, channels, 0, numbers.shape[1], int(x.dtype == np.uint16), zero
    given = Framing(x.ctypes.data, ctypes.addressof(how), numbers.ctypes.data, scales.ctypes.data, *sizes)
    team.call("amx_frame_bytes", given, steps, FRAMED_AT_ONCE, wide(channels, MOST_LANES))
    del held
    return Steps(numbers, scales, zero)
