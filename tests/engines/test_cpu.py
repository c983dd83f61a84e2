"""What "auto" means on CPUs that this machine isn't."""

import pytest

from sonant.engines import cpu, own_kernels
from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino import runtime
from sonant.errors import BadInput
from sonant.kernels import best, instructions

HASWELL = frozenset({"avx2", "fma", "f16c"})
ALDER_LAKE = HASWELL | {"avx_vnni"}
CASCADE_LAKE = HASWELL | {"avx512f", "avx512bw", "avx512_vnni"}
COOPER_LAKE = CASCADE_LAKE | {"avx512_bf16"}
ZEN_4 = COOPER_LAKE | {"sse4a"}
SAPPHIRE_RAPIDS = COOPER_LAKE | {"avx_vnni", "amx_bf16", "amx_int8"}


@pytest.fixture(autouse=True)
def unlimited(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)


@pytest.mark.parametrize(
    ("flags", "limit", "encoder"),
    [
        (HASWELL, "", "float32"),
        (ALDER_LAKE, "", "int8"),
        (ALDER_LAKE, "AVX2", "float32"),
        (CASCADE_LAKE, "", "int8"),
        (ZEN_4, "", "int8"),
        (SAPPHIRE_RAPIDS, "", "bfloat16"),
        (SAPPHIRE_RAPIDS, "AVX512_CORE_BF16", "int8"),
        (SAPPHIRE_RAPIDS, "avx512_core", "float32"),
        (SAPPHIRE_RAPIDS, "AVX2", "float32"),
        (SAPPHIRE_RAPIDS, "AVX2_VNNI", "int8"),
        (SAPPHIRE_RAPIDS, "DEFAULT", "bfloat16"),
        (None, "", "float32"),
    ],
)
def test_whisper(monkeypatch, flags, limit, encoder):
    monkeypatch.setattr(instructions, "_flags", lambda: flags)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    chosen = cpu.whisper_dtypes()
    assert (chosen.encoder, chosen.decoder) == (encoder, "int8")
    assert chosen.reason


@pytest.mark.parametrize(
    ("machine", "flags", "limit", "levels"),
    [
        ("x86_64", HASWELL, "", ["avx2"]),
        ("x86_64", ALDER_LAKE, "", ["avx2-vnni", "avx2"]),
        ("x86_64", ALDER_LAKE, "AVX2", ["avx2"]),
        ("x86_64", CASCADE_LAKE, "", ["avx512-vnni", "avx512", "avx2"]),
        ("x86_64", SAPPHIRE_RAPIDS, "", ["amx", "avx512-vnni", "avx512", "avx2-vnni", "avx2"]),
        ("x86_64", SAPPHIRE_RAPIDS, "AVX2", ["avx2"]),
        ("x86_64", SAPPHIRE_RAPIDS, "AVX512_CORE", ["avx512", "avx2-vnni", "avx2"]),
        ("x86_64", SAPPHIRE_RAPIDS, "SSE41", []),
        ("x86_64", HASWELL | {"avx512f"}, "", ["avx2"]),  # Xeon Phi
        ("x86_64", frozenset({"avx2"}), "", []),  # without multiply-and-add
        ("x86_64", None, "", []),
        ("aarch64", None, "", ["neon"]),
        ("arm64", None, "", ["neon"]),
    ],
)
def test_kernels(monkeypatch, machine, flags, limit, levels):
    monkeypatch.setattr(instructions.platform, "machine", lambda: machine)
    monkeypatch.setattr(instructions, "_flags", lambda: flags)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert instructions.levels() == levels


@pytest.mark.parametrize(
    ("flags", "dtype", "speech"),
    [
        (HASWELL, "int16", "int16"),
        (COOPER_LAKE, "int16", "int16"),
        (ZEN_4, "bfloat16", "int16"),
        (None, "float32", "float32"),
    ],
)
def test_own_kernels(monkeypatch, flags, dtype, speech):
    monkeypatch.setattr(instructions, "_flags", lambda: flags)
    monkeypatch.setattr(
        best, "open_level", lambda level: best.Library(level, 16, frozenset({"float32", "int16"}), None)
    )
    found, reason = own_kernels.auto_dtype()
    assert (found, own_kernels.speech_dtype()[0]) == (dtype, speech)
    assert reason
    monkeypatch.setattr(best, "open_level", lambda level: best.Library(level, 16, frozenset({"float32"}), None))
    slow = dtype.replace("int16", "float32")  # no faster
    assert own_kernels.auto_dtype()[0] == own_kernels.speech_dtype()[0] == slow
    tiles = frozenset({"float32", "int16", "bfloat16"})
    monkeypatch.setattr(best, "open_level", lambda level: best.Library(level, 16, tiles, None))
    assert own_kernels.speech_dtype()[0] == dtype


def test_bytes_for_whispers_encoder_where_there_are_tiles(monkeypatch):
    monkeypatch.setattr(instructions, "_flags", lambda: SAPPHIRE_RAPIDS)
    for dtypes, encoder in (({"float32", "int16", "bfloat16", "int8"}, "int8"), ({"float32", "int16"}, "bfloat16")):
        known = frozenset(dtypes)
        monkeypatch.setattr(best, "open_level", lambda level, known=known: best.Library(level, 32, known, None))
        chosen = own_kernels.whisper_dtypes(384)
        assert (chosen.encoder, chosen.decoder) == (encoder, "int8")
        assert chosen.reason


@pytest.mark.parametrize(
    ("flags", "small", "large"),
    [
        (HASWELL, "int16", "int16"),
        (ALDER_LAKE, "int16", "int8"),
        (CASCADE_LAKE, "int16", "int8"),
        (ZEN_4, "int16", "int8"),
        (None, "float32", "float32"),
    ],
)
def test_whispers_encoder_without_tiles(monkeypatch, flags, small, large):
    monkeypatch.setattr(instructions, "_flags", lambda: flags)
    whole = frozenset({"float32", "int16"})
    monkeypatch.setattr(best, "open_level", lambda level: best.Library(level, 16, whole, None))
    for channels, encoder in ((384, small), (768, small), (1024, large), (1280, large)):
        chosen = own_kernels.whisper_dtypes(channels)
        assert (chosen.encoder, chosen.decoder) == (encoder, "int8")


def test_bfloat16_only_where_it_is_arithmetic(monkeypatch):
    monkeypatch.setattr(instructions, "_flags", lambda: CASCADE_LAKE)
    assert cpu.auto_dtype()[0] == runtime.plan(EngineOptions()).dtype == "float32"
    with pytest.raises(BadInput, match="no bfloat16"):
        runtime.plan(EngineOptions(dtype="bfloat16"))
    monkeypatch.setattr(instructions, "_flags", lambda: ZEN_4)
    assert cpu.auto_dtype()[0] == runtime.plan(EngineOptions()).dtype == "bfloat16"
    monkeypatch.setattr(instructions, "_flags", lambda: COOPER_LAKE)
    assert cpu.auto_dtype()[0] == runtime.plan(EngineOptions()).dtype == "float32"  # it may still be asked for
    assert runtime.plan(EngineOptions(dtype="bfloat16")).dtype == "bfloat16"


def test_activations_are_quantised_only_where_onednn_may(monkeypatch):
    group = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
    monkeypatch.setattr(instructions, "_flags", lambda: ZEN_4)
    assert runtime.plan(EngineOptions(dtype="int8"), 512).properties[group] == 512
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    plan = runtime.plan(EngineOptions(dtype="int8"), 512)
    assert plan.properties[group] == 0
    assert plan.activations == "float32"


def test_what_this_engine_lacks_is_said():
    with pytest.raises(BadInput, match="allowed: auto, float32, bfloat16, int8"):
        runtime.plan(EngineOptions(dtype="float16"))
    with pytest.raises(BadInput, match="runs on the CPU"):
        runtime.plan(EngineOptions(device="cuda"))
