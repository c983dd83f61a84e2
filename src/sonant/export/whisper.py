"""Whisper as two ONNX files: encoder.onnx, and decoder.onnx with its past.

The graphs are those that the engines run (``models.whisper.graph`` tells their inputs and outputs); ``docs/export.md``
shows how to drive them with ONNX Runtime alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    for part, template in (("encoder", graph.encoder(config)), ("decoder", graph.decoder(config))):
        model = pack.fill(template, stored, dtype, checkpoint.id)
        metadata.describe(model, checkpoint, dtype, {"part": part, **_facts(checkpoint, config)})
        written += metadata.save(model, folder / f"{part}.onnx", largest_bytes)
    return [*written, *metadata.copy_beside(folder, checkpoint.folder, BESIDE)]


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
