"""A tiny random Kokoro, written as the importers write theirs, and things for it to say."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from sonant.models.kokoro import names
from sonant.weights.checkpoint import Checkpoint

TINY_KOKORO = {
    "hidden_dim": 32,
    "style_dim": 8,
    "n_token": 40,
    "n_layer": 2,
    "max_dur": 6,
    "text_encoder_kernel_size": 5,
    "plbert": {
        "hidden_size": 24,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 64,
        "num_hidden_layers": 2,
        "embedding_size": 16,
    },
    "istftnet": {
        "upsample_rates": [4, 2],
        "upsample_kernel_sizes": [8, 4],
        "upsample_initial_channel": 32,
        "resblock_kernel_sizes": [3, 7],
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3]],
        "gen_istft_n_fft": 20,
        "gen_istft_hop_size": 5,
    },
    "vocab": {chr(97 + i): i + 1 for i in range(26)},
}


def kokoro_weights(config: dict, seed: int = 0) -> dict:
    """Random parameters that keep signals near 1 and speak voiced sounds of a few frames a symbol."""
    random = np.random.default_rng(seed)
    tensors = {}
    for key, shape in names.shapes(config).items():
        if key.endswith("weight_g"):
            numbers = random.uniform(0.5, 1.5, shape) * random.choice([-1, 1], shape)  # a scale may be negative
        elif ".alpha" in key:
            numbers = random.uniform(0.5, 2, shape)
        elif key.endswith(("LayerNorm.weight", "layer_norm.weight", "gamma")):
            numbers = random.uniform(0.8, 1.2, shape)
        elif len(shape) > 1:
            numbers = random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
        else:
            numbers = random.normal(0, 0.2, shape)
        tensors[key] = numbers.astype(np.float32)
    tensors["predictor.F0_proj.weight"] *= 40  # Hz
    tensors["predictor.F0_proj.bias"] += 100
    tensors["decoder.generator.conv_post.weight_g"] *= 0.3  # log magnitudes
    return tensors


def kokoro_folder(folder: Path, config: dict, seed: int = 0, change=lambda tensors: tensors) -> Checkpoint:
    """Write a random Kokoro into ``folder``; ``change`` may alter its tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(change(kokoro_weights(config, seed)), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return Checkpoint(folder.name, "kokoro", folder, (folder / "model.safetensors",), config)


def utterances(config: dict, lengths: tuple[int, ...], seed: int = 0) -> tuple:
    """Tokens, styles, speeds and seeds."""
    random = np.random.default_rng(seed)
    tokens = [random.integers(1, config["n_token"], length) for length in lengths]
    styles = random.normal(0, 0.5, (len(lengths), 2 * config["style_dim"])).astype(np.float32)
    speeds = random.uniform(0.8, 1.3, len(lengths)).astype(np.float32)
    return tokens, styles, speeds, list(range(len(lengths)))


def log_mel(sound):
    """80 bands up to 12 kHz, natural logarithm, floor 1e-5."""
    columns = np.lib.stride_tricks.sliding_window_view(np.pad(sound, 512), 1024)[::256] * np.hanning(1024)
    power = np.abs(np.fft.rfft(columns)) / 512
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 12000 / 700), 82) / 2595) - 1)
    hertz = np.linspace(0, 12000, 513)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bands = np.clip(np.minimum((hertz - low) / (mid - low), (high - hertz) / (high - mid)), 0, None)
    return np.log(np.maximum(power @ bands.T, 1e-5))
