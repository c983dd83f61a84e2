"""Exported Whispers run in ONNX Runtime alone and say what the engine says."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from whisper_nets import TINY_WHISPER, features, whisper_folder

from sonant.engines.base import EngineOptions
from sonant.engines.engine_onnxruntime import seq2seq
from sonant.errors import BadInput, OutputError, UnsupportedCheckpoint
from sonant.export.whisper import export_whisper

STEPS = [[50258, 50259, 50359], [7], [400]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return whisper_folder(tmp_path_factory.mktemp("whisper") / "tiny", TINY_WHISPER)


class Plain:
    """A Whisper of two files, with nothing of sonant's: what a user of the export would write."""

    def __init__(self, folder):
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(folder / f"{part}.onnx"), providers=["CPUExecutionProvider"])
            for part in ("encoder", "decoder")
        )
        self.facts = self.encoder.get_modelmeta().custom_metadata_map
        self.shapes = {row.name: row.shape for row in self.decoder.get_inputs()}

    def hear(self, mels):
        names = [row.name for row in self.encoder.get_outputs()]
        self.cross = dict(zip(names, self.encoder.run(None, {"features": mels}), strict=True))
        self.past = {
            name: np.zeros((len(mels), shape[1], 0, shape[3]), np.float32)
            for name, shape in self.shapes.items()
            if name.startswith("past_")
        }

    def step(self, tokens):
        count, done = tokens.shape[1], next(iter(self.past.values())).shape[2]
        mask = np.triu(np.full((count, done + count), -np.inf, np.float32), done + 1)
        feeds = {
            "tokens": tokens,
            "positions": np.arange(done, done + count),
            "mask": mask,
            "beams": np.arange(len(tokens), dtype=np.int32),
            "wanted": np.array([count - 1]),
        }
        names = [row.name for row in self.decoder.get_outputs()]
        made = dict(zip(names, self.decoder.run(None, feeds | self.cross | self.past), strict=True))
        self.past = {name: made[name.replace("past", "present")] for name in self.past}
        return made["logits"][:, 0]


def logits_of(model, steps):
    return [model.step(np.array([tokens, tokens])) for tokens in steps]


@pytest.fixture(scope="module")
def expected(checkpoint):
    engine = seq2seq.open(checkpoint, EngineOptions(engine="onnxruntime", dtype="float32"))
    memory = engine.encode(features(checkpoint, 2))
    return [engine.step(memory, np.array([tokens, tokens])) for tokens in STEPS]


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("float16", 5e-3), ("int8", 8e-2)])
def test_equals_the_engine(checkpoint, expected, tmp_path, dtype, tolerance):
    export_whisper(checkpoint, tmp_path, dtype)
    model = Plain(tmp_path)
    model.hear(features(checkpoint, 2))
    for made, wanted in zip(logits_of(model, STEPS), expected, strict=True):
        assert np.abs(made - wanted).max() <= tolerance * np.abs(wanted).max()
    if dtype != "fp32":
        assert not np.array_equal(made, wanted), "the numbers were not stored narrower"


def test_sizes(checkpoint, tmp_path):
    size = {}
    for dtype in ("float32", "float16", "int8"):
        files = export_whisper(checkpoint, tmp_path / dtype, dtype)
        assert [file.name for file in files] == ["encoder.onnx", "decoder.onnx", "config.json"]
        size[dtype] = files[1].stat().st_size
    assert size["float16"] < 0.52 * size["float32"]
    assert size["int8"] < 0.30 * size["float32"]


def test_tells_what_it_is(checkpoint, tmp_path):
    export_whisper(checkpoint, tmp_path, "int8")
    facts = Plain(tmp_path).facts
    assert (facts["family"], facts["model"], facts["part"], facts["dtype"]) == ("whisper", "tiny", "encoder", "int8")
    assert (facts["sample_rate"], facts["opset"], facts["mel_bins"]) == ("16000", "23", "80")
    assert json.loads(facts["config"]) == TINY_WHISPER
    assert facts["licence"]
    assert json.loads((tmp_path / "config.json").read_text()) == TINY_WHISPER


def test_large_graphs_lie_in_two_files(checkpoint, expected, tmp_path):
    files = export_whisper(checkpoint, tmp_path, largest_bytes=20_000_000)
    assert [file.name for file in files] == ["encoder.onnx", "decoder.onnx", "decoder.onnx.data", "config.json"]
    model = Plain(tmp_path)
    model.hear(features(checkpoint, 2))
    for made, wanted in zip(logits_of(model, STEPS), expected, strict=True):
        np.testing.assert_allclose(made, wanted, atol=1e-5 * np.abs(wanted).max())
    export_whisper(checkpoint, tmp_path)
    assert not (tmp_path / "decoder.onnx.data").exists(), "data of an earlier export stayed behind"


def test_wrong_input(checkpoint, tmp_path):
    with pytest.raises(BadInput, match=r"'int4'.*allowed: float32, float16, int8"):
        export_whisper(checkpoint, tmp_path, "int4")
    (tmp_path / "file").write_text("")
    with pytest.raises((BadInput, OutputError), match="file"):
        export_whisper(checkpoint, tmp_path / "file")
    broken = whisper_folder(tmp_path / "broken", TINY_WHISPER | {"d_model": 68})
    broken.config["d_model"] = 64
    with pytest.raises(UnsupportedCheckpoint):
        export_whisper(broken, tmp_path / "out")


def test_numbers_beyond_float16(tmp_path):
    checkpoint = whisper_folder(tmp_path / "loud", TINY_WHISPER)
    from safetensors.numpy import load_file, save_file

    tensors = load_file(checkpoint.weights[0])
    tensors["model.encoder.conv1.bias"][0] = 1e6
    save_file(tensors, checkpoint.weights[0], {"format": "pt"})
    with pytest.raises(UnsupportedCheckpoint, match=r"conv1\.bias.*float16"):
        export_whisper(checkpoint, tmp_path / "out", "float16")
    export_whisper(checkpoint, tmp_path / "out", "int8")
    onnx.load(tmp_path / "out" / "encoder.onnx")


@pytest.mark.weights
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_hears_a_real_clip(tmp_path, dtype):
    import sonant
    from sonant.audio.features import log_mel
    from sonant.audio.resample import resample
    from sonant.weights import store

    speech = sonant.load_tts("kokoro-82m").speak("The quick brown fox jumps over the lazy dog.", voice="af_heart")
    spoken = speech.audio
    samples = resample(spoken.samples, spoken.sample_rate, 16000)
    export_whisper(store.resolve("whisper-base"), tmp_path, dtype)
    model = Plain(tmp_path)
    mels = log_mel(np.pad(samples, (0, 480_000 - len(samples))))
    model.hear(mels[None])
    tokens, found = np.array([[50258, 50259, 50359, 50363]]), []  # start, English, transcribe, no timestamps
    while len(found) < 60:
        logits = model.step(tokens)[0]
        best = int(logits[:50258].argmax())
        if best == 50257:
            break
        found.append(best)
        tokens = np.array([[best]])
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())
    words = {index: word for word, index in tokenizer["model"]["vocab"].items()}
    text = "".join(words[token] for token in found).replace("Ġ", " ")
    assert text.strip() == "The quick brown fox jumps over the lazy dog."
