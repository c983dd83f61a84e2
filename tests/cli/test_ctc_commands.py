"""``sonant align`` and ``sonant features`` on a tiny random network: right shapes, clear refusals."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.wav2vec2_sizes import SMALL
from typer.testing import CliRunner

from sonant.audio import io
from sonant.cli.main import build
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.models.wav2vec2.pretrain_torch import Wav2Vec2ForPreTraining
from sonant.records import Audio

SYMBOLS = ["<pad>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
TINY = SMALL | {"vocab_size": len(SYMBOLS)}


@pytest.fixture
def place(tmp_path):
    """A folder with a model, and two seconds of sound."""
    torch.manual_seed(0)
    model = tmp_path / "model"
    model.mkdir()
    save_file(Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(TINY)).state_dict(), model / "model.safetensors")
    (model / "config.json").write_text(json.dumps(TINY))
    (model / "vocab.json").write_text(json.dumps({symbol: index for index, symbol in enumerate(SYMBOLS)}))
    noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    io.write(tmp_path / "talk.wav", Audio(noise, 16000))
    return tmp_path


def call(command, *arguments):
    return CliRunner().invoke(build(command), [command, *map(str, arguments)])


def test_every_written_word_gets_a_time(place):
    found = call("align", place / "talk.wav", "It costs 3 dollars.", "--model", place / "model", "--lang", "en-us")
    assert found.exit_code == 0, found.output
    words = [word for segment in json.loads(found.stdout)["segments"] for word in segment["words"]]
    assert [word["word"].strip() for word in words] == ["It", "costs", "3", "dollars."]
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[-1] <= 2.0


def test_times_go_to_a_file_in_the_format_of_its_name(place):
    out = place / "talk.srt"
    text = place / "talk.txt"
    text.write_text("One line.\nAnother line.\n")
    found = call("align", place / "talk.wav", f"@{text}", "--model", place / "model", "--out", out)
    assert found.exit_code == 0, found.output
    assert out.read_text().count("-->") == 2


def test_features_have_fifty_frames_a_second(place):
    out = place / "talk.npz"
    found = call("features", place / "talk.wav", "--model", place / "model", "--layer", 1, "--layer", 2, "--out", out)
    assert found.exit_code == 0, found.output
    with np.load(out) as arrays:
        assert arrays["values"].shape == (99, 24)
        assert arrays["rate_hz"] == 50
        assert arrays["layers"].tolist() == [1, 2]
    pooled = call("features", place / "talk.wav", "--model", place / "model", "--pool", "--out", out)
    assert pooled.exit_code == 0
    with np.load(out) as arrays:
        assert arrays["values"].shape == (24,)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["..."], "no letter"), (["word " * 500], "too short"), (["x", "--engine", "nope"], "nope")],
)
def test_what_can_t_be_aligned_is_said(place, arguments, word):
    found = call("align", place / "talk.wav", *arguments, "--model", place / "model")
    assert found.exit_code in (1, 2)
    assert word in found.output + found.stderr


def test_a_layer_that_isn_t_there(place):
    found = call("features", place / "talk.wav", "--model", place / "model", "--layer", 9, "--out", place / "x.npz")
    assert found.exit_code == 1
    assert not (place / "x.npz").exists()


def test_units_of_a_pretraining_model(place):
    config = TINY | {"architectures": ["Wav2Vec2ForPreTraining"], "num_codevectors_per_group": 20}
    folder = place / "pretrained"
    folder.mkdir()
    sizes = Wav2Vec2Config.from_hf(config)
    save_file(Wav2Vec2ForPreTraining(sizes).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    out = place / "units.npz"
    found = call("features", place / "talk.wav", "--model", folder, "--units", "--out", out)
    assert found.exit_code == 0, found.output
    with np.load(out) as arrays:
        assert arrays["values"].shape == (99, 2)
        assert arrays["values"].dtype == np.int64
        assert 0 <= arrays["values"].min() < arrays["values"].max() < arrays["entries"] == 20
    refused = call("features", place / "talk.wav", "--model", place / "model", "--units", "--out", out)
    assert refused.exit_code == 1
    assert "Wav2Vec2ForPreTraining" in refused.stderr
    assert call("features", place / "talk.wav", "--units", "--pool", "--out", out).exit_code == 2
