"""Kokoro's keys in other spellings, into hexgrad's state-dict keys flattened with dots.

Canonical is the published state dict ("bert.*", "bert_encoder.*", "predictor.*", "text_encoder.*", "decoder.*") with

- weight normalisation kept apart (``weight_g``, ``weight_v``), as hexgrad stores it;
- without ``bert.pooler.*``: ALBERT's pooler takes no part in speech, and exports of the network don't hold it;
- without the affine part of InstanceNorm (``*.norm.weight`` = 1, ``*.norm.bias`` = 0): hexgrad/kokoro 0.9.4 creates it
  only to work around an exporter (comment in ``istftnet.AdaIN1d``); the published file doesn't have it. An importer
  refuses a checkpoint where it isn't the identity.

546 keys for Kokoro-82M. Pure tables: no tensors here.
Sources: hexgrad/kokoro 0.9.4 ``model.py``, ``modules.py``, ``istftnet.py`` (names); kokoro-onnx's files (node names).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from sonant.errors import UnsupportedCheckpoint

__all__ = [
    "PARTS",
    "canonical",
    "from_mlx",
    "from_onnx_initializer",
    "from_onnx_node",
    "is_identity_norm",
    "is_unused",
    "shapes",
]

PARTS = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")

_IDENTITY_NORM = re.compile(r".*\.(norm[12]|adain[12]\.\d+)\.norm\.(weight|bias)")
_PARAMETRIZED = re.compile(r"(.*)\.parametrizations\.weight\.original([01])")
_REPEAT = re.compile(r"_\d+$")  # the exporter counts calls of a shared layer: query, query_1, ...


def canonical(part: str, key: str) -> str:
    """The flat key of ``key`` in the nested archive's dictionary ``part``.

    hexgrad's archive holds one state dict a part, each key with the "module." of data-parallel training before it.
    Newer torch spells weight_g and weight_v "parametrizations.weight.original0" and "1".

    Raises:
        UnsupportedCheckpoint: Kokoro has no such part.
    """
    if part not in PARTS:
        raise UnsupportedCheckpoint(f"part {part!r} belongs to no Kokoro; it has {', '.join(PARTS)}")
    key = key.removeprefix("module.")
    if match := _PARAMETRIZED.fullmatch(key):
        key = f"{match[1]}.weight_{'gv'[int(match[2])]}"
    return f"{part}.{key}"


def is_unused(key: str) -> bool:
    """Whether a canonical key takes no part in speech: the pooler, and ALBERT's table of position numbers."""
    return key.startswith("bert.pooler.") or key == "bert.embeddings.position_ids"


def is_identity_norm(key: str) -> bool:
    """Whether a key is the affine part of an InstanceNorm, which must be 1 (weight) or 0 (bias)."""
    return _IDENTITY_NORM.fullmatch(key) is not None


def from_mlx(key: str) -> str:
    """The canonical key of mlx-community/Kokoro-82M-bf16's spelling.

    That file keeps hexgrad's names but for the recurrent layers ("Wx_forward") and LayerNorm's weight and bias.
    """
    key = _MLX_LSTM.sub(lambda m: f"{m[1]}.{_MLX_LSTM_NAMES[m[2]]}{'_reverse' if m[3] == 'backward' else ''}", key)
    if match := re.fullmatch(r"(text_encoder\.cnn\.\d+\.1)\.(weight|bias)", key):
        key = f"{match[1]}.{'gamma' if match[2] == 'weight' else 'beta'}"
    part, _, rest = key.partition(".")
    return canonical(part, rest)


_MLX_LSTM = re.compile(r"(.*)\.(Wx|Wh|bias_ih|bias_hh)_(forward|backward)")
_MLX_LSTM_NAMES = {"Wx": "weight_ih_l0", "Wh": "weight_hh_l0", "bias_ih": "bias_ih_l0", "bias_hh": "bias_hh_l0"}


def from_onnx_initializer(name: str) -> str | None:
    """The canonical key behind an initializer of kokoro-onnx's files, None for one that isn't named after a module.

    "encoder.predictor.F0.0.conv1.bias" -> "predictor.F0.0.conv1.bias"; "decoder.decoder.x" -> "decoder.x".
    """
    outer, _, rest = name.partition(".")
    part, _, key = rest.partition(".")
    if outer not in ("encoder", "decoder") or part not in PARTS or ".stft." in rest:
        return None
    return canonical(part, key)


def from_onnx_node(name: str) -> str:
    """The module behind a node of kokoro-onnx's files, canonically spelled.

    "/encoder/text_encoder/cnn.0/cnn.0.0/Conv_quant" -> "text_encoder.cnn.0.0"; a module inside a list repeats the
    list's name. The prosody predictor's parts stand directly under "/encoder".

    Raises:
        UnsupportedCheckpoint: the path leads to no part of Kokoro.
    """
    path = [_REPEAT.sub("", step) for step in name.strip("/").split("/")[:-1]]
    if len(path) > 1 and path[0] in ("encoder", "decoder"):
        if path[0] == "encoder" and path[1] not in PARTS:
            path[0] = "predictor"
        else:
            path = path[1:]
    steps: list[str] = []
    for step in path:
        if steps and step.startswith(steps[-1] + "."):
            steps.pop()
        steps.append(step)
    if not steps or steps[0] not in PARTS:
        raise UnsupportedCheckpoint(f"node {name!r} belongs to no part of Kokoro")
    return ".".join(steps)


def shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every canonical key with its shape, for a Kokoro with this config.json (hexgrad's fields).

    Raises:
        UnsupportedCheckpoint: a field of the config is missing.
    """
    try:
        table = _Shapes(config["style_dim"])
        _bert(table, config["plbert"], config["n_token"])
        table.linear("bert_encoder", config["plbert"]["hidden_size"], config["hidden_dim"])
        _predictor(table, config["hidden_dim"], config["n_layer"], config["max_dur"])
        _text_encoder(table, config)
        _decoder(table, config["hidden_dim"], config["istftnet"])
    except KeyError as error:
        raise UnsupportedCheckpoint(f"Kokoro's config.json lacks the field {error.args[0]!r}") from None
    return table.shapes


class _Shapes:
    """Collects the parameters of layers, named as torch names them."""

    def __init__(self, style_dim: int) -> None:
        self.style_dim = style_dim
        self.shapes: dict[str, tuple[int, ...]] = {}

    def linear(self, name: str, inputs: int, outputs: int) -> None:
        self.shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

    def norm(self, name: str, size: int, weight: str = "weight", bias: str = "bias") -> None:
        self.shapes |= {f"{name}.{weight}": (size,), f"{name}.{bias}": (size,)}

    def conv(self, name: str, inputs: int, outputs: int, kernel: int) -> None:
        self.shapes |= {f"{name}.weight": (outputs, inputs, kernel), f"{name}.bias": (outputs,)}

    def normed_conv(self, name: str, weight: tuple[int, int, int], bias: int) -> None:
        """A convolution with weight normalisation; ``bias`` 0 means none."""
        self.shapes |= {f"{name}.weight_g": (weight[0], 1, 1), f"{name}.weight_v": weight}
        if bias:
            self.shapes[f"{name}.bias"] = (bias,)

    def lstm(self, name: str, inputs: int, hidden: int) -> None:
        for suffix in ("", "_reverse"):
            self.shapes |= {
                f"{name}.weight_ih_l0{suffix}": (4 * hidden, inputs),
                f"{name}.weight_hh_l0{suffix}": (4 * hidden, hidden),
                f"{name}.bias_ih_l0{suffix}": (4 * hidden,),
                f"{name}.bias_hh_l0{suffix}": (4 * hidden,),
            }

    def residual(self, name: str, inputs: int, outputs: int, upsample: bool = False) -> None:
        """``AdainResBlk1d``: two convolutions with styled norms, a 1x1 shortcut where the width changes."""
        self.linear(f"{name}.norm1.fc", self.style_dim, 2 * inputs)
        self.linear(f"{name}.norm2.fc", self.style_dim, 2 * outputs)
        self.normed_conv(f"{name}.conv1", (outputs, inputs, 3), outputs)
        self.normed_conv(f"{name}.conv2", (outputs, outputs, 3), outputs)
        if inputs != outputs:
            self.normed_conv(f"{name}.conv1x1", (outputs, inputs, 1), 0)
        if upsample:
            self.normed_conv(f"{name}.pool", (inputs, 1, 3), inputs)

    def snake(self, name: str, channels: int, kernel: int, count: int = 3) -> None:
        """``AdaINResBlock1``: pairs of convolutions, each with a styled norm and a snake activation's alpha."""
        for i in range(count):
            for n in (1, 2):
                self.linear(f"{name}.adain{n}.{i}.fc", self.style_dim, 2 * channels)
                self.normed_conv(f"{name}.convs{n}.{i}", (channels, channels, kernel), channels)
                self.shapes[f"{name}.alpha{n}.{i}"] = (1, channels, 1)


def _bert(table: _Shapes, plbert: Mapping[str, Any], n_token: int) -> None:
    embedding = plbert.get("embedding_size", 128)  # AlbertConfig's default
    hidden, inner = plbert["hidden_size"], plbert["intermediate_size"]
    table.shapes |= {
        "bert.embeddings.word_embeddings.weight": (n_token, embedding),
        "bert.embeddings.position_embeddings.weight": (plbert["max_position_embeddings"], embedding),
        "bert.embeddings.token_type_embeddings.weight": (plbert.get("type_vocab_size", 2), embedding),
    }
    table.norm("bert.embeddings.LayerNorm", embedding)
    table.linear("bert.encoder.embedding_hidden_mapping_in", embedding, hidden)
    layer = "bert.encoder.albert_layer_groups.0.albert_layers.0"  # one layer, shared by all depths
    for name in ("query", "key", "value", "dense"):
        table.linear(f"{layer}.attention.{name}", hidden, hidden)
    table.norm(f"{layer}.attention.LayerNorm", hidden)
    table.norm(f"{layer}.full_layer_layer_norm", hidden)
    table.linear(f"{layer}.ffn", hidden, inner)
    table.linear(f"{layer}.ffn_output", inner, hidden)


def _predictor(table: _Shapes, hidden: int, layers: int, max_dur: int) -> None:
    wide, half = hidden + table.style_dim, hidden // 2
    for i in range(layers):
        table.lstm(f"predictor.text_encoder.lstms.{2 * i}", wide, half)
        table.linear(f"predictor.text_encoder.lstms.{2 * i + 1}.fc", table.style_dim, 2 * hidden)
    table.lstm("predictor.lstm", wide, half)
    table.lstm("predictor.shared", wide, half)
    table.linear("predictor.duration_proj.linear_layer", hidden, max_dur)
    for curve in ("F0", "N"):
        table.residual(f"predictor.{curve}.0", hidden, hidden)
        table.residual(f"predictor.{curve}.1", hidden, half, upsample=True)
        table.residual(f"predictor.{curve}.2", half, half)
        table.conv(f"predictor.{curve}_proj", half, 1, 1)


def _text_encoder(table: _Shapes, config: Mapping[str, Any]) -> None:
    hidden, kernel = config["hidden_dim"], config["text_encoder_kernel_size"]
    table.shapes["text_encoder.embedding.weight"] = (config["n_token"], hidden)
    for i in range(config["n_layer"]):
        table.normed_conv(f"text_encoder.cnn.{i}.0", (hidden, hidden, kernel), hidden)
        table.norm(f"text_encoder.cnn.{i}.1", hidden, "gamma", "beta")
    table.lstm("text_encoder.lstm", hidden, hidden // 2)


_HARMONICS = 9  # the fundamental and 8 overtones, fixed in istftnet.Generator


def _decoder(table: _Shapes, hidden: int, net: Mapping[str, Any]) -> None:
    wide, beside = 2 * hidden, hidden // 8  # numbers in istftnet.Decoder: 1024 and 64, beside a hidden width of 512
    inner = wide + 2 + beside  # 2: the F0 and energy curves
    table.residual("decoder.encode", hidden + 2, wide)
    for i in range(3):
        table.residual(f"decoder.decode.{i}", inner, wide)
    table.residual("decoder.decode.3", inner, hidden, upsample=True)
    table.normed_conv("decoder.F0_conv", (1, 1, 3), 1)
    table.normed_conv("decoder.N_conv", (1, 1, 3), 1)
    table.normed_conv("decoder.asr_res.0", (beside, hidden, 1), beside)
    _generator(table, net)


def _generator(table: _Shapes, net: Mapping[str, Any]) -> None:
    prefix, bins = "decoder.generator.", net["gen_istft_n_fft"] + 2
    rates, kernels = net["upsample_rates"], net["resblock_kernel_sizes"]
    channels = net["upsample_initial_channel"]
    table.linear(prefix + "m_source.l_linear", _HARMONICS, 1)
    for i, kernel in enumerate(net["upsample_kernel_sizes"]):
        table.normed_conv(f"{prefix}ups.{i}", (channels, channels // 2, kernel), channels // 2)
        channels //= 2
        rest = math.prod(rates[i + 1 :])
        last = i + 1 == len(rates)
        table.conv(f"{prefix}noise_convs.{i}", bins, channels, 1 if last else 2 * rest)
        table.snake(f"{prefix}noise_res.{i}", channels, 11 if last else 7)
        for j, size in enumerate(kernels):
            dilations = net["resblock_dilation_sizes"][j]
            table.snake(f"{prefix}resblocks.{i * len(kernels) + j}", channels, size, len(dilations))
    table.normed_conv(prefix + "conv_post", (bins, channels, 7), bins)
