"""What is asked of an engine is checked before anything is fetched."""

import pytest

from sonant import api
from sonant.engines import choose
from sonant.engines.base import EngineOptions
from sonant.errors import BadInput, MissingExtra, UnknownName
from sonant.weights import store


@pytest.fixture
def unreachable(monkeypatch):
    """A store that must not be asked."""

    def resolve(*_, **__):
        raise AssertionError("a model was fetched before the options were checked")

    monkeypatch.setattr(store, "resolve", resolve)


@pytest.mark.parametrize("load", [api.load_tts, api.load_asr])
def test_names_are_checked_before_a_model_is_fetched(load, unreachable, monkeypatch):
    with pytest.raises(UnknownName, match=r"opnvino.*openvino"):
        load(engine="opnvino")
    with pytest.raises(BadInput, match=r"int7.*allowed: auto, float32"):
        load(dtype="int7")
    monkeypatch.setattr(choose, "available", lambda: ["fake"])
    with pytest.raises(MissingExtra, match=r"sonant\[torch\]"):
        load(engine="torch")
    with pytest.raises(MissingExtra, match="no engine is installed"):
        load()


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_speech_in_int8_is_refused_before_a_model_is_fetched(engine, unreachable):
    with pytest.raises(BadInput, match=r"no int8 for speech; allowed: auto, .*float32.*--engine openvino has it"):
        api.load_tts(engine=engine, dtype="int8")


@pytest.mark.parametrize(
    ("engine", "dtype", "has"),
    [
        ("openvino", "float16", "openvino engine has no float16 for recognition; .*int8; --engine torch has it"),
        ("onnxruntime", "bfloat16", "allowed: auto, float32, int8; --engine openvino has it"),
        ("torch", "int8", "allowed: auto, float32, bfloat16, float16; --engine openvino has it"),
    ],
)
def test_a_dtype_that_an_engine_lacks_is_refused_before_a_model_is_fetched(engine, dtype, has, unreachable):
    with pytest.raises(BadInput, match=has):
        api.load_asr("whisper-base", engine=engine, dtype=dtype)


def test_what_speech_has_is_what_its_engines_take():
    """The table of dtypes is the engines' own."""
    torch_runtime = pytest.importorskip("sonant.engines.engine_torch.runtime")
    assert set(choose.SPEECH_DTYPES["torch"]) == {"auto", *torch_runtime.DTYPES}
    for engine, dtypes in choose.SPEECH_DTYPES.items():
        for dtype in dtypes:
            choose.check(EngineOptions(engine, dtype=dtype), ("kokoro",))
    choose.check(EngineOptions("fake", dtype="int8"), ("kokoro",))
    choose.check(EngineOptions("onnxruntime", dtype="int8"), ("whisper", "wav2vec2"))
    with pytest.raises(BadInput, match="onnxruntime engine has no bfloat16 for speech; allowed: auto, float32"):
        choose.check(EngineOptions("onnxruntime", dtype="bfloat16"), ("kokoro",))
