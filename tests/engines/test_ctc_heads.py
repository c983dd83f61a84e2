"""Other heads of the family, in folders as transformers writes them: language identification, units, features alone."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.wav2vec2_sizes import SMALL_LAYER

from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Headless, Wav2Vec2ForSequenceClassification
from sonant.models.wav2vec2.pretrain_torch import Wav2Vec2ForPreTraining
from sonant.weights.checkpoint import Checkpoint

NETS = {
    "Wav2Vec2ForSequenceClassification": Wav2Vec2ForSequenceClassification,
    "Wav2Vec2ForPreTraining": Wav2Vec2ForPreTraining,
    "Wav2Vec2Model": Headless,
}

TINY = SMALL_LAYER | {
    "classifier_proj_size": 12,
    "num_codevectors_per_group": 20,
    "codevector_dim": 16,
    "proj_codevector_dim": 16,
    "id2label": {0: "ara", 1: "pol", 2: "eng"},
    "label2id": {"ara": 0, "pol": 1, "eng": 2},
}
LENGTHS = np.array([8000, 6000, 7000])


@pytest.fixture(params=["torch", "openvino", "onnxruntime"])
def options(request):
    return EngineOptions(engine=request.param, dtype="float32")


def own(kind, folder):
    """A random network of ours of a kind, and a folder that holds it."""
    torch.manual_seed(2)
    config = TINY | {"architectures": [kind]}
    net = NETS[kind](Wav2Vec2Config.from_hf(config)).eval()
    save_file(net.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return net


def saved(kind, folder):
    """A random network of a kind, as transformers saves it, and the reference itself."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(2)
    reference = getattr(transformers, kind)(transformers.Wav2Vec2Config(**TINY)).eval()
    reference.save_pretrained(folder)
    return reference


def checkpoint(folder):
    config = json.loads((folder / "config.json").read_text())
    return Checkpoint("tiny", "wav2vec2", folder, (folder / "model.safetensors",), config)


def sounds():
    waveforms = np.random.default_rng(0).normal(size=(3, 8000)).astype(np.float32)
    for row, length in enumerate(LENGTHS):
        waveforms[row, length:] = 0
    return waveforms


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_every_engine_gives_what_the_networks_give(tmp_path, name):
    options = EngineOptions(engine=name, dtype="float32")
    for kind in NETS:
        (folder := tmp_path / kind).mkdir()
        own(kind, folder)
    waveforms = sounds()
    for kind, call in (("Wav2Vec2ForSequenceClassification", "classify"), ("Wav2Vec2ForPreTraining", "units")):
        exact, near = (
            getattr(open_engine(checkpoint(tmp_path / kind), chosen), call)(waveforms, LENGTHS)
            for chosen in (EngineOptions(engine="torch"), options)
        )
        if call == "classify":
            np.testing.assert_allclose(near, exact, rtol=1e-4, atol=1e-5)
            continue
        (wanted, frames), (found, _) = exact, near
        for row, count in enumerate(frames):
            np.testing.assert_array_equal(found[row, :count], wanted[row, :count])
    bare = open_engine(checkpoint(tmp_path / "Wav2Vec2Model"), options)
    assert bare.hidden_states(waveforms, LENGTHS, (0, 2))[0].shape == (2, 3, 24, 24)
    for call in (bare.log_probs, bare.classify, bare.units):
        with pytest.raises(BadInput, match="features alone"):
            call(waveforms, LENGTHS)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # transformers' own, about its defaults
def test_the_classifier_gives_the_logits_of_transformers(tmp_path, options):
    reference = saved("Wav2Vec2ForSequenceClassification", tmp_path)
    engine = open_engine(checkpoint(tmp_path), options)
    assert engine.config.labels == ("ara", "pol", "eng")
    waveforms = sounds()
    found = engine.classify(waveforms, LENGTHS)
    mask = torch.arange(8000)[None] < torch.from_numpy(LENGTHS)[:, None]
    with torch.no_grad():
        wanted = reference(torch.from_numpy(waveforms), attention_mask=mask.long()).logits.log_softmax(1)
        alone = reference(torch.from_numpy(waveforms[1:2, :6000])).logits.log_softmax(1)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1:2], alone.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(engine.classify(waveforms[1:2, :6000], LENGTHS[1:2]), found[1:2], rtol=1e-4, atol=1e-5)
    with pytest.raises(BadInput, match=r"classification.*recognition"):
        engine.log_probs(waveforms, LENGTHS)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_units_are_what_the_quantiser_of_transformers_picks(tmp_path, options):
    reference = saved("Wav2Vec2ForPreTraining", tmp_path)
    engine = open_engine(checkpoint(tmp_path), options)
    waveforms = sounds()
    units, frames = engine.units(waveforms, LENGTHS)
    assert units.shape == (3, 24, 2)
    assert units.dtype == np.int64
    groups, entries = 2, TINY["num_codevectors_per_group"]
    for row, length in enumerate(LENGTHS):
        with torch.no_grad():
            features = reference.wav2vec2.feature_extractor(torch.from_numpy(waveforms[row : row + 1, :length]))
            _, normed = reference.wav2vec2.feature_projection(features.transpose(1, 2))
            logits = reference.quantizer.weight_proj(normed).view(-1, groups, entries)
            vectors, _ = reference.quantizer(normed)
        wanted = logits.argmax(2).numpy()
        np.testing.assert_array_equal(units[row, : frames[row]], wanted)
        books = reference.quantizer.codevectors.detach().view(groups, entries, -1).numpy()
        looked_up = np.concatenate([books[group, wanted[:, group]] for group in range(groups)], 1)
        np.testing.assert_allclose(looked_up, vectors[0].numpy(), rtol=1e-5)  # its forward pass picks the same
    assert len(np.unique(units)) > 5
    states, _ = engine.hidden_states(waveforms, LENGTHS, (2,))
    with torch.no_grad():
        hidden = reference.wav2vec2(torch.from_numpy(waveforms[:1]), output_hidden_states=True).hidden_states[1]
    middle, _ = engine.hidden_states(waveforms[:1], LENGTHS[:1], (1,))
    assert states.shape == (1, 3, 24, 24)
    np.testing.assert_allclose(middle[0, 0], hidden[0].numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_a_bare_model_gives_features_and_nothing_else(tmp_path, options):
    saved("Wav2Vec2Model", tmp_path)
    engine = open_engine(checkpoint(tmp_path), options)
    states, _ = engine.hidden_states(sounds(), LENGTHS, (0, 2))
    assert states.shape == (2, 3, 24, 24)
    for call in (engine.log_probs, engine.classify, engine.units):
        with pytest.raises(BadInput, match="features alone"):
            call(sounds(), LENGTHS)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_int8_identifies_alike(tmp_path, engine, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path_factory.mktemp("cache")))
    own("Wav2Vec2ForSequenceClassification", tmp_path)
    exact = open_engine(checkpoint(tmp_path), EngineOptions(engine="torch")).classify(sounds(), LENGTHS)
    near = open_engine(checkpoint(tmp_path), EngineOptions(engine=engine, dtype="int8")).classify(sounds(), LENGTHS)
    assert 1e-7 < np.linalg.norm(near - exact) / np.linalg.norm(exact) < 0.05


def test_heads_that_nobody_wrote_are_refused_by_name():
    with pytest.raises(UnsupportedCheckpoint, match="Wav2Vec2ForXVector"):
        Wav2Vec2Config.from_hf(TINY | {"architectures": ["Wav2Vec2ForXVector"]})
    with pytest.raises(UnsupportedCheckpoint, match="id2label"):
        Wav2Vec2Config.from_hf({"architectures": ["Wav2Vec2ForSequenceClassification"]})
