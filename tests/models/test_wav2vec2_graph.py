"""The graph of the wav2vec 2.0 family has the parameters of the network, and no more ops than it needs."""

import collections

import numpy as np
import onnx
import pytest

from sonant.models.wav2vec2 import fold
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.graph import front, position, recogniser, shapes
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.weights.tensors import of_array

BASE = Wav2Vec2Config()
LARGE = Wav2Vec2Config(
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    intermediate_size=4096,
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
    conv_bias=True,
)


@pytest.mark.parametrize("config", [BASE, LARGE, Wav2Vec2Config(adapter_attn_dim=16, feat_extract_norm="layer")])
def test_parameters_are_those_of_the_network(config):
    import torch

    with torch.device("meta"):
        state = Wav2Vec2ForCTC(config).state_dict()
    expected = {key: tuple(value.shape) for key, value in state.items() if key != "wav2vec2.masked_spec_embed"}
    assert shapes(config) == expected


@pytest.mark.parametrize("config", [BASE, LARGE])
def test_the_graphs_are_valid_lean_and_read_every_parameter(config):
    made = [front(config, 50), position(config, 100), recogniser(config)]
    ops, waiting = collections.Counter(), set()
    for model in made:
        onnx.shape_inference.infer_shapes(model, strict_mode=True)
        ops += collections.Counter(node.op_type for node in model.graph.node)
        waiting |= {r.name for r in model.graph.initializer if r.data_location == onnx.TensorProto.EXTERNAL}
    assert [dim.dim_param or dim.dim_value for dim in made[2].graph.output[0].type.tensor_type.shape.dim][2] == 32
    layers = config.num_hidden_layers
    assert ops["Attention"] == layers
    assert ops["MatMul"] == 6 * layers + 2
    assert ops["Conv"] == 8
    assert ops["Transpose"] <= 4 * layers + (6 * layers + 2) + 20
    folded = {key for key in shapes(config) if ".parametrizations." in key}  # into one weight
    if config.feat_extract_norm == "group":  # into an input
        folded |= {key for key in shapes(config) if "conv_layers.0.layer_norm" in key}
    assert waiting == set(shapes(config)) - folded | {f"{fold.POSITION}.weight"}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_the_group_norm_follows_from_the_frames_alone(bias, offset, monkeypatch):
    import torch

    monkeypatch.setattr(fold, "STEPS", 700)
    torch.manual_seed(0)
    convolve, norm = torch.nn.Conv1d(1, 16, 10, 5, bias=bias), torch.nn.GroupNorm(16, 16)
    torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
    tensors = {f"conv.{key}": value for key, value in convolve.state_dict().items()}
    tensors |= {f"layer_norm.{key}": value for key, value in norm.state_dict().items()}
    stored = {f"{fold.FIRST}.{key}": of_array(key, value.numpy()) for key, value in tensors.items()}
    samples = torch.randn(16_003) + offset
    with torch.no_grad():
        made = convolve(samples[None, None])
        expected = norm.double()(made.double()).numpy()
    sides = fold.FirstNorm(Wav2Vec2Config(conv_bias=bias), stored).of(samples.numpy())
    found = made.numpy() * sides["scale"] + sides["shift"]
    np.testing.assert_allclose(found, expected, atol=1e-5 if not offset else 1e-3)  # float32 sums of 10 x 50


def test_silence_has_a_group_norm_too():
    stored = {
        f"{fold.FIRST}.{key}": of_array(key, np.ones(shape, np.float32))
        for key, shape in (("conv.weight", (4, 1, 10)), ("layer_norm.weight", (4,)), ("layer_norm.bias", (4,)))
    }
    sides = fold.FirstNorm(Wav2Vec2Config(), stored).of(np.full(400, 0.1, np.float32))
    np.testing.assert_allclose(sides["scale"] + sides["shift"], 1.0, atol=1e-3)  # one is what the filters make of it


def test_states_leave_the_graph_only_where_asked():
    assert [value.name for value in recogniser(BASE).graph.output] == ["log_probs"]
    model = recogniser(BASE, states=(0, 12))
    assert [value.name for value in model.graph.output] == ["state_0", "state_12"]
