"""``sonant.compat.faster_whisper``: the original's surface, and its words on the same clips."""

import itertools
from pathlib import Path

import pytest

from sonant.compat.faster_whisper import (
    BatchedInferencePipeline,
    VadOptions,
    WhisperModel,
    available_models,
    decode_audio,
    format_timestamp,
)
from sonant.errors import BadInput, UnknownName


@pytest.fixture(scope="module")
def clip():
    audioeval = pytest.importorskip("pytest_audioeval")
    return str(next(path for folder in audioeval.__path__ for path in Path(folder).rglob("en/*fox.wav")))


@pytest.fixture(scope="module")
def model():
    return WhisperModel("base", compute_type="float32")


def test_names_and_times():
    assert {"tiny.en", "base", "large-v3", "distil-large-v3"} <= set(available_models())
    assert format_timestamp(3723.4567) == "01:02:03.457"
    assert format_timestamp(1.5, always_include_hours=True, decimal_marker=",") == "00:00:01,500"


def test_what_has_no_effect_is_refused():
    with pytest.raises(BadInput, match="SONANT_CACHE"):
        WhisperModel("base", download_root="x")
    with pytest.raises(BadInput, match="int8"):
        WhisperModel("base", compute_type="int3")
    with pytest.raises(UnknownName, match="base"):
        WhisperModel("bsae")


@pytest.mark.weights
def test_segments_words_and_info(model, clip):
    segments, info = model.transcribe(clip, word_timestamps=True)
    found = list(segments)
    assert info.language == "en"
    assert info.language_probability > 0.5
    assert info.duration == pytest.approx(len(decode_audio(clip)) / 16000)
    assert "".join(segment.text for segment in found) == " The quick brown fox jumps over the lazy dog."
    words = [word for segment in found for word in segment.words]
    assert [word.word for word in words][:3] == [" The", " quick", " brown"]
    assert all(a.start <= b.start for a, b in itertools.pairwise(words))
    with pytest.raises(UnknownName, match="beam_size"):
        model.transcribe(clip, beam_sise=5)


@pytest.mark.weights
def test_batched_gives_the_same_words(model, clip):
    segments, info = BatchedInferencePipeline(model).transcribe(clip, batch_size=4, vad_parameters=VadOptions())
    assert "".join(segment.text for segment in segments).strip() == "The quick brown fox jumps over the lazy dog."
    assert info.duration_after_vad <= info.duration
    assert info.vad_options == VadOptions()


@pytest.mark.weights
@pytest.mark.peers
def test_words_are_those_of_the_original(model, clip, tmp_path):
    faster_whisper = pytest.importorskip("faster_whisper")
    import sys

    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from convert import to_ctranslate2
    from sonant.api import fetch

    to_ctranslate2(fetch("whisper-base").folder, tmp_path / "ct2")
    original = faster_whisper.WhisperModel(str(tmp_path / "ct2"), device="cpu", compute_type="float32")
    theirs, wanted = original.transcribe(clip)
    ours, info = model.transcribe(clip)
    assert [segment.text for segment in ours] == [segment.text for segment in theirs]
    assert info.language == wanted.language
    assert info.language_probability == pytest.approx(wanted.language_probability, abs=0.01)
