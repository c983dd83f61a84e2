"""What the runtime makes of our graphs: guards of speed that count instead of timing."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.wav2vec2_sizes import SMALL, SMALL_LAYER

from sonant.engines import binder, cpu, ctc_flow, pages, quantize
from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino import runtime, seq2seq
from sonant.engines.engine_openvino.runtime import has_bfloat16
from sonant.kernels import best
from sonant.models.graph_builder import GraphBuilder
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.models.whisper import graph
from sonant.models.whisper.config import WhisperConfig
from sonant.weights.checkpoint import Checkpoint

BASE = WhisperConfig(512, 6, 6, 8, 8, 2048, 2048, 80, 51865)


@pytest.fixture(autouse=True)
def without_kernels(monkeypatch):
    monkeypatch.setattr(best, "find", lambda *_: None)  # they are no graphs


def kinds(compiled):
    """Layers of a compiled model by kind, constants aside."""
    found = Counter()
    for op in compiled.model.get_runtime_model().get_ops():
        kind = op.get_rt_info()["layerType"]
        found[getattr(kind, "value", kind)] += 1
    del found["Const"]
    return found


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_the_decoder_is_fused(tiny_whispers, dtype, tmp_path, monkeypatch):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path))
    if dtype == "bfloat16" and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16 arithmetic")
    checkpoint = tiny_whispers["multilingual"]
    engine = seq2seq.open(checkpoint, EngineOptions(dtype=dtype))
    layers, found = checkpoint.config["decoder_layers"], kinds(engine.decoder)
    assert found["ScaledDotProductAttention"] == layers  # self-attention with its cache in one kernel
    assert found["FullyConnected"] == 8 * layers + 1
    assert found["MatMul"] == 2 * layers  # cross-attention; its keys are neither transposed nor scaled
    assert found["Transpose"] <= 6 * layers  # of one token's queries, keys and values
    assert found["Reorder"] <= 10 * layers  # between bfloat16 and float32, of one token
    assert found.total() <= 50 * layers + 20


def test_the_encoder_is_fused(tiny_whispers):
    checkpoint = tiny_whispers["multilingual"]
    engine = seq2seq.open(checkpoint, EngineOptions(dtype="float32"))
    layers, crossed, found = (
        checkpoint.config["encoder_layers"],
        checkpoint.config["decoder_layers"],
        kinds(engine.encoder),
    )
    assert found["FullyConnected"] == 6 * layers + 2 * crossed
    assert found["MatMul"] == found["Softmax"] == 0  # attention is one kernel, softmax and all
    assert found["Reorder"] <= 2
    assert found["Eltwise"] == 0


@pytest.mark.skipif(not cpu.detect().int8, reason="this CPU has no VNNI")
@pytest.mark.parametrize("large", [False, True])
def test_an_int8_encoder_multiplies_whole_numbers(tiny_whispers, large, tmp_path, monkeypatch):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path))
    monkeypatch.setattr(runtime, "LARGE", 1 if large else runtime.LARGE)
    monkeypatch.setattr(seq2seq, "HEADS_AT_ONCE", 2)
    checkpoint = tiny_whispers["multilingual"]
    layers, crossed = checkpoint.config["encoder_layers"], checkpoint.config["decoder_layers"]
    encoder = seq2seq.open(checkpoint, EngineOptions(dtype="int8")).encoder
    found = kinds(encoder)
    joined = 2 * large  # queries, keys and values of a large one come from one product
    assert found["FullyConnected"] == (6 - joined) * layers + 2 * crossed
    assert found["Reduce"] == 4 * layers + 1  # each input's rows are measured once, whoever multiplies it
    types = [
        op.input_value(0).get_node().get_rt_info()["outputPrecisions"].value
        for op in encoder.model.get_runtime_model().get_ops()
        if op.get_rt_info()["layerType"].value == "FullyConnected"
    ]
    assert Counter(types) == {"i8": found["FullyConnected"] - layers, "u8": layers}  # u8 after GELU


@pytest.mark.skipif(not cpu.detect().int8, reason="this CPU has no VNNI")
def test_a_large_int8_encoder_attends_a_few_heads_at_a_time(tiny_whispers, tmp_path, monkeypatch):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path))
    monkeypatch.setattr(runtime, "LARGE", 1)
    monkeypatch.setattr(seq2seq, "HEADS_AT_ONCE", 2)
    checkpoint = tiny_whispers["multilingual"]
    layers, groups = checkpoint.config["encoder_layers"], checkpoint.config["encoder_attention_heads"] // 2
    found = kinds(seq2seq.open(checkpoint, EngineOptions(dtype="int8")).encoder)
    assert found["Softmax"] == groups * layers
    assert found["MatMul"] == 2 * groups * layers
    assert found["Subgraph"] == 0  # a fused kernel takes a megabyte
    assert found["Split"] == layers
    crossed = checkpoint.config["decoder_layers"]
    assert found["Transpose"] == 2 * layers + 2 * crossed  # keys go as they are into the product


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("size", [SMALL, SMALL_LAYER])
def test_the_feature_encoder_changes_no_layout(size, dtype, tmp_path):
    if dtype == "bfloat16" and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16 arithmetic")
    size = size | {"conv_dim": [512] * 7}  # few channels would get other layouts
    config, file = Wav2Vec2Config.from_hf(size), tmp_path / "model.safetensors"
    save_file(Wav2Vec2ForCTC(config).state_dict(), file)
    stored = ctc_flow.stored_tensors(Checkpoint("tiny", "wav2vec2", tmp_path, (file,), size), dtype)
    bound = runtime.read(ctc_flow.template(config, "front"), stored, "a test")
    compiled = runtime.compile_model(bound, runtime.plan(EngineOptions(dtype=dtype)).properties)
    found = kinds(compiled)
    assert found["Convolution"] == 7
    assert found["Transpose"] == 0
    rows = {op.get_friendly_name(): op for op in compiled.model.get_runtime_model().get_ops()}
    moved = [name for name, op in rows.items() if op.get_rt_info()["layerType"].value == "Reorder"]
    real = [name for name in moved if not name.endswith("_fake")]  # others name the same memory otherwise
    samples = bound.model.input("waveforms").shape[1]
    assert not [name for name in real if math.prod(rows[name].output(0).shape) > samples]


@pytest.mark.parametrize("stored", ["float16", "bfloat16"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_narrow_matrix_is_not_kept_as_float32_too(stored, dtype, tmp_path):
    if dtype == "bfloat16" and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16 arithmetic")
    builder = GraphBuilder("one", {"a.weight": (48, 32), "a.bias": (48,), "b.weight": (16, 48, 3)})
    sound = builder.linear(builder.input("sound", "float32", ("B", "F", 32)), "a")
    turned = builder.op("Transpose", sound, perm=[0, 2, 1])
    made = builder.op("Conv", turned, builder.weight("b.weight"), kernel_shape=[3])
    builder.output("made", made, "float32", ("B", 16, "F"))
    file = tmp_path / "model.safetensors"
    values = {key: torch.randn(shape).to(getattr(torch, stored)) for key, shape in builder.shapes.items()}
    save_file(values, file)
    plan = runtime.plan(EngineOptions(dtype=dtype))
    bound = runtime.read(builder.build(), pages.tensors_of([file]), "a test")
    compiled = runtime.compile_model(bound, plan.properties).model
    rows = [op.get_rt_info() for op in compiled.get_runtime_model().get_ops() if not op.inputs()]
    kept = Counter(row["outputPrecisions"].value for row in rows if row["layerType"].value == "Const")
    assert kept[{"float16": "f16", "bfloat16": "bf16"}[stored]] == 2
    sound = torch.randn(1, 40, 32)
    exact = sound @ values["a.weight"].float().T + values["a.bias"].float()
    exact = torch.nn.functional.conv1d(exact.mT, values["b.weight"].float()).numpy()
    (found,) = compiled([sound.numpy()]).values()
    assert np.linalg.norm(found - exact) < (1e-5 if dtype == "float32" else 0.01) * np.linalg.norm(exact)


def test_int8_matrices_stay_int8(tiny_whispers, tmp_path, monkeypatch):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path))
    engine = seq2seq.open(tiny_whispers["multilingual"], EngineOptions(dtype="int8"))
    for part in (engine.encoder, engine.decoder):
        kept = Counter()
        for op in part.model.get_runtime_model().get_ops():
            row = op.get_rt_info()
            if getattr(row["layerType"], "value", row["layerType"]) == "Const":
                shape = op.output(0).shape
                if len(shape) == 2 and min(shape) > 1:
                    kept[row["outputPrecisions"].value] += 1
        assert set(kept) == {"i8"}, kept


def test_bytes_that_a_token_reads():
    """Whisper base in int8: 46 MB of matrices a token, nothing of the encoder, the embedding table once."""
    template = graph.decoder(BASE)
    shapes = {key: tuple(row.dims) for key, row in binder.parameters(template).items()}
    matrices = quantize.matrices([template])
    assert sum(math.prod(shapes[key]) for key in matrices) == 51865 * 512 + 6 * (6 * 512 * 512 + 2 * 512 * 2048)
    assert all(len(shapes[key]) == 1 for key in shapes.keys() - set(matrices))
    assert not any(".encoder." in key or ("k_proj" in key and "encoder_attn" in key) for key in shapes)
