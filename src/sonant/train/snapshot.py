"""What a training run leaves on the disk: a checkpoint folder in Hugging Face's spelling, and its own state."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from sonant.errors import CorruptFile
from sonant.models.wav2vec2.config import SAMPLE_RATE, Wav2Vec2Config
from sonant.text.vocab import CtcVocabulary

__all__ = ["read_state", "write_folder", "write_state"]


def write_folder(
    folder: Path, weights: dict[str, Tensor], config: Wav2Vec2Config, vocabulary: CtcVocabulary, dtype: torch.dtype
) -> None:
    """Write a folder that opens like any checkpoint of the family, here and in ``transformers``."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().to(dtype).contiguous() for name, tensor in weights.items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    settings = {
        "model_type": "wav2vec2",
        "architectures": ["Wav2Vec2ForCTC"],
        "hidden_act": "gelu",
        "feat_extract_activation": "gelu",
        "num_feat_extract_layers": len(config.conv_dim),
        **asdict(config),
        "adapter_attn_dim": config.adapter_attn_dim or None,
        "torch_dtype": str(dtype).removeprefix("torch."),
    }
    files: dict[str, Any] = {
        "config.json": settings,
        "vocab.json": {symbol: index for index, symbol in enumerate(vocabulary.symbols)},
        "preprocessor_config.json": {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "sampling_rate": SAMPLE_RATE,
            "padding_value": 0.0,
            "do_normalize": True,
            "return_attention_mask": config.feat_extract_norm == "layer",
        },
        "tokenizer_config.json": {
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
            "pad_token": vocabulary.symbols[vocabulary.blank],
            "unk_token": "<unk>",
            "bos_token": None,
            "eos_token": None,
            "word_delimiter_token": vocabulary.delimiter,
            "do_lower_case": False,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a run's state; a kill in the middle leaves the former one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    torch.save(state, fresh)
    fresh.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """Read what ``write_state`` wrote.

    Raises:
        CorruptFile: it is no such file.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except Exception as error:
        raise CorruptFile(f"{path} is no state of a training run ({error}); delete it to begin anew") from error
    return state
