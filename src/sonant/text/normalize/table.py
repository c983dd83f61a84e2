"""The word tables of the normalisers: JSON files in ``tables/``, read once, shared with other languages of programming.

What is a fact about a language (number words, units, abbreviations) stands there; what is a procedure stands in the
module of the language.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

__all__ = ["Money", "Table", "Unit", "load_table"]


@dataclass(frozen=True, slots=True)
class Money:
    """A currency: its names and its hundredth's, with the gender of both."""

    one: str
    many: str
    gender: str = "m"
    cent_one: str = ""
    cent_many: str = ""
    cent_gender: str = "m"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure."""

    one: str
    many: str
    gender: str = "m"


@dataclass(frozen=True, slots=True)
class Table:
    """The words of one language.

    Attributes:
        words: single words by their English names: point, dot, minus, plus, percent, over, to, times, at, slash, ...
        signs: single signs -> words; "" for signs without sound (list bullets).
        letters: names of the letters a-z.
        months: twelve names.
        money: symbol or code -> currency.
        units: symbol -> unit.
        abbreviations: (pattern, words) pairs, matched with case at the start of a word; the first that fits wins.
        numerals: number words, by the name that the language's module uses.
        month_forms: other spellings of months -> number.
        of_big: the word between millions and a noun ("de", "di"; "d(e)" loses its vowel before another).
        big_words: million and its like, as they follow a figure.
        kings: names of kings and popes, whose Roman numeral is masculine.
        queens: names of queens.
        century_words: words beside which a Roman numeral is a century.
        numeral_words: words beside which a Roman numeral is a plain number (chapter, volume, ...).
        no_noun: common words that are no nouns, so that a number before them stands alone.
        feminine: feminine nouns that their ending doesn't show.
        masculine: masculine nouns that their ending doesn't show.
        feminine_endings: endings of feminine nouns.
        counters: measure words.
    """

    words: Mapping[str, str]
    signs: Mapping[str, str]
    letters: Mapping[str, str]
    months: Sequence[str]
    money: Mapping[str, Money]
    units: Mapping[str, Unit]
    abbreviations: Sequence[tuple[str, str]]
    numerals: Mapping[str, Sequence[str]]
    month_forms: Mapping[str, int] = field(default_factory=dict)
    of_big: str = ""
    big_words: frozenset[str] = frozenset()
    kings: tuple[str, ...] = ()
    queens: tuple[str, ...] = ()
    century_words: frozenset[str] = frozenset()
    numeral_words: frozenset[str] = frozenset()
    no_noun: frozenset[str] = frozenset()
    feminine: frozenset[str] = frozenset()
    masculine: frozenset[str] = frozenset()
    feminine_endings: tuple[str, ...] = ()
    counters: frozenset[str] = frozenset()


_SETS = ("big_words", "century_words", "numeral_words", "no_noun", "feminine", "masculine", "counters")
_TUPLES = ("kings", "queens", "feminine_endings")


@functools.cache
def load_table(language: str) -> Table:
    """The table of a language (ISO code)."""
    raw = json.loads(resources.files(__package__).joinpath("tables", f"{language}.json").read_text(encoding="utf-8"))
    raw["money"] = {sign: Money(*names) for sign, names in raw["money"].items()}
    raw["units"] = {sign: Unit(*names) for sign, names in raw["units"].items()}
    raw["abbreviations"] = [(pattern, words) for pattern, words in raw["abbreviations"]]
    raw |= {name: frozenset(raw[name]) for name in _SETS if name in raw}
    raw |= {name: tuple(raw[name]) for name in _TUPLES if name in raw}
    return Table(**raw)
