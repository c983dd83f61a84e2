"""MMS through the public functions: spellings of languages, mixed batches, "auto", adapters fetched, bad adapters."""

import json
import logging

import numpy as np
import pytest
from tests.asr.mms_nets import ALPHABETS, MMS, adapter, noise, write_lid, write_mms
from tests.weights.servers import HubServer, running

from sonant import api
from sonant.audio import io
from sonant.decode.ctc_options import CtcOptions
from sonant.errors import BadInput, CorruptFile, ModelFileMissing, UnknownName, UnsupportedCheckpoint
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.records import Audio


@pytest.fixture
def folder(tmp_path):
    return write_mms(tmp_path / "mms")


def opened(folder, **options):
    return api.load_asr(folder, engine="torch", dtype="float32", **options)


def facts(transcript):
    return [(word.text, word.start_s, word.end_s) for word in transcript.words], transcript.language


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime"])
def test_a_batch_of_several_languages_says_what_each_says_alone(folder, engine):
    model = api.load_asr(folder, engine=engine, dtype="float32")
    sounds = [noise(1.3, 1), noise(0.4, 2), noise(2.1, 3), noise(0.9, 4), noise(0.7, 5)]
    languages = ["pl", "French", "uz-Latn", "uzb-script_cyrillic", "pol"]
    together = list(model.transcribe_many(sounds, languages=languages, batch_size=3))
    assert [one.language for one in together] == ["pol", "fra", "uzb-script_latin", "uzb-script_cyrillic", "pol"]
    for found, sound, language in zip(together, sounds, languages, strict=True):
        alone = model.transcribe(sound, language=language)
        assert facts(found) == facts(alone)
        assert found.text
        letters = set("".join(word.text for word in found.words))
        assert letters <= set(ALPHABETS[found.language])
    with pytest.raises(ValueError, match="argument"):
        list(model.transcribe_many(sounds, languages=["pol"]))


def test_long_recordings_in_a_batch_keep_their_windows_apart(folder):
    model = opened(folder)
    sounds = [noise(3.0, 1), noise(0.5, 2), noise(2.0, 3)]
    options = {"language": "pol", "chunk_s": 0.5, "context_s": 0.2, "batch_size": 2}
    for found, sound in zip(model.transcribe_many(iter(sounds), **options), sounds, strict=True):
        assert facts(found) == facts(model.transcribe(sound, **options))


def test_a_dataset_is_heard_several_recordings_at_a_time(folder, tmp_path):
    rows = [(0.8, "pl"), (1.4, "fra"), (0.5, "uz-Latn"), (0.9, "pol"), (0.6, "fra")]
    lines = []
    for number, (seconds, language) in enumerate(rows):
        io.write(tmp_path / f"{number}.wav", Audio(noise(seconds, number), 16_000))
        lines.append(json.dumps({"audio": f"{number}.wav", "language": language, "text": str(number)}))
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    found = list(api.transcribe_dataset(tmp_path / "m.jsonl", model=folder, batch_size=2))
    assert [item.text for item, _ in found] == ["0", "1", "2", "3", "4"]
    assert [one.language for _, one in found] == ["pol", "fra", "uzb-script_latin", "pol", "fra"]
    model = api.load_asr(folder)
    for (item, one), (_, language) in zip(found, rows, strict=True):
        assert facts(one) == facts(model.transcribe(item.audio, language=language))
    all_polish = api.transcribe_dataset(tmp_path / "m.jsonl", model=folder, language="pl")
    assert {one.language for _, one in all_polish} == {"pol"}


def test_unknown_open_and_missing_languages(folder):
    model = opened(folder)
    assert model.languages == tuple(ALPHABETS)
    with pytest.raises(UnknownName, match=r"nearest: .*pol"):
        model.transcribe(noise(0.5), language="poll")
    with pytest.raises(BadInput, match=r"uzb-script_latin, uzb-script_cyrillic"):
        model.transcribe(noise(0.5), language="uz")
    with pytest.raises(BadInput, match=r"4 languages.*name one"):
        model.transcribe(noise(0.5))
    (folder / "adapter.fra.safetensors").unlink()
    with pytest.raises(UnknownName, match="fra"):
        opened(folder).transcribe(noise(0.5), language="fra")


def test_auto_identifies_and_chooses_the_adapter(folder, tmp_path):
    lid = write_lid(tmp_path / "lid", ["eng", "fra", "pol"], "pol")
    model = opened(folder, identifier=lid)
    guess = model.detect_language(noise(0.8))
    assert guess.language == "pol"
    assert sum(guess.probabilities.values()) == pytest.approx(1, rel=1e-4)
    found = model.transcribe(noise(0.8), language="auto")
    assert found.language == "pol"
    assert found.language_probability == guess.probability > 0.5
    assert facts(found) == facts(model.transcribe(noise(0.8), language="pol"))
    mixed = list(model.transcribe_many([noise(0.8), noise(0.6)], languages=["auto", "fra"]))
    assert [one.language for one in mixed] == ["pol", "fra"]


def test_auto_tells_when_the_likeliest_language_has_no_adapter(folder, tmp_path):
    model = opened(folder, identifier=write_lid(tmp_path / "lid", ["eng", "fra"], "eng"))
    found = model.transcribe(noise(0.8), language="auto")
    assert found.language == "fra"
    assert "eng" in found.warnings[0]
    none = opened(folder, identifier=write_lid(tmp_path / "other", ["eng", "deu"], "eng"))
    with pytest.raises(BadInput, match="no adapter"):
        none.transcribe(noise(0.8), language="auto")


def test_auto_hears_which_script_it_is_surest_of(folder, tmp_path):
    model = opened(folder, identifier=write_lid(tmp_path / "lid", ["uzb", "fra"], "uzb"))
    found = model.transcribe(noise(0.8), language="auto")
    assert found.language.startswith("uzb-script_")
    confidence = {
        code: np.exp(np.concatenate(list(rows)).max(1)).mean()
        for code in ("uzb-script_latin", "uzb-script_cyrillic")
        for rows in [model.emissions([noise(0.8)], CtcOptions(language=code, chunk_s=30.0, context_s=0.0))]
    }
    assert found.language == max(confidence, key=confidence.__getitem__)


def test_auto_needs_an_identifier(folder, tmp_path):
    with pytest.raises(BadInput, match="identifier"):
        opened(folder, identifier=None).transcribe(noise(0.5), language="auto")
    with pytest.raises(BadInput, match=r"recognition.*classification"):
        opened(folder, identifier=folder).transcribe(noise(0.5), language="auto")
    with pytest.raises(BadInput, match=r"classification.*recognition"):
        opened(write_lid(tmp_path / "lid", ["eng", "fra"], "eng")).transcribe(noise(0.5))


def test_a_vocabulary_that_does_not_fit_an_adapter_says_both_sizes(folder):
    (folder / "adapter.pol.safetensors").write_bytes(adapter("pol", symbols=14))
    with pytest.raises(BadInput, match=r"11 symbols.*adapter pol has 14 outputs"):
        opened(folder).transcribe(noise(0.5), language="pol")


def test_adapters_of_another_model_and_damaged_ones(folder):
    (folder / "adapter.pol.safetensors").write_bytes(adapter("pol", Wav2Vec2Config.from_hf(MMS | {"hidden_size": 32})))
    with pytest.raises(UnsupportedCheckpoint, match=r"adapter\.pol\.safetensors is an adapter of another model"):
        opened(folder).transcribe(noise(0.5), language="pol")
    whole = (folder / "adapter.fra.safetensors").read_bytes()
    (folder / "adapter.fra.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFile, match=r"adapter\.fra\.safetensors"):
        opened(folder).transcribe(noise(0.5), language="fra")


def test_the_model_and_its_adapters_come_from_the_catalogs_repository(tmp_path, monkeypatch, caplog):
    source = write_mms(tmp_path / "source")
    files = {path.name: path.read_bytes() for path in source.iterdir()}
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SONANT_OFFLINE", raising=False)
    with running(HubServer({"facebook/mms-1b-all": files})) as hub:
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        with caplog.at_level(logging.WARNING, logger="sonant"):
            model = api.load_asr("mms-1b-all", engine="torch", dtype="float32")
        assert "CC-BY-NC-4.0" in caplog.text  # on the first use
        asked = {path.rpartition("/")[2] for path, _ in hub.asked}
        assert not any(name.startswith("adapter") for name in asked)
        found = model.transcribe(noise(0.8), language="pl")
        assert facts(found) == facts(opened(source).transcribe(noise(0.8), language="pol"))
        count = len(hub.asked)
        model.transcribe(noise(0.8), language="pl")
        assert len(hub.asked) == count  # it lies in the cache now
        caplog.clear()
        api.load_asr("mms-1b-all", engine="torch")
        assert "CC-BY-NC" not in caplog.text
    monkeypatch.setenv("SONANT_OFFLINE", "1")
    assert api.load_asr("mms-1b-all", engine="torch").transcribe(noise(0.8), language="pl").text == found.text
    with pytest.raises(ModelFileMissing, match=r"adapter\.fra"):
        api.load_asr("mms-1b-all", engine="torch").transcribe(noise(0.8), language="fra")
    api.verify("mms-1b-all")


def test_a_model_of_one_language_refuses_another(tmp_path):
    folder = tmp_path / "polish"
    write_mms(folder, codes=())
    plain = {key: value for key, value in MMS.items() if key != "adapter_attn_dim"}
    import torch
    from safetensors.torch import save_file

    from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC

    torch.manual_seed(0)
    config = plain | {"vocab_size": len(ALPHABETS["pol"])}
    save_file(Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(config)).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.json").write_text(json.dumps({symbol: i for i, symbol in enumerate(ALPHABETS["pol"])}))
    model = opened(folder)
    assert model.languages == ()
    assert model.transcribe(noise(0.5), language="auto").language is None
    object.__setattr__(model.checkpoint, "catalog", {"languages": ["pl"]})
    assert model.transcribe(noise(0.5)).language == "pl"
    assert model.transcribe(noise(0.5), language="Polish").language == "pl"
    with pytest.raises(BadInput, match=r"pl only, not 'de'"):
        model.transcribe(noise(0.5), language="de")
