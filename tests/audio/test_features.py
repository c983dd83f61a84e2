"""Log-mel features: the definition, windows of a whole, and openai-whisper's numbers."""

import numpy as np
import pytest

from sonant.audio import features
from sonant.errors import BadInput
from sonant.kernels import best


@pytest.fixture(autouse=True, params=["kernels", "numpy"])
def maker(request, monkeypatch):
    """Who makes the features."""
    if request.param == "numpy":
        monkeypatch.setattr(best, "library", lambda: None)
    elif best.library() is None:
        pytest.skip("no kernels here")


rng = np.random.default_rng(0)
SOUND = (rng.standard_normal(50_123) * np.linspace(0.001, 0.5, 50_123)).astype(np.float32)


def reader(samples):
    return lambda start, stop: samples[start:stop]


def by_definition(samples, n_mels, frame):
    """One frame, straight from the formula, in float64."""
    padded = np.pad(samples.astype(np.float64), (200, 400), mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectrum = np.fft.rfft(padded[frame * 160 : frame * 160 + 400] * window)
    return np.log10(np.maximum(features.mel_filters(n_mels).astype(np.float64) @ np.abs(spectrum) ** 2, 1e-10))


@pytest.mark.parametrize("n_mels", [80, 128])
def test_frames_follow_the_definition(n_mels):
    got = features.log_mel(SOUND, n_mels)
    assert got.shape == (n_mels, len(SOUND) // 160)
    assert got.dtype == np.float32
    raw = got * 4 - 4  # the inverse of the scaling, down to the floor
    for frame in (0, 1, 2, 100, 310):
        want = by_definition(SOUND, n_mels, frame)
        above = want > raw.min() + 1e-3
        assert np.abs(raw[above, frame] - want[above]).max() < 1e-4


def test_a_tone_lands_in_its_filter():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loudest = features.log_mel(tone)[:, 50].argmax()
    centre_hz = np.linspace(0, 8000, 201)[features.mel_filters(80)[loudest].argmax()]
    assert abs(centre_hz - 1000) < 60


def test_filters_have_unit_area_where_bins_are_dense():
    areas = features.mel_filters(80).sum(axis=1) * 40  # bins are 40 Hz apart
    assert np.allclose(areas[60:], 1, atol=0.02)


@pytest.mark.parametrize("start", [0, 7, 150, 300])
def test_a_window_is_the_same_as_in_the_whole(start):
    whole = features.log_mel(SOUND, 80, padding=48_000)
    peak = features.mel_peak(reader(SOUND), len(SOUND))
    part = features.mel_window(reader(SOUND), len(SOUND), start, start + 300, peak=peak)
    assert np.abs(part - whole[:, start : start + 300]).max() < 1e-6


def test_window_floor_hangs_from_the_windows_own_peak():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    quiet_then_loud = np.concatenate([tone * np.float32(0.05), tone * np.float32(0.9)])
    of_window = features.mel_window(reader(quiet_then_loud), len(quiet_then_loud), 0, 95)
    peak = features.mel_peak(reader(quiet_then_loud), len(quiet_then_loud))
    of_file = features.mel_window(reader(quiet_then_loud), len(quiet_then_loud), 0, 95, peak=peak)
    assert np.ptp(of_window) == pytest.approx(2, abs=1e-5)
    assert of_file.min() > of_window.min()


def test_silence_and_the_shortest_sounds():
    assert np.all(features.log_mel(np.zeros(16_000, np.float32)) == -1.5)
    for length in (0, 1, 159, 160, 200, 201):
        samples = SOUND[:length]
        got = features.mel_window(reader(samples), length, 0, 10)
        assert got.shape == (80, 10)
        assert np.isfinite(got).all()


def test_what_is_read_is_bounded():
    asked = []

    def read(start, stop):
        asked.append(stop - start)
        return np.zeros(stop - start, np.float32)

    features.mel_peak(read, 10 * 480_000)
    assert max(asked) < 1.1 * features.BLOCK_FRAMES * 160


@pytest.mark.parametrize("length", [0, 1, 160 * 254, 160 * 254 + 159, 160 * 600 + 7])
@pytest.mark.parametrize("kind", ["noise", "click", "silence"])
def test_the_peak_is_that_of_every_frame(length, kind):
    """Though few frames are transformed, and only what is in the recording is read."""
    sound = {
        "noise": np.random.default_rng(length).standard_normal(length) * np.linspace(1e-4, 1, length),
        "click": np.arange(length) == length // 3,
        "silence": np.zeros(length),
    }[kind].astype(np.float32)

    def read(start, stop):
        assert 0 <= start <= stop <= length
        return sound[start:stop]

    every = features.mel_window(read, length, 0, length // 160 + 3, peak=-100)  # no floor
    assert features.mel_peak(read, length) == pytest.approx(4 * every.max() - 4, abs=1e-5)


def test_pad_or_trim_and_bad_shapes():
    assert features.pad_or_trim(np.ones((2, 5), np.float32), 8).tolist()[0] == [1] * 5 + [0] * 3
    assert features.pad_or_trim(np.ones((2, 5), np.float32), 3).shape == (2, 3)
    with pytest.raises(BadInput, match="one channel"):
        features.log_mel(np.zeros((2, 16_000), np.float32))
    with pytest.raises(BadInput, match="n_mels"):
        features.mel_filters(0)


@pytest.mark.peers
@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("length", [1, 399, 16_000, 50_123, 480_000])
def test_equal_to_openai_whisper(n_mels, length):
    whisper = pytest.importorskip("whisper")
    samples = (np.random.default_rng(length).standard_normal(length) * 0.1).astype(np.float32)
    want = whisper.log_mel_spectrogram(samples, n_mels, padding=480_000).numpy()
    got = features.log_mel(samples, n_mels, padding=480_000)
    assert got.shape == want.shape
    assert np.abs(got - want).max() < 2e-5  # float32 rounding of nearly silent bins; most are within 1e-6


@pytest.mark.peers
@pytest.mark.parametrize("n_mels", [80, 128])
def test_filters_equal_openai_whisper(n_mels):
    whisper = pytest.importorskip("whisper")
    assert np.array_equal(features.mel_filters(n_mels), whisper.audio.mel_filters("cpu", n_mels).numpy())
