"""The voice gate, the cuts of batched decoding, and speech that gave no text."""

import errno
import itertools
from io import BytesIO

import numpy as np
import pytest
from nonspeech import sounds
from openai_reference import clips, recognizer

from sonant.asr import source
from sonant.asr.segments import Span
from sonant.asr.source import Sound, open_sound
from sonant.asr.voice import Voice, clips_of
from sonant.audio import io, vad
from sonant.decode.options import TranscribeOptions
from sonant.errors import OutputError
from sonant.records import Audio, Segment
from sonant.text.evaluation import word_errors


def test_nobody_speaks_in_noise_and_music():
    for name, samples in sounds(6).items():
        voice = Voice(Sound(samples), TranscribeOptions())
        assert "nobody speaks" in voice.absence(Span(0, 3000)), name
        assert Voice(Sound(samples), TranscribeOptions(voice_gate=False)).absence(Span(0, 3000)) == ""


class KnownVoice(Voice):
    """Speech where it is said to be: (start, end) in seconds."""

    def __init__(self, length_s, spans, **options):
        super().__init__(Sound(np.zeros(int(length_s * 16_000), np.float32)), TranscribeOptions(**options))
        self._known = np.zeros(int(length_s * 16_000) // vad.FRAME + 1, np.float32)
        for start_s, end_s in spans:
            self._known[int(start_s * 16_000) // vad.FRAME : int(end_s * 16_000) // vad.FRAME] = 1
        self._heard = len(self._sound)


def test_the_gate_looks_at_the_window_alone():
    voice = KnownVoice(90, [(40, 42)])
    assert voice.absence(Span(0, 3000))
    assert not voice.absence(Span(3000, 3000))
    assert voice.absence(Span(4300, 3000))
    assert KnownVoice(30, [(5, 5.1)]).absence(Span(0, 3000))  # three frames are no word


def test_segments_far_from_any_voice_are_not_heard():
    voice = KnownVoice(90, [(40, 42)])
    assert voice.hears(39, 43)
    assert voice.hears(42.2, 44)
    assert not voice.hears(44, 46)
    assert KnownVoice(90, [(40, 42)], voice_gate=False).hears(44, 46)


def test_cuts_fit_a_window_and_lie_in_pauses():
    speech = [(1, 9), (10, 18), (19, 27), (35, 50), (51, 60), (100, 101)]
    voice = KnownVoice(120, speech, batch_size=4)
    cuts = clips_of(TranscribeOptions(batch_size=4), 12_000, voice)
    assert all(stop - start <= 3000 for start, stop in cuts)
    covered = [any(start <= a * 100 and b * 100 - 10 <= stop for start, stop in cuts) for a, b in speech]
    assert all(covered)
    assert len(cuts) == 3
    assert clips_of(TranscribeOptions(), 12_000, voice) == [(0, 12_000)]
    assert clips_of(TranscribeOptions(batch_size=4), 12_000, KnownVoice(120, [])) == []


def test_a_recording_that_fits_a_window_is_not_cut_for_a_batch():
    voice = KnownVoice(30, [(5, 9), (20, 27)], batch_size=4)
    assert clips_of(TranscribeOptions(batch_size=4), 3000, voice) == [(0, 3000)]  # what is heard in order
    assert clips_of(TranscribeOptions(batch_size=4, vad_filter=True), 3000, voice) != [(0, 3000)]


def test_speech_without_a_pause_is_cut_where_a_window_is_full():
    voice = KnownVoice(100, [(0, 100)], batch_size=4)
    cuts = clips_of(TranscribeOptions(batch_size=4), 10_000, voice)
    assert cuts[0][0] == 0
    assert cuts[-1][1] == 10_000
    assert all(stop - start <= 3000 for start, stop in cuts)
    assert all(before[1] >= after[0] - 4 for before, after in itertools.pairwise(cuts))


def test_speech_that_gave_no_text_is_found():
    voice = KnownVoice(60, [(5, 8), (20, 24), (50, 53)])
    segments = [Segment(4.8, 8.2, " a")]
    lost = voice.unwritten(segments, [(0, 4000)])
    assert [(round(a), round(b)) for a, b in lost] == [(20, 24)]  # at 50 s nobody was to be heard


@pytest.fixture
def long_file(tmp_path, monkeypatch):
    """A file that counts as long."""
    samples = (np.random.default_rng(0).standard_normal(100_000) * 0.1).astype(np.float32)
    monkeypatch.setattr(source, "IN_MEMORY_SAMPLES", 40_000)
    monkeypatch.setattr(source, "BLOCK_S", 1.0)
    return io.write(tmp_path / "noise.wav", Audio(samples, 16_000))


def test_long_files_go_to_disk_and_come_back_whole(long_file):
    want = io.read(long_file, 16_000).samples
    with open_sound(long_file, print) as sound:
        assert isinstance(sound, source.SpooledSound)
        assert len(sound) == len(want)
        assert np.array_equal(sound.read(0, len(sound)), want)
        assert np.array_equal(sound.read(39_000, 41_000), want[39_000:41_000])
        assert np.array_equal(sound.read(99_990, 100_100), want[99_990:])
        assert sound.read(200_000, 200_010).shape == (0,)


class FullDisk(BytesIO):
    """A file without room."""

    def writelines(self, _lines):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_temporary_folder_is_told_in_one_line(long_file, monkeypatch):
    monkeypatch.setattr(source.tempfile, "TemporaryFile", lambda **_: FullDisk())
    with pytest.raises(OutputError, match=r"temporary file, which can't be written .* TMPDIR"):
        open_sound(long_file, print)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["whisper-base", "whisper-tiny.en"])
def test_no_words_in_noise_and_music(name):
    model = recognizer(name)
    for kind, samples in sounds().items():
        result = model.transcribe(samples)
        assert result.text.split() == [], kind
        assert [window.fate for window in result.windows] == ["skipped"], kind


@pytest.mark.weights
@pytest.mark.parametrize("name", ["whisper-base", "whisper-tiny.en"])
@pytest.mark.parametrize("options", [{"batch_size": 4}, {"beam_size": 5, "word_timestamps": True}, {"language": "en"}])
def test_no_words_whatever_the_options(name, options):
    model = recognizer(name)
    together = np.concatenate(list(sounds(8).values()))
    result = model.transcribe(together, **options)
    assert result.text.split() == []
    assert all(window.fate == "skipped" and window.reason for window in result.windows)
    assert not any("gave no text" in line for line in result.warnings)


@pytest.mark.weights  # the clips are installed with that suite
def test_no_speech_is_taken_for_noise():
    """Every clip, quiet, loud or in noise: the gate is open wherever words are."""
    rng = np.random.default_rng(0)
    for path in clips():
        speech = io.read(path, 16_000).samples
        loudness = np.sqrt(np.mean(speech**2))
        noise = rng.standard_normal(len(speech)).astype(np.float32) * loudness * np.float32(10 ** (-10 / 20))
        for samples in (speech, speech * 0.02, speech + noise):
            voice = Voice(Sound(samples), TranscribeOptions())
            assert voice.absence(Span(0, 3000)) == "", path.name


@pytest.mark.weights
@pytest.mark.parametrize("name", ["whisper-base", "whisper-tiny.en"])
def test_words_around_music_are_kept_and_the_music_gets_none(name):
    hello, fox = (io.read(path, 16_000).samples for path in clips(("en",))[1:3])
    music = sounds(20)["band"] * 0.5
    result = recognizer(name).transcribe(np.concatenate([fox, music, hello]))
    said = "The quick brown fox jumps over the lazy dog. Hello world."
    assert word_errors(said, result.text) == 0


@pytest.mark.weights
def test_speech_beside_noise_is_written_and_nothing_else():
    model = recognizer("whisper-tiny.en")
    speech = io.read(clips(("en",))[1], 16_000).samples  # "hello world"
    noise = sounds()["organ"][: 20 * 16_000]
    result = model.transcribe(np.concatenate([speech, noise]))
    assert result.text.lower().strip(" .!,") == "hello world"
