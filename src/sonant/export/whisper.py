"""Whisper as two ONNX files: encoder.onnx, and decoder.onnx with its past.

The graphs are those that the engines run (``models.whisper.graph`` tells their inputs and outputs); ``docs/export.md``
shows how to drive them with ONNX Runtime alone.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from sonant.engines.seq2seq_graph import stored as stored_tensors
from sonant.export import metadata, pack
from sonant.models.whisper import graph
from sonant.models.whisper.config import WhisperConfig
from sonant.weights.checkpoint import Checkpoint

__all__ = ["BESIDE", "export_whisper"]

SAMPLE_RATE, HOP = 16_000, 160
BESIDE = [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "normalizer.json",
]


def export_whisper(
    checkpoint: Checkpoint, out: str | Path, dtype: str = "float32", largest_bytes: int = metadata.LARGEST_FILE_BYTES
) -> list[Path]:
    """Write encoder.onnx and decoder.onnx with the tokenizer and config files beside them.

    Args:
        checkpoint: a Whisper.
        out: a folder, made where it isn't there; files of the same names are replaced.
        dtype: of the parameters, "float32", "float16" or "int8" (fp32 and fp16 too).
        largest_bytes: above this a graph's numbers go into a file of their own.

    Returns:
        The files written.

    Raises:
        BadInput: no such dtype.
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        OutputError: they couldn't be written.
    """
    dtype = pack.dtype_named(dtype)
    config = WhisperConfig.from_hf(checkpoint.config)
    stored = stored_tensors(checkpoint, config)
    folder = metadata.folder_for(out)
    written = []
    for part, template in (("encoder", graph.encoder(config)), ("decoder", with_lookup(graph.decoder(config), config))):
        model = pack.fill(template, stored, dtype, checkpoint.id)
        metadata.describe(model, checkpoint, dtype, {"part": part, **_facts(checkpoint, config)})
        written += metadata.save(model, folder / f"{part}.onnx", largest_bytes)
    return [*written, *metadata.copy_beside(folder, checkpoint.folder, BESIDE)]


def with_lookup(template: ModelProto, config: WhisperConfig) -> ModelProto:
    """The decoder with its table lookups inside: our engines embed tokens themselves, other programs give ids.

    ``embedded`` is replaced by the inputs ``tokens`` (R, L) and ``positions`` (L,), both int64.
    """
    inputs = [row for row in template.graph.input if row.name != "embedded"]
    tables = {
        "model.decoder.embed_tokens.weight": (config.vocab_size, config.d_model),
        "model.decoder.embed_positions.weight": (config.max_target_positions, config.d_model),
    }
    there = {row.name for row in template.graph.initializer}
    for key, shape in tables.items():
        if key not in there:
            row = TensorProto(name=key, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
            template.graph.initializer.append(row)
    words, places = tables
    found = [helper.make_node("Gather", [words, "tokens"], ["lookup/words"], "lookup/words", axis=0)]
    text = "lookup/words"
    if config.scale_embedding:
        scale = numpy_helper.from_array(np.array(math.sqrt(config.d_model), np.float32), "lookup/scale")
        template.graph.initializer.append(scale)
        found.append(helper.make_node("Mul", [text, "lookup/scale"], ["lookup/scaled"], "lookup/scaled"))
        text = "lookup/scaled"
    found.append(helper.make_node("Gather", [places, "positions"], ["lookup/places"], "lookup/places", axis=0))
    found.append(helper.make_node("Add", [text, "lookup/places"], ["embedded"], "lookup/embedded"))
    nodes = [*found, *template.graph.node]
    del template.graph.node[:], template.graph.input[:]
    template.graph.node.extend(nodes)
    template.graph.input.extend(
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, ("R", "L")),
            helper.make_tensor_value_info("positions", TensorProto.INT64, ("L",)),
            *inputs,
        ]
    )
    return template


def _facts(checkpoint: Checkpoint, config: WhisperConfig) -> dict[str, Any]:
    """What one must know to feed the graphs."""
    facts: dict[str, Any] = {
        "sample_rate": SAMPLE_RATE,
        "hop": HOP,
        "mel_bins": config.num_mel_bins,
        "frames": config.frames,
        "max_tokens": config.max_target_positions,
        "multilingual": config.multilingual,
    }
    generation = checkpoint.folder / "generation_config.json"
    if generation.is_file():
        facts["generation_config"] = json.loads(generation.read_text("utf-8"))
    return facts
