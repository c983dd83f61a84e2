"""The wav2vec 2.0 network as an ONNX template built from a config; the same rules as ``net_torch``.

Legend: B utterances, N samples, F frames, D width, H heads, E head size, A adapter width, L layers, V symbols.

What the shape of the graph is for:
- rows are heard apart, so there is no padding and no mask: the runtimes then fuse attention;
- what comes before the layers has graphs of its own with fixed shapes, which hear a piece at a time: OpenVINO then
  changes no layout between the convolutions, and the first of them, 15 MB for each second, never lie in memory whole;
- adapters and heads of languages are inputs, so that switching one copies nothing and a batch may mix them;
- hidden states leave the graph only where they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx

from sonant.models.graph_builder import GraphBuilder
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.fold import FOLDED_PARTS, GROUP_NORM_EPS, POSITION

__all__ = ["classifier", "front", "position", "recogniser", "shapes"]


def shapes(config: Wav2Vec2Config) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the parameters that recognition reads."""
    width, inner = config.hidden_size, config.intermediate_size
    found: dict[str, tuple[int, ...]] = {}

    def linear(key: str, inputs: int, outputs: int) -> None:
        found[f"{key}.weight"], found[f"{key}.bias"] = (outputs, inputs), (outputs,)

    def norm(key: str, size: int) -> None:
        found[f"{key}.weight"] = found[f"{key}.bias"] = (size,)

    channels = 1
    for index, (size, kernel) in enumerate(zip(config.conv_dim, config.conv_kernel, strict=True)):
        key = f"wav2vec2.feature_extractor.conv_layers.{index}"
        found[f"{key}.conv.weight"] = (size, channels, kernel)
        if config.conv_bias:
            found[f"{key}.conv.bias"] = (size,)
        if config.feat_extract_norm == "layer" or index == 0:
            norm(f"{key}.layer_norm", size)
        channels = size
    norm("wav2vec2.feature_projection.layer_norm", channels)
    linear("wav2vec2.feature_projection.projection", channels, width)
    key, kernel = "wav2vec2.encoder.pos_conv_embed.conv", config.num_conv_pos_embeddings
    found[f"{key}.bias"] = (width,)
    found[f"{key}.parametrizations.weight.original0"] = (1, 1, kernel)
    found[f"{key}.parametrizations.weight.original1"] = (width, width // config.num_conv_pos_embedding_groups, kernel)
    norm("wav2vec2.encoder.layer_norm", width)
    for layer in range(config.num_hidden_layers):
        key = f"wav2vec2.encoder.layers.{layer}"
        for part in ("q", "k", "v", "out"):
            linear(f"{key}.attention.{part}_proj", width, width)
        norm(f"{key}.layer_norm", width)
        linear(f"{key}.feed_forward.intermediate_dense", width, inner)
        linear(f"{key}.feed_forward.output_dense", inner, width)
        norm(f"{key}.final_layer_norm", width)
        if config.adapter_attn_dim:
            norm(f"{key}.adapter_layer.norm", width)
            linear(f"{key}.adapter_layer.linear_1", width, config.adapter_attn_dim)
            linear(f"{key}.adapter_layer.linear_2", config.adapter_attn_dim, width)
    if config.head == "ctc":
        linear("lm_head", width, config.vocab_size)
    elif config.head == "classifier":
        linear("projector", width, config.classifier_proj_size)
        linear("classifier", config.classifier_proj_size, len(config.labels))
    elif config.head == "pretraining":  # the units alone; the contrastive heads are for training
        linear("quantizer.weight_proj", channels, config.num_codevector_groups * config.num_codevectors_per_group)
    return found


def recogniser(
    config: Wav2Vec2Config, *, languages: bool = False, states: Sequence[int] | None = None
) -> onnx.ModelProto:
    """The layers: from ``front`` and ``position`` together to log-probabilities, or to hidden states.

    Inputs: ``hidden`` (B, F, D) float32; with ``languages`` the parts of one language's adapter that
    ``fold.folded_adapter`` makes, and ``head_weight`` (V, D), ``head_bias`` (V,).
    Outputs: ``log_probs`` (B, F, V), or ``state_N`` (B, F, D) for the layers in ``states``.
    """
    graph = GraphBuilder("wav2vec2", shapes(config))
    hidden = _heard(graph, config, states or (), languages)
    if states is None:
        logits = _language_head(graph, config, hidden) if languages else graph.linear(hidden, "lm_head")
        symbols: int | str = "V" if languages else config.vocab_size
        graph.output("log_probs", graph.op("LogSoftmax", logits, axis=2), "float32", ("B", "F", symbols))
    return graph.build()


def front(config: Wav2Vec2Config, frames: int) -> onnx.ModelProto:
    """The feature encoder at ``frames`` places, and what first reads it: the projection, or the quantiser's units.

    Inputs: ``waveforms`` (1, samples of so many frames) float32; where the first convolution has a group norm,
    ``scale`` and ``shift`` (1, C, 1) float32, which ``fold.FirstNorm`` makes of the whole utterance.
    Output: ``hidden`` (1, frames, D) float32. With the head "pretraining" also ``units`` (1, frames, G) int64: what
    the quantiser picks for each frame (Baevski et al. 2020, section 2, without the Gumbel noise).
    """
    graph = GraphBuilder("wav2vec2-front", shapes(config))
    samples = (frames - 1) * config.samples_per_frame + config.receptive_field
    hidden, norm = graph.input("waveforms", "float32", (1, samples)), None
    if config.feat_extract_norm == "group":
        sides = [graph.input(name, "float32", (1, config.conv_dim[0], 1)) for name in ("scale", "shift")]
        norm = sides[0], sides[1]
    hidden = _feature_encoder(graph, config, hidden, norm)
    made = graph.layer_norm(hidden, "wav2vec2.feature_projection.layer_norm", config.layer_norm_eps)
    hidden = graph.linear(made, "wav2vec2.feature_projection.projection")
    graph.output("hidden", hidden, "float32", (1, frames, config.hidden_size))
    if config.head == "pretraining":
        groups, entries = config.num_codevector_groups, config.num_codevectors_per_group
        logits = graph.reshape(graph.linear(made, "quantizer.weight_proj"), (0, 0, groups, entries))
        graph.output("units", graph.op("ArgMax", logits, axis=3, keepdims=0), "int64", (1, frames, groups))
    return graph.build()


def position(config: Wav2Vec2Config, frames: int) -> onnx.ModelProto:
    """The positional convolution at ``frames`` places: ``hidden`` (1, frames + kernel - 1, D) to (1, frames, D).

    Its shapes are fixed, because OpenVINO makes code for each new length of a kernel this wide, 25 MB for MMS. Its
    weight is the folded one (``fold``), not the checkpoint's two.
    """
    found = shapes(config)
    folded = {f"{POSITION}.weight": found[f"{POSITION}.parametrizations.weight.original1"]}
    graph = GraphBuilder("wav2vec2-position", found | folded)
    width, kernel = config.hidden_size, config.num_conv_pos_embeddings
    hidden = graph.input("hidden", "float32", (1, frames + kernel - 1, width))
    made = graph.op(
        "Conv",
        graph.op("Transpose", hidden, perm=[0, 2, 1]),
        graph.weight(f"{POSITION}.weight"),
        graph.weight(f"{POSITION}.bias"),
        kernel_shape=[kernel],
        group=config.num_conv_pos_embedding_groups,
    )
    made = graph.op("Transpose", graph.op("Gelu", made), perm=[0, 2, 1])
    graph.output("position", made, "float32", (1, frames, width))
    return graph.build()


def classifier(config: Wav2Vec2Config) -> onnx.ModelProto:
    """Log-probabilities of classes: projected states, averaged over the frames, then a linear head.

    Input as ``recogniser``. Output: ``log_probs`` (B, labels).
    """
    graph = GraphBuilder("wav2vec2-classifier", shapes(config))
    hidden = graph.linear(_heard(graph, config, (), False), "projector")
    pooled = graph.op("ReduceMean", hidden, graph.constant([1]), keepdims=0)
    logits = graph.linear(pooled, "classifier")
    graph.output("log_probs", graph.op("LogSoftmax", logits, axis=1), "float32", ("B", len(config.labels)))
    return graph.build()


def _heard(graph: GraphBuilder, config: Wav2Vec2Config, states: Sequence[int], languages: bool) -> str:
    """What the heads read (B, F, D); the layers in ``states`` become outputs."""
    hidden = graph.input("hidden", "float32", ("B", "F", config.hidden_size))
    if not config.do_stable_layer_norm:
        hidden = graph.layer_norm(hidden, "wav2vec2.encoder.layer_norm", config.layer_norm_eps)
    parts = _language_inputs(graph, config) if languages else []
    for layer in range(config.num_hidden_layers + 1):
        if layer:
            hidden = _layer(graph, config, hidden, layer - 1, parts)
        if layer in states:
            graph.output(f"state_{layer}", hidden, "float32", ("B", "F", config.hidden_size))
    if config.do_stable_layer_norm and not states:
        hidden = graph.layer_norm(hidden, "wav2vec2.encoder.layer_norm", config.layer_norm_eps)
    return hidden


def _feature_encoder(graph: GraphBuilder, config: Wav2Vec2Config, hidden: str, norm: tuple[str, str] | None) -> str:
    """(B, N) -> (B, F, C); ``norm`` is the group norm of the first convolution as scale and shift."""
    hidden = graph.op("Unsqueeze", hidden, graph.constant([1]))
    for index, (kernel, stride) in enumerate(zip(config.conv_kernel, config.conv_stride, strict=True)):
        key = f"wav2vec2.feature_extractor.conv_layers.{index}"
        weights = [graph.weight(f"{key}.conv.weight")]
        if config.conv_bias:
            weights.append(graph.weight(f"{key}.conv.bias"))
        hidden = graph.op("Conv", hidden, *weights, kernel_shape=[kernel], strides=[stride])
        if config.feat_extract_norm == "layer":
            turned = graph.op("Transpose", hidden, perm=[0, 2, 1])
            turned = graph.op("Gelu", graph.layer_norm(turned, f"{key}.layer_norm", GROUP_NORM_EPS))
            hidden = graph.op("Transpose", turned, perm=[0, 2, 1])
            continue
        if index == 0 and norm:
            hidden = graph.op("Add", graph.op("Mul", hidden, norm[0]), norm[1])
        hidden = graph.op("Gelu", hidden)
    return graph.op("Transpose", hidden, perm=[0, 2, 1])


def _layer(graph: GraphBuilder, config: Wav2Vec2Config, hidden: str, layer: int, parts: list[tuple[str, ...]]) -> str:
    """One transformer layer, its adapter included."""
    key, epsilon = f"wav2vec2.encoder.layers.{layer}", config.layer_norm_eps
    if config.do_stable_layer_norm:
        normed = graph.layer_norm(hidden, f"{key}.layer_norm", epsilon)
        hidden = graph.op("Add", hidden, _attention(graph, config, normed, key))
        normed = graph.layer_norm(hidden, f"{key}.final_layer_norm", epsilon)
        hidden = graph.op("Add", hidden, _feed_forward(graph, normed, key))
    else:
        hidden = graph.op("Add", hidden, _attention(graph, config, hidden, key))
        hidden = graph.layer_norm(hidden, f"{key}.layer_norm", epsilon)
        hidden = graph.op("Add", hidden, _feed_forward(graph, hidden, key))
        hidden = graph.layer_norm(hidden, f"{key}.final_layer_norm", epsilon)
    if not config.adapter_attn_dim:
        return hidden
    if parts:
        return graph.op("Add", hidden, _language_adapter(graph, hidden, parts[layer]))
    normed = graph.layer_norm(hidden, f"{key}.adapter_layer.norm", GROUP_NORM_EPS)
    inner = graph.op("Relu", graph.linear(normed, f"{key}.adapter_layer.linear_1"))
    return graph.op("Add", hidden, graph.linear(inner, f"{key}.adapter_layer.linear_2"))


def _attention(graph: GraphBuilder, config: Wav2Vec2Config, hidden: str, key: str) -> str:
    """(B, F, D) -> (B, F, D)."""
    heads, width = config.num_attention_heads, config.hidden_size

    def split(part: str) -> str:
        made = graph.reshape(graph.linear(hidden, f"{key}.attention.{part}_proj"), (0, 0, heads, width // heads))
        return graph.op("Transpose", made, perm=[0, 2, 1, 3])  # (B, H, F, E)

    mixed = graph.op("Attention", *(split(part) for part in "qkv"), scale=1 / math.sqrt(width // heads))
    mixed = graph.reshape(graph.op("Transpose", mixed, perm=[0, 2, 1, 3]), (0, 0, width))
    return graph.linear(mixed, f"{key}.attention.out_proj")


def _feed_forward(graph: GraphBuilder, hidden: str, key: str) -> str:
    """(B, F, D) -> (B, F, D)."""
    inner = graph.op("Gelu", graph.linear(hidden, f"{key}.feed_forward.intermediate_dense"))
    return graph.linear(inner, f"{key}.feed_forward.output_dense")


def _language_inputs(graph: GraphBuilder, config: Wav2Vec2Config) -> list[tuple[str, ...]]:
    """The adapter of each layer: its parts, cut from inputs that hold them for all layers."""
    width, inner, layers = config.hidden_size, config.adapter_attn_dim, config.num_hidden_layers
    sizes = zip(FOLDED_PARTS, [(width, inner), (1, inner), (inner, width), (1, width)], strict=True)
    parts = [graph.split(graph.input(part, "float32", (layers, *size)), layers) for part, size in sizes]
    return list(zip(*parts, strict=True))


def _language_adapter(graph: GraphBuilder, hidden: str, parts: tuple[str, ...]) -> str:
    """The bottleneck of ``_layer`` with weights that come as inputs."""
    width = graph.shapes["wav2vec2.encoder.layer_norm.weight"][0]
    ones, zeros = graph.constant(np.ones(width, np.float32)), graph.constant(np.zeros(width, np.float32))
    normed = graph.op("LayerNormalization", hidden, ones, zeros, axis=-1, epsilon=GROUP_NORM_EPS)
    down_weight, down_bias, up_weight, up_bias = parts
    down = graph.op("Relu", graph.op("Add", graph.op("MatMul", normed, down_weight), down_bias))
    return graph.op("Add", graph.op("MatMul", down, up_weight), up_bias)


def _language_head(graph: GraphBuilder, config: Wav2Vec2Config, hidden: str) -> str:
    """The language's own head."""
    weight = graph.input("head_weight", "float32", ("V", config.hidden_size))
    bias = graph.input("head_bias", "float32", ("V",))
    return graph.op("Add", graph.op("MatMul", hidden, graph.op("Transpose", weight, perm=[1, 0])), bias)
