"""Italian: figures, dates, money and signs to words.

Number words joined as Italian writes them ("millenovecentonovantanove", "ventitré"); Roman numerals of kings, popes and
centuries as ordinals. Source: Serianni, Grammatica italiana, chapter VI (numerals).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sonant.text.normalize.emoji import COLUMNS
from sonant.text.normalize.rewrite import Rule, after, rewrite, roman_value
from sonant.text.normalize.romance import Romance, rules, shared_signs
from sonant.text.normalize.table import load_table
from sonant.text.tokens import Spoken

__all__ = ["cardinal", "normalize", "ordinal"]

_TABLE = load_table("it")
_SMALL = _TABLE.numerals["small"]
_TENS = _TABLE.numerals["tens"]
_ORDINALS = _TABLE.numerals["ordinals"]


def cardinal(n: int, gender: str = "") -> str:
    """Words for 0 <= n < 10**15. Gender matters to 1 alone: "m" un, "z" uno, "f" una, "'" un'."""
    if n == 1 and gender:
        return {"m": "un", "z": "uno", "f": "una", "'": "un'"}[gender]
    for size, one, many in (
        (10**12, "bilione", "bilioni"),
        (10**9, "miliardo", "miliardi"),
        (10**6, "milione", "milioni"),
    ):
        if n >= size:
            high, low = divmod(n, size)
            words = f"un {one}" if high == 1 else f"{cardinal(high)} {many}"
            return f"{words} {cardinal(low)}" if low else words
    words = _joined(n)
    return words[:-1] + "é" if words.endswith("tre") and n > 3 else words


def _joined(n: int) -> str:
    """One word for 0 < n < 10**6, without the accent of a final "tre"."""
    if n < 20:
        return _SMALL[n]
    if n < 100:
        tens, ones = _TENS[n // 10], n % 10
        return (tens[:-1] if ones in (1, 8) else tens) + (_SMALL[ones] if ones else "")
    if n < 1000:
        high, low = divmod(n, 100)
        word = ("" if high == 1 else _SMALL[high]) + "cento"
        # Two like vowels flow together before "otto" and "ottanta" ("centottanta"), not before "uno", "undici".
        return (word[:-1] if low == 8 or low // 10 == 8 else word) + (_joined(low) if low else "")
    high, low = divmod(n, 1000)
    word = "mille" if high == 1 else _joined(high) + "mila"
    return word + (_joined(low) if low else "")


def ordinal(n: int, gender: str = "m") -> str:
    """Words for n >= 1: "primo", "ventitreesima"."""
    if n <= 10:
        word = _ORDINALS[n]
    elif n % 1000 == 0 and n < 10**6:
        word = ("" if n == 1000 else _joined(n // 1000)) + "millesimo"
    else:
        word = _joined(n) if n < 10**6 else cardinal(n).replace(" ", "")
        # "ventitreesimo" and "ventiseiesimo" keep their last vowel, the others lose it.
        word = word + "esimo" if n % 100 != 13 and word.endswith(("tre", "sei")) else word[:-1] + "esimo"
    return word[:-1] + {"m": "o", "f": "a", "mp": "i", "fp": "e"}[gender]


def _gender(word: str) -> str:
    """The form of "one" before a noun: "m" un, "z" uno, "f" una, "'" un'; "" for words that are no nouns."""
    word = word.lower()
    if not word or word in _TABLE.no_noun:
        return ""
    feminine = word in _TABLE.feminine or (
        word not in _TABLE.masculine and word.endswith(("a", "ione", "tà", "tù", "trice", "udine", "igine"))
    )
    if feminine:
        return "'" if word[0] in "aeiouàèéìòù" else "f"
    return "z" if re.match(r"s[^aeiouàèéìòù]|z|gn|ps|pn|x|y|i[aeou]", word) else "m"


def _date(day: int, month: str, year: int | None) -> str:
    return f"{'primo' if day == 1 else cardinal(day)} {month}" + (f" {cardinal(year)}" if year is not None else "")


def _clock(hours: int, minutes: int, seconds: int | None) -> str:
    words = "una" if hours == 1 else cardinal(hours)
    if minutes:
        words += f" e {cardinal(minutes)}"
    elif seconds is None:
        words += " in punto"
    return words + (
        f" e {cardinal(seconds, 'm')} {'secondo' if seconds == 1 else 'secondi'}" if seconds is not None else ""
    )


def _fraction(top: int, bottom: int) -> str | None:
    if bottom == 2:
        return "un mezzo" if top == 1 else f"{cardinal(top)} mezzi"
    if bottom > 10 and not (top < bottom and bottom in (12, 16, 20, 100, 1000)):
        return None
    return f"{cardinal(top, 'm')} {ordinal(bottom, 'm' if top == 1 else 'mp')}"


def _century(n: int, _: str) -> str:
    return ordinal(n)


def _reign(n: int, gender: str) -> str:
    return ordinal(n, gender)


ITALIAN = Romance(
    table=_TABLE,
    column=COLUMNS["it"],
    cardinal=cardinal,
    ordinal=ordinal,
    gender=_gender,
    date=_date,
    clock=_clock,
    fraction=_fraction,
    reign=_reign,
    century=_century,
    plural=lambda _: False,
)


def _rank(match: re.Match[str]) -> str:
    """1º, 2ª, 3°: the degree sign is often typed for the ordinal one before a noun."""
    return ordinal(int(match["n"]), "f" if match["mark"] in "ªa" else "m")


def _thousand(match: re.Match[str]) -> str:
    """One word for "5 mila" and "100mila"."""
    return cardinal(int(match["n"]) * 1000)


def _roman_ordinal(match: re.Match[str]) -> str | None:
    """Chapters, wars and congresses are counted by ordinals: "II guerra mondiale", "capitolo III"."""
    value = roman_value(match["numeral"])
    following = after(match).lower()
    if not value or not following:
        return None
    if following in (
        "guerra",
        "edizione",
        "parte",
        "repubblica",
        "dinastia",
        "legislatura",
        "crociata",
        "sezione",
        "scena",
        "sinfonia",
        "classe",
    ):
        return ordinal(value, "f")
    if following in ("capitolo", "secolo", "atto", "municipio", "congresso", "concilio", "volume", "reich", "canto"):
        return ordinal(value)
    return None


_RULES = [
    *shared_signs(),
    Rule(
        "ordinal",
        re.compile(
            r"(?<![\w.,])(?P<n>\d{1,4})\.?(?P<mark>[ºª°])(?=[ \u00a0][a-zà-ÿ]{2}|[ \u00a0][A-Z][a-z]|[,;]|\.\s|$)"
        ),
        lambda m: None if re.match(r"[ \u00a0](?:e|nord|sud|est|ovest)\b", m.string[m.end() :]) else _rank(m),
    ),
    Rule("roman", re.compile(r"(?<![\w'’.\-])(?P<numeral>[IVXL]+)(?![\w'’])"), _roman_ordinal),
    Rule(
        "roman",
        re.compile(r"(?:(?<=[cC]apitolo )|(?<=[aA]tto )|(?<=[cC]ap\. )|(?<=[cC]anto ))[IVXL]+\b"),
        lambda m: _ordinal_of(m[0]),
    ),
    Rule("number", re.compile(r"(?<![\w.,])(?P<n>\d{1,3})[ ]?mila\b(?![ ]?[€$£])"), _thousand),
    Rule(
        "number",
        re.compile(r"(?<![\w.,])1[ ](?=(?P<noun>[aeiouàèé]\w+))"),
        lambda m: "un'" if _gender(m["noun"]) == "'" else None,
    ),
    Rule(
        "time",
        re.compile(r"(?<=\b[oO]re )(?P<h>[01]?\d|2[0-4])[.,](?P<m>[0-5]\d)(?!\d|\.\d)"),
        lambda m: _clock(int(m["h"]), int(m["m"]), None),
    ),
    Rule(
        "time",
        re.compile(r"(?<=\balle )(?P<h>[01]?\d|2[0-4])[.](?P<m>[0-5]\d)(?!\d|\.\d)"),
        lambda m: _clock(int(m["h"]), int(m["m"]), None),
    ),
    *rules(ITALIAN),
]


def _ordinal_of(numeral: str) -> str | None:
    """A Roman numeral as an ordinal."""
    value = roman_value(numeral)
    return ordinal(value) if value else None


def normalize(pieces: Sequence[Spoken]) -> list[Spoken]:
    """Italian text with everything that isn't a word turned into words; see ``rewrite`` for spans and rule names."""
    return rewrite(pieces, _RULES)
