"""The decoder's kernel beside the same decoder in float64, in every register width."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.kernels import build
from sonant.kernels.decoder import Cross, Decoder, Narrow, Rows, Sizes

LEVELS = (*build.LEVELS.get(build.machine(), ()), "plain4")
LAYERS, HEADS, LONGEST, WORDS = 2, 3, 40, 45
OFF = 0.04  # of the logits' norm: weights of int8


class Network:
    """Random weights, a decoder of the kernels over them, and the same sums in NumPy."""

    def __init__(self, team, size, inner, frames, seed=0, kind="F32"):
        random, width = np.random.default_rng(seed), HEADS * size
        self.team, self.size, self.width, self.frames = team, size, width, frames
        self.sizes = Sizes(HEADS, size, frames, LONGEST)
        stored = np.float16 if kind == "F16" else np.float32
        bits = (lambda w: (w.view(np.uint32) >> 16).astype(np.uint16)) if kind == "BF16" else lambda w: w
        wide = (lambda w: (w.astype(np.uint32) << 16).view(np.float32)) if kind == "BF16" else lambda w: w

        def matrix(outputs, inputs):
            weight = bits((random.normal(0, 1, (outputs, inputs)) / math.sqrt(inputs)).astype(np.float32)).astype(
                np.uint16 if kind == "BF16" else stored
            )
            return weight, wide(weight).astype(np.float64), random.normal(0, 0.3, outputs).astype(np.float32)

        shapes = [(width, width)] * 6 + [(inner, width), (width, inner)]
        self.layers = [[matrix(*shape) for shape in shapes] for _ in range(LAYERS)]
        self.output = matrix(WORDS, width)
        self.norms = random.normal(0, 0.3, (3 * LAYERS + 1, 2, width)).astype(np.float32) + np.array([1, 0])[:, None]
        ask = 1 / math.sqrt(size)
        made = []
        for queries, keys, values, mixes, cross_queries, cross_mixes, widens, narrows in self.layers:
            joined = [Rows(queries[0], kind, queries[2], ask), Rows(keys[0], kind), Rows(values[0], kind, values[2])]
            made.append(Narrow(team, joined))
            made.append(Narrow(team, [Rows(mixes[0], kind, mixes[2])]))
            made.append(Narrow(team, [Rows(cross_queries[0], kind, cross_queries[2], ask)]))
            made += [Narrow(team, [Rows(one[0], kind, one[2])]) for one in (cross_mixes, widens, narrows)]
        made.append(Narrow(team, [Rows(self.output[0], kind)]))
        self.decoder = Decoder(team, made, self.norms, self.sizes)

    def hear(self, windows, seed=0):
        """Random keys and values of windows, as the kernels read them and as they are."""
        random = np.random.default_rng(seed)
        cross = Cross.empty(self.team, self.sizes, LAYERS, windows)
        heard = random.normal(0, 1, (LAYERS, windows, 2, HEADS, self.frames, self.size)).astype(np.float32)
        for layer in range(LAYERS):
            for window in range(windows):
                cross.put(self.team, layer, window, *heard[layer, window])
        return cross, heard.astype(np.float64)

    def follow(self, embedded, heard):
        """(L, D) tokens of one sequence and (layers, 2, H, F, E) of its window to logits (L, words)."""
        hidden, norms = embedded.astype(np.float64), iter(self.norms.astype(np.float64))

        def normed(scale, shift):
            apart = hidden - hidden.mean(1, keepdims=True)
            return apart / np.sqrt((apart**2).mean(1, keepdims=True) + 1e-5) * scale + shift

        def linear(x, matrix, bias=True):
            return x @ matrix[1].T + bias * matrix[2]

        def attend(queries, keys, values, mask):
            scores = np.einsum("lhe,fhe->hlf", self._heads(queries), keys) / math.sqrt(self.size) + mask
            weights = np.exp(scores - scores.max(2, keepdims=True))
            weights /= weights.sum(2, keepdims=True)
            return np.einsum("hlf,fhe->lhe", weights, values).reshape(len(queries), -1)

        future = np.triu(np.full((len(embedded),) * 2, -np.inf), 1)
        for layer, (own, known, said, mixes, asks, cross_mixes, widens, narrows) in enumerate(self.layers):
            x = normed(*next(norms))
            keys, values = self._heads(linear(x, known, False)), self._heads(linear(x, said))
            hidden = hidden + linear(attend(linear(x, own), keys, values, future), mixes)
            keys, values = heard[layer].transpose(0, 2, 1, 3)
            hidden = hidden + linear(attend(linear(normed(*next(norms)), asks), keys, values, 0), cross_mixes)
            inner = linear(normed(*next(norms)), widens)
            inner *= (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
            hidden = hidden + linear(inner, narrows)
        return linear(normed(*next(norms)), self.output, False)

    def _heads(self, x):
        return x.reshape(len(x), HEADS, self.size)


def off(found, right):
    return np.linalg.norm(found - right) / np.linalg.norm(right)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=12, deadline=None)
@given(
    sizes=st.tuples(st.integers(4, 40), st.integers(8, 100), st.integers(1, 90)),
    windows=st.integers(1, 3),
    beams=st.integers(1, 4),
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_steps(level, opened, sizes, windows, beams, counts, seed):
    """Prompts, tokens one by one, beams that follow others: logits of each token, or of the last one."""
    network, random = Network(opened(level, "int16"), *sizes, seed), np.random.default_rng(seed)
    cross, heard = network.hear(windows, seed)
    told, rows = network.decoder.begin(cross, beams), windows * beams
    before = np.zeros((rows, 0, network.width), np.float32)
    for place, count in enumerate(counts):
        embedded = random.normal(0, 1, (rows, count, network.width)).astype(np.float32)
        every = place % 2 == 0
        logits = network.decoder.step(told, embedded, every=every)[..., :WORDS]
        before = np.concatenate([before, embedded], axis=1)
        right = np.array([network.follow(before[row], heard[:, row // beams]) for row in range(rows)])
        assert off(logits, right[:, -count:] if every else right[:, -1]) < OFF
        follows = np.arange(rows) // beams * beams + random.integers(0, beams, rows)
        told.reorder(follows)
        before = before[follows]
    assert told.length == sum(counts)


@pytest.mark.parametrize("kind", ["F16", "BF16"])
@pytest.mark.parametrize("level", LEVELS)
def test_weights_are_packed_as_they_are_stored(level, opened, kind):
    network = Network(opened(level, "int16"), 13, 50, 30, kind=kind)
    cross, heard = network.hear(1)
    embedded = np.random.default_rng(1).normal(0, 1, (1, 20, network.width)).astype(np.float32)
    logits = network.decoder.step(network.decoder.begin(cross, 1), embedded, every=True)[0, :, :WORDS]
    assert off(logits, network.follow(embedded[0], heard[:, 0])) < OFF


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_no_number_stays_none(level, opened):
    """In whole numbers it would become a zero, and the decoder would write words."""
    network = Network(opened(level, "int16"), 16, 40, 30)
    cross, _ = network.hear(2)
    embedded = np.ones((2, 1, network.width), np.float32)
    embedded[1, 0, 3] = np.nan
    logits = network.decoder.step(network.decoder.begin(cross, 1), embedded)[:, :WORDS]
    assert np.isfinite(logits[0]).all()
    assert np.isnan(logits[1]).all()


@pytest.mark.parametrize("level", LEVELS)
def test_weights_that_are_no_numbers_give_none(level, opened):
    weight = np.ones((5, 7), np.float32)
    weight[2, 3] = np.nan
    scales = Narrow(opened(level, "int16"), [Rows(weight, "F32")]).scales
    np.testing.assert_array_equal(np.isnan(scales[:5]), [False, False, True, False, False])


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_heard_is_kept_to_half_a_level(level, opened):
    """Keys have 127 levels a side for each channel, values for each frame."""
    network = Network(opened(level, "int16"), 11, 20, 37)
    cross, heard = network.hear(2)
    for head in range(HEADS):
        keys, values = heard[1, 1, :, head]
        assert (np.abs(cross.keys_of(1, 1, head) - keys) <= 0.501 * np.abs(keys).max(axis=0) / 127).all()
        found = (
            cross.values[1, 1, head].transpose(1, 3, 0, 2).reshape(38, -1)[:37]
            * cross.value_scales[1, 1, head][:, None]
        )
        assert (np.abs(found[:, :11] - values) <= 0.501 * np.abs(values).max(axis=1, keepdims=True) / 127).all()
        assert not found[:, 11:].any()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("part", [0, 1])
def test_what_is_heard_as_no_number_stays_none(level, part, opened):
    network = Network(opened(level, "int16"), 16, 40, 30)
    cross, heard = network.hear(1)
    bad = heard[0, 0].astype(np.float32)
    bad[part, 1, 7, 5] = np.nan
    cross.put(network.team, 0, 0, *bad)
    told = network.decoder.begin(cross, 1)
    assert np.isnan(network.decoder.step(told, np.ones((1, 1, network.width), np.float32))[:, :WORDS]).all()


@pytest.mark.parametrize("level", LEVELS)
def test_float16_to_the_last_bit(level, opened):
    """Every float16 there is, each the largest of its row, is what the row is worth."""
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    made = Narrow(opened(level, "int16"), [Rows(every[:, None], "F16", factor=127.0)])
    there = np.isfinite(every)
    right = np.full(65536, np.nan, np.float32)
    right[there] = np.abs(every[there].astype(np.float32)) / np.float32(127) * np.float32(127)
    right[every == 0] = 127
    np.testing.assert_array_equal(made.scales, right)


def test_bytes_that_a_token_reads(opened):
    """A byte a weight, filled up to whole panels."""
    team = opened(LEVELS[0], "int16")
    panel = team.library.panel
    made = Narrow(team, [Rows(np.ones((3 * panel, 2 * panel), np.float32), "F32")])
    assert made.weights.nbytes == 6 * panel**2
