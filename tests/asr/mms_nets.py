"""Tiny random MMS folders as the publisher's are built: base, adapters, a nested vocabulary, a classifier."""

import json

import numpy as np
import torch
from safetensors.numpy import save as save_bytes
from safetensors.torch import save_file
from tests.wav2vec2_sizes import SMALL_LAYER

from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification

MMS = SMALL_LAYER | {"architectures": ["Wav2Vec2ForCTC"], "vocab_size": 10, "adapter_attn_dim": 4, "pad_token_id": 0}
ALPHABETS = {  # symbols of each adapter's head
    "pol": ["<pad>", "<s>", "</s>", "<unk>", "|", *"aeiozż"],
    "fra": ["<pad>", "<s>", "</s>", "<unk>", "|", *"éàuop"],
    "uzb-script_latin": ["<pad>", "<s>", "</s>", "<unk>", "|", *"abdefghi"],
    "uzb-script_cyrillic": ["<pad>", "<s>", "</s>", "<unk>", "|", *"абвгд"],
}


def adapter(code: str, config: Wav2Vec2Config | None = None, symbols: int = 0) -> bytes:
    """A safetensors file of one language, its numbers drawn from its code."""
    config = config or Wav2Vec2Config.from_hf(MMS)
    random = np.random.default_rng([ord(letter) for letter in code])
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in Wav2Vec2ForCTC(config).state_dict().items()}
    tensors = {
        key: (random.normal(size=shape) * 0.3).astype(np.float32)
        for key, shape in shapes.items()
        if "adapter_layer" in key
    }
    count = symbols or len(ALPHABETS[code])
    tensors["lm_head.weight"] = (random.normal(size=(count, config.hidden_size)) * 2).astype(np.float32)
    tensors["lm_head.bias"] = random.normal(size=count).astype(np.float32)
    return save_bytes(tensors)


def write_mms(folder, codes=tuple(ALPHABETS)):
    """An MMS folder; adapters for ``codes`` lie in it."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(MMS)).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(MMS))
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True}))
    nested = {code: {symbol: index for index, symbol in enumerate(row)} for code, row in ALPHABETS.items()}
    (folder / "vocab.json").write_text(json.dumps(nested))
    for code in codes:
        (folder / f"adapter.{code}.safetensors").write_bytes(adapter(code))
    return folder


def write_lid(folder, labels, heard):
    """A classifier whose bias makes it hear one label in anything."""
    torch.manual_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    config = SMALL_LAYER | {
        "architectures": ["Wav2Vec2ForSequenceClassification"],
        "classifier_proj_size": 12,
        "id2label": {str(index): label for index, label in enumerate(labels)},
    }
    net = Wav2Vec2ForSequenceClassification(Wav2Vec2Config.from_hf(config))
    with torch.no_grad():
        net.classifier.bias[labels.index(heard)] += 6
    save_file(net.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def noise(seconds, seed=0):
    """Samples that no two windows share."""
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16000)).astype(np.float32)
