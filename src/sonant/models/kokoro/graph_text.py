"""Kokoro's text side as ONNX templates built from a config; the same rules as ``net_torch_text``.

Legend: B utterances, T symbols, F frames, C channels. ``lengths`` are (B,) int64; values past an utterance's end never
reach it. ``shapes`` are the parameters that the binder will hand over, ``fold.derived_shapes`` of ``names.shapes``.
"""

from __future__ import annotations

import onnx

from sonant.models.graph_builder import GraphBuilder
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.dress import dressed_keys
from sonant.models.kokoro.form import Form, ports
from sonant.models.kokoro.graph_layers import Layers, Shapes

__all__ = ["prosody", "text"]

MASKED = -1e9  # added to the scores of symbols past the end; -inf would make a row of them NaN


def text(config: KokoroConfig, shapes: Shapes, form: Form) -> onnx.ModelProto:
    """Symbols to durations and features.

    Inputs: ``tokens`` (B, T) int64, ``style`` (B, 2 x style), ``lengths`` (B,) int64.
    Outputs: ``durations`` (B, T) in frames at speed 1, not rounded; ``prosody`` (B, T, hidden + style);
    ``text`` (B, T, hidden).
    """
    graph = GraphBuilder("kokoro_text", shapes)
    layers, sizes = Layers(graph, form), ports("text", config)
    tokens = graph.input("tokens", "int64", sizes.inputs["tokens"])
    style = layers.half(config.style, second=True)
    lengths = graph.input("lengths", "int64", ("B",))
    steps = graph.op("Shape", tokens, start=1, end=2)
    heard = layers.mask(lengths, steps, last=False)  # (B, 1, T)
    read = graph.linear(_albert(graph, config, tokens, heard), "bert_encoder")
    features = _durations(layers, config, read, style, lengths)
    spoken = layers.lstm(features, "predictor.lstm", lengths)
    chances = graph.op("Sigmoid", graph.linear(spoken, "predictor.duration_proj.linear_layer"))
    durations = graph.op("ReduceSum", chances, graph.constant([2]), keepdims=0)
    encoded = _text_encoder(layers, config, tokens, lengths, layers.mask(lengths, steps))
    for (name, dims), value in zip(sizes.outputs.items(), (durations, features, encoded), strict=True):
        graph.output(name, value, "float32", dims)
    return graph.build()


def prosody(config: KokoroConfig, shapes: Shapes, form: Form) -> onnx.ModelProto:
    """Features of each frame to pitch and energy.

    Inputs: ``frames`` (B, F, hidden + style), ``dressing`` or ``style``, ``lengths`` (B,) int64.
    Outputs: ``pitch`` in Hz and ``energy``, (B, 2 F) each.
    """
    graph = GraphBuilder("kokoro_prosody", shapes)
    layers, sizes = Layers(graph, form), ports("prosody", config)
    frames = graph.input("frames", "float32", sizes.inputs["frames"])
    layers.dress(dressed_keys(shapes, "predictor."), config.style, second=True)
    lengths = graph.input("lengths", "int64", ("B",))
    steps = graph.op("Shape", frames, start=1, end=2)
    single = layers.span(lengths, steps)
    double = layers.span(layers.times(lengths, 2), layers.times(steps, 2))
    shared = layers.from_steps(layers.lstm(frames, "predictor.shared", lengths))
    for name, key in (("pitch", "predictor.F0"), ("energy", "predictor.N")):
        x = layers.res_block(shared, f"{key}.0", single, single)
        x = layers.res_block(x, f"{key}.1", single, double)
        x = layers.res_block(x, f"{key}.2", double, double)
        curve = graph.op("Squeeze", layers.conv(x, f"{key}_proj"), graph.constant([layers.across]))
        graph.output(name, curve, "float32", sizes.outputs[name])
    return graph.build()


def _albert(graph: GraphBuilder, config: KokoroConfig, tokens: str, mask: str) -> str:
    """(B, T) symbols to (B, T, hidden_size)."""
    albert, name = config.albert, "bert.embeddings"
    zero = graph.constant([0])
    positions = graph.op(
        "Slice",
        graph.weight(f"{name}.position_embeddings.weight"),
        zero,
        graph.op("Shape", tokens, start=1, end=2),
        zero,
    )
    x = graph.op("Gather", graph.weight(f"{name}.word_embeddings.weight"), tokens, axis=0)
    x = graph.op("Add", x, positions)
    segment = graph.op("Gather", graph.weight(f"{name}.token_type_embeddings.weight"), graph.constant(0), axis=0)
    x = graph.layer_norm(graph.op("Add", x, segment), f"{name}.LayerNorm", albert.layer_norm_eps)
    x = graph.linear(x, "bert.encoder.embedding_hidden_mapping_in")
    away = graph.op("Mul", graph.op("Sub", graph.constant(1.0), mask), graph.constant(MASKED))
    bias = graph.op("Unsqueeze", away, graph.constant([1]))  # (B, 1, 1, T)
    key = "bert.encoder.albert_layer_groups.0.albert_layers.0"  # all depths share it
    for _ in range(albert.num_hidden_layers):
        x = _attention(graph, config, x, bias, f"{key}.attention")
        wide = graph.op("Gelu", graph.linear(x, f"{key}.ffn"), approximate="tanh")
        x = graph.op("Add", x, graph.linear(wide, f"{key}.ffn_output"))
        x = graph.layer_norm(x, f"{key}.full_layer_layer_norm", albert.layer_norm_eps)
    return x


def _attention(graph: GraphBuilder, config: KokoroConfig, x: str, bias: str, key: str) -> str:
    heads = config.albert.num_attention_heads
    size = config.albert.hidden_size // heads

    def split(name: str, perm: list[int]) -> str:
        rows = graph.reshape(graph.linear(x, f"{key}.{name}"), [0, 0, heads, size])
        return graph.op("Transpose", rows, perm=perm)

    query = graph.op("Mul", split("query", [0, 2, 1, 3]), graph.constant(size**-0.5))
    scores = graph.op("Add", graph.op("MatMul", query, split("key", [0, 2, 3, 1])), bias)
    heard = graph.op("MatMul", graph.op("Softmax", scores, axis=3), split("value", [0, 2, 1, 3]))
    heard = graph.reshape(graph.op("Transpose", heard, perm=[0, 2, 1, 3]), [0, 0, heads * size])
    made = graph.op("Add", x, graph.linear(heard, f"{key}.dense"))
    return graph.layer_norm(made, f"{key}.LayerNorm", config.albert.layer_norm_eps)


def _durations(layers: Layers, config: KokoroConfig, x: str, style: str, lengths: str) -> str:
    """The duration encoder: (B, T, hidden) to (B, T, hidden + style)."""
    graph = layers.graph
    like = graph.op("Concat", graph.op("Shape", x, start=0, end=2), graph.constant([config.style]), axis=0)
    beside = graph.op("Expand", graph.op("Unsqueeze", style, graph.constant([1])), like)
    x = graph.op("Concat", x, beside, axis=2)
    for i in range(config.n_layer):
        key = f"predictor.text_encoder.lstms.{2 * i}"
        x = layers.lstm(x, key, lengths)
        x = layers.ada_layer_norm(x, f"predictor.text_encoder.lstms.{2 * i + 1}", style)
        x = graph.op("Concat", x, beside, axis=2)
    return x


def _text_encoder(layers: Layers, config: KokoroConfig, tokens: str, lengths: str, mask: str) -> str:
    """(B, T) symbols to (B, T, hidden); ``mask`` in the layout of the form."""
    graph = layers.graph
    x = graph.op("Gather", graph.weight("text_encoder.embedding.weight"), tokens, axis=0)
    x = graph.op("Mul", layers.from_steps(x), mask)
    for i in range(config.n_layer):
        x = layers.conv(x, f"text_encoder.cnn.{i}.0")
        x = graph.op("LeakyRelu", layers.channel_norm(x, f"text_encoder.cnn.{i}.1"), alpha=0.2)
        x = graph.op("Mul", x, mask)
    return layers.lstm(layers.from_steps(x), "text_encoder.lstm", lengths)
