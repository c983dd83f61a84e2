"""The kernels beside the same sums in float64, in every register width, and what holds them together."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.errors import MissingExtra
from sonant.kernels import build, instructions, library
from sonant.kernels.attention import attend
from sonant.kernels.convolution import POINTS, Convolution, moments
from sonant.kernels.product import GELU, PLAIN, TANH_GELU, Dress, Product, frame, put_on
from sonant.kernels.team import Team

DTYPES = ("float32", "int16", "bfloat16")
KINDS = [
    (level, dtype)
    for level in (*build.LEVELS.get(build.machine(), ()), "plain4")
    for dtype in DTYPES
    if dtype == "int16" or not level.endswith("vnni")  # which has whole numbers alone
]
OFF = {"float32": (3e-5, 2e-7), "int16": (3e-5, 2e-4), "bfloat16": (2**-6, 2**-7)}  # of weights, and for each score's
ROW_LEVELS, WEIGHT_LEVELS = 4095, 4095  # of products.c; a row has more where its sums allow


def snake(x, alpha):
    return x + np.sin(alpha * x) ** 2 / alpha


def direct(x, weights, dilation=1):
    """(T, inputs) and (outputs, inputs, kernel): the convolution tap by tap."""
    kernel = weights.shape[2]
    around = (kernel - 1) // 2 * dilation
    padded = np.pad(x, ((around, around), (0, 0)))
    return sum(padded[j * dilation : j * dilation + len(x)] @ weights[:, :, j].T for j in range(kernel))


def limit(dtype, x, weights):
    """What a sum of products may be off: six deviations of its roundings, (T, inputs) times (inputs, outputs).

    In bfloat16 all that it can be: each of the two factors is off by 2^-8 of itself.
    """
    size, length = np.linalg.norm(x, axis=1).max(), np.linalg.norm(weights, axis=0).max()
    exact = 4e-7 * size * length  # six roundings of a sum that is that large
    if dtype != "int16":
        return exact + (2**-7 * size * length if dtype == "bfloat16" else 0)
    steps = np.abs(x).max() / ROW_LEVELS * length + np.abs(weights).max() / WEIGHT_LEVELS * size
    return exact + 6 / np.sqrt(12) * steps


def widened(bits):
    """bfloat16's bits as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def numbers(random, *shape):
    return random.normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_factors_are_those_of_the_weights(level, dtype, kernel, opened):
    """The same bits, wherever the numbers of a matrix lie and whatever the counts of its rows and columns."""
    team, random = opened(level, dtype), np.random.default_rng(kernel)
    weights, factors = numbers(random, 77, 530, kernel), numbers(random, 77)
    taken = weights * factors[:, None, None]
    turned = np.ascontiguousarray(taken.transpose(2, 1, 0))
    x = numbers(random, 40, 530)
    for one in (Product(team, weights.transpose(2, 1, 0), None, factors), Product(team, taken.transpose(2, 1, 0))):
        np.testing.assert_array_equal(one(x), Product(team, turned)(x))
    inputs = -(-530 // team.library.panel) * team.library.panel
    dress = np.zeros((4, inputs), np.float32)
    dress[0], dress[3] = 1, 1
    x = np.pad(x, ((0, 0), (0, inputs - 530)))
    made = [np.empty((40, -(-77 // team.library.panel) * team.library.panel), np.float32) for _ in range(2)]
    Convolution(team, weights, None, 2, factors)(x, dress, made[0])
    Convolution(team, taken, None, 2)(x, dress, made[1])
    np.testing.assert_array_equal(*made)
    assert np.abs(made[0]).max() > 1


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@settings(max_examples=25, deadline=None)
@given(
    steps=st.integers(1, 400),
    panels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.sampled_from([1, 3, 7, 11, 31]),
    dilation=st.integers(1, 7),
    parts=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 99),
)
def test_convolutions(level, dtype, opened, steps, panels, kernel, dilation, parts, seed):
    team, random = opened(level, dtype), np.random.default_rng(seed)
    inputs, outputs = (count * team.library.panel for count in panels)
    x, weights = numbers(random, steps, inputs), numbers(random, outputs, inputs, kernel)
    bias, residual = numbers(random, outputs), numbers(random, steps, outputs)
    scale, shift, alpha = numbers(random, inputs), numbers(random, inputs), random.uniform(0.3, 3, inputs)
    dress = np.array([scale, shift, alpha / np.pi, 1 / alpha], np.float32)
    heard = snake(x.astype(np.float64) * scale + shift, alpha)
    expected = direct(heard, weights.astype(np.float64), dilation)
    largest = np.abs(expected).max()
    expected += parts[0] * bias + parts[1] * residual
    out = residual if parts[1] else np.empty_like(residual)  # in place
    convolution = Convolution(team, weights, bias if parts[0] else None, dilation)
    found = convolution(x, dress, out, residual if parts[1] else None)
    if convolution.by_taps:
        loud = np.full((1, inputs * kernel), np.abs(heard).max())
    else:
        loud = np.full((1, inputs), np.abs(heard).max() * np.sqrt(32))  # a tile's points hold 32 steps
    assert np.abs(out - expected).max() < limit(dtype, loud, weights.reshape(outputs, -1).T) + 2e-6
    mean, square = found.sums.sum(axis=0) / found.steps
    np.testing.assert_allclose(mean, out.astype(np.float64).mean(axis=0), atol=1e-6 * (1 + largest))
    np.testing.assert_allclose(square - mean**2, out.astype(np.float64).var(axis=0), atol=1e-6 * (1 + largest) ** 2)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@settings(max_examples=25, deadline=None)
@given(
    steps=st.integers(5, 500),
    sizes=st.tuples(st.integers(1, 700), st.integers(1, 70)),
    taps=st.integers(1, 5),
    stride=st.integers(1, 4),
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seed=st.integers(0, 99),
)
def test_products(level, dtype, opened, steps, sizes, taps, stride, pad, seed):
    team, random = opened(level, dtype), np.random.default_rng(seed)
    inputs, outputs = sizes
    x, weights, bias = numbers(random, steps, inputs), numbers(random, taps, inputs, outputs), numbers(random, outputs)
    padded = np.pad(x.astype(np.float64), (pad, (0, 0)))
    rows = (len(padded) - taps) // stride + 1
    windows = [padded[tap : tap + (rows - 1) * stride + 1 : stride] for tap in range(taps)]
    expected = sum(window @ weights[tap].astype(np.float64) for tap, window in enumerate(windows))
    product = Product(team, weights, bias)
    made = product(x, stride, pad)
    off = np.abs(made[:, :outputs] - expected - bias).max()
    assert off < limit(dtype, np.concatenate(windows, axis=1), weights.reshape(-1, outputs)) + 2e-6
    assert not made[:, outputs:].any()
    wider = np.full((rows, product.width + 8), 7, np.float32)
    product(x, stride, pad, wider[:, : product.width])
    np.testing.assert_array_equal(wider[:, : product.width], made)
    assert (wider[:, product.width :] == 7).all()


def attended(queries, keys, values, heads):
    """Softmax attention in float64."""
    parts = (
        part.astype(np.float64).reshape(len(part), heads, -1).transpose(1, 0, 2) for part in (queries, keys, values)
    )
    queries, keys, values = parts
    scores = np.exp(queries @ keys.transpose(0, 2, 1) - (queries @ keys.transpose(0, 2, 1)).max(axis=2, keepdims=True))
    made = scores / scores.sum(axis=2, keepdims=True) @ values
    return made.transpose(1, 0, 2).reshape(made.shape[1], -1)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@settings(max_examples=20, deadline=None)
@given(
    steps=st.integers(1, 300),
    heads=st.integers(1, 4),
    size=st.integers(1, 80),
    loud=st.sampled_from([0.1, 1.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_attention(level, dtype, opened, steps, heads, size, loud, seed):
    team, random = opened(level, dtype), np.random.default_rng(seed)
    joined = numbers(random, steps, 3 * heads * size + 5)  # rows stand apart, as in one product of all three
    queries, keys, values = (joined[:, part * heads * size : (part + 1) * heads * size] for part in range(3))
    queries *= loud / np.sqrt(size)
    scores = np.abs(queries).max() * np.abs(keys).max() * size
    found = attend(team, queries, keys, values, heads)
    right = attended(queries, keys, values, heads)
    # a score that is off by so much makes its weight wrong by as large a share
    assert np.abs(found - right).max() < (OFF[dtype][0] + OFF[dtype][1] * scores) * np.abs(values).max()


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 120), there=st.integers(1, 300), heads=st.integers(1, 3), seed=st.integers(0, 99))
def test_attention_to_other_steps(level, dtype, opened, rows, there, heads, seed):
    team, random, width = opened(level, dtype), np.random.default_rng(seed), 32 * heads
    queries, heard = numbers(random, rows, width + 7)[:, :width], numbers(random, there, 2 * width)
    queries /= np.sqrt(32)
    found = attend(team, queries, heard[:, :width], heard[:, width:], heads)
    right = attended(queries, heard[:, :width], heard[:, width:], heads)
    scores = np.abs(queries).max() * np.abs(heard).max() * 32
    assert np.abs(found - right).max() < (OFF[dtype][0] + OFF[dtype][1] * scores) * np.abs(heard).max()


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_heads_too_long_for_whole_numbers(level, dtype, opened):
    """A score of 600 products might not fit 32 bits: it is made in float32."""
    team, random = opened(level, dtype), np.random.default_rng(0)
    queries, keys, values = numbers(random, 3, 50, 600)
    queries /= np.float32(np.sqrt(600))
    found, right = attend(team, queries, keys, values, 1), attended(queries, keys, values, 1)
    np.testing.assert_allclose(found, right, atol=0.02 if dtype == "bfloat16" else 1e-5)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
@pytest.mark.parametrize("channels", [1, 7, 8, 61, 512])
def test_what_is_done_on_the_way_into_a_product(level, dtype, opened, channels):
    team, random = opened(level, dtype), np.random.default_rng(channels)
    x = 3 * numbers(random, 50, channels + 3)[:, :channels]
    scale, shift = numbers(random, channels), numbers(random, channels)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axis=1, keepdims=True)
    expected = [
        (Dress(scale, shift, 1e-5), centred / np.sqrt(wide.var(axis=1, keepdims=True) + 1e-5) * scale + shift),
        (
            Dress(scale, shift, activation="leaky", slope=0.2),
            np.where((wide * scale + shift) > 0, 1, 0.2) * (wide * scale + shift),
        ),
        (GELU, wide * (1 + np.vectorize(math.erf)(wide / np.sqrt(2))) / 2),
        (TANH_GELU, wide * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))) / 2),
        (PLAIN, wide),
    ]
    for dress, right in expected:
        np.testing.assert_allclose(put_on(team, x, dress), right, atol=4e-6 * np.abs(right).max())
        steps = frame(team, x, dress, (1, 2))
        numbers_of = widened(steps.numbers) if dtype == "bfloat16" else steps.numbers
        found = numbers_of.astype(np.float64) * (1 if steps.scales is None else steps.scales[:, None])
        near = {"float32": 4e-6, "int16": 1e-4, "bfloat16": 2**-8}[dtype]
        np.testing.assert_allclose(found[1:-2, :channels], right, atol=near * np.abs(right).max())
        assert not found[[0, -2, -1]].any()
        assert not found[:, channels:].any()


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_rows_as_exact_as_their_sums_allow(level, dtype, opened):
    """A row with one loud number has all of 32767 levels; sums of the loudest rows still fit 32 bits."""
    if dtype != "int16":
        pytest.skip(f"{dtype} has no levels")
    team, random = opened(level, dtype), np.random.default_rng(0)
    rows = np.stack([numbers(random, 256), np.ones(256, np.float32), np.sign(numbers(random, 256))])
    rows[0, 3] = 50
    steps = frame(team, rows)
    assert np.abs(steps.numbers[0]).max() == 32767
    sums = np.abs(steps.numbers.astype(np.int64)).sum(axis=1)
    assert (sums * WEIGHT_LEVELS < 2**31).all()
    assert (sums[1:] * WEIGHT_LEVELS > 0.999 * 2**31).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_what_is_no_number_stays_none(level, dtype, opened, bad):
    """In whole numbers it would become a zero, and the network would write words."""
    team, random = opened(level, dtype), np.random.default_rng(0)
    panel = team.library.panel
    x, weights = numbers(random, 70, panel), numbers(random, 1, panel, panel)
    right = Product(team, weights)(x)
    x[3, 5] = bad
    made = Product(team, weights)(x)
    assert not np.isfinite(made[3]).any()
    np.testing.assert_array_equal(np.delete(made, 3, 0), np.delete(right, 3, 0))
    weights[0, 2, 7] = bad
    assert not np.isfinite(Product(team, weights)(np.delete(x, 3, 0))[:, 7]).any()
    mixed = attend(team, x, np.delete(x, 3, 0)[:1] + np.zeros_like(x), np.ones_like(x), 1)
    assert np.isnan(mixed[3]).all()
    assert np.isfinite(np.delete(mixed, 3, 0)).all()
    dress, out = np.ones((4, panel), np.float32), np.empty_like(x)
    Convolution(team, numbers(random, panel, panel, 3))(x, dress, out)
    assert not np.isfinite(out[2:5]).any()


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_products_add_to_what_is_there_and_take_framed_steps(level, dtype, opened):
    team, random = opened(level, dtype), np.random.default_rng(0)
    panel = team.library.panel
    x, weights, bias = numbers(random, 30, 300), numbers(random, 1, 300, 4 * panel), numbers(random, 4 * panel)
    product = Product(team, weights, bias)
    made = product(x)
    there = numbers(random, 30, 4 * panel)
    out = there.copy()
    product(x, out=out, more=True)
    np.testing.assert_allclose(out, there + made, atol=1e-4)
    framed = np.empty((30, 4 * panel), np.float32)
    product(frame(team, x), out=framed)
    np.testing.assert_array_equal(framed, made)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_a_pad_of_none_keeps_the_count(level, dtype, opened):
    team, random = opened(level, dtype), np.random.default_rng(0)
    x, weights = numbers(random, 40, 6), numbers(random, 5, 3, 6).transpose(1, 2, 0)
    made = Product(team, np.ascontiguousarray(weights))(x)[:, :5]
    np.testing.assert_allclose(made, direct(x, weights.transpose(2, 1, 0)), atol=0.1 if dtype == "bfloat16" else 0.02)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_numbers_that_round_badly(level, dtype, opened):
    """Rows of zeros, a huge number beside tiny ones, and the largest sums that 32 bits can hold."""
    team = opened(level, dtype)
    x = np.zeros((9, 256), np.float32)
    x[1], x[2, 0], x[2, 1:], x[3], x[4] = 1, 1e30, 1, -1, 1e-30
    weights = np.ones((1, 256, 3), np.float32)
    weights[:, :, 1], weights[:, :, 2] = -1, 0
    made = Product(team, weights)(x)[:, :3]
    expected = x.astype(np.float64).sum(axis=1)[:, None] * np.array([1, -1, 0])
    np.testing.assert_allclose(made, expected, rtol=2**-7 if dtype == "bfloat16" else 1e-3)


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_moments_survive_a_large_mean(level, dtype, opened):
    team, random = opened(level, dtype), np.random.default_rng(0)
    x = (random.normal(0, 1, (10001, team.library.panel)) + 3000).astype(np.float32)
    found = moments(team, x)
    mean, square = found.sums.sum(axis=0) / found.steps
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(square - mean**2, x.astype(np.float64).var(axis=0), rtol=1e-5)


@pytest.mark.parametrize("level", dict(KINDS))
@pytest.mark.parametrize("each", [False, True], ids=["one epsilon", "an epsilon for each"])
def test_a_norm_is_a_factor_and_a_summand(level, each, opened):
    team, random = opened(level, "float32"), np.random.default_rng(0)
    channels = team.library.panel + 3
    x, (scale, shift) = numbers(random, 9000, 2 * team.library.panel), numbers(random, 2, channels)
    x[:, 1] = 5  # does not vary
    eps, made = np.abs(numbers(random, channels if each else 1)), np.full((4, channels + 2), 7, np.float32)
    moments(team, x).norm(team, eps, scale, shift, made)
    exact = x[:, :channels].astype(np.float64)
    factor = scale / np.sqrt(exact.var(axis=0) + eps)
    np.testing.assert_allclose(made[0, :channels], factor, rtol=1e-5)
    np.testing.assert_allclose(made[1, :channels], shift - exact.mean(axis=0) * factor, rtol=1e-5, atol=1e-5)
    assert (made[2:] == 7).all()
    assert (made[:, channels:] == 7).all()
    x[3, 0] = np.nan
    moments(team, x).norm(team, eps, scale, shift, made)
    assert np.isnan(made[:2, 0]).all()
    assert np.isfinite(made[:2, 1:]).all()


@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_not_a_bit_depends_on_who_was_first(level, dtype, opened):
    team, random = opened(level, dtype), np.random.default_rng(0)
    channels = team.library.panel
    x = numbers(random, 9000, channels)
    convolution = Convolution(team, numbers(random, channels, channels, 3), None, 5)
    dress, out = np.abs(numbers(random, 4, channels)), np.empty_like(x)
    runs = [(convolution(x, dress, out), moments(team, out), out.copy()) for _ in range(8)]
    for inner, outer, made in runs[1:]:
        np.testing.assert_array_equal(made, runs[0][2])
        for found, first in ((inner, runs[0][0]), (outer, runs[0][1])):
            np.testing.assert_array_equal(found.sums, first.sums)


def test_what_a_convolution_reads(opened):
    """The guard of its arithmetic: each weight that is read is multiplied once for a tile, 48 for 33 - kernel steps."""
    level = next(iter(instructions.levels()), None)
    if level is None:
        pytest.skip("no kernels for this CPU")
    team = opened(level, "float32")
    channels = 2 * team.library.panel
    made = Convolution(team, np.zeros((channels, channels, 11), np.float32))
    assert made.weights.size == 3 * POINTS * channels**2 == 48 * channels**2
    for dtype, taps in (("int16", 48), ("bfloat16", 11)):  # on tiles tap by tap
        if dtype in team.library.dtypes:
            narrow = Convolution(Team(team.library, 1, dtype), np.zeros((channels, channels, 11), np.float32))
            assert narrow.weights.nbytes == 2 * taps * channels**2


@pytest.mark.parametrize("level", dict(KINDS))
def test_a_team_of_another_dtype_has_the_same_threads(level, opened):
    team, random = opened(level, "float32"), np.random.default_rng(0)
    if "int16" not in team.library.dtypes:
        pytest.skip("no int16 here")
    x, weights = numbers(random, 20, 40), numbers(random, 1, 40, 8)
    other = team.of("int16")
    assert other.hands is team.hands
    np.testing.assert_array_equal(Product(other, weights)(x), Product(opened(level, "int16"), weights)(x))
    assert team.dtype == "float32"


@pytest.mark.parametrize("gelu", [GELU, TANH_GELU])
@pytest.mark.parametrize(("level", "dtype"), KINDS)
def test_products_of_activated_rows(level, dtype, opened, gelu):
    team, random = opened(level, dtype), np.random.default_rng(0)
    product = Product(team, numbers(random, 1, 40, 24) / 6)
    x = numbers(random, 20, 40)
    steps, right = product.activated(x, gelu=gelu), put_on(team, product(x)[:, :24], gelu)
    found = (widened(steps.numbers) if dtype == "bfloat16" else steps.numbers)[:, :24].astype(np.float64)
    found *= 1 if steps.scales is None else steps.scales[:, None]
    np.testing.assert_allclose(found, right, atol={"float32": 0, "int16": 1e-3, "bfloat16": 0.02}[dtype])


def test_missing_and_stale_libraries_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(MissingExtra, match=r"weren't compiled; install sonant again"):
        library.open_file(tmp_path / "kernels-avx2.so", "avx2")
    (tmp_path / "kernels-avx2.so").write_bytes(b"no library")
    with pytest.raises(MissingExtra, match=r"can't be opened .*; install sonant again"):
        library.open_file(tmp_path / "kernels-avx2.so", "avx2")
    level = next(iter(instructions.levels()), None)
    if level is not None and build.file_of(level).is_file():
        monkeypatch.setattr(build, "digest", lambda: "another")
        with pytest.raises(MissingExtra, match="from another source"):
            library.open_file(build.file_of(level), level)


def test_no_compiler_is_said_not_raised(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", str(tmp_path / "nothing"))
    assert "can't be run" in build.compile_to(tmp_path / "out.so", ())
    monkeypatch.delenv("CC")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert build.compile_to(tmp_path / "out.so", ()) == "there is no C compiler"
    monkeypatch.setattr(build, "machine", lambda: "z80")
    assert build.build() == {}
    assert not list(Path(tmp_path).iterdir())
