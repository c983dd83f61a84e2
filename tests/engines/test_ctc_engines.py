"""The CTC engines on folders as transformers writes them, adapters and mixed languages included."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tests.wav2vec2_sizes import SMALL, SMALL_LAYER

from sonant.engines import ctc_flow
from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.errors import BadInput, CorruptFile, UnknownName, UnsupportedCheckpoint
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.weights.checkpoint import Checkpoint

MMS = SMALL_LAYER | {
    "vocab_size": 10,
    "adapter_attn_dim": 4,
}


def adapter_tensors(config, symbols, seed):
    random = np.random.default_rng(seed)
    tensors = {
        key: random.normal(size=tuple(tensor.shape)).astype(np.float32) * 0.3
        for key, tensor in Wav2Vec2ForCTC(config).state_dict().items()
        if "adapter_layer" in key
    }
    tensors["lm_head.weight"] = random.normal(size=(symbols, config.hidden_size)).astype(np.float32)
    tensors["lm_head.bias"] = random.normal(size=symbols).astype(np.float32)
    return tensors


@pytest.fixture(params=["torch", "openvino", "onnxruntime"])
def options(request):
    return EngineOptions(engine=request.param, dtype="float32")


@pytest.fixture
def folder(tmp_path):
    """An MMS folder with three languages, the key spelling of older files."""
    torch.manual_seed(0)
    config = Wav2Vec2Config.from_hf(MMS)
    old = {"original0": "weight_g", "original1": "weight_v"}
    state = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor.numpy().copy()
        for key, tensor in Wav2Vec2ForCTC(config).state_dict().items()
    }
    assert any(key.endswith(tuple(old.values())) for key in state)
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(MMS))
    for seed, (language, symbols) in enumerate({"pol": 10, "fra": 7, "azj-script_latin": 12}.items()):
        save_file(adapter_tensors(config, symbols, seed), tmp_path / f"adapter.{language}.safetensors")
    return tmp_path


def checkpoint(folder):
    return Checkpoint("mms", "wav2vec2", folder, (folder / "model.safetensors",), MMS)


def sounds():
    waveforms = np.random.default_rng(0).normal(size=(3, 8000)).astype(np.float32)
    lengths = np.array([8000, 6000, 7000])
    for row, length in enumerate(lengths):
        waveforms[row, length:] = 0
    return waveforms, lengths


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_int8_stays_near_float32(folder, engine, monkeypatch, tmp_path_factory):
    options = EngineOptions(engine="torch", dtype="float32")
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path_factory.mktemp("cache")))
    waveforms, lengths = sounds()
    exact, frames = open_engine(checkpoint(folder), options).log_probs(waveforms, lengths)
    near, _ = open_engine(checkpoint(folder), EngineOptions(engine=engine, dtype="int8")).log_probs(waveforms, lengths)
    for row, count in enumerate(frames):
        wanted, found = exact[row, :count], near[row, :count]
        assert 1e-7 < np.linalg.norm(found - wanted) / np.linalg.norm(wanted) < 0.05


def test_a_batch_may_mix_languages(folder, options):
    engine = open_engine(checkpoint(folder), options)
    waveforms, lengths = sounds()
    languages = ["pol", "fra", "azj-script_latin"]
    mixed, frames = engine.log_probs(waveforms, lengths, languages)
    assert mixed.shape[2] == 12
    for row, language in enumerate(languages):
        alone, (count,) = engine.log_probs(waveforms[row : row + 1, : lengths[row]], lengths[row : row + 1], [language])
        symbols = alone.shape[2]
        np.testing.assert_allclose(mixed[row, :count, :symbols], alone[0], rtol=1e-4, atol=1e-5)
        assert np.isneginf(mixed[row, :, symbols:]).all()
        assert count == frames[row]
        np.testing.assert_allclose(np.exp(alone[0]).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("group", [False, True])
def test_rows_are_heard_apart_and_their_front_in_pieces(folder, engine, group, monkeypatch):
    waveforms, lengths = sounds()
    lengths[2] = lengths[1]
    waveforms[2, lengths[2] :] = 0
    choices = (None,) if group else (None, ["pol", "fra", "azj-script_latin"])
    opened = checkpoint(folder)
    if group:
        torch.manual_seed(1)
        net = Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(SMALL))
        with torch.no_grad():
            for part in net.wav2vec2.feature_extractor.conv_layers[0].layer_norm.parameters():
                part.add_(torch.randn_like(part) / 4)
        save_file({key: value.numpy() for key, value in net.state_dict().items()}, folder / "model.safetensors")
        opened = Checkpoint("base", "wav2vec2", folder, opened.weights, SMALL)
    exact, whole, apart = (
        open_engine(opened, EngineOptions(engine=name, dtype="float32")) for name in ("torch", engine, engine)
    )
    wanted = [exact.log_probs(waveforms, lengths, languages) for languages in choices]
    near = [whole.log_probs(waveforms, lengths, languages)[0] for languages in choices]
    monkeypatch.setattr(ctc_flow, "PIECE_FRAMES", 7)
    monkeypatch.setattr(ctc_flow, "POSITION_FRAMES", 5)
    for languages, (values, frames), others in zip(choices, wanted, near, strict=True):
        found, counts = apart.log_probs(waveforms, lengths, languages)
        np.testing.assert_array_equal(counts, frames)
        for row, count in enumerate(frames):
            np.testing.assert_allclose(found[row, :count], values[row, :count], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(others[row, :count], values[row, :count], rtol=1e-4, atol=1e-5)
            alone = waveforms[row : row + 1, : lengths[row]], lengths[row : row + 1], languages and [languages[row]]
            symbols = np.isfinite(found[row, 0])
            np.testing.assert_array_equal(apart.log_probs(*alone)[0][0], found[row, :count, symbols].T)


def test_switching_back_gives_the_same_again_though_the_cache_is_small(folder, options):
    engine = open_engine(checkpoint(folder), options)
    engine.adapters.size = 1
    waveforms, lengths = sounds()
    first = engine.log_probs(waveforms[:1], lengths[:1], ["pol"])[0]
    other = engine.log_probs(waveforms[:1], lengths[:1], ["fra"])[0]
    again = engine.log_probs(waveforms[:1], lengths[:1], ["pol"])[0]
    np.testing.assert_array_equal(first, again)
    assert other.shape != first.shape


def test_hidden_states_have_the_layers_of_the_net(folder, options):
    engine = open_engine(checkpoint(folder), options)
    waveforms, lengths = sounds()
    states, frames = engine.hidden_states(waveforms, lengths, (0, 2))
    assert states.shape == (2, 3, frames.max(), 24)
    assert not np.allclose(states[0], states[1])
    again, _ = engine.hidden_states(waveforms, lengths, (2,))
    np.testing.assert_array_equal(again[0], states[1])
    with pytest.raises(BadInput, match="0 to 2"):
        engine.hidden_states(waveforms, lengths, (3,))


def test_an_unknown_language_names_the_nearest(folder, options):
    engine = open_engine(checkpoint(folder), options)
    with pytest.raises(UnknownName, match="pol"):
        engine.log_probs(*sounds(), ["poll"] * 3)


def test_an_adapter_of_another_model_is_refused(folder, options):
    other = Wav2Vec2Config.from_hf(MMS | {"hidden_size": 32})
    save_file(adapter_tensors(other, 9, 5), folder / "adapter.deu.safetensors")
    (folder / "adapter.ita.safetensors").write_bytes(b"not a safetensors file at all")
    engine = open_engine(checkpoint(folder), options)
    with pytest.raises(UnsupportedCheckpoint, match=r"adapter_layer.*\(32,\).*\(24,\)"):
        engine.log_probs(*sounds(), ["deu"] * 3)
    with pytest.raises(CorruptFile, match="adapter"):
        engine.log_probs(*sounds(), ["ita"] * 3)


def test_a_checkpoint_that_lacks_a_key_is_refused(folder, options):
    tensors = {"lm_head.bias": np.zeros(10, np.float32)}
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(UnsupportedCheckpoint, match=r"(?i)missing|lacks"):
        open_engine(checkpoint(folder), options)


@pytest.mark.peers
@pytest.mark.parametrize("group", [True, False])
def test_a_folder_saved_by_transformers_gives_its_logits(tmp_path, group, options):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    plain = {key: value for key, value in MMS.items() if key != "adapter_attn_dim"}
    if group:
        plain |= {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False}
    reference = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**plain)).eval()
    reference.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    files = (tmp_path / "model.safetensors",)
    engine = open_engine(Checkpoint("x", "wav2vec2", tmp_path, files, config), options)
    waveforms, lengths = sounds()
    found, frames = engine.log_probs(waveforms, lengths)
    for row, length in enumerate(lengths):
        with torch.no_grad():
            expected = reference(torch.from_numpy(waveforms[row : row + 1, :length])).logits.log_softmax(2)[0]
        np.testing.assert_allclose(found[row, : frames[row]], expected.numpy(), rtol=1e-4, atol=1e-5)
