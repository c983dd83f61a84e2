"""Reading: every container, any rate, channels mixed, one clear line for what can't be read."""

from __future__ import annotations

import io as stdio
import os
import subprocess
import sys
import threading
import tracemalloc

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audio.conftest import av_file, silent_video, tone, wav

from sonant.audio import io
from sonant.audio.encode import encoded
from sonant.audio.mixdown import mix
from sonant.errors import UnreadableAudio
from sonant.records import Audio


def similarity(a, b, delay=0):
    """Largest correlation of b with a moved by up to ``delay`` samples."""
    n = min(len(a) - delay, len(b))
    return max(float(np.corrcoef(a[lag : lag + n], b[:n])[0, 1]) for lag in range(delay + 1))


def chirp(seconds=1.5, rate=16_000):
    """A sound that is like no shifted copy of itself."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 * t + 400 * t**2))).astype(np.float32)


@pytest.mark.parametrize(
    ("container", "codec", "rate", "slack"),
    [
        ("ipod", "aac", 16_000, 1024),
        ("mp4", "aac", 48_000, 1024),
        ("webm", "libopus", 48_000, 0),
        ("matroska", "flac", 44_100, 0),
        ("ogg", "libopus", 48_000, 0),
        ("mp3", "libmp3lame", 22_050, 0),
        ("amr", "libopencore_amrnb", 8_000, 400),
        ("aiff", "pcm_s16be", 16_000, 0),
        ("wav", "pcm_u8", 11_025, 0),
        ("wav", "pcm_f64le", 16_000, 0),
        ("mov", "alac", 32_000, 0),
    ],
)
def test_any_container_gives_its_sound(container, codec, rate, slack):
    sound = chirp(rate=rate)
    heard = io.read(av_file(sound[None], rate, container, codec))
    expected = io.as_samples(Audio(sound, rate), heard.sample_rate)
    assert heard.samples.dtype == np.float32
    assert abs(len(heard.samples) - len(expected)) <= slack
    assert similarity(heard.samples, expected, delay=160 if codec == "libopencore_amrnb" else 0) > 0.92
    level = float(np.std(heard.samples) / np.std(expected))
    assert level == pytest.approx(1.0, abs=0.2)


def test_headerless_aac_is_read_though_its_encoder_delay_is_not_written_in_it():
    heard = io.read(av_file(chirp()[None], 16_000, "adts", "aac"))
    delay = len(heard.samples) - len(chirp())
    assert similarity(heard.samples[1024:], chirp()) > 0.99
    assert 0 <= delay <= 2048


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "MS_ADPCM"])
def test_any_sample_format_of_wav(subtype):
    heard = io.read(wav(chirp(), subtype=subtype))
    assert heard.sample_rate == 16_000
    assert similarity(heard.samples, chirp()) > 0.995


def test_sixteen_bits_are_read_exactly():
    steps = np.arange(-32768, 32768, 7, dtype=np.int16)
    assert np.array_equal(io.read(wav(steps)).samples, steps / np.float32(32768))


def test_stereo_becomes_its_mean():
    left, right = chirp(), tone(1.5)
    heard = io.read(wav(np.stack([left, right], axis=1), subtype="FLOAT"))
    assert np.allclose(heard.samples, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("layout", ["3.0", "quad", "5.0", "5.1", "5.1(side)", "6.1", "7.1", "7.1(wide)", "octagonal"])
def test_surround_is_mixed_as_ffmpeg_mixes_it(layout):
    """Property: our weights are those of libswresample, for every layout."""
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    sound = np.random.default_rng(0).normal(0, 0.2, (len(names), 960)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(sound.T.reshape(1, -1).copy(), format="flt", layout=layout)
    frame.sample_rate = 16_000
    mixed = av.AudioResampler(format="s32", layout="mono", rate=16_000).resample(frame)[0].to_ndarray()[0]
    assert np.allclose(mix(sound.T, names), mixed / 2**31, atol=2e-6)


def test_speech_in_the_centre_of_seven_one_stays_loud():
    sound = np.zeros((8, 16_000), np.float32)
    sound[2] = tone()  # FL FR FC LFE BL BR SL SR
    sound[3] = 1.0  # the effects channel is left out
    heard = io.read(av_file(sound, 16_000, "wav", "pcm_s16le", layout="7.1"))
    assert similarity(heard.samples, tone()) > 0.999
    assert np.std(heard.samples) > 0.2 * np.std(tone())


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_length_and_pitch(rate):
    heard = io.read(wav(tone(1.0, rate), rate), sample_rate=16_000)
    assert heard.sample_rate == 16_000
    assert abs(len(heard.samples) - 16_000) <= 1
    spectrum = np.abs(np.fft.rfft(heard.samples[:16_000], 16_000))
    assert int(spectrum.argmax()) == 440


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 44_100]),
    block_s=st.floats(0.001, 0.7),
    count=st.integers(1_000, 30_000),
)
def test_streamed_blocks_joined_are_what_read_gives(rate, block_s, count):
    data = wav(np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32), rate)
    blocks = list(io.stream(data, 16_000, block_s))
    assert all(len(block) == round(block_s * 16_000) for block in blocks[:-1])
    assert np.array_equal(np.concatenate(blocks), io.read(data, 16_000).samples)


def test_an_hour_streams_in_bounded_memory(tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(60):
            file.write(tone(60.0))
    tracemalloc.start()
    heard = sum(len(block) for block in io.stream(path, 8_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert heard == 3600 * 8_000
    assert peak < 8 << 20  # the hour itself is 230 MB of float32


@pytest.mark.parametrize("container", [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("mp4", "aac")])
def test_a_pipe_is_read_as_a_file_is(container):
    data = av_file(chirp()[None], 48_000 if container[0] == "ogg" else 16_000, *container)
    read_end, write_end = os.pipe()

    def feed():
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(read_end, "rb") as pipe:
        heard = np.concatenate(list(io.stream(pipe, 16_000, 0.5)))
    thread.join()
    expected = io.read(data, 16_000).samples
    assert abs(len(heard) - len(expected)) <= 1200  # a pipe's mp3 has no end marker
    assert similarity(heard, expected) > 0.97


def test_standard_input_is_the_source_called_dash():
    program = "from sonant.audio import io; print(len(io.read('-', 16000).samples))"
    done = subprocess.run([sys.executable, "-c", program], input=wav(tone(1.0)), capture_output=True, check=True)
    assert int(done.stdout) == 16_000


def test_a_live_pipe_gives_sound_before_it_ends():
    read_end, write_end = os.pipe()
    heard = threading.Event()

    def feed():
        with os.fdopen(write_end, "wb", buffering=0) as pipe:
            pipe.write(b"".join(encoded([], 16_000)))  # a wav header of unknown length
            for _ in range(300):
                pipe.write(b"\0\1" * 1_600)
                if heard.wait(0.005):
                    return

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(read_end, "rb") as pipe:
        blocks = io.stream(pipe, 16_000, 0.1)
        assert len(next(blocks)) == 1_600
        alive = thread.is_alive()
        heard.set()
        for _ in blocks:
            pass
    thread.join()
    assert alive


def test_path_bytes_and_file_give_the_same(tmp_path):
    data = wav(chirp())
    path = tmp_path / "odd name %d ü.wav"
    path.write_bytes(data)
    expected = io.read(path).samples
    with path.open("rb") as file:
        assert np.array_equal(io.read(file).samples, expected)
    assert np.array_equal(io.read(str(path)).samples, expected)
    assert np.array_equal(io.read(data).samples, expected)
    assert np.array_equal(io.read(stdio.BytesIO(data)).samples, expected)


@pytest.mark.parametrize("suffix", ["mp3", "raw", "txt", "m4a", ""])
def test_a_wrong_suffix_misleads_nobody(tmp_path, suffix):
    path = tmp_path / f"sound.{suffix}"
    path.write_bytes(wav(chirp()))
    assert similarity(io.read(path).samples, chirp()) > 0.999


def test_joined_files_of_two_rates_are_one_sound():
    both = av_file(tone(1.0, 16_000)[None], 16_000, "adts", "aac") + av_file(
        tone(1.0, 32_000)[None], 32_000, "adts", "aac"
    )
    heard = io.read(both, 16_000)
    assert heard.duration_s == pytest.approx(2.1, abs=0.1)
    spectrum = np.abs(np.fft.rfft(heard.samples[18_000:26_000] * np.hanning(8_000)))
    assert int(spectrum.argmax()) == 220  # 440 Hz in the second half too: half a second long


def test_one_sample_is_a_sound():
    assert io.read(wav(np.array([0.5]), 16_000), 16_000).samples.tolist() == [0.5]


BAD = {
    "empty": (b"", "is empty"),
    "zero length": (wav(np.zeros(0)), "no samples"),
    "text": (b"Dear diary, today I spoke to nobody.\n" * 30, "holds text"),
    "short text": (b"hi", "holds text"),
    "binary": (bytes(range(256)) * 40, "no sound found"),
    "video without sound": (silent_video(), "without sound"),
    "cut mp4": (av_file(chirp()[None], 16_000, "mp4", "aac")[:9_000], "no sound"),
    "cut header": (wav(chirp())[:20], "no sound"),
    "nan": (wav(np.array([0.0, 0.1, np.nan]), subtype="FLOAT"), "NaN or infinite"),
    "infinite": (wav(np.array([0.0, np.inf]), subtype="FLOAT"), "NaN or infinite"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_holds_no_sound_says_so_in_one_line(tmp_path, name):
    data, words = BAD[name]
    path = tmp_path / "given.wav"
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(UnreadableAudio, match=words) as caught:
            io.read(source, 16_000)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnreadableAudio, match=r"given\.wav"):
        list(io.stream(path, 16_000))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere/at all.wav", "No such file"),
        (".", r"^\.: is a folder"),
        ("a\0b", "null"),
        (42, "int"),
        (stdio.StringIO("x"), "'rb'"),
    ],
)
def test_what_is_no_file_says_so(source, words):
    with pytest.raises(UnreadableAudio, match=words):
        io.read(source)


def test_a_playlist_opens_nothing_else(tmp_path):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(chirp()))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    script = f"ffconcat version 1.0\nfile 'file:{secret}'\n".encode()
    for name, text in (("list.m3u8", playlist), ("list.ffconcat", script)):
        (tmp_path / name).write_bytes(text)
        for source in (text, tmp_path / name):
            with pytest.raises(UnreadableAudio):
                io.read(source)


@pytest.mark.parametrize("cut", [0.3, 0.6])
@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("wav", "pcm_s16le", {}),
        ("flac", "flac", {}),
        ("mp3", "libmp3lame", {}),
        ("mp4", "aac", {"movflags": "faststart"}),
    ],
)
def test_a_source_cut_short_gives_what_is_there_and_says_so(container, codec, options, cut, warnings_of):
    noise = np.random.default_rng(1).normal(0, 0.1, (1, 64_000)).astype(np.float32)
    data = av_file(noise, 16_000, container, codec, options=options)
    heard = io.read(data[: int(len(data) * cut)], warn=warnings_of.append)
    assert cut - 0.15 < heard.duration_s / 4 < cut + 0.1
    assert len(warnings_of) == 1
    assert any(words in warnings_of[0] for words in ("ends early", "damaged"))


def test_a_wav_that_was_piped_gives_no_false_alarm(warnings_of):
    data = bytearray(wav(chirp()))
    data[4:8] = data[40:44] = b"\xff" * 4
    assert len(io.read(bytes(data), warn=warnings_of.append).samples) == len(chirp())
    assert warnings_of == []


def test_damaged_packets_are_counted(warnings_of):
    data = bytearray(av_file(np.random.default_rng(1).normal(0, 0.1, (1, 64_000)), 16_000, "adts", "aac"))
    frames = [i for i in range(len(data) - 1) if data[i] == 0xFF and data[i + 1] in (0xF0, 0xF1)]
    for start in frames[10:14]:
        data[start + 7 : start + 40] = b"\xaa" * 33
    heard = io.read(bytes(data), warn=warnings_of.append)
    assert heard.duration_s > 3
    assert len(warnings_of) == 1
    assert "damaged packets" in warnings_of[0]


def test_losses_are_logged_where_nobody_listens(caplog):
    data = wav(tone(4.0))
    io.read(data[: len(data) // 2])
    assert "ends early: 4.00 s are promised" in caplog.text


def test_a_guessed_length_is_no_promise(tmp_path, warnings_of):
    """Bare aac that begins quietly: FFmpeg's guess by the first packets is far too long."""
    sound = np.concatenate([np.zeros(32_000), np.random.default_rng(0).normal(0, 0.2, 96_000)])
    path = tmp_path / "a.aac"
    path.write_bytes(av_file(sound[None], 16_000, "adts", "aac"))
    assert io.duration_s(path) == pytest.approx(8.0, abs=0.2)
    assert io.read(path, warn=warnings_of.append).duration_s == pytest.approx(8.0, abs=0.2)
    assert warnings_of == []


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x10\x00" + bytes(2048)])
def test_mp3_is_read_in_silence_and_its_length_known(tmp_path, capfd, tag):
    sound = np.random.default_rng(0).normal(0, 0.2, (1, 160_000))
    path = tmp_path / "a.mp3"
    data = av_file(sound, 16_000, "mp3", "libmp3lame", options={"id3v2_version": "0"})
    path.write_bytes(tag + data)
    assert len(io.read(path).samples) == 160_000
    assert len(io.read(tag + data).samples) == 160_000
    assert io.duration_s(path) == pytest.approx(10, abs=0.1)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("container", "codec"), [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("mp4", "aac"), ("webm", "flac")]
)
def test_duration(tmp_path, container, codec):
    path = tmp_path / "file"
    data = av_file(tone(2.0)[None], 16_000, "matroska" if container == "webm" else container, codec)
    path.write_bytes(data)
    assert io.duration_s(path) == pytest.approx(2.0, abs=0.06)


class TestSamplesInMemory:
    def test_integers_are_scaled_and_channels_mixed(self):
        pairs = np.array([[32767, 32767], [-32768, 0]], np.int16)
        assert np.allclose(io.as_samples(pairs, 16_000), [32767 / 32768, -0.5])

    def test_a_record_is_resampled(self):
        assert len(io.as_samples(Audio(tone(1.0, 24_000), 24_000), 16_000)) == 16_000

    @pytest.mark.parametrize(
        "bad", [np.zeros(0), np.zeros((2, 2, 2)), np.array([np.nan]), np.array(["a"]), np.zeros(3, np.uint8)]
    )
    def test_what_is_no_sound_is_refused(self, bad):
        with pytest.raises(UnreadableAudio):
            io.as_samples(bad, 16_000)

    def test_raw_pcm(self):
        assert io.from_pcm16(b"\x00\x40\x00\xc0", 8_000).samples.tolist() == [0.5, -0.5]
        for bad in (b"", b"abc"):
            with pytest.raises(UnreadableAudio):
                io.from_pcm16(bad, 8_000)
