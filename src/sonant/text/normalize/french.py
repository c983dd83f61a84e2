"""French (of France): figures, dates, money and signs to words.

Number words in the traditional spelling ("vingt et un", "quatre-vingt-dix-sept"); telephone numbers by pairs; hours
with "heures". Sources: Grevisse, Le bon usage, on numerals; Lexique des règles typographiques (Imprimerie nationale).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sonant.text.normalize.emoji import COLUMNS
from sonant.text.normalize.rewrite import Rule, rewrite, roman_value
from sonant.text.normalize.romance import Romance, rules, shared_signs
from sonant.text.normalize.table import load_table
from sonant.text.tokens import Spoken

__all__ = ["cardinal", "normalize", "ordinal"]

_TABLE = load_table("fr")
_SMALL = _TABLE.numerals["small"]
_TENS = _TABLE.numerals["tens"]


def cardinal(n: int, gender: str = "") -> str:
    """Words for 0 <= n < 10**15; gender "f" gives "une" at the end."""
    words = _masculine(n, final=True)
    return words + "e" if gender == "f" and n % 10 == 1 and n % 100 not in (11, 71, 91) else words


def _masculine(n: int, final: bool) -> str:
    """Words; ``final`` is False before "mille", where "cent" and "vingt" take no plural s."""
    for size, name in ((10**12, "billion"), (10**9, "milliard"), (10**6, "million")):
        if n >= size:
            high, low = divmod(n, size)
            words = f"{_masculine(high, final=True)} {name}{'s' if high > 1 else ''}"
            return f"{words} {_masculine(low, final)}" if low else words
    if n >= 1000:
        high, low = divmod(n, 1000)
        words = "mille" if high == 1 else f"{_masculine(high, final=False)} mille"
        return f"{words} {_masculine(low, final)}" if low else words
    if n >= 100:
        high, low = divmod(n, 100)
        words = "cent" if high == 1 else f"{_SMALL[high]} cent"
        if low:
            return f"{words} {_masculine(low, final)}"
        return words + ("s" if high > 1 and final else "")
    if n < 20:
        return _SMALL[n]
    if n >= 80:
        return "quatre-vingt" + (f"-{_SMALL[n - 80]}" if n > 80 else "s" if final else "")
    tens, ones = (6, n - 60) if n >= 60 else divmod(n, 10)
    if ones == 0:
        return _TENS[tens]
    return _TENS[tens] + (" et " if ones in (1, 11) else "-") + _SMALL[ones]


def ordinal(n: int, gender: str = "m") -> str:
    """Words for n >= 1: "premier", "première", "vingt et unième"."""
    if n == 1:
        return "première" if gender == "f" else "premier"
    words = cardinal(n)
    if words.endswith(("cents", "vingts", "millions", "milliards")):
        words = words[:-1]
    if words.endswith("cinq"):
        return words + "uième"
    if words.endswith("neuf"):
        return words[:-1] + "vième"
    return words.removesuffix("e") + "ième"


def _gender(word: str) -> str:
    """Gender of a noun by a list and its ending; masculine where in doubt, "" for words that are no nouns."""
    word = word.lower()
    if not word or word in _TABLE.no_noun:
        return ""
    if word.removesuffix("s") in _TABLE.masculine or word in _TABLE.masculine:
        return "m"
    return "f" if word in _TABLE.feminine or word.endswith(_TABLE.feminine_endings) else "m"


def _date(day: int, month: str, year: int | None) -> str:
    return f"{'premier' if day == 1 else cardinal(day)} {month}" + (f" {cardinal(year)}" if year is not None else "")


def _clock(hours: int, minutes: int, seconds: int | None) -> str:
    words = f"{cardinal(hours, 'f')} {'heure' if hours <= 1 else 'heures'}"
    if seconds is not None:
        words += f" {cardinal(minutes, 'f')} {'minute' if minutes <= 1 else 'minutes'}"
        return f"{words} et {cardinal(seconds, 'f')} {'seconde' if seconds <= 1 else 'secondes'}"
    return words + (f" {cardinal(minutes, 'f' if minutes == 1 else '')}" if minutes else "")


def _fraction(top: int, bottom: int) -> str | None:
    if bottom > 10 and not (top < bottom and bottom in (12, 16, 20, 100, 1000)):
        return None
    name = {2: "demi", 3: "tiers", 4: "quart"}.get(bottom) or ordinal(bottom)
    return f"{cardinal(top)} {name}" + ("s" if top > 1 and not name.endswith("s") else "")


def _century(n: int, place: str) -> str:
    return ordinal(n) if place == "before" else cardinal(n)


def _reign(n: int, gender: str) -> str:
    return ordinal(1, gender) if n == 1 else cardinal(n)


def _phone_group(figures: str) -> str:
    """A group of a telephone number: pairs as numbers, a leading zero said."""
    pairs = (
        [figures]
        if len(figures) < 3
        else [figures[:1], *re.findall("..", figures[1:])]
        if len(figures) % 2
        else re.findall("..", figures)
    )
    return ", ".join(
        f"zéro {_SMALL[int(pair[1])]}" if len(pair) == 2 and pair[0] == "0" else cardinal(int(pair)) for pair in pairs
    )


FRENCH = Romance(
    table=_TABLE,
    column=COLUMNS["fr"],
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


def _rank(match: re.Match[str]) -> str | None:
    """1er, 2e, 3ème, 2nde, and XIXe: figures or a Roman numeral with an ending."""
    n = int(match["n"]) if match["n"].isdecimal() else roman_value(match["n"])
    if not n:
        return None
    ending = match["ending"]
    if ending.startswith(("er", "re", "èr")) and n != 1:
        return None
    plural = "s" if ending.endswith("s") else ""
    if ending.startswith(("nd", "nde")) or (ending in ("d", "de") and n == 2):
        return ("seconde" if "e" in ending else "second") + plural if n == 2 else None
    return ordinal(n, "f" if ending.startswith(("re", "ère", "ere")) else "m") + plural


_RULES = [
    *shared_signs(),
    Rule("space", re.compile('[ \u00a0\u202f]+(?=[;:!?…](?:\\s|$|[”"»]))'), lambda _: ""),
    Rule(
        "date",
        re.compile(rf"(?<![\w.,])1er(?=[ \u00a0](?:{'|'.join(_TABLE.months)})\b)"),
        lambda _: "premier",
    ),
    Rule(
        "ordinal",
        re.compile(
            r"(?<![\w.,'’])(?P<n>\d{1,4}|[IVX]+|[IVXLCDM]{2,})(?P<ending>ers?|ères?|eres?|res?|nde?s?|d|de|ièmes?|iemes?|èmes?|emes?|es?|ᵉʳ|ᵉ)(?![\w'’])"
        ),
        _rank,
    ),
    *rules(FRENCH),
]


def normalize(pieces: Sequence[Spoken]) -> list[Spoken]:
    """French text with everything that isn't a word turned into words; see ``rewrite`` for spans and rule names."""
    return rewrite(pieces, _RULES)
