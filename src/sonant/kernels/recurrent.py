"""Layers of an LSTM over a whole sequence (``recurrent.c``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sonant.kernels.library import Floats, Recurrence, address, aligned, wide
from sonant.kernels.product import PLAIN, Dress, Product
from sonant.kernels.team import Team

__all__ = ["Direction", "Recurrent"]

GATES = 4


@dataclass(frozen=True, slots=True)
class Direction:
    """Parameters of one direction; gates are input, forget, cell, output, as torch orders them.

    Attributes:
        inputs: (4 hidden, inputs), times which a step is taken.
        hidden: (4 hidden, hidden), times which the hidden state of the step before is taken.
        bias: (4 hidden,), the sum of all.
    """

    inputs: Floats
    hidden: Floats
    bias: Floats


class Recurrent:
    """A layer of an LSTM.

    Args:
        team: runs it; what is multiplied by steps all at once in its dtype, the rest in float32.
        directions: forwards, and backwards where there are two.
    """

    def __init__(self, team: Team, directions: Sequence[Direction]) -> None:
        self.team, self.directions, self.hidden = team, len(directions), directions[0].hidden.shape[1]
        lanes = team.library.panel // 2
        self.units = wide(self.hidden, lanes)
        weights, biases = (
            np.concatenate([_by_gates(part, self.units, lanes).reshape(-1, part.shape[1]) for part in parts])
            for parts in ([one.inputs for one in directions], [one.bias[:, None] for one in directions])
        )
        self.product = Product(team, weights.T[None], biases[:, 0])
        # (directions, units / lanes, units, gates, lanes): what a step reads, in its order
        self.weights = aligned((len(directions), self.units // lanes, self.units, GATES, lanes), np.float32)
        self.weights[:, :, self.hidden :] = 0
        for place, one in enumerate(directions):
            self.weights[place, :, : self.hidden] = _by_gates(one.hidden, self.units, lanes).transpose(0, 3, 1, 2)

    def begin(self) -> Floats:
        """The state before the first step: of each direction its cells, its hidden numbers, and room for the next."""
        return np.zeros((self.directions, 3, self.units), np.float32)

    def __call__(self, x: Floats, dress: Dress = PLAIN, state: Floats | None = None) -> Floats:
        """(T, inputs), each step dressed first, to (T, hidden of each direction).

        Args:
            x: steps.
            dress: done to each of them first.
            state: of ``begin``, where the sequence comes in pieces; it is that behind these steps then.
        """
        assert state is None or self.directions == 1
        given, count = self.product(x, dress=dress), self.directions
        out = np.empty((len(x), count * self.hidden), np.float32)
        held = self.begin() if state is None else state
        parts = map(address, (given, self.weights, held, out))
        shape = Recurrence(*parts, len(x), self.product.width, self.hidden, self.units, out.shape[1])
        self.team.call("recur", shape, count, 1)
        if len(x):
            held[0, 1, : self.hidden] = out[-1, : self.hidden]  # which of the two rooms holds it depends on the count
        return out


def _by_gates(rows: Floats, units: int, lanes: int) -> Floats:
    """(4 hidden, columns) as (units / lanes, gates, lanes, columns), zeros behind hidden."""
    hidden, columns = len(rows) // GATES, rows.shape[1]
    filled = np.zeros((GATES, units, columns), np.float32)
    filled[:, :hidden] = rows.reshape(GATES, hidden, columns)
    return filled.reshape(GATES, units // lanes, lanes, columns).transpose(1, 0, 2, 3)
