"""Log-mel features by the kernels beside float64, in every register width."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.audio import features
from sonant.kernels import build

LEVELS = (*(level for level in build.LEVELS.get(build.machine(), ()) if not level.endswith("vnni")), "plain4")


def by_kernels(team, samples, n_mels):
    """(n_mels, F) of as many frames as there are."""
    out = np.full((n_mels, (len(samples) - 400) // 160 + 1 + 3), -99, np.float32)
    features._mel_by_kernels(team.library, samples, out[:, :-3])
    assert (out[:, -3:] == -99).all()
    return out[:, :-3]


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 70), n_mels=st.sampled_from([1, 37, 80, 128]), loud=st.floats(-6, 0), seed=st.integers(0, 99)
)
def test_features_are_those_of_float64(level, opened, frames, n_mels, loud, seed):
    samples = (np.random.default_rng(seed).normal(size=160 * (frames - 1) + 400) * 10**loud).astype(np.float32)
    heard = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), 400)[::160]
    power = np.abs(np.fft.rfft(heard * features._hann())) ** 2
    wanted = np.log10(np.maximum(features.mel_filters(n_mels).astype(np.float64) @ power.T, 1e-10))
    np.testing.assert_allclose(by_kernels(opened(level, "float32"), samples, n_mels), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_a_tone_is_alone_in_its_filters(level, opened):
    """All other bins are as low as float32 tells: every one of the transform's outputs is where it belongs."""
    for bin_ in range(0, 201, 3):
        tone = np.cos(2 * np.pi * bin_ * np.arange(720) / 400).astype(np.float32)
        found = by_kernels(opened(level, "float32"), tone, 128)
        filters = features.mel_filters(128)
        near = filters[:, max(0, bin_ - 2) : bin_ + 3].any(axis=1)
        assert found[~near].max(initial=-10) < -7.5
        if filters[:, bin_].any():
            assert found[near].max() > 0


@pytest.mark.parametrize("level", LEVELS)
def test_silence_and_no_number(level, opened):
    samples = np.zeros(160 * 40 + 240, np.float32)
    assert (by_kernels(opened(level, "float32"), samples, 80) == -10).all()
    samples[160 * 20] = np.nan
    none = np.isnan(by_kernels(opened(level, "float32"), samples, 80))
    assert none[:, 18:21].all()
    assert not none[:, :18].any()
    assert not none[:, 21:].any()
