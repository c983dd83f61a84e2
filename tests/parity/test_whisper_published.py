"""Random weights of the published shapes of large-v3, turbo and distil-large-v3, against transformers.

The everyday run (peers) has the true widths, heads, mel bins and vocabulary with two layers a side, in every engine;
the exhaustive one has every layer.
"""

import gc
import json

import pytest
import torch
from test_seq2seq import error, random_tokens
from whisper_nets import features

from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.net_torch import Whisper
from sonant.weights.checkpoint import Checkpoint

LARGE = {
    "d_model": 1280,
    "encoder_layers": 32,
    "decoder_layers": 32,
    "encoder_attention_heads": 20,
    "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_ffn_dim": 5120,
    "num_mel_bins": 128,
    "vocab_size": 51866,
}
# config.json of openai/whisper-large-v3, openai/whisper-large-v3-turbo, distil-whisper/distil-large-v3
PUBLISHED = {  # sizes, and parameters
    "large-v3": (LARGE, 1543.5e6),
    "large-v3-turbo": (LARGE | {"decoder_layers": 4}, 808.9e6),
    "distil-large-v3": (LARGE | {"decoder_layers": 2}, 756.2e6),
}


def reference(sizes):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.WhisperConfig(**sizes, pad_token_id=0, bos_token_id=1, eos_token_id=2, init_std=0.02)
    return transformers.WhisperForConditionalGeneration(config).eval()


def given(sizes, windows):
    shape = Checkpoint("", "whisper", None, (), {"max_source_positions": 1500, **sizes})
    return features(shape, windows)


@pytest.mark.peers
@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
def test_true_widths_equal_transformers_in_every_engine(engine, tmp_path):
    sizes = LARGE | {"encoder_layers": 2, "decoder_layers": 2}
    theirs = reference(sizes)
    theirs.save_pretrained(tmp_path)
    files, config = tuple(tmp_path.glob("*.safetensors")), json.loads((tmp_path / "config.json").read_text())
    opened = open_engine(Checkpoint("wide", "whisper", tmp_path, files, config), EngineOptions(engine, dtype="float32"))
    heard, tokens = given(sizes, 2), random_tokens(2, 9)
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(heard), decoder_input_ids=torch.from_numpy(tokens)).logits.numpy()
    assert error(opened.step(opened.encode(heard), tokens, every=True), expected) < 1e-4


@pytest.mark.peers
@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_shapes_equal_transformers(name):
    sizes, parameters = PUBLISHED[name]
    theirs = reference(sizes)
    assert sum(parameter.numel() for parameter in theirs.parameters()) == pytest.approx(parameters, rel=0.002)
    with torch.device("meta"):
        ours = Whisper(WhisperConfig.from_hf(theirs.config.to_dict()))
    stored = {key: tensor for key, tensor in theirs.state_dict().items() if key != "proj_out.weight"}  # tied
    ours.load_state_dict(stored, strict=True, assign=True)  # the same memory: 6.2 GB once, not twice
    ours.eval()
    heard, tokens = torch.from_numpy(given(sizes, 1)), torch.from_numpy(random_tokens(1, 12))
    with torch.inference_mode():
        wanted = theirs(heard, decoder_input_ids=tokens)
        assert error(ours.model.encoder(heard).numpy(), wanted.encoder_last_hidden_state.numpy()) < 1e-4
        assert error(ours(heard, tokens).numpy(), wanted.logits.numpy()) < 1e-4
    del theirs, ours
    gc.collect()
