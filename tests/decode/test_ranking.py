"""The likeliest tokens and the sum of all, by the kernels and in NumPy, beside a full sort in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.decode import ranking
from sonant.decode.ranking import rank


@pytest.fixture(params=["kernels", "numpy"])
def ranked(request):
    """``rank`` by one of both."""
    if request.param == "kernels":
        if ranking._by_kernels() is None:
            pytest.skip("no kernels here")
        return rank
    return lambda logits, count=1: ranking._in_numpy(logits, min(count, logits.shape[1]))


def check(ranked, logits, count):
    ids, values, sums = ranked(logits, count)
    want = np.argsort(-logits, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(ids, want)
    np.testing.assert_array_equal(values, np.take_along_axis(logits, want, axis=1))
    wide = logits.astype(np.float64)
    peak = wide.max(axis=1, keepdims=True)
    right = np.log(np.exp(wide - peak).sum(axis=1)) + peak[:, 0]
    np.testing.assert_allclose(sums, right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [1, 5, 7, 8, 127, 128, 129, 1501, 51_865])
@pytest.mark.parametrize("count", [1, 4, 6])
def test_those_of_a_full_sort(size, count, ranked):
    logits = np.random.default_rng(size).normal(0, 3, (3, size)).astype(np.float32)
    logits[0, size // 2] = logits[0].max()  # a tie
    check(ranked, logits, count)


@given(st.data())
def test_ties_and_what_is_forbidden(data):
    size, count = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 8))
    levels = st.sampled_from([-np.inf, -3.0, 0.0, 0.5, 20.0])
    row = np.array(data.draw(st.lists(levels, min_size=size, max_size=size)), np.float32)
    if row.max() > -np.inf:
        for found in (rank, ranking._in_numpy):
            check(lambda logits, most, found=found: found(logits, min(most, size)), row[None], count)


def test_rows_that_stand_apart(ranked):
    logits = np.random.default_rng(1).normal(0, 3, (4, 300)).astype(np.float32)
    part = logits[:, 120:]
    assert not part.flags.c_contiguous
    check(ranked, part, 3)


def test_where_nothing_may_be_written(ranked):
    logits = np.full((2, 100), -np.inf, np.float32)
    logits[1, 40] = 2.0
    ids, values, sums = ranked(logits, 3)
    assert sums.tolist() == [-np.inf, 2.0]
    assert ids.tolist() == [[0, 1, 2], [40, 0, 1]]
    assert values.tolist() == [[-np.inf] * 3, [2.0, -np.inf, -np.inf]]


def test_small_chances_are_counted(ranked):
    """Sums of 51,865 equal numbers, and of many small ones beside a large one."""
    logits = np.zeros((2, 51_865), np.float32)
    logits[1, 7] = 12
    check(ranked, logits, 2)


def test_the_logits_are_left_as_they_are(ranked):
    logits = np.random.default_rng(2).normal(0, 3, (2, 999)).astype(np.float32)
    before = logits.copy()
    ranked(logits, 5)
    np.testing.assert_array_equal(logits, before)
