"""Windows of a stream: frames that join without a seam, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.asr.frames import FrameWindows
from sonant.errors import BadInput

HOP, FIELD = 4, 6


def frames_of(samples):
    """A network whose frame is the mean of its field: (F,)."""
    count = max(0, (len(samples) - FIELD) // HOP + 1)
    return np.array([samples[i * HOP : i * HOP + FIELD].mean() for i in range(count)])


@given(
    total=st.integers(0, 400),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    chunk=st.integers(1, 20),
    left=st.integers(0, 10),
    right=st.integers(0, 10),
)
@settings(max_examples=200, deadline=None)
def test_kept_frames_are_those_of_the_whole(total, cuts, chunk, left, right):
    samples = np.random.default_rng(total).normal(size=total).astype(np.float32)
    blocks = np.split(samples, sorted(min(cut, total) for cut in cuts))
    cutter = FrameWindows(chunk, left, right, hop=HOP, field=FIELD)
    kept, starts = [], []
    for window in cutter.cut(blocks):
        frames = frames_of(window.samples)
        assert window.keep <= chunk
        assert window.skip <= left
        assert len(frames) <= left + chunk + right
        kept.append(frames[window.skip : window.skip + window.keep])
        starts.append(window.start_frame)
    joined = np.concatenate(kept) if kept else np.zeros(0)
    np.testing.assert_allclose(joined, frames_of(samples), rtol=1e-6)
    assert starts == np.cumsum([0, *map(len, kept)])[:-1].tolist()


@given(
    total=st.integers(0, 400),
    block=st.integers(1, 400),
    chunk=st.integers(1, 20),
    left=st.integers(0, 10),
    right=st.integers(0, 10),
)
@settings(max_examples=200, deadline=None)
def test_filled_windows_hear_alike(total, block, chunk, left, right):
    samples = np.random.default_rng(total).normal(size=total).astype(np.float32)
    blocks = [samples[start : start + block] for start in range(0, total, block)]
    windows = list(FrameWindows(chunk, left, right, hop=HOP, field=FIELD, fill=True).cut(blocks))
    heard = [frames_of(window.samples) for window in windows]
    kept = [row[window.skip : window.skip + window.keep] for row, window in zip(heard, windows, strict=True)]
    np.testing.assert_allclose(np.concatenate([np.zeros(0), *kept]), frames_of(samples), rtol=1e-6)
    assert {len(row) for row in heard[:-1]} <= {left + chunk + right}
    assert all(len(row) <= left + chunk + right for row in heard)
    for row, window in zip(heard, windows, strict=True):
        ends = window.start_frame + window.keep
        assert window.skip == min(left, window.start_frame)
        assert len(row) - window.skip - window.keep == min(right, len(frames_of(samples)) - ends)
    if len(frames_of(samples)) <= left + chunk + right:
        assert len(windows) <= 1


def test_the_buffer_stays_small():
    cutter = FrameWindows(10, 5, 5, hop=HOP, field=FIELD)
    largest = 0
    for _ in range(200):
        for _window in cutter.push(np.ones(64, np.float32)):
            pass
        largest = max(largest, len(cutter.buffer))
    assert largest <= (10 + 5 + 5) * HOP + FIELD + 64


def test_nothing_to_keep_is_an_error():
    with pytest.raises(BadInput, match="chunk 0"):
        FrameWindows(0, 1, 1)
