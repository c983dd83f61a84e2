"""Same words, tokens and times as openai-whisper with the same weights, on every clip and on long sound."""

import numpy as np
import pytest
from openai_reference import clips, openai_whisper, recognizer

from sonant.asr.source import Sound
from sonant.asr.voice import Voice, clips_of
from sonant.audio import io
from sonant.decode.options import TranscribeOptions

pytestmark = [
    pytest.mark.weights,
    pytest.mark.peers,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore"),  # the reference's own
]


@pytest.fixture(scope="module", params=["whisper-base", "whisper-tiny.en"])
def pair(request):
    return request.param, recognizer(request.param), openai_whisper(request.param)


def assert_equal(ours, theirs):
    """Text, tokens, times, gates and words; numbers to float32 rounding through the whole network."""
    theirs_segments = [one for one in theirs["segments"] if one["text"]]
    assert [one.text for one in ours.segments] == [one["text"] for one in theirs_segments]
    assert [one.tokens for one in ours.segments] == [tuple(one["tokens"]) for one in theirs_segments]
    assert [(one.start_s, one.end_s) for one in ours.segments] == [
        (one["start"], one["end"]) for one in theirs_segments
    ]
    for one, other in zip(ours.segments, theirs_segments, strict=True):
        assert one.avg_logprob == pytest.approx(other["avg_logprob"], abs=1e-4)
        assert one.no_speech_prob == pytest.approx(other["no_speech_prob"], abs=1e-4)
        assert one.compression_ratio == other["compression_ratio"]
        words = other.get("words", [])
        assert [word.text for word in one.words] == [word["word"].strip() for word in words]
        assert [(word.start_s, word.end_s) for word in one.words] == [(word["start"], word["end"]) for word in words]
        for word, reference in zip(one.words, words, strict=True):
            assert word.confidence == pytest.approx(reference["probability"], abs=1e-3)
    assert ours.language == theirs["language"]


def clips_for(name):
    return clips(("en",) if name.endswith(".en") else None)


def test_some_clips(pair):
    """Every ninth clip: what the everyday run has time for."""
    name, ours, theirs = pair
    for path in clips_for(name)[::9]:
        samples = io.read(path, 16_000).samples
        want = theirs.transcribe(samples, fp16=False, temperature=0.0, word_timestamps=True)
        assert_equal(ours.transcribe(samples, temperature=0.0, word_timestamps=True), want)


@pytest.mark.exhaustive
@pytest.mark.parametrize("options", [{"word_timestamps": True}, {"beam_size": 5}], ids=["greedy", "beam5"])
def test_every_clip(pair, options):
    name, ours, theirs = pair
    for path in clips_for(name):
        samples = io.read(path, 16_000).samples
        want = theirs.transcribe(samples, fp16=False, temperature=0.0, **options)
        assert_equal(ours.transcribe(samples, temperature=0.0, **options), want)


def long_sound():
    """All English clips twice, with pauses of 0.3 to 8 s and faint noise: about half a minute."""
    rng = np.random.default_rng(0)
    pieces = []
    for number, path in enumerate(clips(("en",)) * 2):
        pieces += [io.read(path, 16_000).samples, np.zeros(int(16_000 * (0.3, 1, 3, 8)[number % 4]), np.float32)]
    sound = np.concatenate(pieces)
    return sound + rng.standard_normal(len(sound)).astype(np.float32) * np.float32(1e-4)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"word_timestamps": True, "hallucination_silence_threshold": 2.0},
        {"condition_on_previous_text": False, "clip_timestamps": "3,20,25"},
        {"initial_prompt": "Sense and Sensibility, by Jane Austen.", "carry_initial_prompt": True},
        {"without_timestamps": True},
        {"length_penalty": 0.6, "beam_size": 3, "patience": 2.0},
    ],
    ids=["plain", "words", "clips", "prompt", "no-times", "beam"],
)
def test_long_sound(pair, options):
    _name, ours, theirs = pair
    sound = long_sound()
    want = theirs.transcribe(sound, fp16=False, temperature=0.0, **options)
    assert_equal(ours.transcribe(sound, temperature=0.0, voice_gate=False, **options), want)


@pytest.mark.exhaustive
def test_batch_is_the_same_as_clip_by_clip(pair):
    _name, ours, _theirs = pair
    sound = np.concatenate([long_sound()] * 3)
    given = {"language": "en", "word_timestamps": True, "voice_gate": False}
    batch = ours.transcribe(sound, batch_size=4, **given)
    options = TranscribeOptions(batch_size=4)
    cuts = clips_of(options, len(sound) // 160, Voice(Sound(sound), options))
    assert len(cuts) > 1
    alone = [ours.transcribe(sound, clip_timestamps=[start / 100, end / 100], **given) for start, end in cuts]
    assert len(batch.segments) > 3
    assert [(one.text, one.tokens, one.start_s, one.end_s) for one in batch.segments] == [
        (one.text, one.tokens, one.start_s, one.end_s) for single in alone for one in single.segments
    ]
    assert [(one.text, one.start_s, one.end_s) for one in batch.words] == [
        (one.text, one.start_s, one.end_s) for single in alone for one in single.words
    ]
