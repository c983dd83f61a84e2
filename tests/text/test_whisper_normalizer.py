"""Whisper's evaluation normalisers: known cases, and openai-whisper's own on any sequence of number words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.text import whisper_numbers
from sonant.text.whisper_normalizer import normalize_basic, normalize_english


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("two hundred and five", "205"),
        ("nineteen sixty-five", "1965"),
        ("the nineteen-sixties", "the 1960s"),
        ("twenty-one thousand dollars", "$21000"),
        ("three point one four", "3.14"),
        ("double oh seven", "007"),
        ("one oh one", "101"),
        ("two and a half million", "2500000"),
        ("minus twenty degrees", "-20 degrees"),
        ("fifty per cent, five percent", "50% 5%"),
        ("$2 and 7 cents", "$2.07"),
        ("the twenty-first of two", "the 21st of 2"),
        ("one and ones", "one and ones"),
        ("a million billions", "a 1000000s"),
        ("He's gone; she won't, y'all!", "he has gone she will not you all"),
        ("Mr. Brown [laughs] coloured it (quietly), uh", "mister brown colored it"),
        ("12,345.6 things.", "12345.6 things"),
    ],
)
def test_english(text, want):
    assert normalize_english(text).strip() == want


def test_basic():
    assert normalize_basic("Żółw, [x] (y) idzie!").strip() == "żółw idzie"
    assert normalize_basic("Żółw ß", remove_diacritics=True).strip() == "zolw ss"
    assert normalize_basic("日本語", split_letters=True) == "日 本 語"


NUMBER_WORDS = st.sampled_from(
    [*sorted(whisper_numbers.KNOWN), "a", "half", "7", "19", "2.5", "$3", "$0.5", "¢7", "b2"]
)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@given(st.lists(NUMBER_WORDS, max_size=9))
@settings(max_examples=1500, deadline=None)
def test_numbers_equal_openai_whisper(words):
    normalizers = pytest.importorskip("whisper.normalizers")
    text = " ".join(words)
    try:
        want = _once(normalizers.EnglishTextNormalizer)(text)
    except (AssertionError, TypeError, AttributeError):  # the reference fails on some sequences
        normalize_english(text)
        return
    assert normalize_english(text) == want


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@given(st.text(max_size=60), st.booleans(), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_text_equals_openai_whisper(text, plain, split):
    normalizers = pytest.importorskip("whisper.normalizers")
    assert normalize_basic(text, plain, split) == normalizers.BasicTextNormalizer(plain, split)(text)
    assert normalize_english(text) == _once(normalizers.EnglishTextNormalizer)(text)


_made = {}


def _once(kind):
    """The reference reads a file each time it is made."""
    return _made.setdefault(kind, kind())
