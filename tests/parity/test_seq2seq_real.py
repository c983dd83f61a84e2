"""Whisper on real weights and real speech: against openai-whisper, transformers, and torch float32."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_seq2seq import ENGINES, error, open_named, random_tokens
from whisper_nets import WHISPERS, features

from sonant.audio import io
from sonant.audio.features import log_mel, pad_or_trim
from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.models.whisper.names import from_openai
from sonant.weights import cache
from sonant.weights.checkpoint import Checkpoint

MODELS = ["whisper-base", "whisper-tiny.en"]
PROMPTS = {"whisper-base": [50258, 50259, 50359, 50363], "whisper-tiny.en": [50257, 50362]}
CLIPS = ["en/quick_brown_fox.wav", "en/counting.wav"]
HEADS = [(0, 0), (3, 5)]


def cached(model):
    folder = cache.folder() / "models" / model
    if not (folder / "model.safetensors").is_file():
        pytest.skip(f"{model} isn't cached; run: sonant models fetch {model}")
    config = json.loads((folder / "config.json").read_text())
    return Checkpoint(model, "whisper", folder, (folder / "model.safetensors",), config)


@pytest.fixture(scope="module")
def clips():
    samples = Path(next(iter(pytest.importorskip("pytest_audioeval").__path__))) / "samples" / "audio"
    return np.stack([pad_or_trim(log_mel(io.read(samples / clip, 16000).samples)) for clip in CLIPS])


def greedy(engine, memory, prompt, end, limit=40):
    tokens = list(prompt)
    made = int(engine.step(memory, np.array([tokens])).argmax(1)[0])
    while made != end and len(tokens) < limit:
        tokens.append(made)
        made = int(engine.step(memory, np.array([[made]])).argmax(1)[0])
    return tokens


@pytest.fixture(scope="module")
def spoken(clips):
    """By model what torch says of each clip: tokens, attention to be aligned, logits."""

    @functools.cache
    def of(model):
        reference = open_named(cached(model), "torch-float32")
        heard, end, found = reference.encode(clips), PROMPTS[model][0] - 1, []
        for row in range(len(clips)):
            tokens = np.array(greedy(reference, reference.fork(heard, [row]), PROMPTS[model], end))
            assert len(tokens) > 8
            found.append((tokens, *reference.align(heard, row, tokens, HEADS)))
        return found

    return of


@pytest.mark.weights
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("model", MODELS)
def test_an_engine_hears_speech_as_torch_does(model, name, clips, spoken, tolerances):
    """Teacher-forced on torch's own words: logits near, and the same choice wherever torch isn't nearly undecided."""
    engine, allowed = open_named(cached(model), name), tolerances["seq2seq"][name]["real"]
    if name == "openvino-int16":
        engine.encoder.thinning.fits = False  # padding that isn't computed: test_padding_real.py
    memory, start = engine.encode(clips), len(PROMPTS[model]) - 1
    for row, (tokens, scores, expected) in enumerate(spoken(model)):
        logits = engine.step(engine.fork(memory, [row]), tokens[None], every=True)[0, start:]
        assert error(logits, expected[start:]) < allowed
        assert error(engine.align(memory, row, tokens, HEADS)[0], scores) < allowed
        second, first = np.sort(expected[start:], 1)[:, -2:].T
        sure = first - second > 1  # nats
        assert sure.mean() > 0.7
        assert (logits.argmax(1) == expected[start:].argmax(1))[sure].all()


@pytest.mark.weights
@pytest.mark.peers
@pytest.mark.parametrize("model", MODELS)
def test_torch_equals_openai_whisper(model, clips):
    """Issue 2: encoder and logits to 1e-4 relative, on the same weights."""
    whisper = pytest.importorskip("whisper.model")
    checkpoint = cached(model)
    ours, sizes = open_named(checkpoint, "torch-float32"), checkpoint.config
    dims = whisper.ModelDimensions(
        n_mels=sizes["num_mel_bins"],
        n_audio_ctx=sizes["max_source_positions"],
        n_audio_state=sizes["d_model"],
        n_audio_head=sizes["encoder_attention_heads"],
        n_audio_layer=sizes["encoder_layers"],
        n_vocab=sizes["vocab_size"],
        n_text_ctx=sizes["max_target_positions"],
        n_text_state=sizes["d_model"],
        n_text_head=sizes["decoder_attention_heads"],
        n_text_layer=sizes["decoder_layers"],
    )
    theirs, stored = whisper.Whisper(dims).eval(), load_file(checkpoint.weights[0])
    theirs.load_state_dict({key: stored[from_openai(key)].float() for key in theirs.state_dict()}, strict=True)
    tokens = np.concatenate([np.array([PROMPTS[model]] * 2), random_tokens(2, 12)], 1)
    with torch.inference_mode():
        encoded = theirs.encoder(torch.from_numpy(clips))
        expected = theirs(torch.from_numpy(clips), torch.from_numpy(tokens)).numpy()
        assert error(ours.net.model.encoder(torch.from_numpy(clips)).numpy(), encoded.numpy()) < 1e-4
    assert error(ours.step(ours.encode(clips), tokens, every=True), expected) < 1e-4


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("bare", [False, True])
def test_a_folder_saved_by_transformers_opens_by_path(tmp_path, dtype, bare):
    """A random tiny config, saved whole or as the bare model without its head, in one file or in shards."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {key: value for key, value in WHISPERS["multilingual"].items() if key != "model_type"}
    config = transformers.WhisperConfig(**sizes, pad_token_id=0, bos_token_id=1, eos_token_id=2, init_std=0.3)
    theirs = transformers.WhisperForConditionalGeneration(config).eval().to(getattr(torch, dtype))
    saved = theirs.model if bare else theirs
    saved.save_pretrained(tmp_path, max_shard_size="4MB" if bare else "1GB")
    files = tuple(sorted(tmp_path.glob("*.safetensors")))
    assert (len(files) > 1) == bare
    checkpoint = Checkpoint("saved", "whisper", tmp_path, files, json.loads((tmp_path / "config.json").read_text()))
    given, tokens = features(checkpoint, 2), random_tokens(2, 9)
    with torch.inference_mode():
        expected = theirs.float()(torch.from_numpy(given), decoder_input_ids=torch.from_numpy(tokens)).logits.numpy()
    for name in ("torch", "openvino", "onnxruntime"):
        engine = open_engine(checkpoint, EngineOptions(name, dtype="float32"))
        assert error(engine.step(engine.encode(given), tokens, every=True), expected) < 1e-4, name
