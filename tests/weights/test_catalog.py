"""The catalog is data that everything else trusts, so its shape is checked here."""

from __future__ import annotations

import math
import re

import pytest

from sonant.errors import UnknownName
from sonant.models.kokoro import names as kokoro_names
from sonant.models.whisper import names as whisper_names
from sonant.text.whisper_languages import LANGUAGES
from sonant.weights import catalog
from sonant.weights.catalog import HubSource, NpmSource, PypiSource

ROWS = {row.id: row for row in catalog.rows()}
SHA256 = re.compile(r"[0-9a-f]{64}")


def test_every_promised_checkpoint_is_there() -> None:
    whisper = ("tiny", "base", "small", "medium")
    promised = {f"whisper-{size}{end}" for size in whisper for end in ("", ".en")}
    promised |= {f"whisper-large-{v}" for v in ("v1", "v2", "v3", "v3-turbo")}
    promised |= {f"distil-{size}" for size in ("small.en", "medium.en", "large-v2", "large-v3", "large-v3.5")}
    promised |= {"kokoro-82m", "kokoro-82m-v1.1-zh", "kokoro-82m-bf16"}
    promised |= {"wav2vec2-base-960h", "xlsr-53-polish", "mms-1b-all"}
    promised |= {f"mms-lid-{languages}" for languages in (126, 256, 512, 1024, 2048, 4017)}
    assert set(ROWS) == promised


def test_names_lead_to_one_row() -> None:
    names = [name for row in catalog.rows() for name in (row.id, *row.aliases)]
    assert len(names) == len(set(names))
    assert names == [name.lower() for name in names]
    for alias, row_id in {
        "base": "whisper-base",
        "tiny.en": "whisper-tiny.en",
        "large": "whisper-large-v3",
        "turbo": "whisper-large-v3-turbo",
        "kokoro": "kokoro-82m",
        "openai/whisper-small": "whisper-small",
        "Whisper-Base": "whisper-base",
        "facebook/mms-1b-all": "mms-1b-all",
    }.items():
        assert catalog.find(alias).id == row_id


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"'wisper-bas'.*whisper-base.*models list"):
        catalog.find("wisper-bas")


def test_every_row_has_a_source_and_a_licence() -> None:
    for row in catalog.rows():
        assert isinstance(row.sources[0], HubSource)
        assert row.licence in {"MIT", "Apache-2.0", "CC-BY-NC-4.0"}
        assert row.sample_rate == (24_000 if row.family == "kokoro" else 16_000)
    assert ROWS["mms-1b-all"].licence == "CC-BY-NC-4.0"


def test_checksums_are_checksums() -> None:
    for row in catalog.rows():
        for source in (*row.sources, *row.voice_sources):
            if isinstance(source, HubSource):
                assert all(SHA256.fullmatch(value) for value in source.sha256.values())
            elif isinstance(source, PypiSource):
                carried = {name for name, _, nbytes in source.packages if nbytes > 0}
                for file in source.files:
                    assert SHA256.fullmatch(file.sha256)
                    assert file.nbytes > 0
                    assert {package for package, _ in file.parts} <= carried
            else:
                assert isinstance(source, NpmSource)
                assert SHA256.fullmatch(source.sha256)
        if "original_sha256" in row.raw:
            assert SHA256.fullmatch(row.raw["original_sha256"])


def test_sizes_follow_from_the_networks() -> None:
    for row in catalog.rows():
        if row.family == "whisper":
            shapes = whisper_names.shapes(row.raw["network"])
            assert row.parameters == sum(math.prod(shape) for shape in shapes.values())
    shapes = kokoro_names.shapes(catalog.config("kokoro-82m.json"))
    assert len(shapes) == 546
    assert {row.parameters for row in catalog.rows() if row.family == "kokoro"} == {
        sum(math.prod(shape) for shape in shapes.values())
    }


def test_alignment_heads_lie_inside_the_decoder() -> None:
    for row in catalog.rows():
        heads = row.raw.get("alignment_heads")
        if row.family != "whisper":
            continue
        assert (heads is None) == row.id.startswith("distil")
        for layer, head in heads or ():
            assert 0 <= layer < row.raw["network"]["decoder_layers"]
            assert 0 <= head < row.raw["network"]["decoder_attention_heads"]


def test_languages_are_whispers() -> None:
    codes = list(LANGUAGES)
    assert list(ROWS["whisper-base"].languages) == codes[:99]
    assert list(ROWS["whisper-large-v3"].languages) == codes
    assert ROWS["whisper-base.en"].languages == ("en",)
    assert ROWS["xlsr-53-polish"].languages == ("pl",)


def test_voices() -> None:
    voices = ROWS["kokoro-82m"].voices
    assert len(voices) == 54
    assert len(ROWS["kokoro-82m-v1.1-zh"].voices) == 103
    assert ROWS["kokoro-82m-bf16"].voices == voices
    for voice in voices:
        assert voice.language == voice.name[0]
        assert voice.language in "abefhijpz"
        assert voice.gender == {"f": "female", "m": "male"}[voice.name[1]]
        assert voice.grade in {"", "A", "A-", "B-", "C+", "C", "C-", "D+", "D", "D-", "F+"}
        assert SHA256.fullmatch(voice.sha256)
    heart = next(voice for voice in voices if voice.name == "af_heart")
    assert heart.grade == "A"
    assert heart.sha256 == "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b"
    for row in catalog.rows():
        assert row.family != "kokoro" or row.default_voice in {voice.name for voice in row.voices}


def test_kokoros_alphabet() -> None:
    config = catalog.config("kokoro-82m.json")
    ids = config["vocab"].values()
    assert len(set(ids)) == len(config["vocab"]) == 114
    assert 0 < min(ids) <= max(ids) < config["n_token"] == 178


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # their package leaves files open
def test_facts_equal_openais_package() -> None:
    import base64
    import gzip

    import numpy as np
    import whisper
    from whisper.tokenizer import get_tokenizer

    for row in catalog.rows():
        size = row.id.removeprefix("whisper-")
        if not row.id.startswith("whisper-"):
            continue
        network = row.raw["network"]
        grid = np.frombuffer(gzip.decompress(base64.b85decode(whisper._ALIGNMENT_HEADS[size])), dtype=bool)
        grid = grid.reshape(network["decoder_layers"], network["decoder_attention_heads"])
        assert np.argwhere(grid).tolist() == row.raw["alignment_heads"]
        assert row.raw["original_sha256"] == whisper._MODELS[size].split("/")[-2]
    for english in (True, False):
        theirs = get_tokenizer(not english, num_languages=99).non_speech_tokens
        assert sorted(catalog.non_speech_tokens(english)) == sorted(theirs)
