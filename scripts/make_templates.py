"""Build the graph of every catalog size, freeze its shape in spec/graphs.json, and write the graphs out for inspection.

    python scripts/make_templates.py [FOLDER]

Templates are functions of a config, so nothing ships. What is frozen is how lean they are: nodes by kind, how many
parameters they bind, and a hash over all names. ``tests/models/test_templates.py`` says whether the file is fresh.
"""

from __future__ import annotations

import collections
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from sonant.engines import ctc_flow
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.whisper import graph as whisper_graph
from sonant.models.whisper.config import WhisperConfig
from sonant.weights import catalog

SPEC = Path(__file__).parents[1] / "spec" / "graphs.json"
# Published sizes: width, heads, encoder layers, decoder layers (openai-whisper's README and model-card, the
# config.json files of distil-whisper).
WHISPER = {
    "whisper-tiny": (384, 6, 4, 4),
    "whisper-base": (512, 8, 6, 6),
    "whisper-small": (768, 12, 12, 12),
    "whisper-medium": (1024, 16, 24, 24),
    "whisper-large": (1280, 20, 32, 32),
    "whisper-large-v3-turbo": (1280, 20, 32, 4),
    "distil-small": (768, 12, 12, 4),
    "distil-medium": (1024, 16, 24, 2),
    "distil-large": (1280, 20, 32, 2),
}
LARGE = Wav2Vec2Config(
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    intermediate_size=4096,
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
    conv_bias=True,
)
WAV2VEC2 = {
    "wav2vec2-base-960h": Wav2Vec2Config(),
    "xlsr-53-polish": replace(LARGE, vocab_size=41),
    "mms-1b-all": replace(
        LARGE, hidden_size=1280, num_hidden_layers=48, intermediate_size=5120, vocab_size=154, adapter_attn_dim=16
    ),
}


def whisper_config(name: str) -> WhisperConfig:
    """The config of a catalog row, from its published size."""
    stem = max((size for size in WHISPER if name.startswith(size)), key=len)
    width, heads, encoder_layers, decoder_layers = WHISPER[stem]
    third = "v3" in name
    return WhisperConfig.from_hf(
        {
            "model_type": "whisper",
            "d_model": width,
            "encoder_attention_heads": heads,
            "decoder_attention_heads": heads,
            "encoder_ffn_dim": 4 * width,
            "decoder_ffn_dim": 4 * width,
            "encoder_layers": encoder_layers,
            "decoder_layers": decoder_layers,
            "num_mel_bins": 128 if third else 80,
            "vocab_size": 51864 if name.endswith(".en") else 51866 if third else 51865,
            "max_source_positions": 1500,
            "max_target_positions": 448,
        }
    )


def templates() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Name and graph of every part of every catalog size that a graph is built for."""
    for row in catalog.rows():
        if row.family == "whisper":
            config = whisper_config(row.id)
            yield f"{row.id}.encoder", whisper_graph.encoder(config, 1)
            yield f"{row.id}.decoder", whisper_graph.decoder(config)
        elif row.id in WAV2VEC2:
            for kind in ("front", "position", "log_probs"):
                yield f"{row.id}.{kind}", ctc_flow.template(WAV2VEC2[row.id], kind)


def shape_of(model: onnx.ModelProto) -> dict[str, Any]:
    """What is frozen of a graph."""
    names = [node.op_type + "|" + ",".join([*node.input, "->", *node.output]) for node in model.graph.node]
    names += [f"{row.name}{list(row.dims)}" for row in model.graph.initializer]
    waiting = [row for row in model.graph.initializer if row.data_location == onnx.TensorProto.EXTERNAL]
    return {
        "nodes": dict(sorted(collections.Counter(node.op_type for node in model.graph.node).items())),
        "parameters": len(waiting),
        "hash": hashlib.sha256("\n".join(names).encode()).hexdigest()[:16],
    }


def main() -> None:
    """Freeze the shapes; write the graphs where a folder is given."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    shapes = {}
    for name, model in templates():
        shapes[name] = shape_of(model)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    lines = [f" {json.dumps(name)}: {json.dumps(shape)}" for name, shape in shapes.items()]
    SPEC.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(shapes)} graphs frozen in {SPEC.name}")


if __name__ == "__main__":
    main()
