"""LSTM layers beside the same in float64, in every register width."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import KINDS, limit, numbers

from sonant.kernels.product import Dress
from sonant.kernels.recurrent import Direction, Recurrent


def sigmoid(x):
    return (1 + np.tanh(x / 2)) / 2


def lstm(x, direction):
    """One direction in float64, from the first step to the last."""
    inputs, again, bias = (part.astype(np.float64) for part in (direction.inputs, direction.hidden, direction.bias))
    hidden = cell = np.zeros(again.shape[1])
    made = []
    for step in x @ inputs.T + bias:
        enters, forgets, heard, leaves = np.split(step + again @ hidden, 4)
        cell = sigmoid(forgets) * cell + sigmoid(enters) * np.tanh(heard)
        hidden = sigmoid(leaves) * np.tanh(cell)
        made.append(hidden)
    return np.array(made)


def both(x, directions):
    made = [lstm(x[::-1], one)[::-1] if place else lstm(x, one) for place, one in enumerate(directions)]
    return np.concatenate(made, axis=1)


def random_directions(random, inputs, hidden, count, loud=1.0):
    shapes = (4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,)
    share = np.float32(loud / np.sqrt(hidden))
    return [
        Direction(*(numbers(random, *shape) * part for shape, part in zip(shapes, (1, share, 1), strict=True)))
        for _ in range(count)
    ]


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@settings(max_examples=25, deadline=None)
@given(
    steps=st.integers(1, 120),
    sizes=st.tuples(st.integers(1, 300), st.integers(1, 70)),
    count=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_layers(level, dtype, opened, steps, sizes, count, seed):
    team, random = opened(level, dtype), np.random.default_rng(seed)
    x, directions = numbers(random, steps, sizes[0]), random_directions(random, *sizes, count)
    layer = Recurrent(team, directions)
    made, right = layer(x), both(x.astype(np.float64), directions)
    assert made.shape == (steps, count * sizes[1])
    # a gate that is off by so much makes its state wrong by less, but states hear each other, step after step
    off = 5 * limit(dtype, x, np.concatenate([one.inputs for one in directions]).T)
    assert np.abs(made - right).max() < min(off, 1) + 3e-6
    np.testing.assert_array_equal(layer(x), made)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_steps_are_dressed_first(level, dtype, opened):
    team, random = opened(level, dtype), np.random.default_rng(0)
    x, scale, shift = numbers(random, 30, 21), numbers(random, 21), numbers(random, 21)
    layer = Recurrent(team, random_directions(random, 21, 9, 2))
    dressed = layer(x, Dress(scale, shift, activation="leaky", slope=0.5))
    plain = x * scale + shift
    near = {"float32": 1e-5, "int16": 2e-3, "bfloat16": 0.2}[dtype]
    np.testing.assert_allclose(dressed, layer(np.maximum(plain, plain * np.float32(0.5))), atol=near)


@pytest.mark.parametrize("level", dict(KINDS))
def test_gates_as_wide_open_as_floats_go(level, opened):
    """Huge sums saturate; tiny states keep all their digits."""
    hidden, sums = 5, [(3e4, -3e4, 3e4, 3e4), (-3e4, 3e4, 1, 1), (0, 0, 2e-6, 0), (0, 0, -2e-6, 2), (-15, 0, 5, 5)]
    # an input for each gate: input, forget, cell, output
    spread, none = np.repeat(np.eye(4, dtype=np.float32), hidden, axis=0), np.zeros((4 * hidden, hidden), np.float32)
    direction = Direction(spread, none, none[:, 0])
    for x in np.float32(sums):
        right = lstm(x[None].astype(np.float64), direction)
        made = Recurrent(opened(level, "float32"), [direction])(x[None])
        np.testing.assert_allclose(made, right, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_what_is_no_number_stays_none(level, dtype, opened):
    """It is heard by its step and all behind it."""
    team, random = opened(level, dtype), np.random.default_rng(0)
    x = numbers(random, 20, 16)
    layer = Recurrent(team, random_directions(random, 16, 8, 2))
    right = layer(x)
    x[9, 3] = np.nan
    made = layer(x)
    assert np.isnan(made[9:, :8]).all()
    assert np.isnan(made[:10, 8:]).all()
    np.testing.assert_array_equal(made[:9, :8], right[:9, :8])
    np.testing.assert_array_equal(made[10:, 8:], right[10:, 8:])


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@settings(max_examples=10, deadline=None)
@given(steps=st.integers(1, 40), cuts=st.lists(st.integers(0, 40), max_size=4), hidden=st.integers(1, 70))
def test_a_sequence_in_pieces(level, dtype, opened, steps, cuts, hidden):
    team, random = opened(level, dtype), np.random.default_rng(steps)
    x, layer = numbers(random, steps, 30), Recurrent(team, random_directions(random, 30, hidden, 1))
    state = layer.begin()
    pieces = [layer(piece, state=state) for piece in np.split(x, sorted(cuts))]
    np.testing.assert_allclose(np.concatenate(pieces), layer(x), atol=1e-6)
