"""int8 models of OpenVINO are compiled once; what is found in the cache is what was asked for."""

import os

import numpy as np
import pytest
from whisper_nets import WHISPERS, whisper_folder

from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino import blobs, seq2seq
from sonant.kernels import best
from sonant.models.whisper import graph


@pytest.fixture
def tiny_whisper(tmp_path):
    return whisper_folder(tmp_path / "model", WHISPERS["multilingual"])


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setattr(best, "find", lambda *_: None)  # they compile nothing
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


def heard(checkpoint, dtype="int8", threads=0):
    engine = seq2seq.open(checkpoint, EngineOptions(dtype=dtype, threads=threads))
    config = checkpoint.config
    shape = (1, config["num_mel_bins"], 2 * config["max_source_positions"])
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return engine.step(engine.encode(features), np.array([[1, 2, 3]]), every=True)


def test_the_second_opening_builds_nothing(tiny_whisper, cached, monkeypatch):
    first = heard(tiny_whisper)
    made = sorted(path.name for path in cached.iterdir())
    assert [name.split("-")[0] for name in made] == ["decoder", "encoder"]
    assert not list((cached.parent / "int8").iterdir())  # the blobs took their place
    for name in ("encoder", "decoder"):
        monkeypatch.setattr(graph, name, lambda *_: pytest.fail("a graph was built"))
    np.testing.assert_array_equal(heard(tiny_whisper), first)
    np.testing.assert_array_equal(heard(tiny_whisper, threads=1).shape, first.shape)
    assert sorted(path.name for path in cached.iterdir()) == made


def test_a_changed_file_is_compiled_anew(tiny_whisper, cached):
    heard(tiny_whisper)
    path = tiny_whisper.weights[0]
    path.write_bytes(path.read_bytes())
    heard(tiny_whisper)
    assert len(list(cached.iterdir())) == 4


def test_what_nobody_used_for_a_week_goes_at_the_next_opening(tiny_whisper, cached):
    heard(tiny_whisper)
    old = sorted(cached.rglob(blobs.FILE))
    path = tiny_whisper.weights[0]
    path.write_bytes(path.read_bytes())
    heard(tiny_whisper)
    assert set(old) < set(cached.rglob(blobs.FILE))  # another installation may use them
    for made in old:
        os.utime(made, (made.stat().st_atime, made.stat().st_mtime - 8 * 24 * 3600))
    heard(tiny_whisper)
    left = sorted(cached.rglob(blobs.FILE))
    assert len(left) == 2
    assert not set(left) & set(old)


def test_other_dtypes_are_not_kept(tiny_whisper, cached):
    heard(tiny_whisper, "float32")
    assert not cached.exists()


def test_a_blob_that_is_refused_is_made_again(tiny_whisper, cached, caplog):
    first = heard(tiny_whisper)
    for path in cached.rglob(blobs.FILE):
        path.write_bytes(b"not a model")
    np.testing.assert_array_equal(heard(tiny_whisper), first)
    assert "made again" in caplog.text
    assert all(path.stat().st_size > 1000 for path in cached.rglob(blobs.FILE))


@pytest.mark.usefixtures("cached")
def test_a_cache_that_cannot_be_written_costs_time_only(tiny_whisper, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "file"))
    assert np.isfinite(heard(tiny_whisper)).all()
    assert "can't be cached" in caplog.text
