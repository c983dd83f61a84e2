"""Every Whisper engine and dtype against torch float32, over all that the protocol offers."""

import numpy as np
import pytest
from whisper_nets import WHISPERS, features, whisper_folder

from sonant.engines import cpu
from sonant.engines.base import EngineOptions
from sonant.engines.choose import HEARING_DTYPES, open_engine
from sonant.engines.engine_openvino import runtime
from sonant.engines.engine_openvino import seq2seq as openvino_seq2seq
from sonant.engines.engine_openvino.runtime import has_bfloat16
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.kernels import best, instructions
from sonant.weights.checkpoint import Checkpoint

ENGINES = ["openvino-float32", "openvino-bfloat16", "openvino-int8", "onnxruntime-float32", "onnxruntime-int8"]
ENGINES += ["openvino-int16", "torch-bfloat16", "graphs-bfloat16", "graphs-int8"]
EXACT = ["torch-float32", "openvino-float32", "onnxruntime-float32"]  # whose batches must give what their rows give


@pytest.fixture(scope="module")
def opened(tiny_whispers, tmp_path_factory):
    """Engines by net and name, opened once."""
    made = {}

    def get(net, name):
        if (net, name) not in made:
            made[net, name] = open_named(tiny_whispers[net], name)
        return made[net, name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONANT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield get


def open_named(checkpoint, name):
    engine, dtype = name.split("-")
    if name in ("openvino-bfloat16", "graphs-bfloat16") and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16 arithmetic")
    if dtype == "int16" and best.find("int16") is None:
        pytest.skip(best.missing())
    with pytest.MonkeyPatch.context() as patch:
        if engine == "graphs":  # OpenVINO where sonant's kernels weren't compiled
            patch.setattr(best, "find", lambda *_: None)
            engine = "openvino"
        return open_engine(checkpoint, EngineOptions(engine, dtype=dtype))


def error(found, expected):
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def random_tokens(rows, length, seed=0, vocabulary=51865):
    return np.random.default_rng(seed).integers(0, vocabulary, (rows, length))


def play(engine, given):
    """A use of every part of the protocol; what came out, by name."""
    tokens, found = random_tokens(6, 12), {}
    heard = engine.encode(given)
    beams = engine.fork(heard, [0, 1], 3)
    found["prompt"] = engine.step(beams, tokens[:, :4], every=True)
    found["step"] = engine.step(beams, tokens[:, 4:5])
    engine.reorder(beams, np.array([1, 1, 0, 5, 3, 4]))
    found["reordered"] = engine.step(beams, tokens[:, 5:6])
    engine.rewind(beams, 5)
    found["rewound"] = engine.step(beams, tokens[:, 6:9], every=True)
    engine.rewind(beams, 0)
    found["again"] = engine.step(beams, tokens[:, :4], every=True)
    one = engine.fork(heard, [1])
    found["one"] = engine.step(one, tokens[:1, :3])
    found["scores"], found["aligned"] = engine.align(heard, 1, tokens[0], [(0, 1), (1, 2), (1, 0)])
    found["unforked"] = engine.step(heard, tokens[:2, :1])
    found["one more"] = engine.step(one, tokens[:1, 3:4])
    return found


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("net", WHISPERS)
def test_an_engine_gives_what_torch_gives(net, name, tiny_whispers, opened, tolerances):
    given = features(tiny_whispers[net], 2)
    expected = play(opened(net, "torch-float32"), given)
    allowed = tolerances["seq2seq"][name]["tiny"]
    for part, found in play(opened(net, name), given).items():
        assert found.shape == expected[part].shape, part
        assert found.dtype == np.float32, part
        assert error(found, expected[part]) < allowed, part


@pytest.fixture
def saving(monkeypatch, tmp_path):
    """Every model counts as large: heads are attended a few at a time, and memory goes back between the windows."""
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime, "LARGE", 1)
    monkeypatch.setattr(openvino_seq2seq, "HEADS_AT_ONCE", 2)


@pytest.mark.parametrize("net", WHISPERS)
def test_an_engine_that_saves_memory_gives_what_torch_gives(net, tiny_whispers, opened, tolerances, saving):
    given = features(tiny_whispers[net], 2)
    expected = play(opened(net, "torch-float32"), given)
    engine = open_named(tiny_whispers[net], "openvino-int8")
    for _ in range(2):
        for part, found in play(engine, given).items():
            assert error(found, expected[part]) < tolerances["seq2seq"]["openvino-int8"]["tiny"], part


def test_memory_that_goes_back_is_nobodys_in_use(tiny_whispers, saving):
    engine = open_named(tiny_whispers["multilingual"], "openvino-int8")
    first, second = (features(tiny_whispers["multilingual"], 1, seed) for seed in (0, 1))
    tokens = random_tokens(1, 8)

    def steps(between):
        memory, found = engine.encode(first), []
        for place in range(8):
            found.append(engine.step(memory, tokens[:, place : place + 1]))
            between()
        return np.stack(found)

    np.testing.assert_array_equal(steps(lambda: None), steps(lambda: engine.encode(second)))


@pytest.mark.parametrize("name", EXACT)
def test_a_step_at_a_time_gives_what_one_call_gives(name, tiny_whispers, opened):
    engine = opened("multilingual", name)
    heard, tokens = engine.encode(features(tiny_whispers["multilingual"], 1)), random_tokens(1, 40)
    whole = engine.step(engine.fork(heard, [0]), tokens, every=True)
    memory = engine.fork(heard, [0])
    for place in range(40):
        assert error(engine.step(memory, tokens[:, place : place + 1]), whole[:, place]) < 1e-4
    assert memory.length == 40


@pytest.mark.parametrize("name", EXACT)
def test_rows_of_a_batch_give_what_they_give_alone(name, tiny_whispers, opened):
    engine, given = opened("distilled", name), features(tiny_whispers["distilled"], 3)
    tokens = random_tokens(6, 5)
    together = engine.step(engine.fork(engine.encode(given), [2, 0, 1], 2), tokens, every=True)
    for row in range(6):
        window = [2, 0, 1][row // 2]
        alone = engine.step(engine.encode(given[window : window + 1]), tokens[row : row + 1], every=True)
        assert error(together[row], alone[0]) < 1e-4


@pytest.mark.parametrize("name", EXACT)
def test_reordering_is_the_history_of_that_row(name, tiny_whispers, opened):
    engine = opened("multilingual", name)
    heard, tokens = engine.encode(features(tiny_whispers["multilingual"], 1)), random_tokens(4, 6)
    memory = engine.fork(heard, [0], 4)
    engine.step(memory, tokens)
    engine.reorder(memory, np.array([3, 0, 0, 1]))
    engine.reorder(memory, np.array([0, 0, 1, 3]))  # twice before a step: row 3 is now what row 1 was
    after = engine.step(memory, tokens[:, :1])
    for row, origin in enumerate([3, 3, 0, 1]):
        history = np.concatenate([tokens[origin], tokens[row, :1]])
        assert error(after[row], engine.step(engine.fork(heard, [0]), history[None])[0]) < 1e-4


@pytest.mark.parametrize("name", EXACT)
def test_aligning_leaves_what_is_being_decoded_alone(name, tiny_whispers, opened):
    engine = opened("multilingual", name)
    heard, tokens = engine.encode(features(tiny_whispers["multilingual"], 2)), random_tokens(2, 6)
    undisturbed, memory = engine.fork(heard, [0, 1]), engine.fork(heard, [0, 1])
    for each in (undisturbed, memory):
        engine.step(each, tokens[:, :3])
    engine.align(memory, 1, tokens[0], [(0, 0)])
    assert memory.length == 3
    np.testing.assert_array_equal(engine.step(memory, tokens[:, 3:]), engine.step(undisturbed, tokens[:, 3:]))


@pytest.mark.parametrize("name", EXACT)
def test_a_half_precision_file_is_read_as_it_lies(name, tmp_path):
    config = WHISPERS["multilingual"]
    half = whisper_folder(tmp_path / "half", config, dtype=np.float16)
    engine = open_named(half, name)
    given, tokens = features(half, 1), random_tokens(1, 5)
    found = engine.step(engine.encode(given), tokens)
    reference = open_named(whisper_folder(tmp_path / "whole", config, rounded=np.float16), "torch-float32")
    assert error(found, reference.step(reference.encode(given), tokens)) < 1e-4
    assert sorted(path.name for path in half.folder.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("name", EXACT)
def test_an_untied_output_projection_is_used(name, tmp_path):
    config = WHISPERS["multilingual"] | {"tie_word_embeddings": False}
    untied = whisper_folder(tmp_path / "untied", config)
    tied = whisper_folder(tmp_path / "tied", WHISPERS["multilingual"])
    given, tokens = features(untied, 1), random_tokens(1, 5)
    expected = open_named(untied, "torch-float32")
    other = open_named(tied, "torch-float32")
    engine = open_named(untied, name)
    found = engine.step(engine.encode(given), tokens)
    assert error(found, expected.step(expected.encode(given), tokens)) < 1e-4
    assert error(found, other.step(other.encode(given), tokens)) > 0.5


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"decoder_layers": 4}, r"model\.decoder\.layers\.3"),
        ({"decoder_layers": 2}, r"model\.decoder\.layers\.2"),
        ({"decoder_ffn_dim": 96}, r"fc[12]"),
    ],
)
def test_a_file_that_does_not_fit_its_config_is_refused(name, change, says, tiny_whispers):
    real = tiny_whispers["multilingual"]
    wrong = Checkpoint("wrong", "whisper", real.folder, real.weights, real.config | change)
    with pytest.raises(UnsupportedCheckpoint, match=says):
        open_named(wrong, name)


def test_what_recognition_has_is_what_its_engines_take(tiny_whispers, tmp_path, monkeypatch):
    """Every dtype of the table opens a tiny Whisper and hears, but bfloat16 where the CPU has none."""
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    tiny = tiny_whispers["multilingual"]
    heard = features(tiny, 1)
    for engine, dtypes in HEARING_DTYPES.items():
        for dtype in dtypes:
            options = EngineOptions(engine, dtype=dtype, device="cpu")
            if (engine, dtype) == ("openvino", "bfloat16") and not has_bfloat16():
                with pytest.raises(BadInput, match="no bfloat16 arithmetic"):
                    open_engine(tiny, options)
                continue
            if dtype == "int16" and best.find("int16") is None:
                with pytest.raises(BadInput, match="needs sonant's kernels"):
                    open_engine(tiny, options)
                continue
            opened = open_engine(tiny, options)
            assert np.isfinite(opened.step(opened.fork(opened.encode(heard), [0]), np.array([[1, 2]]))).all()


def test_the_kernels_hear_each_window_alone(tiny_whispers, opened):
    engine, given = opened("distilled", "openvino-int16"), features(tiny_whispers["distilled"], 3)
    together = engine.encode(given).cross
    for window in range(3):
        for found, right in zip(engine.encode(given[window : window + 1]).cross, together, strict=True):
            np.testing.assert_array_equal(found[0], right[window])


def test_without_kernels_int16_is_refused_and_auto_encodes_in_float32(tiny_whispers, monkeypatch):
    tiny = tiny_whispers["multilingual"]
    monkeypatch.setattr(instructions, "levels", list)
    monkeypatch.setattr(cpu, "whisper_dtypes", lambda: cpu.Dtypes("float32", "float32", "a test"))
    with pytest.raises(BadInput, match=r"int16 needs sonant's kernels: .*allowed here: auto, float32, int8"):
        open_engine(tiny, EngineOptions("openvino", dtype="int16"))
    assert ", float32 (a test)" in open_engine(tiny, EngineOptions("openvino")).description
