"""Dynamic time warping and the median filter, against the plain loops of their definitions."""

import numpy as np
import pytest

from sonant.decode.dtw import median_filter, warp
from sonant.kernels import best


@pytest.fixture(params=["kernels", "numpy"])
def maker(request, monkeypatch):
    """Who does it."""
    if request.param == "numpy":
        monkeypatch.setattr(best, "library", lambda: None)
    elif best.library() is None:
        pytest.skip("no kernels here")
    return request.param


def plain_warp(cost):
    """The recurrence cell by cell: ties go left, as in openai-whisper."""
    tokens, frames = cost.shape
    total = np.full((tokens + 1, frames + 1), np.inf)
    move = np.zeros((tokens + 1, frames + 1), int)
    total[0, 0] = 0
    for j in range(1, frames + 1):
        for i in range(1, tokens + 1):
            across, up, left = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
            if across < up and across < left:
                best, move[i, j] = across, 0
            elif up < across and up < left:
                best, move[i, j] = up, 1
            else:
                best, move[i, j] = left, 2
            total[i, j] = cost[i - 1, j - 1] + best
    move[0, :], move[:, 0] = 2, 1
    i, j, path = tokens, frames, []
    while i > 0 or j > 0:
        path.append((i - 1, j - 1))
        step = move[i, j]
        i, j = i - (step != 2), j - (step != 1)
    return np.array(path[::-1]).T


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 40), (30, 30), (40, 12)])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.usefixtures("maker")
def test_warp_is_the_recurrence(shape, ties):
    cost = np.random.default_rng(sum(shape)).normal(size=shape)
    cost = np.round(cost) if ties else cost
    assert np.array_equal(np.stack(warp(cost)), plain_warp(cost))


@pytest.mark.usefixtures("maker")
def test_a_clear_diagonal_is_followed():
    cost = np.ones((4, 12))
    for token in range(4):
        cost[token, token * 3 : token * 3 + 3] = 0
    tokens, frames = warp(cost)
    assert tokens.tolist() == sorted(tokens.tolist())
    assert all(frame // 3 == token for token, frame in zip(tokens, frames, strict=True))


@pytest.mark.parametrize("width", [3, 5, 7, 9])
@pytest.mark.parametrize("count", [5, 8, 16, 31, 32, 33, 1500])
@pytest.mark.usefixtures("maker")
def test_median_is_that_of_the_mirrored_window(width, count):
    values = np.random.default_rng(width).normal(size=(2, 70, count)).astype(np.float32)
    padded = np.pad(values, ((0, 0), (0, 0), (width // 2, width // 2)), mode="reflect")
    want = np.median(np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1), axis=-1)
    assert np.array_equal(median_filter(values, width), want)


@pytest.mark.usefixtures("maker")
def test_short_rows_are_left_alone():
    values = np.ones((1, 2, 3), np.float32)
    assert median_filter(values, 7) is values


@pytest.mark.usefixtures("maker")
def test_no_number_makes_the_medians_that_hear_it_none():
    values = np.random.default_rng(0).normal(size=(1, 3, 40)).astype(np.float32)
    values[0, 1, 20] = np.nan
    wanted = np.zeros((1, 3, 40), bool)
    wanted[0, 1, 17:24] = True
    assert np.array_equal(np.isnan(median_filter(values)), wanted)


@pytest.mark.usefixtures("maker")
def test_rows_may_lie_apart():
    values = np.random.default_rng(0).normal(size=(2, 3, 80)).astype(np.float32)
    assert np.array_equal(median_filter(values[:, :, ::2]), median_filter(values[:, :, ::2].copy()))
    assert np.array_equal(warp(values[0].T), warp(values[0].T.copy()))


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_equal_to_openai_whisper():
    torch, timing = pytest.importorskip("torch"), pytest.importorskip("whisper.timing")
    cost = np.random.default_rng(0).normal(size=(60, 500))
    assert np.array_equal(np.stack(warp(cost)), timing.dtw(torch.from_numpy(cost)))
    values = np.random.default_rng(1).normal(size=(8, 60, 500)).astype(np.float32)
    assert np.array_equal(median_filter(values), timing.median_filter(torch.from_numpy(values), 7).numpy())
