"""Networks of the published shapes with random weights, for sizes that no package registry has: speed, not words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

__all__ = ["TOKENS", "make_ctc", "make_whisper"]

TOKENS = 200  # that the decoder is made to say
_TURBO = {"d_model": 1280, "encoder_layers": 32, "decoder_layers": 4, "heads": 20, "ffn": 5120}
WHISPERS = {  # https://huggingface.co/{openai/whisper-large-v3-turbo,distil-whisper/distil-large-v3}/blob/main/config.json
    "large-v3-turbo": _TURBO,
    "distil-large-v3": _TURBO | {"decoder_layers": 2},
}
CTCS = {  # facebook/wav2vec2-base-960h and the large, layer-norm kind of XLSR-53
    "wav2vec2-base": {},
    "wav2vec2-large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "conv_bias": True,
    },
}


def _fill(network: Any, out: Path) -> None:
    """Small random numbers in every parameter of a network on torch's meta device, written as float16."""
    random = np.random.default_rng(0)
    pool = (random.standard_normal(1 << 22) * 0.02).astype(np.float16)
    arrays = {}
    for key, tensor in network.state_dict().items():
        if key == "proj_out.weight":  # tied to the embedding
            continue
        start = int(random.integers(1 << 20))
        flat = np.resize(pool[start:], tensor.numel())
        if key.endswith(("norm.weight", "original0")):
            flat = np.ones_like(flat)
        arrays[key] = flat.reshape(tuple(tensor.shape))
    save_file(arrays, out / "model.safetensors", metadata={"format": "pt"})


def make_whisper(size: str, tokenizer_from: Path, out: Path) -> None:
    """A folder in Hugging Face's form; the tokenizer files are those of another multilingual size."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    shape = WHISPERS[size]
    config = WhisperConfig.from_pretrained(tokenizer_from)
    config.update(
        {
            "d_model": shape["d_model"],
            "encoder_layers": shape["encoder_layers"],
            "decoder_layers": shape["decoder_layers"],
            "encoder_attention_heads": shape["heads"],
            "decoder_attention_heads": shape["heads"],
            "encoder_ffn_dim": shape["ffn"],
            "decoder_ffn_dim": shape["ffn"],
            "num_mel_bins": 128,
            "vocab_size": 51866,
        }
    )
    out.mkdir(parents=True)
    with torch.device("meta"):
        network = WhisperForConditionalGeneration(config)
    _fill(network, out)
    config.save_pretrained(out)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "generation_config.json"):
        if (tokenizer_from / name).exists():
            (out / name).write_bytes((tokenizer_from / name).read_bytes())
    extractor = {"feature_size": 128, "sampling_rate": 16000, "hop_length": 160, "n_fft": 400, "chunk_length": 30}
    (out / "preprocessor_config.json").write_text(json.dumps(extractor))


def make_ctc(size: str, out: Path) -> None:
    """A folder in Hugging Face's form with base-960h's 32 letters."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(vocab_size=32, **CTCS[size])
    out.mkdir(parents=True)
    with torch.device("meta"):
        network = Wav2Vec2ForCTC(config)
    _fill(network, out)
    config.architectures = ["Wav2Vec2ForCTC"]
    config.save_pretrained(out)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    (out / "vocab.json").write_text(json.dumps({letter: place for place, letter in enumerate(letters)}))
    normalised = {"do_normalize": True, "sampling_rate": 16000, "return_attention_mask": bool(CTCS[size])}
    (out / "preprocessor_config.json").write_text(json.dumps(normalised))
