"""Kokoro's excitation and its way back to samples, against what torch's transforms and plain definitions give."""

import numpy as np
import pytest
import torch

from sonant.models.kokoro import source, spectrum
from sonant.models.kokoro.config import GeneratorConfig

NET = GeneratorConfig((10, 6), (20, 12), 512, (3, 7, 11), ((1, 3, 5),) * 3, 20, 5)
WEIGHTS = source.SourceWeights(np.linspace(-0.4, 0.5, 9, dtype=np.float32), -0.03)
STEP = NET.samples_per_half_frame


def test_the_sizes_of_the_published_net():
    assert (NET.columns_per_half_frame, STEP, NET.bins) == (60, 300, 11)


def test_a_steady_pitch_sounds_its_harmonics():
    hertz, steps = 200.0, 20
    signal = source.excitation(np.full(steps, hertz, np.float32), WEIGHTS, -1, STEP)
    assert signal.shape == (steps * STEP,)
    assert signal.dtype == np.float32
    seconds = np.arange(len(signal)) / 24000
    inner = slice(STEP, -STEP)  # the phase stands still in the outer half steps
    # the phase counts whole half frames: at the middle of the first it has the first step's advance already
    cycles = hertz * (seconds - 149.5 / 24000) + hertz * STEP / 24000
    sines = sum(w * np.sin(2 * np.pi * (h + 1) * cycles) for h, w in enumerate(WEIGHTS.harmonics))
    np.testing.assert_allclose(signal[inner], np.tanh(0.1 * sines + WEIGHTS.bias)[inner], atol=1e-5)


def test_a_gliding_pitch_of_many_blocks_is_that_of_one():
    """Half frames are made a block at a time; which changes no bit, even where the phase runs backwards."""
    steps = 3 * source.AT_ONCE + 5
    pitch = (150 + 90 * np.sin(np.arange(steps) / 7)).astype(np.float32)
    turns = pitch.astype(np.float64)[:, None] * np.arange(1, 10) / 24000
    phase = np.cumsum(turns % 1.0, axis=0) * STEP
    start, end = np.concatenate([phase[:1], phase]), np.concatenate([phase, phase[-1:]])
    within = (np.arange(STEP) + 0.5) / STEP
    merged = np.zeros((steps + 1, STEP), np.float32)
    for h, weight in enumerate(WEIGHTS.harmonics):
        run = ((end - start)[:, h, None] * within % 1.0).astype(np.float32)
        merged += weight * np.sin(np.float32(2 * np.pi) * ((start % 1.0).astype(np.float32)[:, h, None] + run))
    sines = merged.reshape(-1)[STEP // 2 : STEP // 2 + steps * STEP]
    right = np.tanh(sines * np.float32(source.SINE_AMPLITUDE) + np.float32(WEIGHTS.bias))
    np.testing.assert_array_equal(source.excitation(pitch, WEIGHTS, -1, STEP), right)


@pytest.mark.parametrize(("begin", "end"), [(0, 1), (0, 30), (7, 71), (60, 100), (99, 100)])
def test_a_stretch_is_that_of_the_whole(begin, end):
    pitch = (150 + 90 * np.sin(np.arange(100) / 7)).astype(np.float32)
    whole = source.excitation(pitch, WEIGHTS, 3, STEP)
    made = source.Excitation(pitch, WEIGHTS, 3, STEP)
    np.testing.assert_array_equal(made(begin, end), whole[begin * STEP : end * STEP])
    right = source.source_spectrum(whole, NET)[60 * begin : 60 * end + 1]
    np.testing.assert_allclose(made.spectrum(begin, end, NET), right, atol=1e-5)


def test_an_unvoiced_step_holds_noise_and_no_sine():
    pitch = np.array([5, -3, 10, 0], np.float32)
    silent = source.excitation(pitch, WEIGHTS, -1, STEP)
    np.testing.assert_allclose(silent, np.tanh(WEIGHTS.bias), atol=1e-7)
    noisy = source.excitation(np.zeros(200, np.float32), WEIGHTS, 7, STEP)
    expected = np.linalg.norm(WEIGHTS.harmonics) * 0.1 / 3
    assert np.std(np.arctanh(noisy)) == pytest.approx(expected, rel=0.02)


def test_voiced_noise_is_thinner():
    pitch = np.full(200, 150, np.float32)
    hiss = source.excitation(pitch, WEIGHTS, 7, STEP) - source.excitation(pitch, WEIGHTS, -1, STEP)
    assert np.std(hiss) == pytest.approx(np.linalg.norm(WEIGHTS.harmonics) * 0.003, rel=0.05)


def test_noise_is_numpys_generator():
    np.testing.assert_array_equal(
        source.noise(5, 42), np.random.Generator(np.random.PCG64(42)).standard_normal(5, np.float32)
    )
    assert not source.noise(5, -1).any()
    np.testing.assert_allclose(source.noise(2, 0), [1.117622, -1.387125], atol=1e-6)  # as NumPy 1.17 to 2.4 draw it


@pytest.mark.parametrize("seed", [0, 1])
def test_the_spectrum_is_torchs(seed):
    signal = np.random.default_rng(seed).normal(0, 0.3, 1500).astype(np.float32)
    found = source.source_spectrum(signal, NET)
    right = torch.stft(torch.tensor(signal), 20, 5, 20, torch.hann_window(20), return_complex=True).numpy().T
    assert found.shape == (301, 22)
    np.testing.assert_allclose(found[:, :11], np.abs(right), atol=1e-5)
    inner = slice(2, -2)  # columns over a reflected edge are symmetric: their angle is pi or -pi by rounding
    turn = np.angle(np.exp(1j * (found[:, 11:] - np.angle(right))))
    assert np.abs(turn)[inner][np.abs(right)[inner] > 1e-3].max() < 1e-3


def test_a_constant_has_two_bins_and_no_random_angles():
    found = source.source_spectrum(np.full(100, -0.2, np.float32), NET)
    np.testing.assert_allclose(found[:, 0], 2.0, atol=1e-5)
    np.testing.assert_allclose(found[:, 1], 1.0, atol=1e-5)
    assert np.abs(found[:, 2:11]).max() < 1e-6
    np.testing.assert_allclose(found[:, 11], np.pi)
    assert not found[:, 13:].any()


def test_samples_come_back_as_from_torch():
    spectra = np.random.default_rng(0).normal(0, 1, (41, 22)).astype(np.float32)
    found = spectrum.waveform(spectra, NET)
    magnitude, phase = torch.tensor(np.exp(spectra[:, :11])), torch.tensor(np.sin(spectra[:, 11:]))
    right = torch.istft((magnitude * torch.exp(1j * phase)).T, 20, 5, 20, torch.hann_window(20))
    assert found.shape == (200,)
    np.testing.assert_allclose(found, right.numpy(), atol=1e-5)
