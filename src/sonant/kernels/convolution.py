"""Long convolutions with what stands around them in a vocoder: on polynomials, at a fraction of their taps
(``convolutions.c``); short ones in bfloat16 on AMX tap by tap (``amx.c``).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Adding, Floats, Norming, Shape, Summing, address, wide
from sonant.kernels.panels import POINTS, Given, pack_amx, pack_points
from sonant.kernels.team import Team

__all__ = ["Convolution", "Moments", "add", "moments"]

LONGEST = 31  # taps: a tile of 32 steps then gives two
STEPS_AT_ONCE = 512  # on tiles: what they read stays in the second cache
FEWEST = 800  # taps times inputs: with fewer of them bfloat16 is faster tap by tap than on polynomials
TILES = 48  # at a time: planes of 2 to 4 MB, and a weight that is read serves so many
TILES_IN_BLOCKS = 64  # the same in bfloat16, of which 32 are multiplied together
ROWS_AT_ONCE = 4096
ADDED_AT_ONCE = 2**20  # numbers


@dataclass(frozen=True, slots=True)
class Moments:
    """What an activation comes to over its steps.

    Attributes:
        sums: (portions, 2, channels) float64, sums and sums of squares.
        steps: their number.
    """

    sums: NDArray[np.float64]
    steps: int

    def norm(self, team: Team, eps: Floats, scale: Floats, shift: Floats, out: Floats) -> None:
        """The activation's instance normalisation, then scale and shift, as a factor and a summand for each channel.

        Args:
            team: whose kernels are used.
            eps: (1,) or (C,), C the channels that are no filling.
            scale: (C,).
            shift: (C,).
            out: (2 or more, C or more), whose first two rows are written to.
        """
        (portions, _, width), channels = self.sums.shape, len(scale)
        sizes = portions, width, channels, self.steps, int(len(eps) > 1)
        given = Norming(*map(address, (self.sums, eps, scale, shift, out[0], out[1])), *sizes)
        team.library.functions.sonant_norm(ctypes.addressof(given))


def moments(team: Team, x: Floats) -> Moments:
    """Of (T, channels), channels being whole panels."""
    sums = np.zeros((team.portions(len(x), ROWS_AT_ONCE), 2, x.shape[1]))
    team.call("moments", Summing(address(x), address(sums), x.shape[1]), len(x), ROWS_AT_ONCE)
    return Moments(sums, len(x))


def add(team: Team, first: Floats, second: Floats, out: Floats) -> None:
    """Their sum, of (T, channels), channels being whole panels; out may be either."""
    assert first.flags.c_contiguous
    assert second.flags.c_contiguous
    assert out.flags.c_contiguous
    lanes = team.library.panel // 2
    team.call("add", Adding(*map(address, (first, second, out))), out.size // lanes, ADDED_AT_ONCE // lanes)


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
        self.own = tuple(map(address, (self.weights, self.scales, self.bias)))

    def __call__(self, x: Floats, dress: Floats, out: Floats, residual: Floats | None = None) -> Moments:
        """Dress, activate, convolve; what comes out is in ``out``, and its moments are returned.

        Args:
            x: (T, inputs), whole panels as all of these.
            dress: (4, inputs): scale and shift of each channel, and the snake's alpha / pi and 1 / alpha.
            out: (T, outputs).
            residual: (T, outputs) to add; may be ``out``.
        """
        functions = self.team.library.functions
        given = Shape(
            address(x),
            address(dress),
            *self.own,
            address(residual),
            address(out),
            None,
            len(x),
            self.inputs,
            self.outputs,
            self.kernel,
            self.dilation,
            int(self.team.dtype == "bfloat16"),
        )
        where = ctypes.addressof(given)
        if self.by_taps:
            kernel, room = "amx_convolve", functions.sonant_amx_space
            total, most = len(x), STEPS_AT_ONCE
        else:
            kernel, room = "convolve", functions.sonant_space
            most = TILES_IN_BLOCKS if self.team.dtype == "bfloat16" else TILES
            total = functions.sonant_tiles(where)
        portions = self.team.portions(total, most)
        sums = np.zeros((portions, 2, self.outputs))
        given.moments = address(sums)
        self.team.call(kernel, given, total, most, room(where, -(-total // portions)) if portions else 0)
        return Moments(sums, len(x))


def _roots(kernel: int) -> Floats:
    """(2, points, kernel): real and imaginary parts of the powers of the 16th roots of i, over 16, which is the inverse
    transform's.

    Points stand in the order in which a transform of four by four leaves them.
    """
    order = np.array([q + 4 * r for q in range(4) for r in range(4)])
    powers = np.exp(1j * np.pi * (1 + 4 * order)[:, None] * np.arange(kernel) / 32) / POINTS
    return np.ascontiguousarray([powers.real, powers.imag], np.float32)
