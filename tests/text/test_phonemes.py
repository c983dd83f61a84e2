"""The alphabet against spec/phonemes.json; pieces that fit: nothing lost, none too long, cut where it sounds best."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.errors import BadInput, UnspeakableText
from sonant.text.phonemes import LIMIT, SYMBOLS, decode, encode, fit, join
from sonant.text.tokens import Token

SPEC = json.loads((Path(__file__).parents[2] / "spec" / "phonemes.json").read_text(encoding="utf-8"))


def token(text, phonemes=None, space=" ", place=0):
    return Token(text, text if phonemes is None else phonemes, space, (place, place + len(text)), "test")


TOKENS = st.lists(
    st.builds(
        token,
        st.text("abcdefgh字", min_size=1, max_size=6),
        st.text("abˈˌːʰ ", max_size=40) | st.sampled_from(["", *".,;:!?—…”)"]),
        st.sampled_from(["", " "]),
    ),
    max_size=60,
)


def test_alphabet_is_the_published_one():
    assert SPEC["symbols"] == SYMBOLS
    assert len(SYMBOLS) == 114
    assert max(SYMBOLS.values()) == 177
    assert len(set(SYMBOLS.values())) == 114


@pytest.mark.parametrize("case", SPEC["encode"], ids=lambda case: case["phonemes"])
def test_encode_and_back(case):
    ids = encode(case["phonemes"])
    assert ids.dtype == np.int64
    assert ids.tolist() == case["ids"]
    assert decode(ids) == case["phonemes"]
    assert decode([0, *ids, 0]) == case["phonemes"]


def test_every_unknown_symbol_is_named():
    with pytest.raises(UnspeakableText, match=r"'g' \(U\+0067\).*'€' \(U\+20AC\)"):
        encode("ɡg€")
    with pytest.raises(BadInput, match="no symbol has id 7, 999"):
        decode([7, 16, 999])


def test_join_has_one_space_between_sounds():
    words = [token("a"), token("[", "", " "), token("b", "b", ""), token(".", ".", " ")]
    assert join(words) == "a b."
    assert join([]) == ""


@given(TOKENS, st.integers(5, 60), st.none() | st.integers(1, 5))
def test_fit_loses_nothing_and_stays_below_the_limit(tokens, limit, target):
    pieces = fit(tokens, limit, target)
    units = [unit for piece in pieces for unit in piece]
    assert "".join(unit.text for unit in units) == "".join(unit.text for unit in tokens)
    assert "".join(unit.phonemes for unit in units) == "".join(unit.phonemes for unit in tokens)
    assert all(piece for piece in pieces)
    assert all(len(join(piece)) <= limit for piece in pieces)


@pytest.mark.parametrize("limit", [60, 510])
def test_two_thousand_words_without_a_mark(limit):
    words = [token(f"w{number}", "wˈʌn") for number in range(2000)]
    pieces = fit(words, limit)
    lengths = [len(join(piece)) for piece in pieces]
    assert [unit.text for piece in pieces for unit in piece] == [word.text for word in words]
    assert max(lengths) <= limit
    assert min(lengths) > 0.8 * max(lengths), "balanced"


def test_cuts_after_sentences_then_clauses_then_commas():
    def text(*marks):
        return [
            part for mark in marks for part in [*(token("word") for _ in range(9)), token("end", None, ""), token(mark)]
        ]

    ends = [piece[-1].text for piece in fit(text(",", ".", ",", ";", ","), limit=160)]
    assert ends == [".", ","]
    ends = [piece[-1].text for piece in fit(text(",", ";", ",", "x", ","), limit=160)]
    assert ends == [";", ","]


def test_closing_marks_stay_with_their_sentence():
    words = [token("word") for _ in range(10)]
    marks = [token("end", None, ""), token(".", ".", ""), token("”", "”", " ")]
    pieces = fit([*words, *marks, *words], limit=80)
    assert pieces[0][-1].text == "”"


def test_a_word_above_the_limit_is_cut_between_phonemes():
    long = token("abcdefghij", "ˈabː" * 100, " ")
    pieces = fit([token("x"), long, token("y")], limit=110)
    assert "".join(unit.phonemes for piece in pieces for unit in piece) == "x" + "ˈabː" * 100 + "y"
    assert "".join(unit.text for piece in pieces for unit in piece) == "xabcdefghijy"
    assert all(len(join(piece)) <= 110 for piece in pieces)
    assert all(not join(piece).startswith("ː") for piece in pieces)
    assert {unit.span for piece in pieces for unit in piece if unit.text in "abcdefghij"} == {long.span}


def test_short_text_stays_whole_and_target_makes_short_pieces():
    words = [token("word") for _ in range(40)]
    assert len(fit(words)) == 1
    lengths = [len(join(piece)) for piece in fit(words, LIMIT, target=60)]
    assert 40 < min(lengths) <= max(lengths) < 80
    assert fit([]) == []
    with pytest.raises(BadInput, match="target 600"):
        fit(words, LIMIT, 600)
