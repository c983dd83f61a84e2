"""Paths and running medians by the kernels beside NumPy's, in every register width."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.decode import dtw
from sonant.kernels import build

LEVELS = (*(level for level in build.LEVELS.get(build.machine(), ()) if not level.endswith("vnni")), "plain4")


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 4), count=st.integers(4, 90), levels=st.integers(1, 50), seed=st.integers(0, 99))
def test_medians_are_numpys(level, opened, rows, count, levels, seed):
    values = np.random.default_rng(seed).integers(-levels, levels, (rows, count)).astype(np.float32)
    library = opened(level, "float32").library
    np.testing.assert_array_equal(dtw._medians_by_kernels(library, values), dtw._medians_in_numpy(values, 7))


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40, deadline=None)
@given(tokens=st.integers(1, 20), frames=st.integers(1, 60), levels=st.integers(1, 9), seed=st.integers(0, 99))
def test_paths_are_numpys(level, opened, tokens, frames, levels, seed):
    cost = np.random.default_rng(seed).integers(-levels, levels, (tokens, frames)).astype(np.float64)
    found = dtw._warp_by_kernels(opened(level, "float32").library, cost)
    np.testing.assert_array_equal(np.stack(found), np.stack(dtw._warp_in_numpy(cost)))
