"""``sonant transcribe`` with a CTC model: its own options, and a refusal of what is Whisper's alone."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.cli.conftest import sound
from tests.wav2vec2_sizes import SMALL

from sonant.audio import io
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.records import Audio

SYMBOLS = ["<pad>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
TINY = SMALL | {"architectures": ["Wav2Vec2ForCTC"], "num_hidden_layers": 1, "vocab_size": len(SYMBOLS)}
ARPA = "\\data\\\nngram 1=4\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-1 <unk>\n-0.5 A\n\n\\end\\\n"


@pytest.fixture
def model(tmp_path):
    """A random network; its words are nonsense, its form is not."""
    torch.manual_seed(3)
    folder = tmp_path / "ctc"
    folder.mkdir()
    net = Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(TINY))
    with torch.no_grad():
        net.lm_head.weight *= 40  # sure of itself, and not always of the same symbol
    save_file(net.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(TINY))
    (folder / "vocab.json").write_text(json.dumps({symbol: index for index, symbol in enumerate(SYMBOLS)}))
    return folder


@pytest.fixture
def talk(tmp_path):
    return sound(tmp_path / "talk.wav", 1.0)


@pytest.fixture
def noise(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    return io.write(tmp_path / "noise.wav", Audio(samples, 16000))


def words(result):
    assert result.exit_code == 0, result.stderr
    return [word for segment in json.loads(result.stdout)["segments"] for word in segment["words"]]


def test_words_have_times_and_characters_on_demand(sonant, model, talk):
    plain = sonant("transcribe", talk, "--model", model, "--format", "json")
    found = words(plain)
    assert found
    assert all(0 <= word["start"] < word["end"] <= 1.0 for word in found)
    assert '"characters"' not in plain.stdout
    with_letters = sonant("transcribe", talk, "--model", model, "--format", "json", "--characters")
    segments = json.loads(with_letters.stdout)["segments"]
    letters = [letter["word"] for segment in segments for letter in segment["characters"]]
    assert "".join(letters) == "".join(word["word"].strip() for word in found)


def test_beam_language_model_and_hotwords_reach_the_search(sonant, model, noise, tmp_path):
    arpa = tmp_path / "words.arpa"
    arpa.write_text(ARPA)
    call = ("transcribe", noise, "--model", model, "--format", "json", "--beam-size", "8", "--margin", "100")
    plain = [word["word"].strip() for word in words(sonant(*call))]
    assert plain
    rewarded = ("--language-model", arpa, "--word-bonus", "1000", "--unknown-penalty", "0", "--symbol-floor", "-50")
    assert len(words(sonant(*call, *rewarded))) > len(plain)  # a thousand nats a word: every delimiter pays
    wished = "Q" + plain[0]
    hot = words(sonant(*call, "--hotwords", wished, "--hotword-weight", "1000", "--symbol-floor", "-50"))
    assert wished in [word["word"].strip() for word in hot]
    missing = sonant(*call, "--language-model", tmp_path / "none.arpa")
    assert missing.exit_code == 1
    assert "none.arpa" in missing.stderr


@pytest.mark.parametrize("flag", [("--temperature", "0.2"), ("--word-timestamps",), ("--initial-prompt", "x")])
def test_an_option_of_whisper_is_refused_before_anything_is_heard(sonant, model, talk, flag):
    found = sonant("transcribe", talk, "--model", model, *flag)
    assert found.exit_code != 0
    assert flag[0].strip("-").replace("-", "_") in found.stderr
    assert "Whisper models" in found.stderr


@pytest.mark.parametrize("flag", [("--language-model", "x.arpa"), ("--characters",), ("--chunk-s", "4")])
def test_an_option_of_ctc_is_refused_by_whisper_without_a_download(sonant, talk, flag):
    found = sonant("transcribe", talk, "--model", "whisper-base", *flag)
    assert found.exit_code != 0
    assert "CTC models" in found.stderr


def test_a_value_out_of_range_is_told_for_a_model_that_is_not_there(sonant, talk):
    found = sonant("transcribe", talk, "--model", "mms-1b-all", "--chunk-s", "0")
    assert found.exit_code != 0
    assert "chunk_s is 0" in found.stderr


def test_languages_are_listed(sonant):
    mms = json.loads(sonant("languages", "--model", "mms-1b-all", "--json").stdout)
    assert len(mms) == 1198
    assert {"code": "pol", "name": "Polish", "also": ["pl"]} in mms
    assert len(json.loads(sonant("languages", "--model", "whisper-base", "--json").stdout)) == 99
    assert len(json.loads(sonant("languages", "--model", "kokoro-82m", "--json").stdout)) == 9
    assert "english" in sonant("languages", "--model", "whisper-base.en").stdout.lower()


def test_align_gives_the_words_of_whisper_the_times_of_a_ctc_model(sonant, model, talk):
    config = json.loads((model / "config.json").read_text())
    script = [SYMBOLS.index(letter) for letter in "HELLO|WORLD"]
    (model / "config.json").write_text(json.dumps(config | {"fake_script": script}))
    call = ("transcribe", talk, "--engine", "fake", "--no-voice-gate", "--model", "whisper-base", "--format", "json")
    plain = json.loads(sonant(*call).stdout)["segments"][0]
    assert not plain.get("words")
    found = words(sonant(*call, "--align", model))
    assert [word["word"].strip() for word in found] == ["Hello", "world."]
    starts = [word["start"] for word in found]
    assert starts == pytest.approx([int(0.5 / 11 * 49) * 0.02, int(6.5 / 11 * 49) * 0.02])  # the script, spread evenly
    refused = sonant(*call, "--align", "whisper-base")
    assert refused.exit_code == 1
    assert "no CTC model" in refused.stderr


def test_a_dataset_is_heard_and_scored(sonant, model, tmp_path):
    config = json.loads((model / "config.json").read_text())
    script = [SYMBOLS.index(letter) for letter in "HELLO|WORLD"]
    (model / "config.json").write_text(json.dumps(config | {"fake_script": script}))
    for name, rate in (("a", 16_000), ("b", 44_100), ("c", 8_000)):
        sound(tmp_path / "set" / f"{name}.wav", 1.0, rate)
    rows = [("a.wav", "hello world"), ("b.wav", "hello, big World"), ("c.wav", ""), ("missing.wav", "x")]
    lines = [json.dumps({"audio": name, **({"text": said} if said else {})}) for name, said in rows]
    manifest = tmp_path / "set" / "manifest.jsonl"
    manifest.write_text("\n".join(lines[:3]))
    call = ("transcribe", "--engine", "fake", "--model", model, "--dataset")
    found = sonant(*call, manifest)
    assert found.exit_code == 0, found.stderr
    assert found.stdout.split("\n") == ["HELLO WORLD"] * 3 + [""]
    assert "WER 20.00%" in found.stderr  # one of five words is missing
    assert "2 recordings" in found.stderr
    out = tmp_path / "out"
    manifest.write_text("\n".join(lines))
    found = sonant(*call, manifest, "--out-dir", out, "--format", "json")
    assert found.exit_code == 1  # one recording is missing; the others were heard
    assert "missing.wav" in found.stderr
    assert "1 left out because of errors" in found.stdout
    assert sorted(path.name for path in out.iterdir()) == ["a.json", "b.json", "c.json"]
    few = sonant(*call, tmp_path / "set", "--limit", "2", "--resume", "--out-dir", out, "--format", "json")
    assert (few.exit_code, few.stdout) == (0, "")
    for wrong in ((*call, manifest, tmp_path / "set" / "a.wav"), call[:-1], (*call[:-1], "a.wav", "--split", "x")):
        assert sonant(*wrong).exit_code == 2
