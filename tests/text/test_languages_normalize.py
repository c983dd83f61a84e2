"""Normalisers of the languages other than English: the cases of ``spec/``, spans, number words against num2words."""

import importlib
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from sonant.text.normalize import normalize
from sonant.text.normalize.rewrite import roman_value
from sonant.text.tokens import Spoken

SPEC = Path(__file__).parents[2] / "spec"
LANGUAGES = ("es", "fr", "hi", "it", "ja", "pt", "zh")


def cases(language):
    return json.loads((SPEC / f"normalize.{language}.json").read_text(encoding="utf-8"))


def spoken(text, language):
    return normalize([Spoken(text, (0, len(text)))], language)


def check_spans(text, pieces):
    """Every character belongs to a piece, in order; untouched pieces are the text itself."""
    place = 0
    for piece in pieces:
        assert piece.span[0] == place, (piece, place)
        place = piece.span[1]
        if piece.rule == "text":
            assert piece.text == text[slice(*piece.span)]
    assert place == len(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_spec_has_sixty_cases_of_many_rules(language):
    rows = cases(language)
    assert len({row["text"] for row in rows}) == len(rows) >= 60
    assert len({row["rule"] for row in rows}) >= 15


@pytest.mark.parametrize(("language", "case"), [(language, case) for language in LANGUAGES for case in cases(language)])
def test_spec(language, case):
    pieces = spoken(case["text"], language)
    assert "".join(piece.text for piece in pieces) == case["spoken"]
    assert case["rule"] in {piece.rule for piece in pieces}
    check_spans(case["text"], pieces)


@pytest.mark.parametrize("language", LANGUAGES)
def test_plain_text_passes_untouched(language):
    text = {"hi": "नमस्ते दुनिया।", "ja": "こんにちは、世界。", "zh": "你好，世界。"}.get(language, "una casa, la vita.")
    assert spoken(text, language) == [Spoken(text, (0, len(text)))]


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=60, deadline=None)
@given(
    text=st.text(
        alphabet=st.sampled_from("0123456789 .,:/-–%€$£¥₹°ºªkmghIVXa年月日時円元点िका'’«»()+=#@&*½²\n😂❤️"), max_size=40
    )
)
def test_any_text_keeps_every_character_in_a_span(language, text):
    pieces = spoken(text, language)
    check_spans(text, pieces)
    assert not re.search(r"[0-9]", "".join(piece.text for piece in pieces)), "a figure was left unsaid"


@pytest.mark.parametrize("language", LANGUAGES)
def test_fixed_phonemes_pass_and_markup_keeps_its_span(language):
    fixed = Spoken("5", (0, 12), "markup", phonemes="fˈaɪv")
    alias = Spoken("5 km", (13, 40), "markup", stress=1)
    pieces = normalize([fixed, alias], language)
    assert pieces[0] == fixed
    assert {piece.span for piece in pieces[1:]} == {(13, 40)}
    assert all(piece.stress == 1 for piece in pieces[1:])
    assert not re.search(r"\d", "".join(piece.text for piece in pieces[1:]))


SAMPLE = [*range(2000), *(random.Random(7).randrange(10**size) for size in range(4, 12) for _ in range(40))]


def plain(words):
    return words.replace("-", " ").replace(",", "")


def test_french_cardinals_are_those_of_num2words():
    french = importlib.import_module("sonant.text.normalize.french")
    for n in SAMPLE:
        assert plain(french.cardinal(n)) == plain(num2words(n, lang="fr"))


def test_spanish_cardinals_are_those_of_num2words_with_short_forms_before_mil():
    spanish = importlib.import_module("sonant.text.normalize.spanish")
    for n in SAMPLE:
        # num2words writes "veintiuno mil"; the Academia wants "veintiún mil".
        theirs = num2words(n, lang="es").replace("veintiuno mil", "veintiún mil").replace("uno mil", "un mil")
        assert spanish.cardinal(n) == theirs


def test_italian_cardinals_are_those_of_num2words_with_accents():
    italian = importlib.import_module("sonant.text.normalize.italian")
    for n in SAMPLE:
        if n % 100 == 18:  # num2words writes "centodicotto"
            assert italian.cardinal(n).endswith("diciotto")
        else:
            theirs = num2words(n, lang="it").replace("é", "e").replace(" e ", " ").replace(",", "")
            if "dicotto" not in theirs:
                assert italian.cardinal(n).replace("é", "e") == theirs
    assert italian.cardinal(23) == "ventitré"
    assert italian.cardinal(3) == "tre"


def test_portuguese_cardinals_below_a_million_are_those_of_num2words():
    portuguese = importlib.import_module("sonant.text.normalize.portuguese")
    for n in SAMPLE:
        if n < 10**6:
            assert portuguese.cardinal(n) == plain(num2words(n, lang="pt_BR")).replace("catorze", "quatorze")


@pytest.mark.parametrize(
    ("language", "n", "gender", "words"),
    [
        ("spanish", 21, "m", "veintiún"),
        ("spanish", 1, "f", "una"),
        ("spanish", 231_000, "f", "doscientas treinta y un mil"),
        ("portuguese", 2_002, "f", "duas mil e duas"),
        ("french", 71, "f", "soixante et onze"),
        ("french", 80_000, "", "quatre-vingt mille"),
        ("italian", 1, "z", "uno"),
        ("hindi", 99, "", "निन्यानवे"),
        ("hindi", 10_000_000, "", "एक करोड़"),
        ("japanese", 12_345, "", "一万二千三百四十五"),
        ("japanese", 10_000_000, "", "千万"),
        ("mandarin", 10_010, "", "一万零一十"),
        ("mandarin", 200_002, "", "二十万零二"),
        ("mandarin", 100_000_005, "", "一亿零五"),
    ],
)
def test_cardinals(language, n, gender, words):
    module = importlib.import_module(f"sonant.text.normalize.{language}")
    assert module.cardinal(n, gender) == words


def test_roman_numerals_only_in_their_regular_spelling():
    assert [roman_value(numeral) for numeral in ("I", "IV", "XIV", "MCMXC", "IIII", "VX", "")] == [
        1,
        4,
        14,
        1990,
        None,
        None,
        None,
    ]


def test_a_book_is_normalised_in_time_linear_in_its_length():
    import time

    text = "El 3 de mayo de 1999 pagó 12,50 € por 2 libros. " * 2000
    start = time.perf_counter()
    pieces = spoken(text, "es")
    assert time.perf_counter() - start < 10
    check_spans(text, pieces)
