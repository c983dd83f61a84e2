"""What Spanish, French, Italian and Portuguese share: how figures, dates, money and signs are written, as rules.

A language gives its words in a ``Romance`` record; ``rules`` builds the rules from it. The shapes (decimal comma, dots
or spaces between thousands, day before month, 24-hour clock) are common to the four; where one differs, its own module
adds rules before these.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sonant.text.normalize.addresses import Voice, addresses, telephones
from sonant.text.normalize.emoji import EMOJI, emoji_words
from sonant.text.normalize.rewrite import INVISIBLE, Rule, after, before, full_stop, roman_value
from sonant.text.normalize.table import Money, Table

__all__ = ["NUMBER", "Romance", "abbreviations", "rules", "shared_signs"]

_SPACE = "[ \u00a0\u202f\u2009]"
_GROUPED = rf"\d{{1,3}}(?:\.\d{{3}})+(?!\d|\.\d)(?:,\d+)?|\d{{1,3}}(?:{_SPACE}\d{{3}})+(?!\d)(?:,\d+)?"
_ENGLISH = r"\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,}(?!\d)"
NUMBER = rf"(?:{_ENGLISH}|{_GROUPED}|\d+(?:[.,]\d+)?)"
_EDGE = r"(?<![\w.,])"  # a number doesn't start inside another one, nor inside a word
_CEILING = 10**15


@dataclass(frozen=True, slots=True)
class Romance:
    """One language: its words and its procedures.

    Attributes:
        table: the words.
        column: its column in the emoji table.
        cardinal: (n, gender) -> words for 0 <= n < 10**15; gender "m" or "f" before a noun, "" alone.
        ordinal: (n, gender) -> words for n >= 1.
        gender: the gender of a noun, "" when the word is none.
        date: (day, month name, year or None) -> words.
        clock: (hours, minutes, seconds or None) -> words.
        fraction: (numerator, denominator) -> words, or None for "a over b".
        reign: (n, gender) -> what follows a king's or pope's name.
        century: (n, "before" or "after" the word for century) -> words.
        phone: one group of a telephone number -> words; default: figures one by one.
        plural: whether a word may be a plural noun, so that a number above one can agree with it.
    """

    table: Table
    column: int
    cardinal: Callable[[int, str], str]
    ordinal: Callable[[int, str], str]
    gender: Callable[[str], str]
    date: Callable[[int, str, int | None], str]
    clock: Callable[[int, int, int | None], str]
    fraction: Callable[[int, int], str | None]
    reign: Callable[[int, str], str]
    century: Callable[[int, str], str]
    phone: Callable[[str], str] | None = None
    plural: Callable[[str], bool] = lambda noun: noun.endswith(("s", "x"))

    @property
    def digits(self) -> Sequence[str]:
        """Names of 0-9."""
        return self.table.numerals["small"][:10]

    def spell(self, text: str) -> str:
        """Figures and letters said one by one; other signs by their names."""
        return " ".join(
            self.table.letters.get(c.lower(), self.digits[int(c)] if c.isdecimal() else c) for c in text if c.strip()
        )

    def figures(self, text: str) -> str:
        """Figures said one by one."""
        return " ".join(self.digits[int(c)] for c in text if c.isdecimal())

    def number(self, text: str, gender: str = "") -> str:
        """Words for a number as it is written: "1.234,5" -> "mil doscientos treinta y cuatro coma cinco"."""
        whole, fraction, sign = split_number(text)
        if (len(whole) > 1 and whole[0] == "0" and not fraction) or int(whole) >= _CEILING:
            words = self.figures(whole)
        else:
            words = self.cardinal(int(whole), "" if fraction else gender)
        return (
            f"{words} {self.table.words['point' if sign == ',' else 'dot']} {self.decimals(fraction)}"
            if fraction
            else words
        )

    def agreement(self, number: str, noun: str) -> str:
        """Gender in which ``number`` agrees with the word behind it; "" where that can't be a counted noun."""
        return self.gender(noun) if split_number(number)[0] == "1" or self.plural(noun.lower()) else ""

    def decimals(self, figures: str) -> str:
        """The part behind the decimal sign: zeros one by one, then a number of up to three figures."""
        rest = figures.lstrip("0")
        zeros = [self.digits[0]] * (len(figures) - len(rest))
        if not rest:
            return " ".join(zeros)
        return " ".join([*zeros, self.cardinal(int(rest), "") if len(rest) <= 3 else self.figures(rest)])


def split_number(text: str) -> tuple[str, str, str]:
    """Figures before and behind the decimal sign, and that sign; separators of thousands are taken out."""
    text = re.sub(_SPACE, "", text)
    if re.fullmatch(_ENGLISH, text):
        whole, _, fraction = text.replace(",", "").partition(".")
        return whole, fraction, "."
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", text):
        text = text.replace(".", "")
    sign = "," if "," in text else "."
    whole, _, fraction = text.partition(sign)
    return whole, fraction, sign


def shared_signs() -> list[Rule]:
    """Rules that only tidy characters: quotes, dashes, invisible signs, composed letters, full-width Latin."""
    quotes = {"„": "“", "‟": "“", "‚": "“", "″": "”", "―": "—", "‑": "-", "‐": "-"}
    return [
        INVISIBLE,
        Rule("unicode", re.compile(r"[^\W\d_][\u0300-\u036f]+"), lambda m: unicodedata.normalize("NFC", m[0])),
        Rule("unicode", re.compile("[\uff01-\uff5e\ufb00-\ufb06]"), lambda m: unicodedata.normalize("NFKC", m[0])),
        Rule("apostrophe", re.compile(r"(?<=[^\W\d_])[’‘ʼ`´](?=[^\W_])"), lambda _: "'"),
        Rule("quote", re.compile(f"[«‹]{_SPACE}*"), lambda _: "“"),
        Rule("quote", re.compile(f"{_SPACE}*[»›]"), lambda _: "”"),
        Rule("quote", re.compile("‘"), lambda _: "“"),
        Rule("quote", re.compile("(?<!')’|''"), lambda _: "”"),
        Rule("quote", re.compile("[" + "".join(quotes) + "]"), lambda m: quotes[m[0]]),
        Rule("dash", re.compile(r"(?<=\s)(?:–|--?)(?=\s)|(?<=\w)–(?=[^\W\d])|(?<!\d)–(?!\d)|---?"), lambda _: "—"),
    ]


def rules(lang: Romance) -> list[Rule]:
    """All rules of a language, in order of right."""
    voice = Voice(lang.table.words, lang.cardinal, lang.spell, lang.phone or lang.figures)
    return [
        *addresses(voice),
        *telephones(voice),
        *_calendar(lang),
        *_amounts(lang),
        *_ranks(lang),
        *_figures(lang),
        *_signs(lang),
    ]


# ---------------------------------------------------------------- dates and times


def _calendar(lang: Romance) -> list[Rule]:
    """Dates in figures, day and month in words, hours."""
    names = {name: number for number, name in enumerate(lang.table.months, 1)} | dict(lang.table.month_forms)
    month = "|".join(sorted(map(re.escape, names), key=len, reverse=True))

    def date(day: str, month_number: str, year: str | None) -> str | None:
        if not (1 <= int(day) <= 31 and 1 <= int(month_number) <= 12):
            return None
        return lang.date(int(day), lang.table.months[int(month_number) - 1], _full_year(year) if year else None)

    def worded(match: re.Match[str]) -> str | None:
        day, year = int(match["day"]), match["year"]
        if not 1 <= day <= 31:
            return None
        return lang.date(day, lang.table.months[names[match["month"].lower()] - 1], int(year) if year else None)

    def clock(match: re.Match[str]) -> str | None:
        hours, minutes, seconds = int(match["h"]), int(match["m"] or 0), match["s"]
        if hours > 24 or minutes > 59:
            return None
        return lang.clock(hours, minutes, int(seconds) if seconds else None)

    return [
        Rule("date", re.compile(r"(?<![\w\-/.])(\d{4})-(\d\d)-(\d\d)(?![\w\-/])"), lambda m: date(m[3], m[2], m[1])),
        Rule(
            "date",
            re.compile(r"(?<![\w\-/.,])(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d\d)(?![\w\-/])"),
            lambda m: date(m[1], m[3], m[4]),
        ),
        Rule(
            "date",
            re.compile(
                rf"{_EDGE}(?P<day>\d{{1,2}})(?:er|º|°|\.º)?{_SPACE}+(?:de{_SPACE}+)?(?P<month>{month})\b\.?(?:{_SPACE}+(?:del?{_SPACE}+)?(?P<year>[12]\d{{3}})(?![\w.,]\d))?",
                re.IGNORECASE,
            ),
            worded,
        ),
        Rule(
            "time",
            re.compile(
                r"(?<![\w:.,])(?P<h>\d{1,2}):(?P<m>\d\d)(?::(?P<s>\d\d))?(?![\w:])(?:[ \u00a0]?(?:h|hs|hrs)\b\.?)?"
            ),
            clock,
        ),
        Rule(
            "time",
            re.compile(
                rf"{_EDGE}(?P<h>\d{{1,2}}){_SPACE}?(?:h|H){_SPACE}?(?P<m>[0-5]\d)(?P<s>(?!))?(?:{_SPACE}?min)?\b"
            ),
            clock,
        ),
        Rule("time", re.compile(r"(?<![\w.,])(?P<h>[01]?\d|2[0-4])h(?P<m>(?!))?(?P<s>(?!))?\b"), clock),
    ]


def _full_year(year: str) -> int:
    """A year of two figures is of 1930-2029."""
    return int(year) if len(year) > 2 else int(year) + (2000 if int(year) < 30 else 1900)


# ---------------------------------------------------------------- money, per cent, units


def _amounts(lang: Romance) -> list[Rule]:
    """Money, per cent, units."""
    symbols = "|".join(sorted(map(re.escape, lang.table.money), key=len, reverse=True))
    units = "|".join(sorted(map(re.escape, lang.table.units), key=len, reverse=True))
    big = "|".join(sorted(lang.table.big_words, key=len, reverse=True))
    minus = r"(?P<sign>(?<![\w\d])[-−–])?"

    def money(match: re.Match[str]) -> str:
        coin, text, scale = lang.table.money[match["symbol"]], match["number"], match["big"]
        sign = f"{lang.table.words['minus']} " if match["sign"] else ""
        if scale:
            word = {"M": "million", "m": "million", "k": "thousand", "K": "thousand"}.get(scale)
            whole = split_number(text)
            if word == "thousand":
                thousands = f"{lang.number(text)} {lang.cardinal(1000, '')}"
                words = thousands if whole[1] else lang.cardinal(int(whole[0]) * 1000, coin.gender)
                return f"{sign}{words} {coin.many}"
            scale = (
                (lang.table.words["million"] if whole[0] == "1" and not whole[1] else lang.table.words["millions"])
                if word
                else scale
            )
            of = "" if scale.lower() in lang.table.words["thousand"].split("|") else f"{lang.table.of_big} "
            return f"{sign}{lang.number(text, 'm')} {scale} {_elide(of, coin.many)}"
        return sign + _price(lang, coin, text)

    def percent(match: re.Match[str]) -> str:
        sign = f"{lang.table.words['minus']} " if match["sign"] else ""
        return (
            f"{sign}{lang.number(match['number'])} {lang.table.words['permil' if match['mark'] == '‰' else 'percent']}"
        )

    def measure(match: re.Match[str]) -> str:
        unit, text = lang.table.units[match["unit"]], match["number"]
        sign = f"{lang.table.words['minus']} " if match["sign"] else ""
        one = (
            split_number(text)[:2] in (("1", ""), ("0", ""))
            if lang.column == 1
            else split_number(text)[:2] == ("1", "")
        )
        return f"{sign}{lang.number(text, unit.gender)} {unit.one if one else unit.many}".replace("' ", "'")

    number = rf"(?P<number>{NUMBER})"
    scaled = rf"(?:{_SPACE}?(?P<big>{big})\b)?"
    names = "|".join(sorted({re.escape(coin.many) for coin in lang.table.money.values()}, key=len, reverse=True))
    named = rf"(?:{_SPACE}(?:d[ei]{_SPACE}|d')?(?:{names})\b)?"  # "US$ 5 millones de dólares" names the coin twice
    return [
        Rule(
            "currency",
            re.compile(
                rf"{minus}(?<!\w)(?<!\d{_SPACE})(?P<symbol>{symbols}){_SPACE}?{number}"
                rf"(?:{_SPACE}?(?P<big>{big}|[Mk])\b)?{named}"
            ),
            money,
        ),
        Rule(
            "currency",
            re.compile(rf"{minus}{_EDGE}{number}{_SPACE}?(?P<big>[MmkK])?(?P<symbol>{symbols})(?![\w])"),
            money,
        ),
        Rule(
            "currency",
            re.compile(rf"{minus}{_EDGE}{number}{scaled}{_SPACE}?(?:d[ei]{_SPACE}|d')?(?P<symbol>{symbols})(?![\w])"),
            money,
        ),
        Rule("percent", re.compile(rf"{minus}{_EDGE}{number}{_SPACE}?(?P<mark>[%‰])"), percent),
        Rule("unit", re.compile(rf"{minus}{_EDGE}{number}{_SPACE}?(?P<unit>{units})(?![\w²³/^])"), measure),
    ]


def _elide(of: str, noun: str) -> str:
    """French "de" loses its vowel before another ("d'euros")."""
    return f"d'{noun}" if of == "d(e) " and noun[0] in "aeiouyé" else of.replace("(e)", "e") + noun


def _price(lang: Romance, coin: Money, text: str) -> str:
    """A price: units and, where two figures follow the sign, hundredths."""
    whole, fraction, _ = split_number(text)
    one = whole == "1" or (lang.column == 1 and whole == "0")
    if not fraction or not coin.cent_many or len(fraction) > 2:
        return f"{lang.number(text, coin.gender)} {coin.one if one and not fraction else coin.many}"
    cents = int(fraction.ljust(2, "0"))
    parts = []
    if int(whole) or not cents:
        parts.append(f"{lang.number(whole, coin.gender)} {coin.one if one else coin.many}")
    if cents:
        parts.append(f"{lang.cardinal(cents, coin.cent_gender)} {coin.cent_one if cents == 1 else coin.cent_many}")
    return lang.table.words["price_joint"].join(parts)


# ---------------------------------------------------------------- ordinals and Roman numerals


def _ranks(lang: Romance) -> list[Rule]:
    """Roman numerals of kings, centuries and chapters; vulgar fractions."""

    def roman(match: re.Match[str]) -> str | None:
        value = roman_value(match["numeral"])
        if value is None:
            return None
        left, right = before(match), after(match)
        if left in lang.table.kings and value < 40:
            return lang.reign(value, "m")
        if left in lang.table.queens and value < 40:
            return lang.reign(value, "f")
        if left.lower() in lang.table.century_words:
            return lang.century(value, "after")
        if right.lower() in lang.table.century_words:
            return lang.century(value, "before")
        if left.lower() in lang.table.numeral_words:
            return lang.cardinal(value, "")
        if len(match["numeral"]) > 1 and set(match["numeral"]) <= set("IVX") and not _shouting(match):
            return lang.cardinal(value, "")
        return None

    def fraction(match: re.Match[str]) -> str | None:
        top, bottom = int(match["top"]), int(match["bottom"])
        if (top, bottom) == (24, 7):
            return f"{lang.cardinal(24, '')} {lang.cardinal(7, '')}"
        words = half(match) if (top, bottom) == (1, 2) else None
        words = words or (lang.fraction(top, bottom) if top > 0 and bottom > 1 else None)
        return words or f"{lang.cardinal(top, '')} {lang.table.words['over']} {lang.cardinal(bottom, '')}"

    def vulgar(match: re.Match[str]) -> str | None:
        top, _, bottom = unicodedata.normalize("NFKC", match["vulgar"]).partition("⁄")
        words = half(match) if (top, bottom) == ("1", "2") and not match["whole"] else None
        words = words or lang.fraction(int(top), int(bottom))
        if not match["whole"] or words is None:
            return words
        gender = lang.gender(after(match))
        if (top, bottom) == ("1", "2"):
            words = lang.table.words[f"half_{gender or 'm'}"]
        return f"{lang.cardinal(int(match['whole']), gender)} {lang.table.words['and']} {words}"

    def half(match: re.Match[str]) -> str | None:
        gender = lang.gender(after(match))
        return (lang.table.words.get(f"half_before_{gender}") or lang.table.words[f"half_{gender}"]) if gender else None

    return [
        Rule("roman", re.compile(r"(?<![\w'’.\-])(?P<numeral>[IVXLCDM]+)(?![\w'’]|\.\w)"), roman),
        Rule(
            "fraction", re.compile(rf"(?:{_EDGE}(?P<whole>\d{{1,3}}){_SPACE}?)?(?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])"), vulgar
        ),
        Rule("fraction", re.compile(r"(?<![\w/.,])(?P<top>\d{1,3})[/⁄](?P<bottom>\d{1,4})(?![\w/])"), fraction),
    ]


def _shouting(match: re.Match[str]) -> bool:
    """Whether the words beside are in capitals too, so that VI may be a word."""
    near = (before(match), after(match))
    return any(len(word) > 1 and word.isupper() and roman_value(word) is None for word in near)


# ---------------------------------------------------------------- plain figures


def _figures(lang: Romance) -> list[Rule]:
    """Ranges, sums, versions, decades, signed and plain numbers."""

    def plain(match: re.Match[str]) -> str:
        return lang.number(match["number"], lang.agreement(match["number"], after(match)))

    def signed(match: re.Match[str]) -> str:
        return f"{lang.table.words['minus' if match['sign'] in '-−–' else 'plus']} {plain(match)}"

    def span(match: re.Match[str]) -> str:
        gender = lang.agreement(match["last"], after(match))
        joint = lang.table.words["and" if before(match).lower() in ("entre", "tra", "fra") else "to"]
        return f"{lang.number(match['first'], gender)} {joint} {lang.number(match['last'], gender)}"

    def product(match: re.Match[str]) -> str:
        return f"{lang.number(match['first'])} {lang.table.words['times']} {lang.number(match['last'])}"

    def version(match: re.Match[str]) -> str:
        return f" {lang.table.words['dot']} ".join(lang.number(part) for part in match[0].split("."))

    def sum_sign(match: re.Match[str]) -> str:
        names = {
            "+": "plus",
            "-": "minus",
            "−": "minus",
            "=": "equals",
            "×": "times",
            "*": "times",
            "·": "times",
            "÷": "divided",
        }
        names |= {":": "divided", "<": "less", ">": "greater", "/": "over"}
        return f" {lang.table.words[names[match[1] or match[2] or match[3]]]} "

    def power(match: re.Match[str]) -> str:
        exponent = int(unicodedata.normalize("NFKC", match["exponent"]))
        high = f"{lang.table.words['power']} {lang.cardinal(exponent, '')}"
        name = {2: lang.table.words["squared"], 3: lang.table.words["cubed"]}.get(exponent, high)
        return f"{lang.number(match['number'])} {name}"

    number = rf"(?P<number>{NUMBER})"
    return [
        Rule("version", re.compile(r"(?<![\w.,])(?!\d{1,3}(?:\.\d{3})+(?!\d|\.\d))\d+(?:\.\d+){2,}(?![\w])"), version),
        Rule("power", re.compile(rf"{_EDGE}{number}(?P<exponent>[²³⁴⁵⁶⁷⁸⁹])"), power),
        Rule(
            "range",
            re.compile(rf"{_EDGE}(?P<first>{NUMBER})[ \u00a0]?[–\-][ \u00a0]?(?P<last>{NUMBER})(?![\w\-])(?![ ]?=)"),
            span,
        ),
        Rule(
            "times", re.compile(rf"{_EDGE}(?P<first>{NUMBER}){_SPACE}?[x×]{_SPACE}?(?P<last>{NUMBER})(?!\w)"), product
        ),
        Rule(
            "math",
            re.compile(
                r"(?<=[\d)²³])[ \u00a0]*([+=×*·÷<>])[ \u00a0]*(?=[\d(\-−√π])"
                r"|(?<=\d)[ ]?([-−])[ ]?(?=[\d.,]+[ ]?=)|(?<=\d) ([-−:/]) (?=\d)"
            ),
            sum_sign,
        ),
        Rule("number", re.compile(rf"(?<![\w.,)])(?P<sign>[-−–+]){number}(?![\d])"), signed),
        Rule("decade", re.compile(r"(?<!\w)['’](?P<number>\d0)(?!\d)"), plain),
        Rule("year", re.compile(r"(?<!\w)['’](?P<number>\d\d)(?!\d)"), plain),
        Rule("number", re.compile(rf"(?<![\d]){number}"), plain),
        Rule("number", re.compile(r"[\d]+"), lambda m: lang.figures(m[0])),
    ]


# ---------------------------------------------------------------- words and signs


def abbreviations(pairs: Sequence[tuple[str, str]], edge: str = r"(?<![\w.])") -> list[Rule]:
    """A rule for each (pattern, words), matched behind ``edge``."""

    def says(words: str) -> Callable[[re.Match[str]], str]:
        return lambda match: words if words[-1:] in ". " else words + full_stop(match)

    return [Rule("abbreviation", re.compile(edge + f"(?:{pattern})"), says(words)) for pattern, words in pairs]


def _signs(lang: Romance) -> list[Rule]:
    """Abbreviations, initials, signs, emoji."""

    def initials(match: re.Match[str]) -> str:
        return lang.spell(match[0].replace(".", "")) + ("." if match["end"] is not None else "")

    signs = "".join(map(re.escape, lang.table.signs))
    return [
        *abbreviations(lang.table.abbreviations),
        Rule("initials", re.compile(r"(?<![\w.])(?:[^\W\d_a-zà-ÿ]\.){2,}(?:(?P<end>[ ]*$))?"), initials),
        Rule("symbol", re.compile(rf"[ \u00a0]*([{signs}])[ \u00a0]*"), lambda m: f" {lang.table.signs[m[1]]} "),
        Rule("emoji", EMOJI, lambda m: emoji_words(m, lang.column, lang.table.words["emoji"])),
    ]
