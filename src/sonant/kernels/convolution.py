"""Long convolutions with what stands around them in a vocoder: on polynomials, at a fraction of their taps
(``convolutions.c``); short ones in bfloat16 on AMX tap by tap (``amx.c``).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Floats, Shape, address, wide
from sonant.kernels.panels import POINTS, Given, pack_amx, pack_points
from sonant.kernels.team import Team

__all__ = ["Convolution", "Moments", "moments"]

LONGEST = 31  # taps: a tile of 32 steps then gives two
STEPS_AT_ONCE = 512  # on tiles: what they read stays in the second cache
FEWEST = 800  # taps times inputs: with fewer of them bfloat16 is faster tap by tap than on polynomials
TILES = 48  # at a time: planes of 2 to 4 MB, and a weight that is read serves so many
TILES_IN_BLOCKS = 64  # the same in bfloat16, of which 32 are multiplied together
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and variance over the steps of each channel, (channels,) float64."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def of_sums(cls, sums: Mapping[int, NDArray[np.float64]], steps: int) -> Moments:
        """From sums and sums of squares, (2, channels), of ranges by their beginnings.

        Added up in the order of time, so that not a bit depends on which thread was first.
        """
        mean, square = np.sum([sums[begin] for begin in sorted(sums)], axis=0) / steps
        return cls(mean, np.maximum(square - mean * mean, 0))


def moments(team: Team, x: Floats) -> Moments:
    """Of (T, channels), channels being whole panels."""
    sums: dict[int, NDArray[np.float64]] = {}

    def work(_member: int, begin: int, end: int) -> None:
        sums[begin] = np.zeros((2, x.shape[1]))
        team.library.functions.sonant_moments(x.ctypes.data, x.shape[1], begin, end, sums[begin].ctypes.data)

    team.share(len(x), ROWS_AT_ONCE, work)
    return Moments.of_sums(sums, len(x))


class Convolution:
    """A dilated convolution that keeps the count of steps, silence beyond both ends.

    Args:
        team: runs it, in float32, int16 or bfloat16.
        weights: (outputs, inputs, kernel), kernel odd and at most 31.
        bias: (outputs,), none where None.
        dilation: steps between taps.
        factors: (outputs,), times which the weights are taken.
    """

    def __init__(
        self,
        team: Team,
        weights: Floats,
        bias: Floats | None = None,
        dilation: int = 1,
        factors: Floats | None = None,
    ) -> None:
        outputs, inputs, kernel = weights.shape
        assert team.dtype not in ("bfloat16x3", "int8")
        assert kernel % 2
        assert kernel <= LONGEST
        panel = team.library.panel
        self.team, self.kernel, self.dilation = team, kernel, dilation
        self.inputs, self.outputs = wide(inputs, panel), wide(outputs, panel)
        self.bias = None
        if bias is not None:
            self.bias = np.zeros(self.outputs, np.float32)
            self.bias[:outputs] = bias
        taps, panels = weights.transpose(2, 1, 0), self.outputs // panel
        self.scales: Floats | None = None
        self.by_taps = team.dtype == "bfloat16" and kernel * self.inputs < FEWEST
        if self.by_taps:
            self.weights = pack_amx(team, Given(taps, factors), self.inputs, panels)
        else:  # last tap first: a product of polynomials
            given = Given(taps[::-1], factors)
            self.weights, self.scales = pack_points(team, given, _roots(kernel), self.inputs, panels)

    def __call__(self, x: Floats, dress: Floats, out: Floats, residual: Floats | None = None) -> Moments:
        """Dress, activate, convolve; what comes out is in ``out``, and its moments are returned.

        Args:
            x: (T, inputs), whole panels as all of these.
            dress: (4, inputs): scale and shift of each channel, and the snake's alpha / pi and 1 / alpha.
            out: (T, outputs).
            residual: (T, outputs) to add; may be ``out``.
        """
        functions = self.team.library.functions
        parts = (x, dress, self.weights, self.scales, self.bias, residual, out)
        given = Shape(
            *map(address, parts),
            len(x),
            self.inputs,
            self.outputs,
            self.kernel,
            self.dilation,
            int(self.team.dtype == "bfloat16"),
        )
        where = ctypes.addressof(given)
        if self.by_taps:
            room, convolve = functions.sonant_amx_space, functions.sonant_amx_convolve
            total, most = len(x), STEPS_AT_ONCE
        else:
            room, convolve = functions.sonant_space, functions.sonant_convolve
            most = TILES_IN_BLOCKS if self.team.dtype == "bfloat16" else TILES
            total = functions.sonant_tiles(where)
        sums: dict[int, NDArray[np.float64]] = {}

        def work(member: int, begin: int, end: int) -> None:
            space = self.team.space(member, room(where, end - begin))
            sums[begin] = np.zeros((2, self.outputs))
            convolve(where, begin, end, space.ctypes.data, sums[begin].ctypes.data)

        self.team.share(total, most, work)
        return Moments.of_sums(sums, len(x))


def _roots(kernel: int) -> Floats:
    """(2, points, kernel): real and imaginary parts of the powers of the 16th roots of i, over 16, which is the inverse
    transform's.

    Points stand in the order in which a transform of four by four leaves them.
    """
    order = np.array([q + 4 * r for q in range(4) for r in range(4)])
    powers = np.exp(1j * np.pi * (1 + 4 * order)[:, None] * np.arange(kernel) / 32) / POINTS
    return np.ascontiguousarray([powers.real, powers.imag], np.float32)
