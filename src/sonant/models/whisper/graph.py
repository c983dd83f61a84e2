"""The Whisper network as two ONNX templates, encoder and decoder, built from a config.

Legend: B windows, K beams of each, R = B * K decoder rows, T feature frames, F encoder frames, L tokens of this call,
P tokens before, W tokens whose logits are wanted, D width, H heads, E head size, V vocabulary.

What the shape of the graphs is for:
- the encoder ends in the cross-attention keys and values of every decoder layer, so they are computed once a window;
- the decoder asks a window with all of its beams as one row of K * L queries: keys are not copied or read per beam;
- the embedding tables stay in the file: the caller looks its few rows up (a runtime would widen 50,000 of them);
- the output projection sees only the wanted tokens;
- the cache is gathered by ``beams`` inside the graph, so that a beam search copies nothing through Python;
- cross-attention queries are outputs too (they are tiny): word timing multiplies them with the keys by itself, and
  needs no second copy of the decoder.
"""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import onnx

from sonant.models.graph_builder import GraphBuilder
from sonant.models.whisper import names
from sonant.models.whisper.config import LAYER_NORM_EPS, WhisperConfig

__all__ = ["decoder", "encoder"]


def encoder(
    config: WhisperConfig, windows: int | str = "B", cross_dtype: str = "float32", head_groups: int = 0
) -> onnx.ModelProto:
    """Features to cross-attention keys and values.

    Inputs: ``features`` (B, n_mels, T) float32. Outputs per layer: ``cross_key_N`` and ``cross_value_N`` (B, H, F, E).

    Args:
        config: sizes.
        windows: a number makes the graph static, a word dynamic.
        cross_dtype: dtype of the outputs, "float32" or "bfloat16".
        head_groups: spell attention out, so many heads at a time as to make this many groups; 0 is one fused op.
    """
    graph = GraphBuilder("whisper-encoder", names.shapes(asdict(config)))
    hidden = graph.input("features", "float32", (windows, config.num_mel_bins, config.frames))
    for name, stride in (("conv1", 1), ("conv2", 2)):
        key = f"model.encoder.{name}"
        weights = graph.weight(f"{key}.weight"), graph.weight(f"{key}.bias")
        hidden = graph.op("Conv", hidden, *weights, kernel_shape=[3], pads=[1, 1], strides=[stride])
        hidden = graph.op("Gelu", hidden)
    hidden = graph.op("Transpose", hidden, perm=[0, 2, 1])  # (B, D, F) -> (B, F, D)
    hidden = graph.op("Add", hidden, graph.weight("model.encoder.embed_positions.weight"))
    heads = config.encoder_attention_heads
    size = config.d_model // heads
    for layer in range(config.encoder_layers):
        key = f"model.encoder.layers.{layer}"
        normed = graph.layer_norm(hidden, f"{key}.self_attn_layer_norm", LAYER_NORM_EPS)
        if head_groups:
            heard = _attend_in_groups(graph, normed, f"{key}.self_attn", heads, size, head_groups)
        else:
            made = (graph.linear(normed, f"{key}.self_attn.{part}_proj", bias=part != "k") for part in "qkv")
            heard = _attend(graph, tuple(_split(graph, value, heads, size) for value in made), size)
        mixed = graph.reshape(heard, (0, 0, config.d_model))
        hidden = graph.op("Add", hidden, graph.linear(mixed, f"{key}.self_attn.out_proj"))
        hidden = _feed_forward(graph, hidden, key)
    hidden = graph.layer_norm(hidden, "model.encoder.layer_norm", LAYER_NORM_EPS)
    _cross(graph, hidden, config, windows, cross_dtype)
    return graph.build()


def decoder(config: WhisperConfig, windows: int | str = "B", cross_dtype: str = "float32") -> onnx.ModelProto:
    """Tokens and caches to logits.

    Inputs:
        embedded (R, L, D) float32, token plus position embeddings;
        mask (L, P + L) float32, 0 or -inf, added to self-attention scores;
        beams (R,) int32, the row that each row continues from; wanted (W,) int64, which of the L tokens get logits;
        per layer cross_key_N and cross_value_N (B, H, F, E), past_key_N and past_value_N (R, H, P, E).
    Outputs:
        logits (R, W, V) float32; query_N (B, H, K * L, E), cross-attention queries before scaling;
        present_key_N, present_value_N (R, H, P + L, E).
    """
    return _Decoder(config, windows, cross_dtype).build()


class _Decoder:
    """The decoder's graph while it grows."""

    def __init__(self, config: WhisperConfig, windows: int | str, cross_dtype: str) -> None:
        self.config, self.windows, self.cross_dtype = config, windows, cross_dtype
        self.heads, self.size = config.decoder_attention_heads, config.head_size
        self.graph = graph = GraphBuilder("whisper-decoder", names.shapes(asdict(config)))
        self.embedded = graph.input("embedded", "float32", ("R", "L", config.d_model))
        self.mask = graph.input("mask", "float32", ("L", "S"))
        self.beams = graph.input("beams", "int32", ("R",))
        self.wanted = graph.input("wanted", "int64", ("W",))

    def build(self) -> onnx.ModelProto:
        graph, config = self.graph, self.config
        hidden = self.embedded
        for layer in range(config.decoder_layers):
            hidden = self.self_attention(hidden, layer)
            hidden = self.cross_attention(hidden, layer)
            hidden = _feed_forward(graph, hidden, f"model.decoder.layers.{layer}")
        hidden = graph.op("Gather", hidden, self.wanted, axis=1)  # (R, W, D)
        hidden = graph.layer_norm(hidden, "model.decoder.layer_norm", LAYER_NORM_EPS)
        output = "model.decoder.embed_tokens.weight" if config.tie_word_embeddings else "proj_out.weight"
        graph.output("logits", graph.matmul(hidden, output), "float32", ("R", "W", config.vocab_size))
        return graph.build()

    def self_attention(self, hidden: str, layer: int) -> str:
        """Over the cache, which the new keys and values join."""
        graph, key = self.graph, f"model.decoder.layers.{layer}.self_attn"
        normed = graph.layer_norm(hidden, f"{key}_layer_norm", LAYER_NORM_EPS)
        query, *fresh = (
            _split(graph, graph.linear(normed, f"{key}.{part}_proj", bias=part != "k"), self.heads, self.size)
            for part in "qkv"
        )
        cached = []
        for kind, new in zip(("key", "value"), fresh, strict=True):
            past = graph.input(f"past_{kind}_{layer}", "float32", ("R", self.heads, "P", self.size))
            whole = graph.op("Concat", graph.op("Gather", past, self.beams, axis=0), new, axis=2)
            graph.output(f"present_{kind}_{layer}", whole, "float32", ("R", self.heads, "S", self.size))
            cached.append(whole)
        mixed = _attend(graph, (query, *cached, self.mask), self.size)
        mixed = graph.reshape(mixed, (0, 0, self.config.d_model))
        return graph.op("Add", hidden, graph.linear(mixed, f"{key}.out_proj"))

    def cross_attention(self, hidden: str, layer: int) -> str:
        """To the window's frames, all beams of a window in one row."""
        graph, key = self.graph, f"model.decoder.layers.{layer}.encoder_attn"
        normed = graph.layer_norm(hidden, f"{key}_layer_norm", LAYER_NORM_EPS)
        shape = (self.windows, self.heads, self.config.max_source_positions, self.size)
        keys, values = (graph.input(f"cross_{kind}_{layer}", self.cross_dtype, shape) for kind in ("key", "value"))
        if self.cross_dtype != "float32":
            keys, values = (graph.op("Cast", value, to=onnx.TensorProto.FLOAT) for value in (keys, values))
        asked = graph.linear(normed, f"{key}.q_proj")
        if isinstance(self.windows, int):
            folded = graph.reshape(asked, (self.windows, -1, self.heads, self.size))
        else:
            count = graph.op("Shape", "cross_key_0", start=0, end=1)
            folded = graph.op(
                "Reshape", asked, graph.op("Concat", count, graph.constant([-1, self.heads, self.size]), axis=0)
            )
        query = graph.op("Transpose", folded, perm=[0, 2, 1, 3])  # (B, K * L, H, E) -> (B, H, K * L, E)
        graph.output(f"query_{layer}", query, "float32", (self.windows, self.heads, "Q", self.size))
        # not the Attention op: it would scale the keys again at every token; runtimes multiply without turning them
        query = graph.op("Mul", query, graph.constant(1 / math.sqrt(self.size)))
        scores = graph.op("MatMul", query, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))
        weights = graph.op("Softmax", scores, axis=-1)  # (B, H, K * L, F)
        mixed = graph.op("Transpose", graph.op("MatMul", weights, values), perm=[0, 2, 1, 3])  # (B, K * L, H, E)
        mixed = graph.op("Reshape", mixed, graph.op("Shape", normed))  # (R, L, D)
        return graph.op("Add", hidden, graph.linear(mixed, f"{key}.out_proj"))


def _cross(graph: GraphBuilder, hidden: str, config: WhisperConfig, windows: int | str, dtype: str) -> None:
    """Outputs: keys and values of every decoder layer over the encoder's frames."""
    heads, size, frames = config.decoder_attention_heads, config.head_size, config.max_source_positions
    for layer in range(config.decoder_layers):
        for kind in ("key", "value"):
            key = f"model.decoder.layers.{layer}.encoder_attn.{kind[0]}_proj"
            made = _split(graph, graph.linear(hidden, key, bias=kind == "value"), heads, size)
            if dtype == "bfloat16":
                made = graph.op("Cast", made, to=onnx.TensorProto.BFLOAT16)
            graph.output(f"cross_{kind}_{layer}", made, dtype, (windows, heads, frames, size))


def _feed_forward(graph: GraphBuilder, hidden: str, key: str) -> str:
    """Norm, widen, GELU, narrow, add."""
    normed = graph.layer_norm(hidden, f"{key}.final_layer_norm", LAYER_NORM_EPS)
    inner = graph.op("Gelu", graph.linear(normed, f"{key}.fc1"))
    return graph.op("Add", hidden, graph.linear(inner, f"{key}.fc2"))


def _split(graph: GraphBuilder, value: str, heads: int, size: int) -> str:
    """(N, L, D) -> (N, H, L, E)."""
    return graph.op("Transpose", graph.reshape(value, (0, 0, heads, size)), perm=[0, 2, 1, 3])


def _attend(graph: GraphBuilder, inputs: tuple[str, ...], size: int) -> str:
    """Query (N, H, L, E), keys and values (N, H, S, E), and a mask (L, S) or none -> (N, L, H, E)."""
    return graph.op("Transpose", graph.op("Attention", *inputs, scale=1 / math.sqrt(size)), perm=[0, 2, 1, 3])


def _attend_in_groups(graph: GraphBuilder, normed: str, key: str, heads: int, size: int, groups: int) -> str:
    """Self-attention of (N, L, D) to itself, (N, L, H, E), some heads after the other: no more scores are in memory.

    One product makes queries, keys and values: every node of a runtime costs memory.
    """
    width = heads * size
    matrices = (graph.op("Transpose", graph.weight(f"{key}.{part}_proj.weight"), perm=[1, 0]) for part in "qkv")
    made = graph.op("MatMul", normed, graph.op("Concat", *matrices, axis=1))
    biases = graph.weight(f"{key}.q_proj.bias"), graph.constant(np.zeros(width)), graph.weight(f"{key}.v_proj.bias")
    made = graph.op("Add", made, graph.op("Concat", *biases, axis=0))
    made = graph.op("Mul", made, graph.constant(np.repeat([1 / math.sqrt(size), 1.0, 1.0], width)))
    parts = graph.split(_split(graph, made, 3 * heads, size), 3 * groups, axis=1)
    mixed = []
    for query, keys, values in zip(*(parts[first : first + groups] for first in (0, groups, 2 * groups)), strict=True):
        scores = graph.op("MatMul", query, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))
        mixed.append(graph.op("MatMul", graph.op("Softmax", scores, axis=-1), values))
    return graph.op("Transpose", graph.op("Concat", *mixed, axis=1), perm=[0, 2, 1, 3])
