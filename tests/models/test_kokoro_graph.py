"""What Kokoro's templates are made of: guards that no timing can shake."""

from collections import Counter

import numpy as np
import pytest

from sonant.engines import binder
from sonant.errors import UnsupportedCheckpoint
from sonant.models.kokoro import dress, fold, graph_decoder, graph_layers, graph_text, names
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.form import Form

PUBLISHED = {
    "hidden_dim": 512,
    "style_dim": 128,
    "n_token": 178,
    "n_layer": 3,
    "max_dur": 50,
    "text_encoder_kernel_size": 5,
    "plbert": {
        "hidden_size": 768,
        "num_attention_heads": 12,
        "intermediate_size": 2048,
        "max_position_embeddings": 512,
        "num_hidden_layers": 12,
        "dropout": 0.1,
    },
    "istftnet": {
        "upsample_rates": [10, 6],
        "upsample_kernel_sizes": [20, 12],
        "upsample_initial_channel": 512,
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5]] * 3,
        "gen_istft_n_fft": 20,
        "gen_istft_hop_size": 5,
    },
}
CONFIG = KokoroConfig.from_hexgrad(PUBLISHED)
SHAPES = fold.derived_shapes(names.shapes(PUBLISHED))
FAST = Form(channels_last=True, dressed=True)
BUILDERS = {"text": graph_text.text, "prosody": graph_text.prosody, "decoder": graph_decoder.decoder}


def built(part, form):
    return BUILDERS[part](CONFIG, SHAPES, form)


def kinds(part, form=FAST):
    return Counter(node.op_type for node in built(part, form).graph.node)


def test_every_parameter_is_read_by_some_part():
    read = set()
    for part in BUILDERS:
        read |= set(binder.parameters(built(part, Form())))
    derived = {key.rpartition(".")[0] for key in read if key.endswith((".scale", ".eps", ".sign"))}
    lstms = {key.rpartition(".")[0].rpartition(".")[0] for key in read if key.endswith((".W", ".R", ".B"))}
    unread = {key for key in names.shapes(PUBLISHED) if key not in read}
    unread -= {f"{name}.weight_g" for name in derived}
    unread = {key for key in unread if key.rpartition(".")[0] not in lstms}
    # a bias before an instance normalisation does nothing; the excitation is NumPy's
    assert {key for key in unread if not _undone(key)} == {
        "decoder.generator.m_source.l_linear.weight",
        "decoder.generator.m_source.l_linear.bias",
    }


def _undone(key):
    return key.endswith(".conv1.bias") or (".convs1." in key and key.endswith(".bias"))


def test_convolutions_read_the_checkpoints_own_numbers():
    read = binder.parameters(built("decoder", FAST))
    ours = sum(np.prod(row.dims) for key, row in read.items() if key not in names.shapes(PUBLISHED))
    total = sum(np.prod(row.dims) for row in read.values())
    assert ours / total < 0.11  # all but the two transposed convolutions, and vectors


def test_the_fast_form_has_nothing_that_cannot_be_fused():
    nodes = kinds("decoder")
    assert nodes["Sin"] == nodes["ConvTranspose"] == nodes["Gemm"] == nodes["MatMul"] == 0
    assert nodes["Round"] == 48  # one a snake
    assert nodes["Conv"] == 71
    assert nodes["Transpose"] == 2 * nodes["Conv"] - 1  # two convolutions hear the source
    # mean and variance of every AdaIN; the three blocks of a stage share their first
    assert nodes["ReduceSum"] == 2 * (58 - 4)


def test_the_plain_form_keeps_the_nodes_few():
    nodes = kinds("decoder", Form(dressed=True))
    assert nodes["Sin"] == 48
    assert nodes["Transpose"] == 4  # text, source, dressing, spectra
    assert nodes["ConvTranspose"] == 3


def test_without_padding_there_is_no_mask():
    template = built("decoder", Form(channels_last=True, masked=False, dressed=True))
    assert "lengths" not in {row.name for row in template.graph.input}
    assert not {"Range", "Less"} & {node.op_type for node in template.graph.node}


@pytest.mark.parametrize("part", BUILDERS)
def test_templates_are_small_and_hold_no_numbers(part):
    template = built(part, FAST)
    assert template.ByteSize() < 300_000
    assert all(np.prod(row.dims) <= 2048 for row in template.graph.initializer if row.raw_data)


def test_the_polynomial_is_the_sine():
    fraction = np.linspace(-0.5, 0.5, 100_001)
    square = fraction**2
    value = np.zeros_like(square)
    for factor in reversed(graph_layers.SINE_SQUARED):
        value = value * square + factor
    assert np.abs(value * square - np.sin(np.pi * fraction) ** 2).max() < 5e-7


def test_styles_dress_every_adain_of_a_part():
    assert len(dress.dressed_keys(SHAPES, "decoder.")) == 58
    assert len(dress.dressed_keys(SHAPES, "predictor.")) == 12
    assert dress.convolution_before("decoder.encode.norm2") == "decoder.encode.conv1"
    assert dress.convolution_before("decoder.encode.norm1") is None
    assert dress.convolution_before("x.resblocks.3.adain2.1") == "x.resblocks.3.convs1.1"
    assert dress.convolution_before("x.resblocks.3.adain1.1") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"upsample_rates": [10, 5], "upsample_kernel_sizes": [20, 10]}, "must be even"),
        ({"upsample_kernel_sizes": [20, 11]}, "twice"),
        ({"gen_istft_hop_size": 4}, "must be 4 x"),
        ({"upsample_initial_channel": 256}, "must be hidden_dim"),
    ],
)
def test_a_generator_that_we_cannot_build_is_refused(change, words):
    with pytest.raises(UnsupportedCheckpoint, match=words):
        KokoroConfig.from_hexgrad(PUBLISHED | {"istftnet": PUBLISHED["istftnet"] | change})


def test_a_config_without_a_field_is_refused():
    with pytest.raises(UnsupportedCheckpoint, match="max_dur"):
        KokoroConfig.from_hexgrad({key: value for key, value in PUBLISHED.items() if key != "max_dur"})


def test_the_torch_network_has_these_keys_and_shapes():
    torch = pytest.importorskip("torch")
    from sonant.models.kokoro.net_torch import Kokoro

    with torch.device("meta"):
        net = Kokoro(CONFIG)
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == names.shapes(PUBLISHED)
