"""Tiny random Whisper checkpoints, written as transformers writes them."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.names import shapes
from sonant.weights.checkpoint import Checkpoint

TINY_WHISPER = {
    "model_type": "whisper",
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "num_mel_bins": 80,
    "vocab_size": 51865,
    "max_source_positions": 100,
    "max_target_positions": 48,
}
WHISPERS = {
    "multilingual": TINY_WHISPER,
    # the shape of distil-large-v3: two decoder layers under more of the encoder's, 128 mels; heads of another count
    "distilled": TINY_WHISPER
    | {
        "encoder_layers": 3,
        "decoder_layers": 2,
        "num_mel_bins": 128,
        "vocab_size": 51866,
        "d_model": 96,
        "encoder_attention_heads": 6,
        "decoder_attention_heads": 3,
    },
}


def whisper_folder(
    folder: Path, config: dict, seed: int = 0, dtype: type = np.float32, rounded: type = np.float32
) -> Checkpoint:
    """Write a random Whisper into ``folder``, stored as ``dtype`` after rounding to ``rounded``."""
    random = np.random.default_rng(seed)
    tensors = {}
    for key, shape in shapes(asdict(WhisperConfig.from_hf(config))).items():
        scale = 1.5 / np.sqrt(shape[-1]) if len(shape) > 1 else 0.2
        if key.endswith(("conv1.weight", "conv2.weight")):
            scale = 1 / np.sqrt(shape[1] * shape[2])
        values = random.normal(size=shape).astype(np.float32) * scale
        if "norm.weight" in key:
            values += 1
        tensors[key] = values.astype(rounded).astype(dtype)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return Checkpoint(folder.name, "whisper", folder, (folder / "model.safetensors",), config)


def features(checkpoint: Checkpoint, windows: int, seed: int = 0) -> np.ndarray:
    """Log-mel-like noise in the range that log-mels have."""
    shape = (windows, checkpoint.config["num_mel_bins"], 2 * checkpoint.config["max_source_positions"])
    return np.random.default_rng(seed).uniform(-1, 1.5, size=shape).astype(np.float32)
