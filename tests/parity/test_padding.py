"""Padding that isn't computed: what is computed instead, when, and what is kept of it."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from whisper_nets import TINY_WHISPER

from sonant.engines.kernel_parts.seq2seq import open_encoder
from sonant.engines.kernel_parts.usual import Thinning
from sonant.kernels import best
from sonant.models.whisper import padding
from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.names import shapes
from sonant.weights.tensors import read_file

FRAMES = 1500
CONFIG = WhisperConfig.from_hf(
    TINY_WHISPER | {"encoder_layers": 3, "decoder_layers": 1, "max_source_positions": FRAMES}
)


def weights(path, attention=0.3):
    """A random Whisper that minds its own frame more than others, as trained ones do; positions that vary slowly."""
    random, tensors = np.random.default_rng(0), {}
    for key, shape in shapes(asdict(CONFIG)).items():
        values = random.normal(size=shape).astype(np.float32)
        values *= 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
        if "self_attn.q_proj" in key or "self_attn.k_proj" in key:
            values *= attention
        tensors[key] = values + ("norm.weight" in key)
    rates = np.exp(-np.arange(32) / 4)
    angles = np.arange(FRAMES)[:, None] * rates
    tensors["model.encoder.embed_positions.weight"] = np.hstack([np.sin(angles), np.cos(angles)]).astype(np.float32)
    save_file(tensors, path, {"format": "pt"})
    return path


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    return weights(tmp_path / "model.safetensors")


def opened(path, dtype="int16"):
    team = best.find(dtype, 2)
    if team is None:
        pytest.skip(f"no kernels of {dtype} here")
    return open_encoder(CONFIG, {one.key: one for one in read_file(path)}, team, [path])


def window(sounds, level=0.0, seed=0):
    """(80, 2 F) log-mel with sound in the first encoder frames, and so much behind it."""
    features = np.full((80, 2 * FRAMES), level, np.float32)
    features[:, : 2 * sounds] = np.random.default_rng(seed).uniform(-1, 1.5, (80, 2 * sounds))
    return features


def heard(encoder, features, usual=None):
    return np.concatenate([made.copy() for made in encoder(features, usual)], axis=1)


def joined(made):
    """(H, F, E) keys and values, as ``heard`` has them."""
    return np.concatenate([one.transpose(1, 0, 2).reshape(FRAMES, -1) for one in made], axis=1)


def off(found, right):
    return np.linalg.norm(found - right, axis=1) / np.linalg.norm(right, axis=1)


@pytest.mark.parametrize("level", [0.0, -0.7])
@pytest.mark.parametrize("sounds", [1, 100, 700])
def test_the_usual_window_itself_comes_out_whole(path, sounds, level):
    """Nothing is more than usual there, so that only float16's rounding is left."""
    encoder, features = opened(path).encoder, window(sounds, level)
    usual = encoder.usual(features)
    assert off(heard(encoder, features, usual), heard(encoder, features)).max() < 2e-3


def test_another_window_comes_out_nearly_whole(path):
    encoder = opened(path).encoder
    usual, features = encoder.usual(window(50)), window(333, seed=1)
    errors = off(heard(encoder, features, usual), heard(encoder, features))
    assert 1e-7 < errors.mean() < 0.01
    assert len(usual.places(335)) < 700


def test_a_window_full_of_sound_is_heard_whole(path):
    encoder, features = opened(path).encoder, window(1300)
    np.testing.assert_array_equal(heard(encoder, features, encoder.usual(window(50))), heard(encoder, features))


@given(sounds=st.integers(0, FRAMES), apart=st.sets(st.integers(0, FRAMES - 1), max_size=40))
def test_what_is_computed(sounds, apart):
    marked = np.zeros(FRAMES, bool)
    marked[list(apart)] = True
    usual = padding.Usual(np.zeros((1, FRAMES, 2), np.float16), np.zeros((2, FRAMES, 1), np.float16), marked)
    places = usual.places(sounds)
    if places is None:
        assert sounds > 1000
        return
    assert set(range(sounds + padding.MARGIN)) | set(range(FRAMES - padding.ENDING, FRAMES)) | apart <= set(places)
    assert np.diff(places).max() <= padding.EVERY
    assert (np.diff(places) > 0).all()
    sizes = np.ones((len(places), 1), np.float32)
    sizes[-1] = 2  # another kind of frame
    near = usual.neighbours(places, sounds, sizes)
    others = np.setdiff1d(np.arange(FRAMES), places)
    told = {int(places[one]) for side in (near.before, near.after) for one in side[others]}
    assert not {one for one in told if one >= sounds + padding.MARGIN} & (apart | {FRAMES - 1})


@given(sounds=st.integers(0, FRAMES), level=st.sampled_from([0.0, -0.7]))
def test_sounding_frames(sounds, level):
    found = padding.sounding(window(sounds, level))
    assert sounds <= found <= sounds + 1 if sounds < FRAMES else found >= FRAMES


def test_it_is_kept_and_read_again(path, tmp_path, monkeypatch):
    features = window(100)
    first = opened(path)
    assert list((tmp_path / "cache").glob("compiled/*")) == []  # until a window asks for it
    made = joined(first(features))
    assert len(list((tmp_path / "cache").glob("compiled/padding-*/usual.npy"))) == 1
    second = opened(path)
    monkeypatch.setattr(second.encoder, "usual", lambda _: pytest.fail("it was made again"))
    np.testing.assert_array_equal(joined(second(features)), made)
    assert off(made, heard(first.encoder, features)).max() > 0


@pytest.mark.parametrize("content", ["none", "cut", "small"])
def test_a_damaged_file_is_made_again(path, tmp_path, caplog, content):
    features = window(100)
    made = joined(opened(path)(features))
    (kept,) = (tmp_path / "cache").glob("compiled/padding-*/usual.npy")
    if content == "none":
        kept.write_bytes(b"")
    elif content == "cut":
        kept.write_bytes(kept.read_bytes()[:1000])
    else:
        np.save(kept, np.ones(7, np.float16))
    np.testing.assert_array_equal(joined(opened(path)(features)), made)
    assert "is made again" in caplog.text
    assert np.load(kept).size > 1000


def test_weights_beyond_float16_hear_all_of_a_window(path):
    tensors = {one.key: np.array(one.read()) for one in read_file(path)}
    tensors["model.encoder.layers.1.self_attn.v_proj.weight"] *= 1e7
    save_file(tensors, path, {"format": "pt"})
    encoder = opened(path)
    assert encoder.thinning.usual(window(100)) is None


def test_a_changed_file_is_heard_anew(path, tmp_path):
    for _ in opened(path)(window(100)):
        pass
    weights(path, attention=0.2)
    for _ in opened(path)(window(100)):
        pass
    assert len(list((tmp_path / "cache").glob("compiled/padding-*/usual.npy"))) == 2


def test_where_padding_minds_the_sound_all_of_it_is_computed(path, tmp_path):
    weights(path, attention=12)
    features, encoder = window(100), opened(path)
    for _ in range(2):
        np.testing.assert_array_equal(joined(encoder(features)), heard(encoder.encoder, features))
        encoder = opened(path)  # and the next process knows
    (kept,) = (tmp_path / "cache").glob("compiled/padding-*/usual.npy")
    assert np.load(kept).size == 0


def test_a_cache_that_cannot_be_written_costs_time_only(path, tmp_path, caplog):
    (tmp_path / "cache").write_text("in the way")
    encoder, features = opened(path), window(100)
    made = joined(encoder(features))
    assert "can't be cached" in caplog.text
    assert encoder.thinning.made is not None
    np.testing.assert_array_equal(joined(encoder(features)), made)


def test_other_dtypes_hear_all_of_a_window(path, tmp_path):
    encoder = opened(path, "float32")
    for _ in encoder(window(100)):
        pass
    assert not (tmp_path / "cache").exists()


def test_large_networks_hear_all_of_a_window(path, monkeypatch):
    encoder = opened(path)
    monkeypatch.setattr("sonant.engines.kernel_parts.usual.MOST_BYTES", encoder.encoder.usual_bytes - 1)
    thinning = Thinning(encoder.encoder, 80, [path])
    assert thinning.usual(window(100)) is None
    assert not thinning.fits


def test_numbers_hold_all_of_it():
    random = np.random.default_rng(0)
    heard, told = (random.normal(size=shape).astype(np.float16) for shape in ((2, 9, 8), (6, 9, 4)))
    usual = padding.Usual(heard, told, random.random(9) < 0.5)
    again = padding.Usual.read(usual.numbers(), 2, 6, 9, 4)
    for name in ("heard", "told", "apart"):
        np.testing.assert_array_equal(getattr(again, name), getattr(usual, name))
