"""Whisper's evaluation normalisers: texts folded before words are counted, so that rates compare with published ones.

Rules of openai-whisper ``normalizers/basic.py`` and ``english.py``; the outputs are equal. For error rates of our own
reports ``text.evaluation.fold`` is simpler and keeps numbers as they were written.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from functools import lru_cache
from importlib import resources

import regex

from sonant.text.whisper_numbers import figures

__all__ = ["normalize_basic", "normalize_english", "spell_american"]

_LETTERS = {  # letters that no decomposition takes apart
    "œ": "oe",
    "Œ": "OE",
    "ø": "o",
    "Ø": "O",
    "æ": "ae",
    "Æ": "AE",
    "ß": "ss",
    "ẞ": "SS",
    "đ": "d",
    "Đ": "D",
    "ð": "d",
    "Ð": "D",
    "þ": "th",
    "Þ": "th",
    "ł": "l",
    "Ł": "L",
}
_FILLERS = re.compile(r"\b(hmm|mm|mhm|mmm|uh|um)\b")
_EXPANSIONS = [
    (re.compile(rf"\b{short}\b"), long)
    for short, long in {
        "won't": "will not",
        "can't": "can not",
        "let's": "let us",
        "ain't": "aint",
        "y'all": "you all",
        "wanna": "want to",
        "gotta": "got to",
        "gonna": "going to",
        "i'ma": "i am going to",
        "imma": "i am going to",
        "woulda": "would have",
        "coulda": "could have",
        "shoulda": "should have",
        "ma'am": "madam",
        "mr": "mister ",
        "mrs": "missus ",
        "st": "saint ",
        "dr": "doctor ",
        "prof": "professor ",
        "capt": "captain ",
        "gov": "governor ",
        "ald": "alderman ",
        "gen": "general ",
        "sen": "senator ",
        "rep": "representative ",
        "pres": "president ",
        "rev": "reverend ",
        "hon": "honorable ",
        "asst": "assistant ",
        "assoc": "associate ",
        "lt": "lieutenant ",
        "col": "colonel ",
        "jr": "junior ",
        "sr": "senior ",
        "esq": "esquire ",
    }.items()
] + [
    (re.compile(rf"{short}\b"), long)
    for short, long in {
        "'d been": " had been",
        "'s been": " has been",
        "'d gone": " had gone",
        "'s gone": " has gone",
        "'d done": " had done",
        "'s got": " has got",
        "n't": " not",
        "'re": " are",
        "'s": " is",
        "'d": " would",
        "'ll": " will",
        "'t": " not",
        "'ve": " have",
        "'m": " am",
    }.items()
]


def normalize_basic(text: str, remove_diacritics: bool = False, split_letters: bool = False) -> str:
    """Fold a text of any language: lower case, no brackets and what they hold, marks and punctuation as spaces.

    Args:
        text: any text.
        remove_diacritics: drop accents, too.
        split_letters: a space between all characters, for scripts without spaces.
    """
    text = _without_brackets(text.lower())
    text = (_plain_letters(text) if remove_diacritics else _without_marks(text)).lower()
    if split_letters:
        text = " ".join(regex.findall(r"\X", text, regex.U))
    return re.sub(r"\s+", " ", text)


def normalize_english(text: str) -> str:
    """Fold an English text: fillers out, contractions and titles written out, numbers as figures, American spelling."""
    text = _FILLERS.sub("", _without_brackets(text.lower()))
    text = re.sub(r"\s+'", "'", text)
    for pattern, long in _EXPANSIONS:
        text = pattern.sub(long, text)
    text = re.sub(r"(\d),(\d)", r"\1\2", text)
    text = re.sub(r"\.([^0-9]|$)", r" \1", text)
    text = figures(_plain_letters(text, keep=".%$¢€£"))
    text = spell_american(text)
    text = re.sub(r"[.$¢€£]([^0-9])", r" \1", text)  # signs that belong to no figure
    text = re.sub(r"([^0-9])%", r"\1 ", text)
    return re.sub(r"\s+", " ", text)


def spell_american(text: str) -> str:
    """Lower-case text with British spellings made American."""
    spelling = _american()
    return " ".join(spelling.get(word, word) for word in text.split())


def _without_brackets(text: str) -> str:
    return re.sub(r"\(([^)]+?)\)", "", re.sub(r"[<\[][^>\]]*[>\]]", "", text))


def _plain_letters(text: str, keep: str = "") -> str:
    """Letters without accents; other marks, symbols and punctuation as spaces, but those to keep."""
    return "".join(character if character in keep else _plain(character) for character in _decomposed(text))


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    if character in _LETTERS:
        return _LETTERS[character]
    category = unicodedata.category(character)
    return "" if category == "Mn" else " " if category[0] in "MSP" else character


def _without_marks(text: str) -> str:
    composed = unicodedata.normalize("NFKC", text)
    return "".join(" " if unicodedata.category(character)[0] in "MSP" else character for character in composed)


@lru_cache(maxsize=1)
def _american() -> dict[str, str]:
    """British -> American spelling, 1741 words (the list of tysto.com, as openai-whisper ships it)."""
    packed = resources.files("sonant.text").joinpath("data/whisper/spelling.z").read_bytes()
    return dict(line.split("\t") for line in zlib.decompress(packed).decode().splitlines())
