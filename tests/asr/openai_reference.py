"""openai-whisper on our cached weights, and the clips that both are compared on."""

import json
import os
from pathlib import Path

import pytest

from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.models.whisper.names import from_openai
from sonant.weights.checkpoint import Checkpoint

MODELS = Path(os.environ.get("SONANT_CACHE", Path.home() / ".cache" / "sonant")) / "models"
LIBRIVOX = Path(  # Debian package pocketsphinx-testdata
    os.environ.get("SONANT_LIBRIVOX", "/usr/share/pocketsphinx/test/data/librivox")
)


def checkpoint(name):
    folder = MODELS / name
    if not (folder / "model.safetensors").exists():
        pytest.skip(f"{name} is not cached; run: sonant models fetch {name}")
    config = json.loads((folder / "config.json").read_text())
    return Checkpoint(name, "whisper", folder, (folder / "model.safetensors",), config)


def recognizer(name, engine="torch"):
    from sonant.asr.pipeline import Recognizer

    found = checkpoint(name)
    return Recognizer(open_engine(found, EngineOptions(engine=engine, threads=2)), found)


def openai_whisper(name):
    """The reference network filled with the same numbers, its alignment heads included."""
    torch, whisper = pytest.importorskip("torch"), pytest.importorskip("whisper")
    from safetensors.torch import load_file

    found = checkpoint(name)
    config, weights = found.config, load_file(found.weights[0])
    net = whisper.model.Whisper(
        whisper.model.ModelDimensions(
            n_mels=config["num_mel_bins"],
            n_audio_ctx=1500,
            n_audio_state=config["d_model"],
            n_audio_head=config["encoder_attention_heads"],
            n_audio_layer=config["encoder_layers"],
            n_vocab=config["vocab_size"],
            n_text_ctx=448,
            n_text_state=config["d_model"],
            n_text_head=config["decoder_attention_heads"],
            n_text_layer=config["decoder_layers"],
        )
    )
    net.load_state_dict({key: weights[from_openai(key)].float() for key in net.state_dict()})
    heads = json.loads((found.folder / "generation_config.json").read_text())["alignment_heads"]
    mask = torch.zeros(config["decoder_layers"], config["decoder_attention_heads"], dtype=torch.bool)
    for layer, head in heads:
        mask[layer, head] = True
    net.register_buffer("alignment_heads", mask.to_sparse(), persistent=False)
    return net.eval()


def clips(languages=None):
    """Paths of the clips of pytest-audioeval, and of LibriVox where the Debian package is installed."""
    samples = Path(pytest.importorskip("pytest_audioeval").__path__[0]) / "samples" / "audio"
    found = sorted(path for path in samples.glob("*/*.wav") if languages is None or path.parent.name in languages)
    return found + (sorted(LIBRIVOX.glob("*.wav")) if languages is None or "en" in languages else [])
