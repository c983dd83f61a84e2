"""What sherpa-onnx reads: Kokoro and Whisper as ONNX with metadata, voices as plain numbers, and symbols as lines.

``csrc/offline-tts-kokoro-model.cc`` of k2-fsa/sherpa-onnx tells the names of the metadata, and its
``scripts/kokoro/v1.0`` the layout of voices.bin and tokens.txt.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn
from torch.nn.functional import gelu
from whisper.model import Whisper
from whisper.tokenizer import Tokenizer

from sonant.api import fetch
from sonant.export.kokoro import export_kokoro
from systems import STYLE

__all__ = ["to_sherpa_kokoro", "to_sherpa_whisper"]


def to_sherpa_kokoro(graph: Path | None, out: Path) -> None:
    """A folder for ``sherpa_onnx.OfflineTts``: of ``graph``, or else of sonant's own export; one voice."""
    import onnx

    checkpoint = fetch("kokoro-82m")
    scratch = out.with_name(f"{out.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    if graph is None:
        for file in export_kokoro(checkpoint, scratch).files[1:]:
            file.unlink()  # voices.npz and config.json, which it doesn't read
        graph = scratch / "model.onnx"
    style = load_file(checkpoint.folder / "voices" / f"{STYLE}.safetensors")["styles"].astype(np.float32)[:, None]
    model = onnx.load(graph)
    facts = {"sample_rate": 24000, "version": 2, "n_speakers": 1, "has_espeak": 1, "voice": "en-us"}
    onnx.helper.set_model_props(
        model,
        {name: str(value) for name, value in facts.items()}
        | {"model_type": "kokoro", "speaker_names": STYLE, "style_dim": ",".join(map(str, style.shape))},
    )
    onnx.save(model, scratch / "model.onnx")
    style.tofile(scratch / "voices.bin")
    symbols = json.loads((checkpoint.folder / "config.json").read_text(encoding="utf-8"))["vocab"]
    lines = [f"{symbol} {number}\n" for symbol, number in symbols.items()]
    (scratch / "tokens.txt").write_text("".join(lines), encoding="utf-8")
    scratch.rename(out)


class Encoder(nn.Module):
    """OpenAI's encoder with the decoder's keys and values, for any number of frames up to 30 s."""

    def __init__(self, model: Whisper) -> None:
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values, (layers, 1, positions, state) each."""
        own = self.encoder
        x = gelu(own.conv2(gelu(own.conv1(mel)))).permute(0, 2, 1)
        x = x + own.positional_embedding[: x.shape[1]]
        for block in own.blocks:
            x = block(x)
        x = own.ln_post(x)
        crosses = [block.cross_attn for block in self.decoder.blocks]
        return torch.stack([each.key(x) for each in crosses]), torch.stack([each.value(x) for each in crosses])


class Decoder(nn.Module):
    """OpenAI's decoder with its past in two tensors as long as a text can be, of which ``offset`` places are filled."""

    def __init__(self, model: Whisper) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(
        self,
        tokens: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        cross_keys: torch.Tensor,
        cross_values: torch.Tensor,
        offset: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits of every token, and the past with them in it."""
        own, start = self.decoder, offset[0]
        end = start + tokens.shape[1]
        x = own.token_embedding(tokens) + own.positional_embedding[start:end]
        filled: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
        for number, block in enumerate(own.blocks):
            attention, normed = block.attn, block.attn_ln(x)
            key = torch.cat([keys[number][:, :start], attention.key(normed)], 1)
            value = torch.cat([values[number][:, :start], attention.value(normed)], 1)
            filled[0].append(torch.cat([key, keys[number][:, end:]], 1))
            filled[1].append(torch.cat([value, values[number][:, end:]], 1))
            x = x + attention.out(attention.qkv_attention(attention.query(normed), key, value, own.mask)[0])
            attention, normed = block.cross_attn, block.cross_attn_ln(x)
            heard = attention.qkv_attention(attention.query(normed), cross_keys[number], cross_values[number])[0]
            x = x + attention.out(heard)
            x = x + block.mlp(block.mlp_ln(x))
        logits = own.ln(x) @ own.token_embedding.weight.T
        return logits, torch.stack(filled[0]), torch.stack(filled[1])


def whisper_facts(model: Whisper, tokenizer: Tokenizer) -> dict[str, str]:
    """The metadata that ``csrc/offline-whisper-model.cc`` of k2-fsa/sherpa-onnx asks for."""
    facts: dict[str, Any] = vars(model.dims) | {
        "model_type": "whisper",
        "sot": tokenizer.sot,
        "eot": tokenizer.eot,
        "blank_id": tokenizer.encode(" ")[0],
        "translate": tokenizer.translate,
        "transcribe": tokenizer.transcribe,
        "no_timestamps": tokenizer.no_timestamps,
        "no_speech": tokenizer.no_speech,
        "is_multilingual": int(model.is_multilingual),
    }
    lists = {
        "sot_sequence": tokenizer.sot_sequence,
        "all_language_tokens": tokenizer.all_language_tokens,
        "all_language_codes": tokenizer.all_language_codes,
    }
    return {name: str(value) for name, value in facts.items()} | {
        name: ",".join(map(str, values)) for name, values in lists.items()
    }


def to_sherpa_whisper(checkpoint: Path, out: Path) -> None:
    """A folder for ``sherpa_onnx.OfflineRecognizer.from_whisper`` of openai-whisper's ``checkpoint``, in int8.

    Names of inputs and outputs, tokens.txt (base64) and the int8 recipe are those of k2-fsa/sherpa-onnx's
    ``scripts/whisper/export-onnx.py``.
    """
    import onnx
    import whisper
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from whisper.model import disable_sdpa
    from whisper.tokenizer import get_tokenizer

    scratch = out.with_name(f"{out.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    model = whisper.load_model(str(checkpoint), device="cpu").eval()
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    dims = model.dims
    past = torch.zeros(dims.n_text_layer, 1, dims.n_text_ctx, dims.n_text_state)
    mel = torch.zeros(1, dims.n_mels, 3000)
    crossed = ["n_layer_cross_k", "n_layer_cross_v"]
    pasts = ["n_layer_self_k_cache", "n_layer_self_v_cache"]
    heard = {name: {2: "positions"} for name in crossed}
    with torch.no_grad(), disable_sdpa():
        crosses = Encoder(model)(mel)
        torch.onnx.export(
            Encoder(model),
            (mel,),
            scratch / "encoder.onnx",
            input_names=["mel"],
            output_names=crossed,
            dynamic_axes={"mel": {2: "frames"}, **heard},
            opset_version=17,
            dynamo=False,
        )
        torch.onnx.export(
            Decoder(model),
            (torch.tensor([tokenizer.sot_sequence]), past, past, *crosses, torch.zeros(1, dtype=torch.int64)),
            scratch / "decoder.onnx",
            input_names=["tokens", *(f"in_{name}" for name in pasts), *crossed, "offset"],
            output_names=["logits", *(f"out_{name}" for name in pasts)],
            dynamic_axes={"tokens": {1: "tokens"}, **heard},
            opset_version=17,
            dynamo=False,
        )
    for part in ("encoder", "decoder"):
        whole, narrow = scratch / f"{part}.onnx", scratch / f"{part}.int8.onnx"
        quantize_dynamic(whole, narrow, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8)
        whole.unlink()
    graph = onnx.load(scratch / "encoder.int8.onnx")
    onnx.helper.set_model_props(graph, whisper_facts(model, tokenizer))
    onnx.save(graph, scratch / "encoder.int8.onnx")
    words = sorted(tokenizer.encoding._mergeable_ranks.items(), key=lambda pair: pair[1])
    lines = [f"{base64.b64encode(word).decode()} {number}\n" for word, number in words]
    (scratch / "tokens.txt").write_text("".join(lines))
    scratch.rename(out)
