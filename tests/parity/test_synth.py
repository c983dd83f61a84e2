"""Every Kokoro engine and dtype against torch float32, over all that the protocol offers."""

import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import ml_dtypes
import numpy as np
import pytest
from kokoro_nets import TINY_KOKORO, kokoro_folder, utterances

from sonant.cores import cores
from sonant.engines import cpu, synth_flow, synth_opening
from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.engines.engine_openvino import synth_graphs
from sonant.engines.engine_openvino.machine import has_bfloat16
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.kernels import best, instructions
from sonant.models.kokoro import graph_decoder, graph_text, ranges, source, spectrum

# "openvino" is its own graph of the decoder, "kernels" the same engine with ours
ENGINES = [
    *("openvino-float32", "openvino-bfloat16", "openvino-int8", "kernels-float32", "kernels-int16"),
    *("onnxruntime-float32", "torch-bfloat16"),
]
EXACT = ["torch-float32", "openvino-float32", "kernels-float32", "onnxruntime-float32"]
LENGTHS = (12, 5, 17)


@pytest.fixture(scope="module", autouse=True)
def compiled_models(tmp_path_factory):
    """A cache of their own for what is compiled here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONANT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return kokoro_folder(tmp_path_factory.mktemp("kokoros") / "tiny", TINY_KOKORO)


@pytest.fixture(scope="module")
def opened(checkpoint):
    """Engines by name, opened once; int8 with ranges that fit signals near 1."""

    @cache
    def get(name):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranges, "load", wide_ranges)
            return open_named(checkpoint, name)

    return get


def wide_ranges(stored, _origin):
    """For every convolution of the generator's residual blocks."""
    keys = [key for key in stored if re.fullmatch(r"decoder\.generator\.(resblocks|noise_res)\..*\.weight_v", key)]
    return {key: ranges.Range(-6.0, 7.0, np.linspace(0.5, 1.5, stored[key].shape[1], dtype=np.float32)) for key in keys}


@pytest.fixture(scope="module")
def expected(opened):
    """What torch float32 makes, one utterance at a time: every value that passes between the parts."""
    return [play(opened("torch-float32"), [row]) for row in range(len(LENGTHS))]


def open_named(checkpoint, name):
    engine, dtype = name.split("-")
    if name == "openvino-bfloat16" and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16 arithmetic")
    if name == "openvino-int8" and not cpu.detect().int8:
        pytest.skip("this CPU has no VNNI")
    if engine == "kernels" and best.find(dtype) is None:
        pytest.skip(best.missing())
    with pytest.MonkeyPatch.context() as patch:
        if engine == "openvino":
            patch.setattr(best, "find", lambda *_: None)
        return open_engine(checkpoint, EngineOptions(engine.replace("kernels", "openvino"), dtype=dtype))


def play(engine, rows, given=None):
    """Run the parts for some utterances; each part hears what torch made (``given``), so that errors don't add up.

    The engines must not hear their own pitch here: where the excitation's spectrum is real and negative, a rounding
    error turns its angle from pi to -pi, which the network hears as another number.
    """
    tokens, styles, _, seeds = utterances(TINY_KOKORO, LENGTHS)
    style, net = styles[rows], engine.config.generator
    padded, lengths = synth_flow._pad_tokens([tokens[row] for row in rows])
    durations, prosody, text = engine.parts.text(padded, style, lengths)
    heard = given or [{"prosody": prosody[0, : lengths[0]], "text": text[0, : lengths[0]]}]
    symbols = [np.repeat(np.arange(len(each["text"])), 1 + row % 3) for each, row in zip(heard, rows, strict=True)]
    frames = np.array([len(each) for each in symbols])
    spoken = [
        synth_flow._stack([each[k][s] for each, s in zip(heard, symbols, strict=True)]) for k in ("prosody", "text")
    ]
    pitch, energy = engine.parts.prosody(spoken[0], style, frames)
    curves = given or [{"pitch": pitch[0], "energy": energy[0]}]
    pitches, energies = (synth_flow._stack([each[k][:, None] for each in curves])[..., 0] for k in ("pitch", "energy"))
    spectra = [
        source.source_spectrum(
            source.excitation(each["pitch"], engine.weights, seeds[row], net.samples_per_half_frame), net
        )
        for each, row in zip(curves, rows, strict=True)
    ]
    made = engine.parts.decode(spoken[1], pitches, energies, synth_flow._stack(spectra), style, frames)
    cut = [
        {
            "durations": durations[i, : lengths[i]],
            "prosody": prosody[i, : lengths[i]],
            "text": text[i, : lengths[i]],
            "pitch": pitch[i, : 2 * frames[i]],
            "energy": energy[i, : 2 * frames[i]],
            "spectra": made[i, : len(spectra[i])],
            "sound": spectrum.waveform(made[i, : len(spectra[i])], net),
        }
        for i in range(len(rows))
    ]
    return cut if len(rows) > 1 else cut[0]


def say(engine, row):
    tokens, styles, speeds, seeds = utterances(TINY_KOKORO, LENGTHS)
    return engine.synthesize([tokens[row]], styles[row : row + 1], speeds[row : row + 1], [seeds[row]])[0]


def error(found, expected):
    assert found.shape == expected.shape
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def errors(found, expected):
    return {name: error(found[name], expected[name]) for name in expected}


@pytest.mark.parametrize("name", ENGINES)
def test_engines_make_what_torch_makes(name, opened, expected, tolerances):
    limits = tolerances["synth"][name]
    for row, right in enumerate(expected):
        found = errors(play(opened(name), [row], [right]), right)
        assert found["sound"] < limits["tiny"], found
        assert found["spectra"] < limits["tiny"], found
        assert max(found[key] for key in ("durations", "prosody", "text", "pitch", "energy")) < limits["exact"], found


@pytest.mark.parametrize("name", EXACT)
def test_a_batch_makes_what_its_members_make_alone(name, opened, expected):
    together = play(opened(name), [2, 0, 1], [expected[row] for row in (2, 0, 1)])
    for found, row in zip(together, (2, 0, 1), strict=True):
        assert max(errors(found, expected[row]).values()) < 2e-5


@pytest.mark.parametrize("name", ENGINES)
def test_whole_utterances(name, opened, tolerances):
    for row, length in enumerate(LENGTHS):
        (sound, frames), (right, right_frames) = say(opened(name), row), say(opened("torch-float32"), row)
        np.testing.assert_array_equal(frames, right_frames)
        assert sound.dtype == np.float32
        assert frames.shape == (length + 2,)
        assert sound.shape == (80 * frames.sum(),)
        assert error(sound, right) < max(0.1, tolerances["synth"][name]["tiny"])  # an angle of pi may turn


@pytest.mark.parametrize("name", ["kernels-float32", "kernels-int16"])
def test_what_is_begun_ends_as_the_whole(name, opened):
    if cores() == 1:
        pytest.skip("one core speaks whole")
    tokens, styles, speeds, seeds = utterances(TINY_KOKORO, LENGTHS)
    for row in range(len(LENGTHS)):
        whole, frames = say(opened(name), row)
        asked = tokens[row], styles[row], float(speeds[row]), seeds[row]
        np.testing.assert_array_equal(opened(name).begin(*asked).rest(), whole)
        begun, end = opened(name).begin(*asked), int(frames.sum()) // 3
        np.testing.assert_array_equal(begun.frames, frames)
        assert begun.opening(end).shape == (80 * end,)
        rest = begun.rest()
        assert rest.shape == (80 * (frames.sum() - end),)
        np.testing.assert_array_equal(rest[synth_opening.FADE :], whole[80 * end + synth_opening.FADE :])


def test_one_core_speaks_whole(checkpoint):
    if best.find("float32") is None:
        pytest.skip(best.missing())
    engine = open_engine(checkpoint, EngineOptions("openvino", dtype="float32", threads=1))
    tokens, styles, speeds, seeds = utterances(TINY_KOKORO, LENGTHS)
    assert engine.begin(tokens[0], styles[0], float(speeds[0]), seeds[0]) is None


@pytest.mark.parametrize("name", ["torch-float32", "openvino-float32", "onnxruntime-float32"])
def test_engines_that_speak_whole_say_so(name, opened):
    tokens, styles, speeds, seeds = utterances(TINY_KOKORO, LENGTHS)
    assert opened(name).begin(tokens[0], styles[0], float(speeds[0]), seeds[0]) is None


@pytest.mark.parametrize("together", [0, 10_000])
def test_a_call_with_several_gives_each_its_own(together, opened, monkeypatch):
    engine = opened("torch-float32")
    monkeypatch.setattr(engine, "batch_frames", together)
    tokens, styles, speeds, seeds = utterances(TINY_KOKORO, LENGTHS)
    for row, (sound, frames) in enumerate(engine.synthesize(tokens, styles, speeds, seeds)):
        right, right_frames = say(engine, row)
        np.testing.assert_array_equal(frames, right_frames)
        assert error(sound, right) < 0.1


def test_the_seed_makes_the_noise(opened):
    engine = opened("torch-float32")
    tokens, styles, speeds, _ = utterances(TINY_KOKORO, (8,))
    said = {seed: engine.synthesize(tokens, styles, speeds, [seed])[0][0] for seed in (3, 4, -1)}
    np.testing.assert_array_equal(engine.synthesize(tokens, styles, speeds, [3])[0][0], said[3])
    assert error(said[4], said[3]) > 0.01
    assert error(said[-1], said[3]) > 0.01


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.7, 50.0])
def test_frames_follow_the_speed(speed, opened):
    engine = opened("torch-float32")
    tokens, styles, _, seeds = utterances(TINY_KOKORO, (10,))
    padded, lengths = np.concatenate([[0], tokens[0], [0]])[None], np.array([12])
    durations = engine.parts.text(padded, styles, lengths)[0][0]
    frames = engine.synthesize(tokens, styles, np.float32([speed]), seeds)[0][1]
    np.testing.assert_array_equal(frames, np.maximum(np.round(durations / np.float32(speed)), 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tokens": [np.zeros(0, np.int64)]}, "has 0 symbols; allowed: 1 to 62"),
        ({"tokens": [np.ones(63, np.int64)]}, "has 63 symbols; allowed: 1 to 62"),
        ({"tokens": [np.array([40])]}, "symbol id outside 0 to 39"),
        ({"speeds": np.float32([0])}, "must be above 0"),
        ({"speeds": np.float32([np.nan])}, "must be above 0"),
        ({"styles": np.zeros((1, 8), np.float32)}, "styles have shape"),
        ({"styles": np.full((1, 16), np.inf, np.float32)}, "not finite"),
        ({"seeds": []}, "give one each"),
    ],
)
def test_what_cannot_be_spoken_is_refused(change, words, opened):
    tokens, styles, speeds, seeds = utterances(TINY_KOKORO, (4,))
    given = {"tokens": tokens, "styles": styles, "speeds": speeds, "seeds": seeds} | change
    with pytest.raises(BadInput, match=words):
        opened("torch-float32").synthesize(**given)


def test_no_utterances_say_nothing(opened):
    nothing = np.zeros((0, 16), np.float32), np.zeros(0, np.float32)
    assert opened("torch-float32").synthesize([], *nothing, []) == []


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: {k: v for k, v in t.items() if k != "bert_encoder.bias"}, "bert_encoder.bias"),
        (lambda t: t | {"decoder.more": np.zeros(3, np.float32)}, "decoder.more"),
        (lambda t: t | {"bert_encoder.bias": np.zeros(3, np.float32)}, "bert_encoder.bias"),
        (
            lambda t: t | {"decoder.encode.norm1.norm.weight": np.full(34, 2, np.float32)},
            "norm1.norm.weight.*must be 1",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(engine, change, words, tmp_path):
    broken = kokoro_folder(tmp_path / "broken", TINY_KOKORO, change=change)
    with pytest.raises(UnsupportedCheckpoint, match=words):
        open_engine(broken, EngineOptions(engine))


def test_what_takes_no_part_in_speech_may_be_there(tmp_path, expected):
    def change(tensors):
        ones = {"decoder.encode.norm1.norm.weight": np.ones(34, np.float32)}
        return tensors | ones | {"bert.pooler.weight": np.zeros((24, 24), np.float32)}

    saved = kokoro_folder(tmp_path / "saved", TINY_KOKORO, change=change)
    for engine in ("torch", "onnxruntime"):
        found = play(open_engine(saved, EngineOptions(engine, dtype="float32")), [1], [expected[1]])
        assert max(errors(found, expected[1]).values()) < 2e-5


@pytest.mark.parametrize("stored", [ml_dtypes.bfloat16, np.float16])
def test_half_precision_files_speak_their_rounded_numbers(stored, tmp_path):
    def narrow(tensors):
        return {key: numbers.astype(stored) for key, numbers in tensors.items()}

    def rounded(tensors):
        return {key: numbers.astype(stored).astype(np.float32) for key, numbers in tensors.items()}

    half, whole = (
        kokoro_folder(tmp_path / name, TINY_KOKORO, change=how) for name, how in (("half", narrow), ("whole", rounded))
    )
    right = play(open_engine(whole, EngineOptions("torch")), [0])
    for engine in ("torch", "openvino", "onnxruntime"):
        found = play(open_engine(half, EngineOptions(engine, dtype="float32")), [0], [right])
        assert max(errors(found, right).values()) < 2e-5, engine


@pytest.mark.parametrize("name", EXACT)
def test_threads_do_not_disturb_each_other(name, opened):
    engine = opened(name)
    rows = [0, 1, 2] * 4
    one_by_one = [say(engine, row) for row in range(3)]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda row: say(engine, row), rows))
    for row, (sound, frames) in zip(rows, at_once, strict=True):
        np.testing.assert_array_equal(frames, one_by_one[row][1])
        assert error(sound, one_by_one[row][0]) < 0.1


def test_rungs_climb_by_a_third_or_a_half():
    assert [synth_graphs.rung(n) for n in (1, 64, 65, 96, 97, 129, 193, 1000, 1025)] == [
        *(64, 64, 96, 96, 128, 192, 256, 1024, 1536)
    ]


def test_text_and_prosody_meet_few_lengths(checkpoint, monkeypatch):
    """OpenVINO keeps some megabytes for every length; a book has hundreds."""
    engine = open_named(checkpoint, "openvino-float32")
    met = {"text": set(), "prosody": set()}
    infer = synth_graphs.Graph.__call__
    of = {"tokens": "text", "frames": "prosody"}

    def listened_to(graph, feeds):
        name, given = next(iter(feeds.items()))
        met[of[name]].add(given.shape[1])
        return infer(graph, feeds)

    monkeypatch.setattr(synth_graphs.Graph, "__call__", listened_to)
    random = np.random.default_rng(0)
    for length in range(3, 60, 4):
        tokens = random.integers(1, 10, (1, length))
        style = random.standard_normal((1, 2 * engine.config.style)).astype(np.float32)
        _, prosody, text = engine.parts.text(tokens, style, np.array([length]))
        assert prosody.shape[:2] == text.shape[:2] == (1, length)
        pitch, energy = engine.parts.prosody(prosody, style, np.array([length]))
        assert pitch.shape == energy.shape == (1, 2 * length)
    assert met == {"text": {16, 32, 48, 64}, "prosody": {64}}


def test_the_longest_text_of_any_config_is_spoken(tmp_path):
    """Padding the text must not go past the network's positions."""
    config = TINY_KOKORO | {"plbert": TINY_KOKORO["plbert"] | {"max_position_embeddings": 50}}
    checkpoint = kokoro_folder(tmp_path / "odd", config)
    tokens, style, _, _ = utterances(config, (48,))
    padded, lengths = synth_flow._pad_tokens(tokens)
    right, found = (open_named(checkpoint, name).parts.text(padded, style, lengths) for name in EXACT[:2])
    for expected, given in zip(right, found, strict=True):
        assert error(given, expected) < 2e-5


def test_the_rung_does_not_change_the_sound(checkpoint, expected, monkeypatch):
    monkeypatch.setattr(synth_graphs, "SMALLEST_RUNG", 128)
    engine = open_named(checkpoint, "openvino-float32")
    for row, right in enumerate(expected):
        assert max(errors(play(engine, [row], [right]), right).values()) < 2e-5


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """An empty cache; opens an engine with it, and waits on call until all is kept."""
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ranges, "load", wide_ranges)
    graphs, made = synth_graphs.Graphs, []
    monkeypatch.setattr(synth_graphs, "Graphs", lambda *given: made.append(graphs(*given)) or made[-1])

    def names():
        for each in made:
            each.keeper.shutdown()
        return sorted(
            path.parent.name.rsplit("-", 3)[0] for path in (tmp_path / "cache" / "compiled").glob("*/model.blob")
        )

    return names


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_the_kernels_compile_nothing(dtype, checkpoint, expected, kept):
    engine = open_named(checkpoint, f"kernels-{dtype}")
    play(engine, [0], [expected[0]])
    assert kept() == []
    level = best.find(dtype).library.level
    others = "" if dtype == "float32" else "; text and prosody in float32"
    assert engine.description == f"sonant's kernels ({level}), cpu, {dtype} (asked for{others})"


def test_a_voice_without_kernels_is_the_only_graph(checkpoint, expected, kept, monkeypatch):
    if best.find("float32") is None:
        pytest.skip(best.missing())
    if not cpu.detect().int8:
        pytest.skip("this CPU has no VNNI")
    begin, asked = synth_graphs.Ladder.begin, []
    monkeypatch.setattr(synth_graphs.Ladder, "begin", lambda *given: asked.append(given[1]["F"]) or begin(*given))
    engine = open_engine(checkpoint, EngineOptions("openvino", dtype="int8"))
    said = play(engine, [0], [expected[0]])
    assert asked == [LENGTHS[0] + 2] * 2  # its rung is on its way since the durations are known
    assert kept() == ["kokoro-decoder-int8"]
    assert "int8 (asked for; text and prosody by sonant's kernels" in engine.description
    whole = play(open_named(checkpoint, "kernels-float32"), [0], [expected[0]])
    for part in ("durations", "prosody", "text", "pitch", "energy"):
        np.testing.assert_array_equal(said[part], whole[part])


def test_kernels_need_no_openvino(checkpoint):
    if best.find("float32") is None:
        pytest.skip(best.missing())
    code = (
        "import sys, json; from pathlib import Path; import numpy as np;"
        "from sonant.engines.base import EngineOptions; from sonant.engines.choose import open_engine;"
        "from sonant.weights.checkpoint import Checkpoint; folder = Path(sys.argv[1]);"
        "config = json.loads((folder / 'config.json').read_text());"
        "made = Checkpoint('tiny', 'kokoro', folder, (folder / 'model.safetensors',), config);"
        "engine = open_engine(made, EngineOptions('openvino', dtype='float32'));"
        "engine.synthesize([np.array([1, 2, 3])], np.ones((1, 16), np.float32), np.ones(1, np.float32), [0]);"
        "print([name for name in ('openvino', 'onnx', 'onnxruntime', 'torch') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code, checkpoint.folder], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_the_kernels_say_the_same_again(dtype, opened, expected):
    """Not a bit depends on what was said before, or on how threads share the work."""
    engine = opened(f"kernels-{dtype}")
    first = play(engine, [2], [expected[2]])["spectra"]
    play(engine, [0], [expected[0]])
    np.testing.assert_array_equal(play(engine, [2], [expected[2]])["spectra"], first)


def test_without_kernels_int16_is_refused_and_auto_is_float32(checkpoint, monkeypatch):
    monkeypatch.setattr(instructions, "levels", list)
    monkeypatch.setattr(cpu, "auto_dtype", lambda _=None: ("float32", "the CPU has no bfloat16 arithmetic"))
    with pytest.raises(BadInput, match=r"int16 .* needs sonant's kernels: .*allowed here: auto, float32"):
        open_engine(checkpoint, EngineOptions("openvino", dtype="int16"))
    assert (
        "float32 (the CPU has no bfloat16 arithmetic, and sonant has no kernels for it"
        in open_engine(checkpoint, EngineOptions("openvino")).description
    )


@pytest.mark.parametrize("name", [name for name in ENGINES if name.startswith("openvino")])
def test_the_second_opening_builds_nothing_and_says_the_same(name, checkpoint, expected, kept, monkeypatch):
    first = play(open_named(checkpoint, name), [0], [expected[0]])
    assert kept() == [f"kokoro-decoder-{name.split('-')[1]}", "kokoro-prosody", "kokoro-text"]
    for module, part in ((graph_text, "text"), (graph_text, "prosody"), (graph_decoder, "decoder")):
        monkeypatch.setattr(module, part, lambda *_: pytest.fail("a graph was built"))
    second = play(open_named(checkpoint, name), [0], [expected[0]])
    for part, right in first.items():
        np.testing.assert_array_equal(second[part], right, err_msg=part)


def test_the_cache_keeps_few_rungs(checkpoint, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(synth_graphs, "BLOBS_KEPT", 2)

    def speak(*lengths):
        ladder = open_named(checkpoint, "openvino-float32").parts.runs["decoder"].graph
        for frames in lengths:
            ladder({"B": 1, "F": frames})
        assert kept() == ["kokoro-decoder-float32"] * 2 + ["kokoro-prosody", "kokoro-text"]
        return set((tmp_path / "cache" / "compiled").glob("kokoro-decoder-*"))

    first = speak(10, 70, 100)
    assert speak(100) == first  # all were used within the hour
    for path in first:
        made = path / "model.blob"
        os.utime(made, (made.stat().st_atime, made.stat().st_mtime - 2 * 3600))
    assert len(speak(100) - first) == 1


def test_int8_of_other_weights_is_refused(checkpoint, monkeypatch):
    monkeypatch.setattr(cpu, "detect", lambda: cpu.Cpu(known=True, bfloat16=False, int8=True, amx=False, amd=False))
    with pytest.raises(BadInput, match=r"measured for kokoro-82m only, and tiny has other.*allowed: auto, float32"):
        open_engine(checkpoint, EngineOptions("openvino", dtype="int8"))


def test_int8_without_vnni_is_refused(checkpoint, monkeypatch):
    monkeypatch.setattr(cpu, "detect", lambda: cpu.Cpu(known=True, bfloat16=False, int8=False, amx=False, amd=False))
    with pytest.raises(BadInput, match=r"VNNI.*allowed here: auto, float32"):
        open_engine(checkpoint, EngineOptions("openvino", dtype="int8"))


def test_int8_changes_no_layout(opened, expected):
    """Every convolution that has a range is an integer kernel, and nothing is turned or reordered on its account."""
    found, integer = {}, {}
    for name in ("openvino-bfloat16" if has_bfloat16() else "openvino-float32", "openvino-int8"):
        play(opened(name), [0], [expected[0]])
        (making, *_) = opened(name).parts.runs["decoder"].graph.graphs.values()
        layers = [
            {key: getattr(value, "value", value) for key, value in op.get_rt_info().items()}
            for op in making.result().compiled.model.get_runtime_model().get_ops()
        ]
        found[name] = Counter(layer["layerType"] for layer in layers)
        convolutions = [layer for layer in layers if layer["layerType"] == "Convolution"]
        integer[name] = sum(layer["primitiveType"].endswith("_I8") for layer in convolutions)
    before, after = found.values()
    assert list(integer.values()) == [0, 2 * 2 * (3 + 2 + 3)]  # two stages, pairs: blocks of 3 and 2, the source's of 3
    assert after["Convolution"] == before["Convolution"]
    assert after["Transpose"] == 0
    assert after["Reorder"] <= before["Reorder"]
    assert after["Subgraph"] <= before["Subgraph"] + 2
