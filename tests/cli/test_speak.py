"""``sonant speak`` with the fake engine."""

from __future__ import annotations

import io as stdio

import numpy as np
import pytest
import soundfile

from sonant.asr import writers
from sonant.audio import io

FAKE = ("--engine", "fake", "--voice")


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "opus", "m4a"])
def test_a_file_of_any_format(sonant, voice, suffix):
    result = sonant("speak", "Hello there.", *FAKE, voice, "--out", f"a.{suffix}")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert io.duration_s(f"a.{suffix}") > 0.8


def test_text_from_a_file_and_from_standard_input_is_the_same(sonant, voice, empty_machine):
    text = "Hello there. How are you?"
    (empty_machine / "text.txt").write_text(text)
    sonant("speak", text, *FAKE, voice, "--out", "a.wav")
    sonant("speak", "--file", "text.txt", *FAKE, voice, "--out", "b.wav")
    sonant("speak", "-", *FAKE, voice, "--out", "c.wav", stdin=text)
    sonant("speak", "--file", "-", *FAKE, voice, "--out", "d.wav", stdin=text)
    first, *others = [(empty_machine / f"{name}.wav").read_bytes() for name in "abcd"]
    assert all(other == first for other in others)


def test_captions_stand_beside(sonant, voice):
    assert sonant("speak", "Hello there, you.", *FAKE, voice, "--out", "a.mp3", "--srt").exit_code == 0
    captions = writers.read("a.srt")
    assert captions.text == "Hello there, you."
    assert 0 < captions.segments[-1].end_s <= io.duration_s("a.mp3")


def test_standard_output_gets_sound_and_nothing_else(sonant, voice):
    result = sonant("speak", "Hello there.", *FAKE, voice, "--out", "-")
    samples, rate = soundfile.read(stdio.BytesIO(result.stdout_bytes))
    assert rate == 24_000
    assert len(samples) > 10_000
    raw = sonant("speak", "Hello there.", *FAKE, voice, "--out", "-", "--format", "pcm").stdout_bytes
    assert np.allclose(np.frombuffer(raw, "<i2") / 32768, samples)
    assert result.stderr == ""


def test_flags_reach_the_options(sonant, voice):
    lengths = []
    for speed in ("0.5", "2.0"):
        sonant("speak", "Hello there.", *FAKE, voice, "--speed", speed, "--sample-rate", "16000", "--out", "a.wav")
        heard = io.read("a.wav")
        assert heard.sample_rate == 16_000
        lengths.append(heard.duration_s)
    assert lengths[0] > 2 * lengths[1]


def test_loudness_of_a_stream_is_refused(sonant, voice):
    result = sonant("speak", "Hi.", *FAKE, voice, "--out", "-", "--loudness-lufs", "-16")
    assert (result.exit_code, result.stdout_bytes) == (1, b"")
    assert "give --out a file" in result.stderr


def test_standard_input_that_is_no_text(sonant, voice):
    result = sonant("speak", "-", *FAKE, voice, stdin=b"\xff\xfe\x00")
    assert result.exit_code == 1
    assert "no UTF-8 text" in result.stderr


def test_explain_shows_pieces_and_pauses(sonant, voice):
    result = sonant("explain", "Hello there. [pause:2s] Bye.", "--voice", voice)
    lines = result.stdout.splitlines()
    assert "Hello there." in lines
    assert "[pause 2 s]" in lines
    assert "Bye." in lines
    assert '"pause_s": 2.0' in sonant("explain", "a [pause:2s] b", "--voice", voice, "--json").stdout
