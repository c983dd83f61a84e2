"""``sonant.compat.whisper`` gives what openai-whisper gives, on the same weights and clips."""

from pathlib import Path

import numpy as np
import pytest

import sonant.compat.whisper as ours
from sonant.compat.whisper.audio import N_FRAMES, N_SAMPLES
from sonant.compat.whisper.tokenizer import get_tokenizer
from sonant.errors import BadInput, UnknownName

# The original leaves its vocabulary file open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def clips():
    audioeval = pytest.importorskip("pytest_audioeval")
    found = sorted(path for folder in audioeval.__path__ for path in Path(folder).rglob("en/*.wav"))
    assert found
    return found


@pytest.fixture(scope="module")
def model():
    from sonant import api
    from sonant.compat.whisper import Whisper

    return Whisper(api.load_asr("whisper-base", engine="torch", dtype="float32"))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The original package on the same weights."""
    import sys

    whisper = pytest.importorskip("whisper")
    torch = pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from convert import to_openai
    from sonant.api import fetch

    path = tmp_path_factory.mktemp("openai") / "base.pt"
    to_openai(fetch("whisper-base").folder, path)
    torch.set_num_threads(2)
    model = whisper.load_model(str(path), device="cpu")
    model.set_alignment_heads(whisper._ALIGNMENT_HEADS["base"])  # a model by path doesn't know its heads
    return model


def test_pad_or_trim_keeps_what_fits():
    assert ours.pad_or_trim(np.ones(10, np.float32), 12).tolist() == [1.0] * 10 + [0.0] * 2
    assert ours.pad_or_trim(np.ones((2, N_SAMPLES + 5), np.float32)).shape == (2, N_SAMPLES)
    assert ours.log_mel_spectrogram(np.zeros(N_SAMPLES, np.float32)).shape == (80, N_FRAMES)


def test_the_tokenizer_has_the_original_s_attributes():
    english, many = get_tokenizer(False), get_tokenizer(True, language="Polish")
    assert english.sot_sequence == (english.sot,)
    assert many.sot_sequence == (many.sot, many.to_language_token("pl"), many.transcribe)
    assert many.decode(many.encode("zażółć gęślą")) == "zażółć gęślą"
    assert many.decode_with_timestamps([many.timestamp_begin + 54]) == "<|1.08|>"


def test_a_download_root_is_refused_and_an_unknown_name_lists_the_nearest():
    with pytest.raises(BadInput, match="SONANT_CACHE"):
        ours.load_model("base", download_root="x")
    with pytest.raises(UnknownName, match="base"):
        ours.load_model("bsae")


@pytest.mark.weights
@pytest.mark.peers
@pytest.mark.parametrize(
    "options",
    [
        {"word_timestamps": True},
        pytest.param({"beam_size": 5}, marks=pytest.mark.exhaustive),
        pytest.param({"task": "translate"}, marks=pytest.mark.exhaustive),
    ],
)
def test_transcribe_gives_the_same_dictionary(model, original, clips, options):
    for clip in clips:
        samples = ours.load_audio(clip)
        found = ours.transcribe(model, samples, **options)
        wanted = original.transcribe(samples, fp16=False, **options)
        assert (found["text"], found["language"]) == (wanted["text"], wanted["language"])
        assert len(found["segments"]) == len(wanted["segments"])
        for ours_segment, theirs in zip(found["segments"], wanted["segments"], strict=True):
            assert ours_segment.keys() == theirs.keys()
            assert ours_segment["tokens"] == theirs["tokens"]
            for key in ("id", "seek", "start", "end", "temperature"):
                assert ours_segment[key] == pytest.approx(theirs[key]), key
            for key in ("avg_logprob", "compression_ratio", "no_speech_prob"):
                assert ours_segment[key] == pytest.approx(theirs[key], rel=1e-3, abs=1e-4), key
            for word, wanted_word in zip(ours_segment.get("words", []), theirs.get("words", []), strict=True):
                assert word["word"] == wanted_word["word"]
                assert word["start"] == pytest.approx(float(wanted_word["start"]), abs=1e-6)
                assert word["end"] == pytest.approx(float(wanted_word["end"]), abs=1e-6)


@pytest.mark.weights
@pytest.mark.peers
def test_decode_and_detect_language_give_the_same(model, original, clips):
    import torch
    import whisper

    mel = ours.log_mel_spectrogram(ours.pad_or_trim(ours.load_audio(clips[-1])))
    token, chances = ours.detect_language(model, mel)
    wanted_token, wanted = original.detect_language(torch.from_numpy(mel))
    assert token == wanted_token
    assert max(chances, key=chances.get) == max(wanted, key=wanted.get)
    assert chances["en"] == pytest.approx(wanted["en"], rel=1e-3)
    found = model.decode(mel, language="en", prompt="A fox story.")
    expected = original.decode(
        torch.from_numpy(mel), whisper.DecodingOptions(language="en", prompt="A fox story.", fp16=False)
    )
    assert (found.text, found.tokens) == (expected.text, expected.tokens)
    assert found.avg_logprob == pytest.approx(expected.avg_logprob, rel=1e-3)
    batch = model.decode(np.stack([mel, mel]))
    assert [result.text for result in batch] == [found.text] * 2 or batch[0].tokens == batch[1].tokens
