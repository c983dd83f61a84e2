"""Rows between computed ones, beside NumPy's interpolation of what is more than usual."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.kernels import build
from sonant.kernels.filling import Neighbours, fill

LEVELS = (*(level for level in build.LEVELS.get(build.machine(), ()) if not level.endswith("vnni")), "plain4")


@st.composite
def computed(draw):
    """(rows, which are computed, which of these tell): the first and some others tell."""
    rows = draw(st.integers(1, 150))
    places = np.array(sorted(draw(st.sets(st.integers(0, rows - 1), min_size=1))))
    telling = np.array(draw(st.lists(st.booleans(), min_size=len(places), max_size=len(places))))
    telling[0] = True
    return rows, places, telling


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40, deadline=None)
@given(given=computed(), lines=st.integers(1, 4), seed=st.integers(0, 99))
def test_rows_lie_on_lines_between_those_that_tell(level, opened, given, lines, seed):
    team, random = opened(level, "float32"), np.random.default_rng(seed)
    rows, places, telling = given
    usual = random.normal(0, 3, (rows, 16 * lines)).astype(np.float16)
    made = random.normal(0, 3, (len(places), 16 * lines + 3)).astype(np.float32)[:, : 16 * lines]
    found = fill(team, made, usual, Neighbours.of(places, telling, rows))
    more = made - usual[places].astype(np.float32)
    told = [np.interp(np.arange(rows), places[telling], column[telling]) for column in more.T]
    expected = usual.astype(np.float32) + np.array(told, np.float32).T
    expected[places] = made
    np.testing.assert_array_equal(found[places], made)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@given(given=computed())
def test_neighbours_stand_on_both_sides(given):
    rows, places, telling = given
    near = Neighbours.of(places, telling, rows)
    others = np.setdiff1d(np.arange(rows), places)
    assert telling[near.before[others]].all()
    assert telling[near.after[others]].all()
    inside = others[(others > places[telling][0]) & (others < places[telling][-1])]
    assert (places[near.before[inside]] < inside).all()
    assert (places[near.after[inside]] > inside).all()
    assert ((near.shares >= 0) & (near.shares <= 1)).all()
