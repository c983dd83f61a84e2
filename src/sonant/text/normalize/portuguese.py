"""Portuguese of Brazil: figures, dates, money and signs to words.

"e" joins hundreds, tens and ones, and the thousands to a last group below 100 or of full hundreds (Cunha & Cintra, Nova
gramática do português contemporâneo, chapter 13). In telephone numbers 6 is "meia", as Brazilians say it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sonant.text.normalize.emoji import COLUMNS
from sonant.text.normalize.rewrite import Rule, rewrite
from sonant.text.normalize.romance import Romance, rules, shared_signs
from sonant.text.normalize.table import load_table
from sonant.text.tokens import Spoken

__all__ = ["cardinal", "normalize", "ordinal"]

_TABLE = load_table("pt")
_SMALL = _TABLE.numerals["small"]
_TENS = _TABLE.numerals["tens"]
_HUNDREDS = _TABLE.numerals["hundreds"]
_ORDINAL_ONES = _TABLE.numerals["ordinal_ones"]
_ORDINAL_TENS = _TABLE.numerals["ordinal_tens"]
_ORDINAL_HUNDREDS = _TABLE.numerals["ordinal_hundreds"]


def cardinal(n: int, gender: str = "") -> str:
    """Words for 0 <= n < 10**15; gender "f" gives uma, duas, duzentas."""
    for size, one, many in (
        (10**12, "trilhão", "trilhões"),
        (10**9, "bilhão", "bilhões"),
        (10**6, "milhão", "milhões"),
    ):
        if n >= size:
            high, low = divmod(n, size)
            words = f"{cardinal(high)} {one if high == 1 else many}"
            return f"{words}{_joint(low)}{cardinal(low, gender)}" if low else words
    if n >= 1000:
        high, low = divmod(n, 1000)
        words = "mil" if high == 1 else f"{_below_thousand(high, gender)} mil"
        return f"{words}{_joint(low)}{_below_thousand(low, gender)}" if low else words
    return _below_thousand(n, gender)


def _joint(low: int) -> str:
    """What joins a last group to the thousands before it."""
    return " e " if low < 100 or (low < 1000 and low % 100 == 0) else " "


def _below_thousand(n: int, gender: str) -> str:
    """Words for 0-999."""
    if n == 100:
        return "cem"
    if n == 0:
        return "zero"
    parts = []
    if n >= 100:
        word = _HUNDREDS[n // 100]
        parts.append(word[:-2] + "as" if gender == "f" and n >= 200 else word)
    rest = n % 100
    if rest >= 20:
        parts.append(_TENS[rest // 10])
        rest %= 10
    if rest:
        word = _SMALL[rest]
        parts.append({"um": "uma", "dois": "duas"}.get(word, word) if gender == "f" else word)
    return " e ".join(parts)


def ordinal(n: int, gender: str = "m") -> str:
    """Words for 1-1000: "vigésima terceira"; the cardinal above."""
    if n > 1000 or n < 1:
        return cardinal(n, gender)
    words = ["milésimo"] if n == 1000 else []
    words += [_ORDINAL_HUNDREDS[n // 100]] if 100 <= n < 1000 else []
    words += [_ORDINAL_TENS[n % 100 // 10]] if n % 100 >= 10 else []
    words += [_ORDINAL_ONES[n % 10]] if n % 10 else []
    return " ".join(word[:-1] + "a" if gender == "f" else word for word in words)


def _gender(word: str) -> str:
    """Gender of a noun by its ending, with the common exceptions; "" for words that are no nouns."""
    word = word.lower()
    if not word or word in _TABLE.no_noun:
        return ""
    if word in _TABLE.feminine:
        return "f"
    if word in _TABLE.masculine:
        return "m"
    return (
        "f"
        if word.endswith(("a", "as", "ção", "ções", "são", "sões", "dade", "dades", "tude", "gem", "gens", "ã", "ãs"))
        else "m"
    )


def _date(day: int, month: str, year: int | None) -> str:
    return f"{'primeiro' if day == 1 else cardinal(day)} de {month}" + (
        f" de {cardinal(year)}" if year is not None else ""
    )


def _clock(hours: int, minutes: int, seconds: int | None) -> str:
    words = f"{cardinal(hours, 'f')} {'hora' if hours <= 1 else 'horas'}"
    if seconds is not None:
        words += f" {cardinal(minutes)} {'minuto' if minutes == 1 else 'minutos'}"
        return f"{words} e {cardinal(seconds)} {'segundo' if seconds == 1 else 'segundos'}"
    return f"{words} e {cardinal(minutes)}" if minutes else words


def _fraction(top: int, bottom: int) -> str | None:
    if bottom == 2:
        name = "meio"
    elif bottom == 3:
        name = "terço"
    elif bottom <= 10 or bottom in (100, 1000):
        name = ordinal(bottom)
    elif bottom < 100 and top < bottom and bottom in (11, 12, 13, 14, 15, 16, 18, 20):
        return f"{cardinal(top)} {cardinal(bottom)} avos"
    else:
        return None
    return f"{cardinal(top)} {name}" + ("s" if top > 1 else "")


def _century(n: int, _: str) -> str:
    return ordinal(n) if n <= 10 else cardinal(n)


def _reign(n: int, gender: str) -> str:
    return ordinal(n, gender) if n <= 10 else cardinal(n)


def _phone_group(figures: str) -> str:
    """Figures one by one, 6 as "meia"."""
    return " ".join("meia" if figure == "6" else _SMALL[int(figure)] for figure in figures)


PORTUGUESE = Romance(
    table=_TABLE,
    column=COLUMNS["pt"],
    cardinal=cardinal,
    ordinal=ordinal,
    gender=_gender,
    date=_date,
    clock=_clock,
    fraction=_fraction,
    reign=_reign,
    century=_century,
    phone=_phone_group,
)


def _rank(match: re.Match[str]) -> str:
    """1º, 2ª, 3o., 4a."""
    return ordinal(int(match["n"]), "f" if (match["mark"] or match["letter"]) in "ªa" else "m")


_RULES = [
    *shared_signs(),
    Rule("ordinal", re.compile(r"(?<![\w.,])(?P<n>\d{1,4})(?:\.?(?P<mark>[ºª])|\.(?P<letter>[oa]))s?(?![\w°])"), _rank),
    *rules(PORTUGUESE),
]


def normalize(pieces: Sequence[Spoken]) -> list[Spoken]:
    """Brazilian text with everything that isn't a word turned into words; see ``rewrite`` for spans and rule names."""
    return rewrite(pieces, _RULES)
