"""Word times: the shared cases of spec/timing.json, and what holds for any tokens and frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tts.conftest import spec

from sonant.text.phonemes import join
from sonant.text.tokens import Token
from sonant.tts import timing

SPEC = spec("timing")


def tokens_of(rows):
    return [Token(text, phonemes, space, tuple(span), "gold") for text, phonemes, space, span in rows]


@pytest.mark.parametrize("case", SPEC["cases"], ids=lambda case: case["why"])
def test_shared_cases(case):
    tokens, frames = tokens_of(case["tokens"]), np.array(case["frames"])
    assert len(frames) == len(join(tokens)) + 2
    text = case["text"]
    found = timing.words(tokens, frames, lambda span: text[slice(*span)], case.get("spaced", True))
    assert [word.text for word in found] == [word for word, _, _ in case["words"]]
    for word, (_, start_s, end_s) in zip(found, case["words"], strict=True):
        assert (word.start_s, word.end_s) == pytest.approx((start_s, end_s))
        assert text[slice(*word.span)] == word.text


def test_constants_are_the_shared_ones():
    assert SPEC["lead_frames"] == timing.LEAD_FRAMES
    assert SPEC["frame_s"] == timing.FRAME_S


WORDS = st.lists(
    st.tuples(st.sampled_from(["ab", "x", "3", "'", "-", ",", ".", "(", "字"]), st.booleans(), st.integers(0, 5)),
    min_size=1,
    max_size=20,
)


@given(WORDS, st.booleans(), st.data())
def test_times_grow_and_stay_inside(parts, spaced, data):
    text, tokens = "", []
    for written, space, sounds in parts:
        start = len(text)
        text += written + " " * space
        phonemes = written if written in ",.(" else "ə" * sounds if written.isalnum() else ""
        tokens.append(Token(written, phonemes, " " * space, (start, start + len(written)), "gold"))
    joined = join(tokens)
    places = timing.places(tokens)
    assert all(joined[start:end] == token.phonemes for token, (start, end) in zip(tokens, places, strict=True))
    frames = np.array(data.draw(st.lists(st.integers(1, 50), min_size=len(joined) + 2, max_size=len(joined) + 2)))
    found = timing.words(tokens, frames, lambda span: text[slice(*span)], spaced)
    edges = [time for word in found for time in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert all(0 <= time <= frames.sum() * timing.FRAME_S for time in edges)
    # Every token with a sound that isn't a mark is in exactly one word.
    spoken = [token.span for token in tokens if token.is_word and token.phonemes]
    assert all(sum(word.span[0] <= start and end <= word.span[1] for word in found) == 1 for start, end in spoken)


def sound(*parts):
    """Noise and silence: (seconds, loud) each."""
    noise = np.random.default_rng(0).standard_normal(sum(round(s * 24_000) for s, _ in parts)) * 0.1
    return (noise * np.concatenate([np.full(round(s * 24_000), loud) for s, loud in parts])).astype(np.float32)


def test_words_draw_back_from_pauses():
    samples = sound((0.3, 0), (0.5, 1), (0.4, 0), (0.5, 1), (0.05, 0), (0.2, 1), (0.6, 0))
    from sonant.records import Word

    words = [Word("a", 0.2, 1.0), Word("b", 1.1, 1.72), Word("c", 1.72, 2.3)]
    a, b, c = timing.settled(words, samples, 24_000)
    assert (a.start_s, a.end_s) == pytest.approx((0.29, 0.82), abs=0.006)
    assert (b.start_s, b.end_s) == pytest.approx((1.19, 1.72), abs=0.006), "50 ms of closure are no pause"
    assert (c.start_s, c.end_s) == pytest.approx((1.72, 1.97), abs=0.006)


def test_words_in_silence_stay():
    from sonant.records import Word

    words = (Word("soft", 0.1, 0.3),)
    assert timing.settled(words, np.zeros(24_000, np.float32), 24_000) == words
    assert timing.settled(words, sound((0.5, 0), (0.5, 1)), 24_000) == words
    assert timing.settled(words, np.zeros(0, np.float32), 24_000) == words
