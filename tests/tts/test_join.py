"""Joins: pauses of spec/join.json, no step at any join, no word cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tts.conftest import spec

from sonant.tts import join
from sonant.tts.options import SpeakOptions

SPEC = spec("join")
RATE = 24_000


@pytest.mark.parametrize("case", SPEC["cases"], ids=lambda case: str(case["before"]))
def test_pauses(case):
    seam, before = join.Seam(SpeakOptions(**case.get("options", {}))), []
    for kind, value, *speed in case["steps"]:
        if kind == "pause":
            seam.pause(value)
        else:
            before.append(seam.before_s)
            seam.spoken(value, *speed)
    assert before == pytest.approx(case["before"])
    assert seam.rest_s == case["after"]


def burst(head_s, speech_s, tail_s, level=0.2):
    count = [round(seconds * RATE) for seconds in (head_s, speech_s, tail_s)]
    noise = np.random.default_rng(1).standard_normal(sum(count)).astype(np.float32) * level
    return noise * np.repeat(np.array([0, 1, 0], np.float32), count)


def test_silence_goes_and_speech_stays():
    samples = burst(0.4, 1.0, 0.6)
    cut, shift_s = join.trimmed(samples, 0.35, 1.45, before_s=0.0)
    assert len(cut) / RATE == pytest.approx(0.05 + 1.0 + 0.05, abs=0.01)
    assert shift_s == pytest.approx(-0.35, abs=0.006)
    assert np.sum(cut**2) == pytest.approx(np.sum(samples**2), rel=1e-3), "all energy is still there"


def test_a_soft_first_and_last_word_are_kept():
    samples = burst(0.4, 1.0, 0.6)
    cut, shift_s = join.trimmed(samples, 0.1, 1.9, before_s=0.5)
    assert len(cut) / RATE == pytest.approx(0.5 + 1.8, abs=0.01)
    assert shift_s == pytest.approx(0.4)


@given(
    st.lists(
        st.tuples(st.floats(0, 0.2), st.floats(0.01, 0.3), st.floats(0, 0.2), st.floats(0, 0.3)), min_size=2, max_size=5
    )
)
def test_no_join_has_a_step(parts):
    chunks = [join.trimmed(burst(*part[:3]), part[0], part[0] + part[1], part[3])[0] for part in parts]
    joins = np.cumsum([len(chunk) for chunk in chunks])[:-1]
    whole = np.concatenate(chunks)
    steps = np.abs(np.diff(whole))
    for place in joins:
        # A sample on each side of the join; noise of level 0.2 steps by 0.3 anywhere inside.
        assert steps[max(0, place - 2) : place + 1].max() < 1e-3
    assert max(abs(whole[0]), abs(whole[-1])) < 1e-3


@given(st.integers(0, 1000), st.floats(0, 0.02), st.floats(0, 0.02))
def test_tiny_sounds_survive(count, first_s, last_s):
    samples = np.ones(count, np.float32)
    cut, _ = join.trimmed(samples, min(first_s, last_s), max(first_s, last_s), 0.0)
    assert len(cut) <= count
    assert np.isfinite(cut).all()
