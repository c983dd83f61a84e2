"""What tiles do beside the common kernels: products of bytes, and layers in one call."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.kernels.attention import attend
from sonant.kernels.product import GELU, PLAIN, Dress, Product, frame
from sonant.kernels.team import Team
from sonant.kernels.transformer import SHARED, LayerKeys, Layers, Parameters

LEVEL = "amx"
NAMES = LayerKeys("attention", "first", "up", "down", "second")
WITHIN = {"bfloat16": 0.02, "int8": 0.04}  # of what a layer adds


def numbers(random, *shape):
    return random.normal(0, 1, shape).astype(np.float32)


def erf_gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def rounding(x, weights, zero):
    """What sums of bytes may be off: half a step of each factor."""
    rows = np.maximum(x.max(1, initial=0) / (255 - zero), -x.min(1, initial=0) / zero)[:, None]
    columns = np.abs(weights).max(0) / 127
    lengths = np.abs(x).sum(1)[:, None], np.abs(weights).sum(0)
    return 0.5001 * (rows * lengths[1] + columns * lengths[0]) + 0.26 * len(weights) * rows * columns + 1e-5


@settings(max_examples=30, deadline=None)
@given(
    steps=st.integers(1, 300),
    sizes=st.tuples(st.integers(1, 200), st.integers(1, 100)),
    loud=st.sampled_from([1e-3, 1.0, 1e3]),
    seed=st.integers(0, 99),
)
def test_products_of_bytes(opened, steps, sizes, loud, seed):
    team, random = opened(LEVEL, "int8"), np.random.default_rng(seed)
    x, weights, bias = numbers(random, steps, sizes[0]) * loud, numbers(random, *sizes), numbers(random, sizes[1])
    x *= np.exp(numbers(random, steps, 1)).astype(np.float32)  # each row has a scale of its own
    product = Product(team, weights[None], bias)
    made = product(x)
    right = x.astype(np.float64) @ weights + bias
    assert (np.abs(made[:, : sizes[1]] - right) <= rounding(x, weights, 128) * (1 + 1e-4)).all()
    assert not made[:, sizes[1] :].any()
    held = np.full_like(made, 3)
    product(frame(team, x), out=held, more=True)
    np.testing.assert_allclose(held, made + 3, rtol=1e-5, atol=1e-5 * loud)


@settings(max_examples=30, deadline=None)
@given(
    steps=st.integers(1, 300),
    sizes=st.tuples(st.integers(1, 200), st.integers(1, 100)),
    taps=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_three_products_of_bfloat16(opened, steps, sizes, taps, seed):
    team, random = opened(LEVEL, "bfloat16x3"), np.random.default_rng(seed)
    x, weights = numbers(random, steps, sizes[0]), numbers(random, taps, *sizes)
    around = np.pad(x, (((taps - 1) // 2, taps // 2), (0, 0)))
    windows = np.stack([around[tap : tap + steps] for tap in range(taps)])
    right = np.einsum("kti,kio->to", windows, weights.astype(np.float64))
    off = np.abs(Product(team, weights)(x)[:, : sizes[1]] - right)
    # each factor is two numbers of 8 bits, and what both are off by is not multiplied
    assert (off <= 3 * 2**-16 * np.einsum("kti,kio->to", np.abs(windows), np.abs(weights)) + 1e-6).all()


def test_three_products_are_that_exact_on_the_whole(opened):
    team, random = opened(LEVEL, "bfloat16x3"), np.random.default_rng(0)
    x, weights = numbers(random, 200, 768), numbers(random, 768, 512)
    right = x.astype(np.float64) @ weights
    assert np.linalg.norm(Product(team, weights[None])(x) - right) < 1e-5 * np.linalg.norm(right)


def test_three_products_keep_what_is_no_number(opened):
    team, random = opened(LEVEL, "bfloat16x3"), np.random.default_rng(0)
    x, weights = numbers(random, 40, 50), numbers(random, 1, 50, 20)
    for bad in (np.nan, np.inf):
        x[3, 5] = bad
        assert np.isnan(Product(team, weights)(x)[3]).all()
    weights[0, 2, 7] = np.nan
    assert np.isnan(Product(team, weights)(x)[:, 7]).all()


@settings(max_examples=20, deadline=None)
@given(steps=st.integers(1, 200), inner=st.integers(1, 200), seed=st.integers(0, 99))
def test_bytes_behind_gelu(opened, steps, inner, seed):
    """Hardly anything is negative there, and so little has fewer steps."""
    team, random = opened(LEVEL, "int8"), np.random.default_rng(seed)
    x, first, second = numbers(random, steps, 64), numbers(random, 64, inner) / 8, numbers(random, inner, 33)
    widens, narrows = Product(team, first[None]), Product(team, second[None])
    between = erf_gelu(widens(x)[:, :inner].astype(np.float64))
    for steps_in in (widens.activated(x), frame(team, widens(x)[:, :inner], GELU)):
        assert steps_in.zero == 32
        made = narrows(steps_in)[:, :33]
        halves = 2**-8 * np.abs(between) @ np.abs(second)  # rounded to bfloat16 on the way
        assert (np.abs(made - between @ second) <= rounding(between, second, 32) * 1.02 + halves + 1e-3).all()


def test_bytes_that_are_no_numbers_stay_none(opened):
    team, random = opened(LEVEL, "int8"), np.random.default_rng(0)
    x, weights = numbers(random, 70, 64), numbers(random, 1, 64, 64)
    right = Product(team, weights)(x)
    for bad in (np.nan, np.inf, -np.inf):
        x[3, 5] = bad
        made = Product(team, weights)(x)
        assert np.isnan(made[3]).all()
        np.testing.assert_array_equal(np.delete(made, 3, 0), np.delete(right, 3, 0))
    weights[0, 2, 7] = np.nan
    assert np.isnan(Product(team, weights)(np.delete(x, 3, 0))[:, 7]).all()
    silent = Product(team, np.zeros((1, 64, 64), np.float32), np.ones(64, np.float32))(np.zeros_like(x))
    np.testing.assert_array_equal(silent, 1)


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize("order", ["rising", "falling", "one far above"])
def test_scores_that_grow_along_the_keys(opened, dtype, order):
    """Weights are made less than the largest score so far: what was summed before is then worth less."""
    team, random = opened(LEVEL, dtype), np.random.default_rng(0)
    keys, values = np.zeros((700, 64), np.float32), numbers(random, 700, 64)
    heights = {"rising": np.arange(700), "falling": -np.arange(700), "one far above": 1000 * (np.arange(700) == 500)}
    keys[:, 0] = heights[order]  # whole numbers are exact in bfloat16 up to 256, and near enough above
    queries = np.zeros_like(keys)
    queries[:, 0] = np.linspace(0, 1, 700)
    found = attend(team, queries, keys, values, 1)
    rounded = [
        (part.view(np.uint32) + 0x7FFF + ((part.view(np.uint32) >> 16) & 1) & 0xFFFF0000).view(np.float32)
        for part in (queries * np.float32(1.44269504), keys)
    ]
    scores = rounded[0].astype(np.float64) @ rounded[1].T.astype(np.float64)
    weights = 2 ** (scores - scores.max(1, keepdims=True))
    right = weights / weights.sum(1, keepdims=True) @ values
    np.testing.assert_allclose(found, right, atol=0.03)


def parameters(random, width, inner, count):
    made = {}
    for layer in range(count):
        for name, shape in {
            "attention.q_proj": (width, width),
            "attention.k_proj": (width, width),
            "attention.v_proj": (width, width),
            "attention.out_proj": (width, width),
            "up": (inner, width),
            "down": (width, inner),
        }.items():
            made[f"{layer}.{name}.weight"] = numbers(random, *shape) / np.float32(math.sqrt(shape[1]))
            made[f"{layer}.{name}.bias"] = numbers(random, shape[0]) * np.float32(0.1)
        for name in ("first", "second"):
            made[f"{layer}.{name}.weight"] = 1 + numbers(random, width) * np.float32(0.1)
            made[f"{layer}.{name}.bias"] = numbers(random, width) * np.float32(0.1)
    return made


def directly(x, given, count, heads, *, before):
    """The same layers in float64."""

    def linear(x, key):
        return x @ given[f"{key}.weight"].T.astype(np.float64) + given[f"{key}.bias"]

    def norm(x, key):
        x = x - x.mean(1, keepdims=True)
        return x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-5) * given[f"{key}.weight"] + given[f"{key}.bias"]

    x = x.astype(np.float64)
    for layer in range(count):
        heard = norm(x, f"{layer}.first") if before else x
        parts = [np.split(linear(heard, f"{layer}.attention.{part}_proj"), heads, axis=1) for part in "qkv"]
        mixed = []
        for query, key, value in zip(*parts, strict=True):
            scores = query @ key.T / math.sqrt(query.shape[1])
            weights = np.exp(scores - scores.max(1, keepdims=True))
            mixed.append(weights / weights.sum(1, keepdims=True) @ value)
        x = x + linear(np.concatenate(mixed, axis=1), f"{layer}.attention.out_proj")
        x = x if before else norm(x, f"{layer}.first")
        heard = norm(x, f"{layer}.second") if before else x
        x = x + linear(erf_gelu(linear(heard, f"{layer}.up")), f"{layer}.down")
        x = x if before else norm(x, f"{layer}.second")
    return x


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize(("width", "heads", "inner"), [(64, 1, 64), (128, 2, 512), (192, 2, 2816), (320, 5, 384)])
def test_layers_in_one_call(opened, dtype, before, width, heads, inner):
    """Beside float64, beside themselves product by product, by halves, and with more threads."""
    team, random, count = opened(LEVEL, dtype), np.random.default_rng(width), 2
    given = parameters(random, width, inner, count)
    layers = Layers(Parameters(team, given.get), [str(i) for i in range(count)], NAMES, heads, 1e-5, before=before)
    for rows in (SHARED * team.size, 437):
        x = numbers(random, rows, width)
        right = directly(x, given, count, heads, before=before)
        made, apart, by_halves = x.copy(), x.copy(), x.copy()
        layers(made)
        for layer in layers.layers:
            layer(apart)
        size = np.linalg.norm(right - x)
        assert np.linalg.norm(made - right) < WITHIN[dtype] * size
        assert np.linalg.norm(made - apart) < WITHIN[dtype] * size
        layers(by_halves, 0, 1)
        layers(by_halves, 1)
        np.testing.assert_array_equal(by_halves, made)
        for threads in (1, 3):
            others = Layers(
                Parameters(Team(team.library, threads, dtype), given.get), ["0", "1"], NAMES, heads, 1e-5, before=before
            )
            own = x.copy()
            others(own)
            if rows >= SHARED * threads:
                np.testing.assert_array_equal(own, made)


def test_sizes_that_tiles_have_not(opened):
    """Heads of 24 channels go product by product."""
    team, random = opened(LEVEL, "int8"), np.random.default_rng(0)
    given = parameters(random, 48, 96, 1)
    layers = Layers(Parameters(team, given.get), ["0"], NAMES, 2, 1e-5)
    assert layers.tiles is None
    x = np.zeros((300, 64), np.float32)
    x[:, :48] = numbers(random, 300, 48)
    right = directly(x[:, :48], given, 1, 2, before=True)
    layers(x)
    assert np.linalg.norm(x[:, :48] - right) < WITHIN["int8"] * np.linalg.norm(right)


def test_a_norm_on_the_way_to_bytes(opened):
    team, random = opened(LEVEL, "int8"), np.random.default_rng(0)
    x, weights = 5 + numbers(random, 40, 48), numbers(random, 48, 64)
    dress = Dress(1 + numbers(random, 48) / 10, numbers(random, 48) / 10, 1e-5)
    apart = x - x.mean(1, keepdims=True)
    normed = apart / np.sqrt((apart**2).mean(1, keepdims=True) + 1e-5) * dress.scale + dress.shift
    made = Product(team, weights[None])(x, dress=dress)
    assert (np.abs(made - normed @ weights) <= rounding(normed, weights, 128) * 1.01).all()
    assert frame(team, x, PLAIN).zero == 128
