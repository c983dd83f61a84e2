"""Cutting tokens into segments: the shared cases of spec/timestamps.json, and properties of any tokens."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.asr.segments import Span, cut, finish
from sonant.decode.search import Hypothesis
from sonant.text.bpe import tokenizer

SPEC = json.loads((Path(__file__).parents[2] / "spec" / "timestamps.json").read_text(encoding="utf-8"))
WORDS = tokenizer(True, 99)


def ids(tokens):
    """Text stays text; a number is a time in seconds."""
    found = []
    for token in tokens:
        found += WORDS.encode(token) if isinstance(token, str) else [WORDS.timestamp_begin + round(token / 0.02)]
    return found


@pytest.mark.parametrize("case", SPEC["cut"], ids=lambda case: case["why"])
def test_spec(case):
    span = Span(case["start_frame"], case["frames"])
    got = cut(ids(case["tokens"]), span, WORDS)
    assert [[round(one.start_s, 2), round(one.end_s, 2), one.text] for one in got.drafts] == case["segments"]
    assert got.seek == case["seek"]


@given(
    st.lists(st.one_of(st.sampled_from([" a", " b", "?"]), st.integers(0, 1500).map(lambda n: n * 0.02)), max_size=12),
    st.integers(1, 3000),
)
def test_the_next_window_is_inside_or_right_after(tokens, frames):
    got = cut(ids(tokens), Span(500, frames), WORDS)
    assert got.seek == 500 + frames or 500 <= got.seek <= 500 + 3000
    assert [one for one in got.drafts if one.start_s < 5] == []


def test_words_know_their_place_in_the_text():
    from sonant.asr.segments import Draft, DraftWord

    words = [DraftWord(" no", (1,), 0.0, 0.2, 0.9), DraftWord(" no,", (2,), 0.2, 0.4, 0.9), DraftWord("", (), 0, 0, 1)]
    segment = finish(Draft(0.0, 1.0, (1, 2), " no no, yes", words), Hypothesis((), "", -0.5, 0.1, 1.2, 0.2, "en"))
    assert [(word.text, word.span) for word in segment.words[:2]] == [("no", (1, 3)), ("no,", (4, 7))]
    assert (segment.temperature, segment.language, segment.no_speech_prob) == (0.2, "en", 0.1)
