"""Silero's detector: the original's probabilities, blocks of any size, and spans that keep their promises."""

from __future__ import annotations

import importlib
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.audio import io, vad, vad_network
from sonant.audio.vad import FRAME, StreamingVad, VadOptions, spans, speech_probabilities, speech_spans
from sonant.errors import BadInput

GOLDEN = Path(__file__).parent / "data" / "vad_golden.npz"


def babble(seconds, seed=0):
    """Something the detector has opinions about: buzzing with the formants of vowels, in syllables."""
    rate, rng = 16_000, np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * t)
    buzz = sum(
        np.sin(2 * np.pi * k * np.cumsum(pitch) / rate) * math.exp(-((120 * k - 700) ** 2) / 4e5) for k in range(1, 25)
    )
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * t), 0, 1) * (np.sin(2 * np.pi * 0.25 * t) > -0.2)
    return (0.15 * buzz * syllables + rng.normal(0, 0.002, len(t))).astype(np.float32)


def test_probabilities_are_those_of_the_original_file():
    """Golden values: silero_vad_16k_sequence.onnx of silero-vad 6.2.3 under onnxruntime, on ``babble(12)``."""
    probabilities = speech_probabilities(babble(12))
    golden = np.load(GOLDEN)["probabilities"]
    assert probabilities.dtype == np.float32
    assert golden.max() > 0.8
    assert golden.min() < 0.1
    assert np.abs(probabilities - golden).max() < 1e-4


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 16_000])
def test_a_probability_for_each_frame_begun(length):
    assert speech_probabilities(np.zeros(length, np.float32)).shape == (math.ceil(length / FRAME),)


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 24_000), max_size=20))
def test_blocks_of_any_size_give_the_same(cuts):
    sound = babble(1.5)
    detector = StreamingVad()
    parts = [detector.push(block) for block in np.split(sound, sorted(cuts))] + [detector.finish()]
    assert np.allclose(np.concatenate(parts), speech_probabilities(sound), atol=1e-5)


def test_without_kernels_the_same(monkeypatch, request):
    sound = babble(3)
    right = speech_probabilities(sound)
    monkeypatch.setattr(vad_network.best, "find", lambda *_: None)
    vad_network.load.cache_clear()
    request.addfinalizer(vad_network.load.cache_clear)
    assert isinstance(vad_network.load().memory, vad_network.Memory)
    assert np.abs(speech_probabilities(sound) - right).max() < 1e-5
    detector = StreamingVad()
    parts = [detector.push(block) for block in np.split(sound, [100, 20_000])] + [detector.finish()]
    assert np.allclose(np.concatenate(parts), right, atol=1e-5)


def test_silence_hum_and_hiss_are_not_speech():
    t = np.arange(16_000 * 5) / 16_000
    for sound in (np.zeros(80_000), 0.3 * np.sin(2 * np.pi * 50 * t), np.random.default_rng(0).normal(0, 0.05, 80_000)):
        assert speech_spans(sound.astype(np.float32)) == []


def probabilities_of(text, frames=10):
    """'_' silence, '-' between the thresholds, '#' speech; each sign is ``frames`` frames."""
    return np.repeat([{"_": 0.0, "-": 0.4, "#": 0.9}[sign] for sign in text], frames).astype(np.float32)


def span_frames(text, **changes):
    options = VadOptions(**({"speech_pad_ms": 0, "min_silence_duration_ms": 320} | changes))
    probabilities = probabilities_of(text)
    return [(a / FRAME, b / FRAME) for a, b in spans(probabilities, len(probabilities) * FRAME, options)]


class TestRules:
    def test_a_pause_ends_a_span_and_a_short_one_does_not(self):
        assert span_frames("__##__##__") == [(20, 40), (60, 80)]
        assert span_frames("__##__##__", min_silence_duration_ms=1000) == [(20, 100)]  # a pause at the end ends nothing

    def test_hysteresis(self):
        assert span_frames("--##--##--") == [(20, 100)]
        assert span_frames("--##--##--", neg_threshold=0.45) == [(20, 40), (60, 80)]

    def test_short_spans_are_dropped(self):
        assert span_frames("#___###___", min_speech_duration_ms=400) == [(40, 70)]

    def test_pads_share_what_lies_between(self):
        assert span_frames("__##__##__", speech_pad_ms=160) == [(15, 45), (55, 85)]
        assert span_frames("__##__##__", speech_pad_ms=640) == [(0, 50), (50, 100)]

    def test_a_span_that_grows_too_long_is_cut_in_its_longest_pause(self):
        text = "##_#__###_####"
        found = span_frames(text, min_silence_duration_ms=5000, max_speech_duration_s=110 * 0.032)
        assert found == [(0, 40), (60, 140)]

    def test_speech_without_a_pause_is_cut_where_it_is_full_and_nothing_is_lost(self):
        assert span_frames("#" * 10, max_speech_duration_s=41 * 0.032) == [(0, 41), (41, 82), (82, 100)]


@settings(max_examples=200, deadline=None)
@given(
    text=st.text("_-#", min_size=1, max_size=30),
    frames=st.integers(1, 12),
    tail=st.integers(0, FRAME - 1),
    pad=st.integers(0, 600),
    silence=st.integers(0, 3000),
    longest=st.one_of(st.just(math.inf), st.floats(1.4, 8)),
)
def test_spans_are_ordered_apart_inside_and_not_too_long(text, frames, tail, pad, silence, longest):
    probabilities = probabilities_of(text, frames)
    length = len(probabilities) * FRAME - tail
    options = VadOptions(speech_pad_ms=pad, min_silence_duration_ms=silence, max_speech_duration_s=longest)
    found = spans(probabilities, length, options)
    flat = [place for span in found for place in span]
    assert flat == sorted(flat)
    assert all(0 <= a < b <= length and b - a <= longest * 16_000 + 1 for a, b in found)
    for number in np.flatnonzero(probabilities >= 0.5):  # every frame of speech is in a span
        assert any(a <= number * FRAME and min((number + 1) * FRAME, length) <= b for a, b in found)


@pytest.mark.parametrize(
    "bad",
    [
        {"threshold": 0},
        {"neg_threshold": 1.5},
        {"speech_pad_ms": -1},
        {"max_speech_duration_s": 0.5},
        {"min_silence_duration_ms": -5},
    ],
)
def test_impossible_options_are_refused(bad):
    with pytest.raises(BadInput, match="allowed"):
        VadOptions(**bad)


def test_two_channels_are_refused():
    with pytest.raises(BadInput, match="one channel"):
        speech_probabilities(np.zeros((100, 2), np.float32))


@pytest.mark.peers
class TestPeers:
    def test_spans_are_those_of_faster_whisper(self, monkeypatch):
        """The rules alone, on equal probabilities. (Where a span is too long, ours cuts at the longest pause.)"""
        theirs = importlib.import_module("faster_whisper.vad")
        rng = np.random.default_rng(0)
        for _ in range(300):
            levels = rng.choice([0.05, 0.4, 0.9], size=rng.integers(1, 40))
            heard = np.repeat(levels, rng.integers(1, 20, len(levels))).astype(np.float32)
            rules = {
                "threshold": 0.5,
                "min_speech_duration_ms": int(rng.choice([0, 250])),
                "min_silence_duration_ms": int(rng.choice([100, 500, 2000])),
                "speech_pad_ms": int(rng.choice([0, 30, 400])),
            }
            monkeypatch.setattr(theirs, "get_vad_model", lambda heard=heard: lambda _: heard)
            length = len(heard) * FRAME - int(rng.integers(1, FRAME))
            expected = theirs.get_speech_timestamps(np.zeros(length, np.float32), theirs.VadOptions(**rules))
            assert spans(heard, length, VadOptions(**rules)) == [(span["start"], span["end"]) for span in expected]

    def test_real_speech_is_found_where_it_is(self):
        package = importlib.util.find_spec("pytest_audioeval").submodule_search_locations[0]
        clips = [io.read(path, vad.SAMPLE_RATE).samples for path in sorted(Path(package).rglob("*.wav"))]
        assert len(clips) >= 9
        pause = np.zeros(vad.SAMPLE_RATE * 4, np.float32)
        sound = np.concatenate([part for clip in clips for part in (pause, clip)] + [pause])
        begins = np.cumsum([len(pause) + len(clip) for clip in clips]) - [len(clip) for clip in clips]
        found = speech_spans(sound, VadOptions(min_silence_duration_ms=2500, speech_pad_ms=100))
        assert len(found) == len(clips)
        for (begin, end), clip, true_begin in zip(found, clips, begins, strict=True):
            assert true_begin - 3_200 < begin < true_begin + 16_000
            assert begin < end < true_begin + len(clip) + 8_000
