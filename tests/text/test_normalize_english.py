"""The English normaliser: the shared cases of spec/normalize.en.json, spans, flags, and that nothing is lost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from sonant.text.normalize import english_numbers as say
from sonant.text.normalize import normalize
from sonant.text.tokens import Spoken

CASES = json.loads((Path(__file__).parents[2] / "spec" / "normalize.en.json").read_text(encoding="utf-8"))
ALPHABET = "aBz 019.,:/-–$€£%°'’\"“()[]&+=*#@~^<>½²µ😀👍🏽❤️\u200d\u00ad\u0301\nIVXSt.Dr.p.m.kmhttp://"


def spoken(text):
    return Spoken(text, (0, len(text)))


def words(pieces):
    return " ".join("".join(piece.text for piece in pieces).split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_shared_cases(case):
    pieces = normalize([spoken(case["text"])], "a")
    assert words(pieces) == case["spoken"]
    assert case["rule"] in {piece.rule for piece in pieces}


def test_there_are_cases_for_every_kind():
    kinds = {case["rule"] for case in CASES}
    assert len(CASES) >= 60
    assert kinds >= set(
        "number ordinal year decade fraction currency percent unit time date phone email url abbreviation roman "
        "sign emoji apostrophe quote initials range version".split()
    )


def test_british_dates_have_the_day_first():
    assert words(normalize([spoken("03/04/2024")], "a")) == "March fourth, twenty twenty four"
    assert words(normalize([spoken("03/04/2024")], "b")) == "April third, twenty twenty four"


@given(st.text(st.sampled_from(ALPHABET) | st.characters(), max_size=40), st.sampled_from("ab"))
def test_spans_cover_the_text_in_order_and_untouched_text_is_itself(text, language):
    place, previous = 0, (0, 0)
    for piece in normalize([spoken(text)], language):
        start, end = piece.span
        assert start >= place or (start, end) == previous
        assert start <= end <= len(text)
        if piece.rule == "text":
            assert piece.text == text[start:end]
            assert start == place
        previous, place = (start, end), end
    assert place == len(text), "nothing is left out"


@given(st.text(st.sampled_from(ALPHABET), max_size=40))
def test_no_figure_is_left(text):
    said = words(normalize([spoken(text)], "a"))
    assert not any(character.isdecimal() for character in said), said


@given(st.text(max_size=40), st.text(max_size=10))
def test_fixed_phonemes_pass_untouched(text, phonemes):
    piece = Spoken("1990 " + text, (3, 9), "markup", phonemes, 1, "a")
    result = normalize([spoken("1 "), piece, spoken(" 2")], "a")
    assert result.count(piece) == 1
    assert words(result[: result.index(piece)]) == "one"


def test_number_flags():
    def said(flags):
        return [
            (piece.text, piece.phonemes) for piece in normalize([Spoken("123", (0, 3), "markup", flags=flags)], "a")
        ]

    assert said("") == [("one hundred twenty three", None)]
    assert said("&") == [("one hundred and twenty three", None)]
    assert said("&a") == [("a", "ə"), (" hundred and twenty three", None)]


def plain(text):
    return " ".join(part for part in text.replace("-", " ").replace(",", " ").split() if part != "and")


@given(st.integers(0, 10**20))
def test_cardinals_agree_with_num2words(number):
    assert say.cardinal(number) == plain(num2words(number))


@given(st.integers(1, 10**9))
def test_ordinals_agree_with_num2words(number):
    assert say.ordinal(number) == plain(num2words(number, to="ordinal"))


@given(st.integers(1, 2999))
def test_years_agree_with_num2words(number):
    assert say.year(number) == plain(num2words(number, to="year"))


@given(st.integers(0, 10**6))
def test_conjunctions_agree_with_num2words(number):
    assert say.cardinal(number, conjunction=True) == num2words(number).replace("-", " ").replace(",", "")
