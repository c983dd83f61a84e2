"""Writing: every format comes back as it went in, pipes as well as files, and nothing is left half-written."""

from __future__ import annotations

import io as stdio
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audio.conftest import names_in, tone

from sonant.audio import io
from sonant.audio.encode import FORMATS, SUFFIXES, EncodeOptions, Encoder, encoded
from sonant.errors import BadInput, OutputError, UnknownName
from sonant.records import Audio

ENCODER_DELAY = 2_400  # samples that a format may add around the sound: aac's priming, mp3's last frame


def voice(rate, seconds=1.2):
    t = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 * t + 300 * t**2))).astype(np.float32)


def similarity(a, b, delay=0):
    n = min(len(a) - delay, len(b))
    return max(float(np.corrcoef(a[lag : lag + n], b[:n])[0, 1]) for lag in range(0, delay + 1, 8))


@pytest.mark.parametrize("suffix", sorted(set(SUFFIXES) - {"pcm", "raw"}))
@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100])
def test_files_come_back(tmp_path, suffix, rate):
    path = io.write(tmp_path / f"sound.{suffix}", Audio(voice(rate), rate))
    heard = io.read(path, rate)
    assert abs(len(heard.samples) - len(voice(rate))) <= {"aac": ENCODER_DELAY, "m4a": 1024, "mp4": 1024}.get(
        suffix, 50
    )
    assert similarity(heard.samples, voice(rate), delay=1_200 if suffix == "aac" else 0) > 0.98
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pcm"])
def test_streams_come_back_from_a_sink_that_only_writes(name):
    rate = 24_000
    blocks = np.array_split(voice(rate), 17)
    data = b"".join(encoded(blocks, rate, EncodeOptions(format=name)))
    heard = io.read(data, rate)
    assert 0 <= len(heard.samples) - len(voice(rate)) <= ENCODER_DELAY
    assert similarity(heard.samples, voice(rate), delay=ENCODER_DELAY) > 0.98


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_begins_before_it_ends(name):
    """After a second of sound each format has given more than its header."""
    pieces = encoded((tone(0.1, 24_000) for _ in range(10)), 24_000, EncodeOptions(format=name))
    *before_end, _ = pieces
    assert sum(map(len, before_end)) > 1_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=300), st.sampled_from(["wav", "flac", "pcm"]))
def test_sixteen_bits_survive_exactly(values, name):
    samples = np.array(values, np.float32) / 32768
    data = b"".join(encoded([samples], 16_000, EncodeOptions(format=name)))
    heard = io.from_pcm16(data, 16_000) if name == "pcm" else io.read(data)
    assert (heard.samples * 32768).tolist() == values


def test_floats_are_rounded_to_the_nearest(tmp_path):
    path = io.write(tmp_path / "a.wav", Audio(np.array([0.6, 1.4, -0.6, -1.4], np.float32) / 32768, 16_000))
    assert soundfile.read(path, dtype="int16")[0].tolist() == [1, 1, -1, -1]


def test_wav_header_is_the_plain_one_of_44_bytes(tmp_path):
    data = io.write(tmp_path / "a.wav", Audio(tone(0.5, 24_000), 24_000)).read_bytes()
    assert len(data) == 44 + 24_000
    assert struct.unpack("<I", data[4:8]) == (len(data) - 8,)
    assert struct.unpack("<HHIIHH", data[20:36]) == (1, 1, 24_000, 48_000, 2, 16)
    assert struct.unpack("<I", data[40:44]) == (24_000,)


def test_float_wav_keeps_what_lies_beyond_full_scale(tmp_path):
    samples = np.array([0.1, 1.5, -3.0], np.float32)
    path = io.write(tmp_path / "a.wav", Audio(samples, 16_000), bits=32)
    assert soundfile.info(path).subtype == "FLOAT"
    assert np.array_equal(io.read(path).samples, samples)


def test_loud_sound_is_limited_not_clipped(tmp_path):
    loud = voice(24_000) * 4
    limited = io.read(io.write(tmp_path / "a.wav", Audio(loud, 24_000))).samples
    clipped = io.read(io.write(tmp_path / "b.wav", Audio(loud, 24_000), limit=False)).samples
    assert np.abs(limited).max() <= 1
    assert similarity(limited, loud) > 0.999 > similarity(clipped, loud)


def test_loudness_and_rate_are_options(tmp_path):
    from sonant.audio.loudness import loudness_lufs

    path = io.write(tmp_path / "a.wav", Audio(tone(2.0, 24_000), 24_000), loudness_lufs=-16, sample_rate=16_000)
    heard = io.read(path)
    assert heard.sample_rate == 16_000
    assert loudness_lufs(heard.samples, 16_000) == pytest.approx(-16, abs=0.1)


def test_bit_rate_is_an_option(tmp_path):
    sizes = [
        io.write(tmp_path / f"{rate}.mp3", Audio(tone(2.0), 16_000), bit_rate=rate).stat().st_size
        for rate in (32_000, 64_000)
    ]
    assert sizes[1] > 1.8 * sizes[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "mp4a"}, "nearest: m4a"),
        ({"bit_rat": 1}, "nearest: bit_rate"),
        ({"bits": 24}, "16, or 32"),
        ({"format": "mp3", "bits": 32}, "write wav"),
        ({"format": "opus", "sample_rate": 44_100}, "8000, 12000, 16000, 24000, 48000"),
        ({"sample_rate": 7}, "1000 to"),
        ({"format": "wav", "bit_rate": 64_000}, "no bit rate"),
        ({"format": "mp3", "bit_rate": 1}, "6000 to"),
        ({"loudness_lufs": 3.0}, "-70 to 0"),
    ],
)
def test_impossible_options_say_what_is_allowed(changes, words):
    with pytest.raises(BadInput, match=words):
        EncodeOptions().changed(**changes)


def test_unknown_suffix_lists_the_nearest(tmp_path):
    with pytest.raises(UnknownName, match="nearest: wav"):
        io.write(tmp_path / "a.waw", Audio(tone(), 16_000))
    assert names_in(tmp_path) == []


class Broken:
    """A sink that takes a while before it fails."""

    def __init__(self, room):
        self.room = room

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise BrokenPipeError(32, "Broken pipe")
        return len(data)


@pytest.mark.parametrize("name", FORMATS)
def test_a_sink_that_fails_is_heard_of(name):
    noise = np.random.default_rng(0).normal(0, 0.2, 24_000 * 5).astype(np.float32)

    def speak():
        with Encoder(Broken(20_000), 24_000, EncodeOptions(format=name)) as encoder:
            for block in np.array_split(noise, 10):
                encoder.write(block)

    with pytest.raises(BrokenPipeError):
        speak()


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus", "m4a"])
def test_no_space_left_leaves_the_old_file_and_no_other(tmp_path, name):
    """A limit on file size stands for the full disk: the system refuses the write in the same place."""
    path = tmp_path / f"a.{name}"
    path.write_bytes(b"old")
    program = textwrap.dedent(
        """
        import resource, signal, sys, numpy as np
        from sonant.audio import io
        from sonant.errors import OutputError
        from sonant.records import Audio
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            io.write(sys.argv[1], Audio(np.random.default_rng(0).normal(0, 0.2, 480_000).astype(np.float32), 24_000))
        except OutputError as error:
            print(error)
        """
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert done.stderr == ""
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == [path.name]


def test_a_full_device_is_reported():
    with pytest.raises(OutputError, match="No space left"):
        io.write("/dev/full", Audio(tone(), 16_000), format="wav")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match="no folder"):
        io.write(tmp_path / "no" / "a.wav", Audio(tone(), 16_000))


def test_no_sound_writes_no_file(tmp_path):
    with pytest.raises(BadInput):
        io.write(tmp_path / "a.wav", Audio(np.zeros(0, np.float32), 16_000))
    assert names_in(tmp_path) == []


def test_records_save_themselves(tmp_path):
    sound = Audio(tone(), 16_000)
    assert sound.save(tmp_path / "a.flac").is_file()
    sink = stdio.BytesIO()
    with Encoder(sink, 16_000) as encoder:
        encoder.write(sound.samples)
    assert np.array_equal(io.read(sink.getvalue()).samples, io.read(tmp_path / "a.flac").samples)
