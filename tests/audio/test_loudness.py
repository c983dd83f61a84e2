"""Loudness after ITU-R BS.1770, and the limiter's promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audio.conftest import tone

from sonant.audio.loudness import Limiter, _high_pass, _shelf, loudness_lufs, normalised


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
def test_the_standards_own_sine_reads_what_it_says(rate):
    """BS.1770: 0 dB at 997 Hz on one channel is -3.01; other rates follow from the same analogue curve."""
    assert loudness_lufs(tone(5, rate, 997, 1.0), rate) == pytest.approx(-3.01, abs=0.005 if rate == 48_000 else 0.06)


@pytest.mark.parametrize("level_db", [-20.0, -33.0])
def test_ebu_levels(level_db):
    """EBU Tech 3341 cases 1 and 2 (there in stereo, which adds 3.01 dB): a steady sine reads its level."""
    sine = tone(20, 48_000, 1000, 10 ** (level_db / 20))
    assert loudness_lufs(sine, 48_000) == pytest.approx(level_db - 3.01, abs=0.1)


def test_ebu_gates():
    """Tech 3341 cases 3 and 4: what is far below the rest does not count."""
    parts = [(-36, 10), (-23, 60), (-36, 10)]
    sound = np.concatenate([tone(s, 48_000, 1000, 10 ** (db / 20)) for db, s in parts])
    assert loudness_lufs(sound, 48_000) == pytest.approx(-23 - 3.01, abs=0.1)
    parts = [(-72, 10), *parts, (-72, 10)]
    sound = np.concatenate([tone(s, 48_000, 1000, 10 ** (db / 20)) for db, s in parts])
    assert loudness_lufs(sound, 48_000) == pytest.approx(-23 - 3.01, abs=0.1)


def test_the_ear_hears_little_bass_and_more_treble():
    bass, middle, treble = (loudness_lufs(tone(2, 48_000, hz), 48_000) for hz in (30, 1000, 8000))
    assert bass < middle - 5
    assert treble > middle + 2.5


def by_recursion(sound, rate):
    """Integrated loudness with the filters run sample by sample, as the standard writes them."""
    for b, a in (_shelf(rate), _high_pass(rate)):
        before, out = [0.0, 0.0, 0.0, 0.0], []
        for x in sound.tolist():
            y = b[0] * x + b[1] * before[0] + b[2] * before[1] - a[1] * before[2] - a[2] * before[3]
            before = [x, before[0], y, before[2]]
            out.append(y)
        sound = np.array(out)
    blocks = [sound[start : start + rate * 4 // 10] for start in range(0, len(sound) - rate * 4 // 10 + 1, rate // 10)]
    levels = np.array([-0.691 + 10 * np.log10(np.mean(block**2)) for block in blocks])
    powers = np.array([np.mean(block**2) for block in blocks])[levels > -70]
    gated = powers[10 * np.log10(powers) > 10 * np.log10(powers.mean()) - 10]
    return -0.691 + 10 * np.log10(gated.mean())


def test_chunks_leave_no_seam():
    """The fast filter works in chunks of 8 s; the plain recursion has none."""
    sound = np.random.default_rng(0).normal(0, 0.1, 17 * 4_000) * np.linspace(0.001, 1, 17 * 4_000)
    assert loudness_lufs(sound.astype(np.float32), 4_000) == pytest.approx(by_recursion(sound, 4_000), abs=1e-4)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(48_000, np.float32)])
def test_silence_has_no_loudness_and_stays(samples):
    assert loudness_lufs(samples, 16_000) == -np.inf
    assert np.array_equal(normalised(samples, 16_000, -16), samples)


@pytest.mark.parametrize("seconds", [0.05, 0.4, 3.0])
def test_normalised_sound_has_the_wanted_loudness(seconds):
    assert loudness_lufs(normalised(tone(seconds), 16_000, -20), 16_000) == pytest.approx(-20, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), level=st.floats(0.1, 8), cuts=st.lists(st.integers(0, 4000), max_size=6))
def test_the_limiter_keeps_peaks_inside_and_order_and_count(seed, level, cuts):
    sound = (np.random.default_rng(seed).normal(0, 0.3, 4000) * level).astype(np.float32)
    limiter = Limiter(16_000)
    parts = np.split(sound, sorted(cuts))
    given_out = np.concatenate([limiter.push(part, last=number == len(parts) - 1) for number, part in enumerate(parts)])
    assert len(given_out) == len(sound)
    assert np.abs(given_out).max() <= 1 + 1e-6
    assert np.all(np.sign(given_out) == np.sign(sound))
    assert np.allclose(given_out, Limiter(16_000).push(sound, last=True), atol=1e-6)  # cuts don't matter


def test_quiet_parts_pass_bit_by_bit():
    sound = np.concatenate([tone(0.5), [np.float32(3.0)], tone(0.5)]).astype(np.float32)
    limited = Limiter(16_000).push(sound, last=True)
    far = np.abs(np.arange(len(sound)) - 8_000) > 2 * 320
    assert np.array_equal(limited[far], sound[far])
    assert limited[8_000] == pytest.approx(1.0)


def test_the_gain_never_jumps():
    sound = np.full(4_000, 0.5, np.float32)
    sound[2_000] = 5.0
    gain = Limiter(16_000).push(sound, last=True) / sound
    assert np.abs(np.diff(gain)).max() < 1.2 * 0.8 / 320
