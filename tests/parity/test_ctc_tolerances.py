"""Every wav2vec 2.0 engine and dtype against torch float32: both kinds of feature encoder, adapters, classifier."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.asr.mms_nets import adapter

from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.engines.engine_openvino.runtime import has_bfloat16
from sonant.errors import BadInput
from sonant.kernels import best
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification
from sonant.weights.checkpoint import Checkpoint

ENGINES = ["openvino-float32", "openvino-bfloat16", "openvino-int8", "onnxruntime-float32", "onnxruntime-int8"]
ENGINES += ["openvino-int16", "torch-bfloat16"]
GROUP = {  # base-960h, tiny: group norm, post-norm layers
    "architectures": ["Wav2Vec2ForCTC"],
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "conv_dim": [32] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 32,
}
LAYER = GROUP | {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}  # XLSR
MMS = LAYER | {"adapter_attn_dim": 8}
LID = LAYER | {
    "architectures": ["Wav2Vec2ForSequenceClassification"],
    "classifier_proj_size": 32,
    "id2label": {str(index): f"l{index:02d}" for index in range(20)},
}
NETS = {"group": GROUP, "layer": LAYER, "mms": MMS, "lid": LID}
LENGTHS = np.array([16000, 11000, 14000])
LANGUAGES = ["pol", "fra", "uzb-script_latin"]


def waveforms():
    sounds = np.random.default_rng(0).normal(size=(3, 16000)).astype(np.float32)
    for row, length in enumerate(LENGTHS):
        sounds[row, length:] = 0
    return sounds


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("ctc")
    for seed, (name, config) in enumerate(NETS.items()):
        torch.manual_seed(seed)
        (root / name).mkdir()
        kind = Wav2Vec2ForSequenceClassification if name == "lid" else Wav2Vec2ForCTC
        save_file(kind(Wav2Vec2Config.from_hf(config)).state_dict(), root / name / "model.safetensors")
        (root / name / "config.json").write_text(json.dumps(config))
    for code in LANGUAGES:
        (root / "mms" / f"adapter.{code}.safetensors").write_bytes(adapter(code, Wav2Vec2Config.from_hf(MMS)))
    return root


def opened(folders, net, name):
    engine, dtype = name.split("-")
    if name == "openvino-bfloat16" and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16 arithmetic")
    if dtype == "int16" and best.find("int16") is None:
        pytest.skip(best.missing())
    folder = folders / net
    checkpoint = Checkpoint(net, "wav2vec2", folder, (folder / "model.safetensors",), NETS[net])
    return open_engine(checkpoint, EngineOptions(engine, dtype=dtype))


def heard(engine, net):
    """Every call of the protocol that the net has; real frames alone, by name."""
    sounds, found = waveforms(), {}
    if net == "lid":
        return {"classes": engine.classify(sounds, LENGTHS), "alone": engine.classify(sounds[:1], LENGTHS[:1])}
    log_probs, frames = engine.log_probs(sounds, LENGTHS)
    found["log_probs"] = np.concatenate([log_probs[row, :count] for row, count in enumerate(frames)])
    found["alone"] = engine.log_probs(sounds[:1], LENGTHS[:1])[0]
    states, _ = engine.hidden_states(sounds, LENGTHS, (0, 1, 3))
    found["states"] = np.concatenate([states[:, row, :count] for row, count in enumerate(frames)], 1)
    if net == "mms":
        mixed, _ = engine.log_probs(sounds, LENGTHS, LANGUAGES)
        for row, (code, count) in enumerate(zip(LANGUAGES, frames, strict=True)):
            symbols = int(np.isfinite(mixed[row, 0]).sum())
            found[code] = mixed[row, :count, :symbols]
    return found


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("net", NETS)
def test_every_engine_hears_what_torch_hears(folders, net, name, tolerances, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path_factory.mktemp("cache")))
    if (net, name) == ("mms", "openvino-int16"):
        with pytest.raises(BadInput, match="int16 has neither language adapters"):
            opened(folders, net, name)
        return
    exact, near = heard(opened(folders, net, "torch-float32"), net), heard(opened(folders, net, name), net)
    errors = {key: float(np.linalg.norm(near[key] - exact[key]) / np.linalg.norm(exact[key])) for key in exact}
    assert max(errors.values()) < tolerances["ctc"][name]["tiny"], errors
