"""Spanish: figures, dates, money and signs to words.

Number words after the Real Academia Española (Ortografía de la lengua española, 2010, chapter VIII; Nueva gramática,
chapter 21). Hours are read figure by figure of the 24-hour clock ("catorce treinta"), prices with "con".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sonant.text.normalize.emoji import COLUMNS
from sonant.text.normalize.rewrite import Rule, after, full_stop, rewrite
from sonant.text.normalize.romance import Romance, rules, shared_signs
from sonant.text.normalize.table import load_table
from sonant.text.tokens import Spoken

__all__ = ["cardinal", "normalize", "ordinal"]

_TABLE = load_table("es")
_SMALL = _TABLE.numerals["small"]
_TENS = _TABLE.numerals["tens"]
_HUNDREDS = _TABLE.numerals["hundreds"]
_ORDINAL_ONES = _TABLE.numerals["ordinal_ones"]
_ORDINAL_TENS = _TABLE.numerals["ordinal_tens"]
_ORDINAL_HUNDREDS = _TABLE.numerals["ordinal_hundreds"]


def cardinal(n: int, gender: str = "") -> str:
    """Words for 0 <= n < 10**15; gender "m"/"f" before a noun (un, una), "" alone (uno)."""
    if n >= 10**6:
        high, low = divmod(n, 10**12 if n >= 10**12 else 10**6)
        name = ("billón", "billones") if n >= 10**12 else ("millón", "millones")
        words = f"{cardinal(high, 'm')} {name[high != 1]}"
    elif n >= 1000:
        high, low = divmod(n, 1000)
        # "veintiún mil", but "doscientas mil personas": only hundreds agree through "mil".
        words = "mil" if high == 1 else f"{_below_thousand(high, 'm', gender)} mil"
    else:
        return _below_thousand(n, gender, gender)
    return f"{words} {cardinal(low, gender)}" if low else words


def _below_thousand(n: int, gender: str, hundreds_gender: str) -> str:
    """Words for 0-999."""
    if n == 100:
        return "cien"
    parts = []
    if n >= 100:
        word = _HUNDREDS[n // 100]
        parts.append(word[:-2] + "as" if hundreds_gender == "f" and word.endswith("os") else word)
        n %= 100
        if n == 0:
            return parts[0]
    if n < 30:
        word = _SMALL[n]
    else:
        word = _TENS[n // 10] + (f" y {_SMALL[n % 10]}" if n % 10 else "")
    if word.endswith("uno") and gender:
        stem = word[:-3]
        word = stem + ("una" if gender == "f" else "ún" if stem.endswith("veinti") else "un")
    return " ".join([*parts, word])


_TEENS = {
    11: "undécimo",
    12: "duodécimo",
    13: "decimotercero",
    14: "decimocuarto",
    15: "decimoquinto",
    16: "decimosexto",
}
_TEENS |= {17: "decimoséptimo", 18: "decimoctavo", 19: "decimonoveno"}


def ordinal(n: int, gender: str = "m") -> str:
    """Words for 1-1000 ("primero", "vigésima tercera"); gender "short" gives primer and tercer; above, the cardinal."""
    if n > 1000 or n < 1:
        return cardinal(n)
    if n == 1000:
        words = ["milésimo"]
    else:
        rest = n % 100
        words = [_ORDINAL_HUNDREDS[n // 100]] if n >= 100 else []
        if rest in _TEENS:
            words.append(_TEENS[rest])
        else:
            words += [_ORDINAL_TENS[rest // 10]] if rest >= 10 else []
            words += [_ORDINAL_ONES[rest % 10]] if rest % 10 else []
    if gender == "f":
        words = [word[:-1] + "a" for word in words]
    if gender == "short" and words[-1].endswith(("primero", "tercero")):
        words[-1] = words[-1][:-1]
    return " ".join(words)


def _gender(word: str) -> str:
    """Gender of a noun by its ending, with the common exceptions; "" for words that are no nouns."""
    word = word.lower()
    if not word or word in _TABLE.no_noun:
        return ""
    if word in _TABLE.feminine:
        return "f"
    if word in _TABLE.masculine:
        return "m"
    if word.endswith(("a", "as", "ción", "ciones", "sión", "siones", "dad", "dades", "tad", "tades", "tud", "umbre")):
        return "f"
    return "m"


def _date(day: int, month: str, year: int | None) -> str:
    return f"{cardinal(day)} de {month}" + (f" de {cardinal(year)}" if year is not None else "")


def _clock(hours: int, minutes: int, seconds: int | None) -> str:
    words = cardinal(hours, "f")
    if minutes:
        words += f" y {cardinal(minutes)}" if minutes < 10 else f" {cardinal(minutes)}"
    elif seconds is None:
        words += " en punto"
    if seconds is not None:
        words += (
            "" if minutes else " cero"
        ) + f" y {cardinal(seconds, 'm')} {'segundo' if seconds == 1 else 'segundos'}"
    return words


def _fraction(top: int, bottom: int) -> str | None:
    if bottom == 2:
        return "un medio" if top == 1 else f"{cardinal(top, 'm')} medios"
    if bottom == 3:
        name = "tercio"
    elif bottom <= 10 or bottom in (100, 1000):
        name = ordinal(bottom)
    elif top < bottom < 100 and bottom not in (24, 31):
        name = cardinal(bottom).replace(" ", "").replace("treintay", "treintai") + "avo"
        name = name.replace("oavo", "avo").replace("eavo", "eavo").replace("aavo", "avo")
    else:
        return None
    return f"{cardinal(top, 'm')} {name}" + ("s" if top > 1 else "")


def _century(n: int, _: str) -> str:
    return ordinal(n) if n <= 10 else cardinal(n)


def _reign(n: int, gender: str) -> str:
    return ordinal(n, gender) if n <= 10 else cardinal(n)


SPANISH = Romance(
    table=_TABLE,
    column=COLUMNS["es"],
    cardinal=cardinal,
    ordinal=ordinal,
    gender=_gender,
    date=_date,
    clock=_clock,
    fraction=_fraction,
    reign=_reign,
    century=_century,
)


def _ordinal_sign(match: re.Match[str]) -> str | None:
    n, mark = int(match["n"]), match["mark"] or match["letter"]
    # Before a masculine noun "primero" and "tercero" lose their last letter.
    short = mark == "er" or (mark in ("º", "o") and after(match)[:1].islower() and _gender(after(match)) == "m")
    return ordinal(n, "f" if mark in ("ª", "a") else "short" if short else "m")


def _half_day(match: re.Match[str]) -> str | None:
    hours, minutes = int(match["h"]), int(match["m"] or 0)
    if not 1 <= hours <= 12 or minutes > 59:
        return None
    if match["half"].lower() == "a":
        part = "de la madrugada" if hours < 6 or hours == 12 else "de la mañana"
    else:
        part = "de la tarde" if hours < 8 else "de la noche"
        part = "del mediodía" if hours == 12 else part
    return f"{_clock(hours, minutes, None).removesuffix(' en punto')} {part}{full_stop(match)}"


_RULES = [
    *shared_signs(),
    Rule(
        "ordinal",
        re.compile(r"(?<![\w.,])(?P<n>\d{1,4})(?:\.?(?P<mark>er|ª|º)|\.(?P<letter>[oa]))(?![\w°])"),
        _ordinal_sign,
    ),
    Rule(
        "ordinal",
        re.compile(r"(?<![\w.,])(?P<n>\d{1,3})\.?(?P<mark>er|do|ro|to|mo|vo|no|ra|da|ta|ma|va|na)\b"),
        lambda m: ordinal(int(m["n"]), "short" if m["mark"] == "er" else "f" if m["mark"][-1] == "a" else "m"),
    ),
    Rule(
        "time",
        re.compile(r"(?<![\w:.,])(?P<h>\d{1,2})(?::(?P<m>\d\d))?[ \u00a0]?(?P<half>[aApP])\.?[ \u00a0]?[mM]\b\.?"),
        _half_day,
    ),
    *rules(SPANISH),
]


def normalize(pieces: Sequence[Spoken]) -> list[Spoken]:
    """Spanish text with everything that isn't a word turned into words; see ``rewrite`` for spans and rule names."""
    return rewrite(pieces, _RULES)
