"""Small files of every format, written by hand in the tests: what the readers must understand."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sonant.models.whisper import names as whisper_names

TINY_WHISPER: dict[str, Any] = {
    "model_type": "whisper",
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "encoder_attention_heads": 1,
    "decoder_attention_heads": 1,
    "vocab_size": 60,
    "num_mel_bins": 8,
    "max_source_positions": 12,
    "max_target_positions": 10,
}


def whisper_arrays(settings: dict[str, Any] = TINY_WHISPER, dtype: str = "float16") -> dict[str, np.ndarray]:
    """Random numbers under canonical keys."""
    random = np.random.default_rng(7)
    return {key: random.standard_normal(shape).astype(dtype) for key, shape in whisper_names.shapes(settings).items()}


def ctranslate2_variables(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Canonical arrays as CTranslate2 stacks them, spelled out here independently of the importer."""
    made: dict[str, np.ndarray] = {
        "encoder/num_heads": np.array(1, np.int16),
        "decoder/alibi": np.array(0, np.int8),
        "encoder/position_encodings/encodings": arrays["model.encoder.embed_positions.weight"],
        "decoder/position_encodings/encodings": arrays["model.decoder.embed_positions.weight"],
        "decoder/embeddings/weight": arrays["model.decoder.embed_tokens.weight"],
    }
    for name in ("conv1", "conv2"):
        made |= {f"encoder/{name}/{end}": arrays[f"model.encoder.{name}.{end}"] for end in ("weight", "bias")}
    for side in ("encoder", "decoder"):
        made[f"{side}/layer_norm/gamma"] = arrays[f"model.{side}.layer_norm.weight"]
        made[f"{side}/layer_norm/beta"] = arrays[f"model.{side}.layer_norm.bias"]
        depth = len({key.split(".")[3] for key in arrays if key.startswith(f"model.{side}.layers.")})
        for i in range(depth):
            made |= _layer(arrays, f"model.{side}.layers.{i}.", f"{side}/layer_{i}/", side == "decoder")
    return made


def _layer(arrays: dict[str, np.ndarray], old: str, new: str, cross: bool) -> dict[str, np.ndarray]:
    def bias(name: str) -> np.ndarray:
        width = arrays[f"{old}{name}.weight"].shape[0]
        return arrays.get(f"{old}{name}.bias", np.zeros(width, arrays[f"{old}{name}.weight"].dtype))

    def stacked(*parts: str) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([arrays[f"{old}{p}.weight"] for p in parts]), np.concatenate([bias(p) for p in parts])

    stacks = {
        "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "self_attention/linear_1": ("self_attn.out_proj",),
        "ffn/linear_0": ("fc1",),
        "ffn/linear_1": ("fc2",),
    }
    norms = {"self_attention": "self_attn_layer_norm", "ffn": "final_layer_norm"}
    if cross:
        stacks |= {
            "attention/linear_0": ("encoder_attn.q_proj",),
            "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
            "attention/linear_2": ("encoder_attn.out_proj",),
        }
        norms["attention"] = "encoder_attn_layer_norm"
    made = {}
    for name, parts in stacks.items():
        made[f"{new}{name}/weight"], made[f"{new}{name}/bias"] = stacked(*parts)
    for name, norm in norms.items():
        made[f"{new}{name}/layer_norm/gamma"] = arrays[f"{old}{norm}.weight"]
        made[f"{new}{name}/layer_norm/beta"] = arrays[f"{old}{norm}.bias"]
    return made


def ctranslate2_bytes(variables: dict[str, np.ndarray], version: int = 6, spec: str = "WhisperSpec") -> bytes:
    """A model.bin."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    codes = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
    out = io.BytesIO()
    out.write(struct.pack("<I", version) + text(spec) + struct.pack("<II", 3, len(variables)))
    for name, array in variables.items():
        out.write(text(name) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape))
        out.write(struct.pack("<BI", codes[array.dtype.name], array.nbytes) + array.tobytes())
    out.write(struct.pack("<I", 1) + text("decoder/projection/weight") + text("decoder/embeddings/weight"))
    return out.getvalue()


def wheel(folder: Path, name: str, version: str, members: dict[str, bytes]) -> Path:
    """A wheel that pip accepts, holding data."""
    module = name.replace("-", "_")
    path = folder / f"{module}-{version}-py3-none-any.whl"
    info = f"{module}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
