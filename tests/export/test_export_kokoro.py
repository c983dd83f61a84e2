"""An exported Kokoro runs in ONNX Runtime alone, and in kokoro-onnx, and says what the engine says."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
from kokoro_nets import TINY_KOKORO, kokoro_folder, log_mel, utterances

from sonant.engines.base import EngineOptions
from sonant.engines.engine_onnxruntime import synth
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.export import kokoro_signal
from sonant.export.kokoro import export_kokoro
from sonant.models.graph_builder import GraphBuilder
from sonant.models.kokoro import source, spectrum
from sonant.models.kokoro.config import KokoroConfig

LENGTHS = (12, 1, 30)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return kokoro_folder(tmp_path_factory.mktemp("kokoro") / "tiny", TINY_KOKORO)


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    """Sessions by dtype, and the folder that they lie in."""
    folder = tmp_path_factory.mktemp("export")
    made = {}

    def get(dtype):
        if dtype not in made:
            made[dtype] = session(export_kokoro(checkpoint, folder / dtype, dtype).files[0])
        return made[dtype]

    return get


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def say(run, tokens, style, speed, **more):
    feeds = {"tokens": np.pad(tokens, 1)[None], "style": style[None], "speed": np.array([speed], np.float32), **more}
    return run.run(["audio", "durations"], feeds)


FRAME = 80  # samples of a frame of the tiny net
SILENT = {"seed": np.array([-1])}


@pytest.fixture(scope="module")
def engine(checkpoint):
    return synth.open(checkpoint, EngineOptions(engine="onnxruntime", dtype="float32"))


@pytest.mark.parametrize("row", range(len(LENGTHS)))
def test_equals_the_engine(exported, engine, row):
    tokens, styles, speeds, _ = utterances(TINY_KOKORO, LENGTHS)
    right, frames = engine.synthesize([tokens[row]], styles[[row]], speeds[[row]], [-1])[0]
    sound, durations = say(exported("fp32"), tokens[row], styles[row], speeds[row], **SILENT)
    np.testing.assert_array_equal(durations, frames)
    assert sound.dtype == np.float32
    assert sound.shape == right.shape
    # the phase sums the pitch, so its last bits are heard: a random net's pitch leaps by hundreds of Hz
    limit, apart = 5e-3 * np.linalg.norm(right), np.linalg.norm((sound - right).reshape(-1, FRAME), axis=1)
    if np.linalg.norm(apart) >= limit:
        # where a bin is real and negative, a CPU's rounding may make -pi of pi: one place, heard by its neighbours
        worst = int(apart.argmax())
        assert np.linalg.norm(apart) < 10 * limit
        assert np.linalg.norm(np.delete(apart, slice(max(worst - 4, 0), worst + 5))) < limit


def test_speed_is_a_number_and_changes_durations(exported):
    tokens, styles, _, _ = utterances(TINY_KOKORO, LENGTHS)
    totals = [say(exported("fp32"), tokens[2], styles[2], speed)[1].sum() for speed in (0.7, 1.0, 1.3)]
    assert totals[0] > totals[1] > totals[2]


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_narrow_numbers_speak_as_long(exported, dtype):
    """How alike it sounds only a trained net can tell: see the test with real weights."""
    tokens, styles, speeds, _ = utterances(TINY_KOKORO, (5,))
    right, frames = say(exported("fp32"), tokens[0], styles[0], speeds[0], **SILENT)
    sound, durations = say(exported(dtype), tokens[0], styles[0], speeds[0], **SILENT)
    np.testing.assert_array_equal(durations, frames)
    assert not np.array_equal(sound, right), "the numbers were not stored narrower"
    assert 0.5 < np.linalg.norm(sound) / np.linalg.norm(right) < 2


def test_the_same_seed_gives_the_same_noise(exported):
    tokens, styles, speeds, _ = utterances(TINY_KOKORO, LENGTHS)
    given = exported("fp32"), tokens[0], styles[0], speeds[0]
    first, again, default, other, silent = (
        say(*given, **seed)[0]
        for seed in ({"seed": np.array([0])}, {"seed": np.array([0])}, {}, {"seed": np.array([1])}, SILENT)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, default)
    assert not np.allclose(first, other, atol=1e-4)
    assert not np.allclose(first, silent, atol=1e-4)


class Part:
    """One of the signal's graphs, run by itself."""

    def __init__(self, build, **inputs):
        config = KokoroConfig.from_hexgrad(TINY_KOKORO).generator
        weights = source.SourceWeights(np.linspace(0.5, -0.4, 9, dtype=np.float32), 0.02)
        graph = GraphBuilder("part", {})
        names = [graph.input(name, kind, shape) for name, (kind, shape) in inputs.items()]
        graph.output("made", build(kokoro_signal.Signal(graph, config, weights), *names), "float32", None)
        model = graph.build()
        del model.opset_import[:]
        model.opset_import.add(domain="", version=20)
        self.run_in = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        self.config, self.weights = config, weights

    def __call__(self, **feeds):
        return self.run_in.run(None, feeds)[0]


def test_the_excitation_is_the_engines():
    part = Part(lambda s, *names: s.excitation(*names), pitch=("float32", ("S",)), seed=("int64", (1,)))
    pitch = np.random.default_rng(0).uniform(-30, 400, 400).astype(np.float32)
    made = part(pitch=pitch, seed=np.array([-1]))
    right = source.excitation(pitch, part.weights, -1, part.config.samples_per_half_frame)
    np.testing.assert_allclose(made, right, atol=2e-6)


def test_the_noise_is_gaussian_and_white():
    part = Part(lambda s, *names: s._noise(*names), samples=("int64", (1,)), seed=("int64", (1,)))
    drawn = [part(samples=np.array([200_000]), seed=np.array([seed])) for seed in (0, 1, 2**62, -7)]
    assert not drawn[3].any()
    for noise in drawn[:3]:
        assert np.isfinite(noise).all()
        assert abs(noise.mean()) < 0.01
        assert abs(noise.std() - 1) < 0.01
        assert abs((noise**4).mean() - 3) < 0.1
        assert abs((np.abs(noise) > 3).mean() - 0.0027) < 0.0005
        power = np.abs(np.fft.rfft(noise[: 781 * 256].reshape(-1, 256))) ** 2
        assert abs(power.mean(0)[1:-1] / 256 - 1).max() < 0.2
        assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.01
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.01


def test_the_spectrum_and_the_waveform_are_the_engines():
    random = np.random.default_rng(1)
    forward = Part(lambda s, name: s.source_spectrum(name), signal=("float32", ("N",)))
    signal = random.normal(0, 0.1, 5 * 400).astype(np.float32)
    made, right = forward(signal=signal)[0], source.source_spectrum(signal, forward.config)
    bins = forward.config.bins
    np.testing.assert_allclose(made[:, :bins], right[:, :bins], atol=1e-6)
    np.testing.assert_allclose(made[:, bins:], right[:, bins:], atol=1e-3)  # small bins have rough angles
    still = np.full(2000, -0.3, np.float32)
    np.testing.assert_allclose(forward(signal=still)[0], source.source_spectrum(still, forward.config), atol=1e-6)
    back = Part(lambda s, name: s.waveform(name), spectra=("float32", (1, "N", 22)))
    spectra = random.normal(0, 1, (1, 90, 22)).astype(np.float32)
    np.testing.assert_allclose(back(spectra=spectra), spectrum.waveform(spectra[0], back.config), atol=1e-5)


def test_it_tells_what_it_is(checkpoint, exported, tmp_path):
    facts = exported("int8").get_modelmeta().custom_metadata_map
    assert (facts["family"], facts["model"], facts["dtype"], facts["opset"]) == ("kokoro", "tiny", "int8", "20")
    assert facts["sample_rate"] == "24000"
    assert json.loads(facts["symbols"]) == TINY_KOKORO["vocab"]
    assert facts["licence"]
    assert int(facts["max_tokens"]) == TINY_KOKORO["plbert"]["max_position_embeddings"]
    made = {row.name: (row.type, row.shape) for row in exported("int8").get_inputs()}
    assert made == {
        "tokens": ("tensor(int64)", [1, "T"]),
        "style": ("tensor(float)", [1, 16]),
        "speed": ("tensor(float)", [1]),
    }
    outputs = [(row.name, row.type) for row in exported("int8").get_outputs()]
    assert outputs == [("audio", "tensor(float)"), ("durations", "tensor(int64)")]


def test_sizes_and_files(checkpoint, tmp_path):
    size = {}
    for dtype in ("float32", "float16", "int8"):
        made = export_kokoro(checkpoint, tmp_path / dtype, dtype)
        assert [file.name for file in made.files] == ["model.onnx", "voices.npz", "config.json"]
        size[dtype] = sum(len(row.raw_data) for row in onnx.load(made.files[0]).graph.initializer)
    assert size["float16"] < 0.6 * size["float32"]
    assert size["int8"] < 0.7 * size["float32"]  # a random net is small: much of it stays as it is
    made = export_kokoro(checkpoint, tmp_path / "parted", largest_bytes=16_050_000)
    assert [file.name for file in made.files] == ["model.onnx", "model.onnx.data", "voices.npz", "config.json"]
    session(made.files[0])


def test_wrong_input(checkpoint, tmp_path):
    with pytest.raises(BadInput, match=r"'int4'.*allowed: float32, float16, int8"):
        export_kokoro(checkpoint, tmp_path, "int4")
    nameless = kokoro_folder(tmp_path / "nameless", {k: v for k, v in TINY_KOKORO.items() if k != "vocab"})
    with pytest.raises(UnsupportedCheckpoint, match="vocab"):
        export_kokoro(nameless, tmp_path / "out")

    def without_one(tensors):
        return {key: tensor for key, tensor in tensors.items() if key != "bert_encoder.bias"}

    with pytest.raises(UnsupportedCheckpoint, match=r"bert_encoder\.bias"):
        export_kokoro(kokoro_folder(tmp_path / "broken", TINY_KOKORO, change=without_one), tmp_path / "out")
    assert not (tmp_path / "out" / "model.onnx").exists()


def test_the_graph_is_whole(exported, checkpoint, tmp_path):
    path = export_kokoro(checkpoint, tmp_path).files[0]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}


def test_a_dead_channel_is_no_number_beyond_float16(tmp_path):
    """Kokoro-82M has some: their epsilon, divided by the square of their scale, is 1e12."""

    def dead(tensors):
        tensors["predictor.F0.1.conv1.weight_g"][0] = 1e-20
        return tensors

    checkpoint = kokoro_folder(tmp_path / "dead", TINY_KOKORO, change=dead)
    tokens, styles, speeds, _ = utterances(TINY_KOKORO, (5,))
    runs = [session(export_kokoro(checkpoint, tmp_path / dtype, dtype).files[0]) for dtype in ("fp32", "fp16")]
    (sound, _), (narrow, _) = (say(run, tokens[0], styles[0], speeds[0], **SILENT) for run in runs)
    assert np.isfinite(narrow).all()
    assert 0.5 < np.linalg.norm(narrow) / np.linalg.norm(sound) < 2


def test_the_command_writes_it(checkpoint, exported, tmp_path):
    from typer.testing import CliRunner

    from sonant.cli.main import build

    words = ["export", str(checkpoint.folder), "--dtype", "fp16", "--out", str(tmp_path / "made")]
    result = CliRunner().invoke(build("export"), words, prog_name="sonant")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [Path(line.split("  ")[0]).name for line in result.stdout.splitlines()] == [
        *("model.onnx", "voices.npz", "config.json")
    ]
    assert session(tmp_path / "made" / "model.onnx").get_modelmeta().custom_metadata_map["dtype"] == "float16"
    words[3] = "int4"
    result = CliRunner().invoke(build("export"), words, prog_name="sonant")
    assert result.exit_code == 1
    assert "allowed: float32, float16, int8" in result.stderr


REAL = "həlˈO wˈɜɹld, ðɪs ɪz ɐ tˈɛst."


@pytest.mark.weights
@pytest.mark.parametrize(
    ("dtype", "share", "tolerance"), [("fp32", 1.01, 5e-3), ("fp16", 0.52, 0.15), ("int8", 0.28, 0.3)]
)
def test_kokoro_onnx_speaks_with_it(dtype, share, tolerance, tmp_path):
    kokoro_onnx = pytest.importorskip("kokoro_onnx")
    from sonant.weights import store, voices

    checkpoint = store.resolve("kokoro-82m")
    made = export_kokoro(checkpoint, tmp_path, dtype)
    assert made.files[0].stat().st_size < share * checkpoint.weights[0].stat().st_size
    speaker = kokoro_onnx.Kokoro(str(made.files[0]), str(tmp_path / "voices.npz"))
    assert speaker.get_voices() == sorted(made.voices)
    assert speaker.tokenizer.vocab == json.loads(speaker.sess.get_modelmeta().custom_metadata_map["symbols"])
    tokens = np.array([checkpoint.config["vocab"][symbol] for symbol in REAL])
    style = voices.load(checkpoint, "af_heart").styles[len(tokens)]  # that package takes the row after ours
    right, frames = synth.open(checkpoint, EngineOptions(engine="onnxruntime")).synthesize(
        [tokens], style[None], np.float32([1.25]), [-1]
    )[0]
    sound, durations = say(speaker.sess, tokens, style, 1.25, **SILENT)
    assert durations.sum() == pytest.approx(frames.sum(), rel=0 if dtype == "fp32" else 0.05)
    if len(sound) == len(right):
        assert np.abs(log_mel(sound) - log_mel(right)).mean() < tolerance
    spoken, rate = speaker.create(REAL, "af_heart", speed=1.25, is_phonemes=True, trim=False)
    assert rate == 24_000
    assert len(spoken) == len(sound)
    assert np.abs(log_mel(spoken) - log_mel(sound)).mean() < 0.5  # the noise alone
