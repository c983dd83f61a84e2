"""The beginning of an utterance: which pieces of the rest stand for it, and how it becomes the rest."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.engines.synth_opening import FADE, PIECE, PIECES, Begun, like_the_whole
from sonant.models.kokoro.config import GeneratorConfig

NET = GeneratorConfig((10, 6), (20, 12), 8, (3,), ((1, 3, 5),), 20, 5)
COLUMNS = 2 * NET.columns_per_half_frame


@given(st.integers(2, 200), st.data())
def test_pieces_are_of_the_rest_and_no_frame_is_twice(frames, data):
    end = data.draw(st.integers(1, frames))
    features = np.random.default_rng(frames).standard_normal((2 * frames, 5)).astype(np.float32)
    spans = like_the_whole(features, end)
    assert spans[0] == (0, end)
    assert all(stop - begin == PIECE for begin, stop in spans[1:])
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert spans[-1][1] <= frames
    assert len(spans) - 1 == PIECES or frames - end < 4 * PIECE * PIECES


def test_pieces_bring_the_statistics_near_the_wholes():
    random = np.random.default_rng(1)
    quiet, loud = random.standard_normal((60, 8)), 5 + 3 * random.standard_normal((140, 8))
    features = np.concatenate([quiet, loud]).astype(np.float32)
    (_, end), *pieces = like_the_whole(features, 30)
    assert all(begin >= 30 for begin, _ in pieces)
    chosen = np.concatenate([features[: 2 * end], *(features[2 * begin : 2 * stop] for begin, stop in pieces)])
    for moment in (np.mean, np.std):
        right, alone, found = (moment(x, axis=0) for x in (features, features[: 2 * end], chosen))
        assert np.abs(found - right).max() < 0.6 * np.abs(alone - right).max()


class Exact:
    """``synth_flow.Halves`` of a vocoder whose every column depends on its own feature alone."""

    share = 1 / 4

    def __init__(self):
        self.heard = []

    def generate(self, features, source):
        self.heard.append(len(features) // 2)
        rows = np.repeat(features[:, :1], COLUMNS // 2, axis=0)
        made = np.concatenate([source[:, :1] * 0, np.zeros((len(source), 21), np.float32)], axis=1)
        made[: len(rows), 0] = rows[:, 0]
        made[:, 11] = source[:, 0]
        return made


class Given:
    """A spectrum in place of ``Excitation``."""

    def __init__(self, columns):
        self.columns = columns

    def spectrum(self, begin, end, net):
        each = net.columns_per_half_frame
        return self.columns[each * begin : each * end + 1]


@pytest.fixture
def begun():
    random = np.random.default_rng(2)
    features = random.standard_normal((120, 4)).astype(np.float32)
    source = random.standard_normal((60 * COLUMNS + 1, 22)).astype(np.float32)
    return lambda: Begun(NET, Exact(), np.array([20, 20, 20]), features, Given(source))


@pytest.mark.parametrize("end", [1, 20, 59, 60])
def test_the_opening_and_the_rest_are_the_whole(end, begun):
    whole, halved = begun().rest(), begun()
    opening = halved.opening(end)
    assert len(whole) == 60 * 600
    assert len(opening) == 600 * end
    np.testing.assert_allclose(np.concatenate([opening, halved.rest()]), whole, atol=1e-5)
    assert halved.halves.heard[0] <= end + 4 + PIECE * PIECES


def test_the_opening_fades_into_the_rest(begun):
    whole, halved = begun().rest(), begun()
    halved.opening(20)
    halved.tail = halved.tail + 1
    rest = halved.rest()
    off = rest - whole[20 * 600 :]
    assert off[0] == pytest.approx(1, abs=0.01)
    assert np.all(np.diff(off[:FADE]) < 1e-5)
    np.testing.assert_allclose(off[FADE:], 0, atol=1e-6)
