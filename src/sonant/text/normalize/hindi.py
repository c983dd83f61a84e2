"""Hindi: figures (Latin and Devanagari), dates, money and signs to words.

Figures group the Indian way (हज़ार, लाख, करोड़, अरब, खरब); 0-99 are irregular and stand in a table. Years from 1100 to
1999 are said by hundreds; half and quarter hours as साढ़े, सवा, पौने, डेढ़, ढाई. Source: Kellogg, A Grammar of the Hindi
Language, chapter VI (numerals); spelling after the Central Hindi Directorate's Manak Hindi Vartani.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sonant.text.normalize.addresses import Voice, addresses, telephones
from sonant.text.normalize.emoji import COLUMNS, EMOJI, emoji_words
from sonant.text.normalize.rewrite import Rule, rewrite, roman_value
from sonant.text.normalize.romance import abbreviations, shared_signs
from sonant.text.normalize.table import load_table
from sonant.text.tokens import Spoken

__all__ = ["cardinal", "normalize", "ordinal"]

_TABLE = load_table("hi")
_SMALL = _TABLE.numerals["small"]

_SIZES = ((10**11, "खरब"), (10**9, "अरब"), (10**7, "करोड़"), (10**5, "लाख"), (1000, "हज़ार"), (100, "सौ"))
_CEILING = 10**13
_DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")


def cardinal(n: int, _: str = "") -> str:
    """Words for 0 <= n < 10**13."""
    for size, name in _SIZES:
        if n >= size:
            high, low = divmod(n, size)
            words = f"{cardinal(high)} {name}"
            return f"{words} {cardinal(low)}" if low else words
    return _SMALL[n]


_ORDINALS = {1: "पहल", 2: "दूसर", 3: "तीसर", 4: "चौथ", 6: "छठ"}


def ordinal(n: int, ending: str = "ा") -> str:
    """Words for n >= 1; ``ending`` ा, ी or े agrees with the noun: पहला, पाँचवीं, दसवें."""
    if n in _ORDINALS:
        return _ORDINALS[n] + ending
    return cardinal(n) + "व" + {"ा": "ाँ", "ी": "ीं", "े": "ें"}[ending]


def _figures(text: str) -> str:
    return " ".join(_SMALL[int(figure)] for figure in text if figure.isdecimal())


def _number(text: str) -> str:
    """Words for a number as it is written: "1,23,456.05"."""
    text = text.translate(_DIGITS).replace(",", "")
    whole, _, fraction = text.partition(".")
    if (len(whole) > 1 and whole[0] == "0") or int(whole or 0) >= _CEILING:
        words = _figures(whole)
    else:
        words = cardinal(int(whole or 0))
    return f"{words} दशमलव {_figures(fraction)}" if fraction else words


def _year(n: int) -> str:
    """1100-1999 by hundreds ("उन्नीस सौ सैंतालीस"), others as numbers."""
    if 1100 <= n <= 1999:
        return f"{cardinal(n // 100)} सौ" + (f" {cardinal(n % 100)}" if n % 100 else "")
    return cardinal(n)


_D = "[0-9०-९]"
_NUMBER = rf"(?:{_D}{{1,3}}(?:,{_D}{{2,3}})+(?!{_D})(?:\.{_D}+)?|{_D}+(?:\.{_D}+)?)"
_BIG = r"सौ|हज़ार|हजार|लाख|करोड़|करोड़|अरब|खरब|मिलियन|बिलियन"


def _int(text: str) -> int:
    return int(text.translate(_DIGITS))


def _date(day: str, month: int, year: str | None) -> str | None:
    if not (1 <= _int(day) <= 31 and 1 <= month <= 12):
        return None
    words = f"{'एक' if _int(day) == 1 else cardinal(_int(day))} {_TABLE.months[month - 1]}"
    if not year:
        return words
    number = _int(year)
    if len(year) == 2:
        number += 2000 if number < 30 else 1900
    return f"{words} {_year(number)}"


def _clock(match: re.Match[str]) -> str | None:
    hours, minutes = _int(match["h"]), _int(match["m"] or "0")
    if hours > 24 or minutes > 59:
        return None
    seconds = f" {cardinal(_int(match['s']))} सेकंड" if match["s"] else ""
    if match["baje"] and not seconds and 1 <= hours <= 12:
        following = hours % 12 + 1
        told = {
            0: cardinal(hours),
            15: f"सवा {cardinal(hours)}",
            30: f"साढ़े {cardinal(hours)}",
            45: f"पौने {cardinal(following)}",
        }
        told |= {30: "डेढ़"} if hours == 1 else {30: "ढाई"} if hours == 2 else {}
        if minutes in told:
            return f"{told[minutes]} बजे"
    if not minutes and not seconds:
        return f"{cardinal(hours)} बजे"
    return f"{cardinal(hours)} बजकर {cardinal(minutes)} मिनट{seconds}"


def _money(match: re.Match[str]) -> str:
    coin = _TABLE.money[match["symbol"]]
    text, big = match["number"].translate(_DIGITS).replace(",", ""), match["big"]
    minus = "माइनस " if match["sign"] else ""
    if big:
        return f"{minus}{_number(text)} {big} {coin.many}"
    whole, _, fraction = text.partition(".")
    if not fraction or not coin.cent_many or len(fraction) > 2:
        return f"{minus}{_number(text)} {coin.one if text == '1' else coin.many}"
    parts = [f"{_number(whole)} {coin.one if int(whole) == 1 else coin.many}"] if int(whole) else []
    cents = int(fraction.ljust(2, "0"))
    parts += [f"{cardinal(cents)} {coin.cent_one if cents == 1 else coin.cent_many}"] if cents else []
    return minus + (" ".join(parts) or f"शून्य {coin.many}")


def _fraction(top: int, bottom: int, whole: int = 0) -> str:
    if whole:
        if (top, bottom) == (1, 2):
            return {1: "डेढ़", 2: "ढाई"}.get(whole, f"साढ़े {cardinal(whole)}")
        if (top, bottom) == (1, 4):
            return f"सवा {cardinal(whole)}"
        if (top, bottom) == (3, 4):
            return f"पौने {cardinal(whole + 1)}"
        return f"{cardinal(whole)} सही {_fraction(top, bottom)}"
    if (top, bottom) == (1, 2):
        return "आधा"
    if bottom in (3, 4):
        return f"{cardinal(top)} {'तिहाई' if bottom == 3 else 'चौथाई'}"
    return f"{cardinal(top)} बटा {cardinal(bottom)}"


_VULGAR = {
    "½": (1, 2),
    "⅓": (1, 3),
    "⅔": (2, 3),
    "¼": (1, 4),
    "¾": (3, 4),
    "⅕": (1, 5),
    "⅖": (2, 5),
    "⅗": (3, 5),
    "⅘": (4, 5),
    "⅛": (1, 8),
    "⅜": (3, 8),
    "⅝": (5, 8),
    "⅞": (7, 8),
}


def _rank(match: re.Match[str]) -> str:
    ending = match["ending"]
    vowel = "ी" if "ी" in ending else "े" if "े" in ending else "ा"
    return ordinal(_int(match["n"]), vowel)


def _signed(match: re.Match[str]) -> str:
    return ("माइनस " if match["sign"] in "-−–" else "प्लस ") + _number(match["number"])


def _operator(match: re.Match[str]) -> str:
    names = {
        "+": "प्लस",
        "-": "माइनस",
        "−": "माइनस",
        "=": "बराबर",
        "×": "गुणा",
        "*": "गुणा",
        "x": "गुणा",
        "÷": "भाग",
        "<": "से कम",
        ">": "से अधिक",
    }
    return f" {names[match[1] or match[2]]} "


_MONTH = "|".join([*_TABLE.months, *_TABLE.month_forms])
_MONTH_NUMBER = {name: number for number, name in enumerate(_TABLE.months, 1)} | dict(_TABLE.month_forms)
_SYMBOL = "|".join(sorted(map(re.escape, _TABLE.money), key=len, reverse=True))
_UNIT = "|".join(sorted(map(re.escape, _TABLE.units), key=len, reverse=True))
_LEFT = r"(?<![\w.,])"  # Devanagari vowel signs are no \w, so words are closed by (?![\w\u0900-\u097f]) on the right
_RIGHT = r"(?![\w\u0900-\u0963\u0970-\u097f])"
_NUM = rf"(?P<number>{_NUMBER})"
_SIGN = r"(?P<sign>(?<!\w)[-−–])?"


def _spell(text: str) -> str:
    """Letters and figures one by one."""
    return " ".join(_TABLE.letters.get(c.lower(), _SMALL[int(c)] if c.isdecimal() else c) for c in text if c.strip())


def _numeral(match: re.Match[str]) -> str | None:
    """A Roman numeral behind a king's name or a chapter."""
    value = roman_value(match["numeral"])
    return (
        cardinal(value)
        if value and match.string[max(0, match.start() - 20) : match.start()].rstrip().endswith(_TABLE.kings)
        else None
    )


_VOICE = Voice(_TABLE.words, cardinal, _spell, _figures)
_RULES = [
    *shared_signs(),
    *addresses(_VOICE),
    Rule("hashtag", re.compile(r"(?<!\S)#(?=[\u0900-\u097f])"), lambda _: f"{_TABLE.words['hashtag']} "),
    *telephones(_VOICE),
    Rule(
        "phone",
        re.compile(rf"(?<![\w.,+]){_D}{{5}}[ \-]{_D}{{5}}(?!{_D})|(?<![\w.,+])[6-9६-९]{_D}{{9}}(?!{_D})"),
        lambda m: ", ".join(map(_figures, re.findall(rf"{_D}{{1,5}}", m[0]))),
    ),
    Rule(
        "date",
        re.compile(rf"(?<![\w\-/])({_D}{{4}})-({_D}\d)-({_D}\d)(?![\w\-/])"),
        lambda m: _date(m[3], _int(m[2]), m[1]),
    ),
    Rule(
        "date",
        re.compile(rf"(?<![\w\-/.,])({_D}{{1,2}})([/.\-])({_D}{{1,2}})\2({_D}{{4}}|{_D}{{2}})(?![\w\-/])"),
        lambda m: _date(m[1], _int(m[3]), m[4]),
    ),
    Rule(
        "date",
        re.compile(rf"{_LEFT}(?P<d>{_D}{{1,2}})[ ]+(?P<m>{_MONTH}),?(?:[ ]+(?P<y>[1१2२]{_D}{{3}})(?!{_D}))?"),
        lambda m: _date(m["d"], _MONTH_NUMBER[m["m"]], m["y"]),
    ),
    Rule(
        "date",
        re.compile(rf"(?P<m>{_MONTH})[ ](?P<d>{_D}{{1,2}}),[ ](?P<y>{_D}{{4}})(?!{_D})"),
        lambda m: _date(m["d"], _MONTH_NUMBER[m["m"]], m["y"]),
    ),
    Rule(
        "time",
        re.compile(rf"(?<![\w:.,])(?P<h>{_D}{{1,2}}):(?P<m>{_D}{{2}})(?::(?P<s>{_D}{{2}}))?(?![\w:])(?P<baje>[ ]?बजे)?"),
        _clock,
    ),
    Rule(
        "currency",
        re.compile(
            rf"{_SIGN}(?<!\w)(?P<symbol>{_SYMBOL})[ ]?{_NUM}(?:[ ](?P<big>(?:{_BIG})(?: (?:{_BIG}))*){_RIGHT})?(?:/-)?"
        ),
        _money,
    ),
    Rule(
        "currency",
        re.compile(
            rf"{_SIGN}{_LEFT}{_NUM}(?:[ ](?P<big>(?:{_BIG})(?: (?:{_BIG}))*))?[ ]?(?P<symbol>{_SYMBOL})(?![\w\d])"
        ),
        _money,
    ),
    Rule(
        "percent",
        re.compile(rf"{_SIGN}{_LEFT}{_NUM}[ ]?%"),
        lambda m: f"{'माइनस ' if m['sign'] else ''}{_number(m['number'])} प्रतिशत",
    ),
    Rule(
        "unit",
        re.compile(rf"{_SIGN}{_LEFT}{_NUM}[ ]?(?P<unit>{_UNIT})(?![\w\u0900-\u0963²³/])"),
        lambda m: f"{'माइनस ' if m['sign'] else ''}{_number(m['number'])} {_TABLE.units[m['unit']].many}",
    ),
    Rule(
        "fraction",
        re.compile(rf"(?:{_LEFT}(?P<whole>{_D}{{1,3}})[ ]?)?(?P<vulgar>[{''.join(_VULGAR)}])"),
        lambda m: _fraction(*_VULGAR[m["vulgar"]], _int(m["whole"] or "0")),
    ),
    Rule(
        "fraction",
        re.compile(rf"(?<![\w/.,])({_D}{{1,3}})[/⁄]({_D}{{1,4}})(?![\w/])"),
        lambda m: _fraction(_int(m[1]), _int(m[2])),
    ),
    Rule(
        "ordinal",
        re.compile(
            rf"{_LEFT}(?P<n>{_D}{{1,4}})[ \-]?(?P<ending>वाँ|वां|वीं|वी|वें|वे|ला|ली|ले|रा|री|रे|था|थी|थे|ठा|ठी|ठे){_RIGHT}"
        ),
        _rank,
    ),
    Rule("roman", re.compile(r"(?<!\w)(?P<numeral>[IVX]+)(?!\w)"), _numeral),
    Rule(
        "range",
        re.compile(rf"{_LEFT}({_NUMBER})[ ]?[–\-][ ]?({_NUMBER})(?![\w\-])(?![ ]?=)"),
        lambda m: f"{_ranged(m[1])} से {_ranged(m[2])}",
    ),
    Rule(
        "year",
        re.compile(
            rf"(?:(?<=सन् )|(?<=सन )|(?<=वर्ष )|(?<=साल ))([1१]{_D}{{3}})(?!{_D}|[.,]{_D})"
            rf"|{_LEFT}([1१]{_D}{{3}})(?=[ ](?:में|से|तक|का|की|के|ई|ईस्वी){_RIGHT})"
        ),
        lambda m: _year(_int(m[0])),
    ),
    Rule(
        "version",
        re.compile(rf"{_LEFT}{_D}+(?:\.{_D}+){{2,}}(?!\w)"),
        lambda m: " डॉट ".join(map(_number, m[0].split("."))),
    ),
    Rule(
        "math",
        re.compile(rf"(?<={_D})[ ]*([+=×*x÷<>])[ ]*(?=[\d०-९(\-−√π])|(?<={_D})[ ]?([-−])[ ]?(?={_D}+[ ]?=)"),
        _operator,
    ),
    Rule("number", re.compile(rf"(?<![\w.,)])(?P<sign>[-−–+]){_NUM}"), _signed),
    Rule("number", re.compile(_NUM), lambda m: _number(m["number"])),
    *abbreviations(_TABLE.abbreviations, r"(?<![\w.\u0900-\u0963])"),
    Rule(
        "symbol",
        re.compile(rf"[ ]*([{''.join(map(re.escape, _TABLE.signs))}])[ ]*"),
        lambda m: f" {_TABLE.signs[m[1]]} ",
    ),
    Rule("emoji", EMOJI, lambda m: emoji_words(m, COLUMNS["hi"], _TABLE.words["emoji"])),
]


def _ranged(text: str) -> str:
    """A bound of a range: four figures beginning with 1 are a year."""
    plain = text.translate(_DIGITS)
    return _year(int(plain)) if plain.isdecimal() and len(plain) == 4 else _number(text)


def normalize(pieces: Sequence[Spoken]) -> list[Spoken]:
    """Hindi text with everything that isn't a word turned into words; see ``rewrite`` for spans and rule names."""
    return rewrite(pieces, _RULES)
