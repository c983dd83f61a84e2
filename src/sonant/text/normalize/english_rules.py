"""English rules for dates, times, money, measures and numbers of all kinds; ``english`` puts them in order."""

from __future__ import annotations

import re
import unicodedata

from sonant.text.normalize import english_numbers as say
from sonant.text.normalize import english_tables as tables
from sonant.text.normalize.rewrite import Rule, after, before, roman_value

__all__ = ["NUMBER", "amounts", "calendar", "figures", "sentence_follows", "stop"]

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_EDGE = r"(?<![\w.,])(?<!\d[:/])"  # no number begins inside another, nor inside a word
_SIGN = r"(?:(?<![\w)\]])[-−])?"
_MOST = 18  # figures of a number that is said as one
_GAP = "[ \u00a0\u202f\u2009]"

_STARTERS = re.compile(
    r"""\s*(?:$|\n|["'“‘(]*(?:The|A|An|This|That|These|Those|It|He|She|We|They|You|I|There|Here|But|And|So|Then|When|While
    |After|Before|If|However|In|On|At|For|His|Her|Its|Our|Their|My|Your|What|Who|Why|How|Where|No|Yes|Not|Some|Many|Most
    |All|Both|Each)\b)""",
    re.VERBOSE,
)


def sentence_follows(match: re.Match[str]) -> bool:
    """Whether a sentence surely begins behind a match, so that its last dot ends one."""
    return _STARTERS.match(match.string, match.end()) is not None


def stop(match: re.Match[str]) -> str:
    """The dot that an abbreviation shares with the end of its sentence, where it does."""
    return "." if match[0].endswith(".") and sentence_follows(match) else ""


# ---------------------------------------------------------------------------------------------------------------- dates

_MONTH_NAMES = {name.lower(): number for number, name in enumerate(tables.MONTHS, 1)}
_MONTH_NAMES |= {name[:3].lower(): number for number, name in enumerate(tables.MONTHS, 1)} | {"sept": 9}
_SHORT_MONTHS = r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?"
_MONTH = rf"(?P<month>{'|'.join(tables.MONTHS)}|{_SHORT_MONTHS})"
_YEAR = r"(?P<comma>,?)[ \u00a0](?P<year>1\d{3}|20\d\d)(?![\d,.]\d|\w)"


def _month(text: str) -> str:
    return tables.MONTHS[_MONTH_NAMES[text.rstrip(".").lower()] - 1]


def _year_behind(match: re.Match[str]) -> str:
    return f"{match['comma']} {say.year(int(match['year']))}" if match["year"] else ""


def _month_day(match: re.Match[str]) -> str | None:
    day = int(match["day"])
    return f"{_month(match['month'])} {say.ordinal(day)}{_year_behind(match)}" if 1 <= day <= 31 else None


def _day_month(match: re.Match[str]) -> str | None:
    day = int(match["day"])
    if not 1 <= day <= 31:
        return None
    the = "" if before(match).lower() == "the" else "the "
    return f"{the}{say.ordinal(day)} of {_month(match['month'])}{_year_behind(match)}"


def _date(day: int, month: int, year: int) -> str | None:
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    return f"{tables.MONTHS[month - 1]} {say.ordinal(day)}, {say.year(year)}"


def _numeric_date(match: re.Match[str], day_first: bool) -> str | None:
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    if len(match["year"]) == 2:
        year += 2000 if year < 70 else 1900  # POSIX: 69-99 are of the twentieth century
    day, month = (first, second) if day_first else (second, first)
    return _date(day, month, year) or _date(month, day, year)


def _clock(match: re.Match[str]) -> str | None:
    hours, minutes, seconds = int(match["h"]), int(match["m"]), match["s"]
    if hours > 24 or minutes > 59:
        return None
    half = f" {match['half'][0].lower()}.m" if match["half"] else ""
    if hours in (0, 24) and not minutes and not half:
        words = "midnight"
    elif minutes:
        words = f"{say.cardinal(hours)} {'oh ' if minutes < 10 else ''}{say.cardinal(minutes)}"
    elif half:
        words = say.cardinal(hours)
    else:
        words = say.cardinal(hours) + (" o'clock" if 1 <= hours <= 12 else " hundred")
    if seconds:
        words += f" and {say.cardinal(int(seconds))} second{'s' if int(seconds) != 1 else ''}"
    return words + half + stop(match)


def _hour(match: re.Match[str]) -> str | None:
    hours = int(match["h"])
    if not (1 <= hours <= 12 and int(match["from"] or 1) <= 12):
        return None
    begin = f"{say.cardinal(int(match['from']))} to " if match["from"] else ""
    return f"{begin}{say.cardinal(hours)} {match['half'][0].lower()}.m{stop(match)}"


def calendar(british: bool) -> list[Rule]:
    """Dates and times of day; a date in figures has the month first in American English, the day in British."""
    half = r"(?P<half>[aApP](?:\.[mM]\.?|[mM])(?![\w]))"
    figures = (
        rf"{_EDGE}(?P<first>\d{{1,2}})(?P<by>[/.-])(?P<second>\d{{1,2}})(?P=by)(?P<year>\d{{4}}|\d\d)(?![\w/-]|\.\d)"
    )
    return [
        Rule(
            "date",
            re.compile(rf"{_EDGE}(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)(?![\w-])"),
            lambda m: _date(int(m["d"]), int(m["m"]), int(m["y"])),
        ),
        Rule("date", re.compile(figures), lambda m: _numeric_date(m, british)),
        Rule(
            "date",
            re.compile(rf"\b{_MONTH}[ \u00a0](?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\w:/%]|[.,]\d)(?:{_YEAR})?"),
            _month_day,
        ),
        Rule(
            "date",
            re.compile(rf"{_EDGE}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ \u00a0](?:of )?{_MONTH}(?:{_YEAR})?"),
            _day_month,
        ),
        Rule(
            "time",
            re.compile(rf"{_EDGE}(?P<h>\d{{1,2}}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?(?![\d:]){_GAP}?(?:{half})?"),
            _clock,
        ),
        Rule("time", re.compile(rf"{_EDGE}(?:(?P<from>\d{{1,2}})[-–])?(?P<h>\d{{1,2}}){_GAP}?{half}"), _hour),
    ]


# -------------------------------------------------------------------------------------------------------------- amounts

_MONEY_SIGN = "|".join(sorted(map(re.escape, tables.MONEY), key=len, reverse=True))
_SCALE = rf"(?:{_GAP}?(?P<scale>thousand|million|billion|trillion|bn|Bn|mn|tn|[kKmMbBtT])(?![\w]))?"
_TO = rf"(?:{_GAP}?[-–—]{_GAP}?|{_GAP}to{_GAP})"


def _price(match: re.Match[str]) -> str | None:
    one, many, cent, cents = tables.MONEY[match["sign"]]
    scale, text = match["scale"], match["n"].replace(",", "")
    minus = "minus " if match["minus"] else ""
    attribute = before(match).lower() in ("a", "an") and after(match).isalpha()  # "a $5 bill"
    upto = match["upto"]
    if scale or upto or (attribute and "." not in text):
        words = say.number(match["n"]) + (f" to {say.number(upto)}" if upto else "")
        words += f" {tables.SCALES[scale]}" if scale else ""
        return f"{minus}{words} {one if attribute or (words == 'one') else many}{_per(match)}"
    whole, _, rest = text.partition(".")
    if len(rest) not in (0, 2) or not cent or len(whole) > _MOST:
        return f"{minus}{say.number(match['n'])} {one if text == '1' else many}{_per(match)}"
    units, hundredths = int(whole or 0), int(rest or 0)
    parts = [f"{say.cardinal(units)} {one if units == 1 else many}"] if units or not hundredths else []
    if hundredths:
        parts.append(f"{say.cardinal(hundredths)} {cent if hundredths == 1 else cents}")
    return minus + " and ".join(parts) + _per(match)


def _per(match: re.Match[str]) -> str:
    return " per " if match["per"] else ""


def _price_behind(match: re.Match[str]) -> str:
    sign = tables.CODES.get(match["sign"], match["sign"])
    one, many, cent, cents = tables.MONEY[sign]
    text = match["n"].replace(",", "")
    whole, _, rest = text.partition(".")
    if len(rest) == 2 and cent and not match["scale"] and int(rest) and len(whole) <= _MOST:
        head = f"{say.cardinal(int(whole or 0))} {one if whole == '1' else many} and " if int(whole or 0) else ""
        return f"{head}{say.cardinal(int(rest))} {cent if int(rest) == 1 else cents}"
    scale = f" {tables.SCALES[match['scale']]}" if match["scale"] else ""
    number = whole if rest and not int(rest) and len(rest) == 2 else match["n"]
    return f"{say.number(number)}{scale} {one if text == '1' and not scale else many}"


_UNIT = "|".join(sorted(map(re.escape, tables.UNITS), key=len, reverse=True))


def _measure(match: re.Match[str]) -> str | None:
    unit, gap = match["unit"], match["gap"]
    ends = unit == "in" and re.match(r"\.?\s*$", match.string[match.end() :])  # "3 in." is no preposition
    if unit in tables.ATTACHED and gap and not (match["dot"] or ends):
        return None
    one, many = tables.UNITS[unit]
    joined = match["hyphen"] or (before(match).lower() in ("a", "an") and after(match).isalpha())  # "a 5 km run"
    upto = f" to {say.number(match['upto'])}" if match["upto"] else ""
    single = match["n"] == "1" and not upto
    return (
        f"{say.number(match['n'])}{upto} {one if single or joined else many}{stop(match) if unit.endswith('.') else ''}"
    )


def _feet(match: re.Match[str]) -> str:
    feet, inches = match["feet"], match["inches"]
    words = f"{say.number(feet)} {'foot' if feet == '1' else 'feet'}"
    return words + (f" {say.number(inches)}" if inches else "")


_LONG = r"(?=[ -](?:tall|high|long|wide|deep|thick|screen|display|monitor|TV|by\b|[x×]\b))"


def _length(match: re.Match[str]) -> str:
    one, many = ("foot", "feet") if match["mark"] in "'′’" else ("inch", "inches")
    return f"{say.number(match['n'])} {one if match['n'] == '1' else many}"


def amounts() -> list[Rule]:
    """Money, percentages, measures."""
    upto = rf"(?:[-–—](?:\$|£|€)?(?P<upto>{NUMBER}))?"
    return [
        Rule(
            "currency",
            re.compile(
                rf"(?<![\w$£€])(?P<minus>[-−])?(?P<sign>{_MONEY_SIGN}){_GAP}?(?P<n>{NUMBER}){upto}{_SCALE}(?P<per>/(?=[a-z]))?"
            ),
            _price,
        ),
        Rule(
            "currency",
            re.compile(rf"{_EDGE}(?P<n>{NUMBER}){_SCALE}{_GAP}?(?P<sign>[€£¢₽₹¥]|(?:{'|'.join(tables.CODES)})(?!\w))"),
            _price_behind,
        ),
        Rule(
            "currency",
            re.compile(rf"\b(?P<sign>{'|'.join(tables.CODES)}){_GAP}?(?P<n>{NUMBER}){_SCALE}"),
            _price_behind,
        ),
        Rule(
            "percent",
            re.compile(rf"{_EDGE}(?P<n>{_SIGN}{NUMBER})(?:{_TO}(?P<upto>{NUMBER}))?{_GAP}?(?P<sign>[%‰])"),
            lambda m: (
                say.number(m["n"])
                + (f" to {say.number(m['upto'])}" if m["upto"] else "")
                + (" percent" if m["sign"] == "%" else " per mille")
            ),
        ),
        Rule(
            "unit",
            re.compile(rf"{_EDGE}(?P<feet>\d{{1,2}})['′’](?:{_GAP}?(?P<inches>\d{{1,2}}(?:\.\d+)?)(?:[\"″”]|''))"),
            _feet,
        ),
        Rule("unit", re.compile(rf"{_EDGE}(?P<n>{NUMBER})(?P<mark>['′’\"″”]){_LONG}"), _length),
        Rule(
            "unit",
            re.compile(
                rf"{_EDGE}(?P<n>{_SIGN}{NUMBER})(?:[-–](?P<upto>{NUMBER}))?(?P<gap>{_GAP}?)(?P<hyphen>-?)(?P<unit>{_UNIT})"
                r"(?P<dot>(?<=[a-z])\.(?=[ \u00a0]+[a-z\d(]))?(?![\w/²³°'’])"
            ),
            _measure,
        ),
    ]


# -------------------------------------------------------------------------------------------------------------- figures


def _ordinal(match: re.Match[str]) -> str:
    return say.ordinal(int(match["n"].replace(",", "")))


def _plural(match: re.Match[str]) -> str | None:
    text = match["n"]
    if match["clip"] and len(text) != 2:
        return None
    words = say.year(int(text)) if len(text) == 4 else say.cardinal(int(text))
    return say.plural(words)


def _fraction(match: re.Match[str]) -> str | None:
    top, bottom = int(match["top"]), int(match["bottom"])
    whole = match["whole"]
    if (match["top"], match["bottom"]) in (("24", "7"), ("9", "11")):
        return f"{say.cardinal(top)} {say.cardinal(bottom)}"
    if 0 < top < bottom and (bottom <= 20 or bottom in (25, 32, 50, 64, 100, 1000)):
        words = say.fraction(top, bottom)
        return (
            f"{say.cardinal(int(whole))} and {'a' if top == 1 else ''} {words[4:] if top == 1 else words}".replace(
                "  ", " "
            )
            if whole
            else words
        )
    return None if whole else f"{say.cardinal(top)} over {say.cardinal(bottom)}"


def _vulgar(match: re.Match[str]) -> str:
    words = say.vulgar(unicodedata.numeric(match["part"]))
    if not match["whole"]:
        return words
    return f"{say.cardinal(int(match['whole']))} and {'a ' + words[4:] if words.startswith('one ') else words}"


def _version(match: re.Match[str]) -> str:
    parts = match["n"].split(".")
    if len(parts) == 4 and all(len(part) < 4 and int(part) < 256 for part in parts) and not match["v"]:
        return " dot ".join(say.cardinal(int(part)) for part in parts)  # an address
    words = " point ".join(say.number(part) for part in parts)
    return f"version {words}" if match["v"] else words


def _range(match: re.Match[str]) -> str:
    return f"{_plain(match['from'])} to {_plain(match['upto'])}"


def _code(match: re.Match[str]) -> str:
    return ", ".join(say.digits(part) for part in re.split(r"[-–. ()]+", match[0]) if part)


def _plain(text: str) -> str:
    """A bare number: four figures are read as a year is."""
    return say.year(int(text)) if re.fullmatch(r"[1-9]\d{3}", text) else say.number(text)


def _inside(match: re.Match[str]) -> str:
    """Figures within a word: "A305" -> "three oh five", "MP3" -> "three"."""
    text = match["n"]
    if len(text) > 3 or text[0] == "0":
        return say.digits(text)
    if len(text) == 3 and not text.endswith("00"):
        rest = int(text[1:])
        return f"{say.cardinal(int(text[0]))} {'oh ' if rest < 10 else ''}{say.cardinal(rest)}"
    return say.cardinal(int(text))


def _roman(match: re.Match[str]) -> str | None:
    value = roman_value(match["n"])
    word = before(match)
    if value is None:
        return None
    if word in tables.REIGNS:
        return "the " + say.ordinal(value)
    if word.lower() in tables.NUMERAL_WORDS:
        return say.cardinal(value)
    sure = len(match["n"]) > 1 and set(match["n"]) <= set("IVX") and match["n"] not in _UNSURE
    return say.cardinal(value) if sure and word[:1].isupper() else None


_UNSURE = frozenset(("IV", "VI", "IX", "XI", "XX", "XXX"))  # abbreviations as well


def _dimension(match: re.Match[str]) -> str:
    """1920x1080 -> "by"; 3 x 4 = -> "times"."""
    word = "times" if re.match(r" ?=", match.string[match.end() :][:2]) else "by"
    return f"{_plain(match['from'])} {word} {_plain(match['upto'])}"


def _behind_letters(match: re.Match[str]) -> str:
    text = match["n"]
    return _plain(text) if match["hyphen"] and len(text) == 4 else _inside(match)


def figures() -> list[Rule]:
    """Ordinals, fractions, ranges, Roman numerals, telephone numbers, and at last plain numbers."""
    return [
        Rule(
            "phone", re.compile(r"(?<![\w.,-])(?:\+\d{1,3}[ .-]?)(?:\(?\d{1,4}\)?[ .-]?){2,4}\d{2,4}(?![\w-])"), _phone
        ),
        Rule("phone", re.compile(r"(?<![\w.,-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\w-])"), _phone),
        Rule("phone", re.compile(r"(?<![\w.,-])\d{3}-\d{4}(?![\w-])"), _phone),
        Rule("code", re.compile(r"(?<![\w.,-])\d+(?:-\d+){2,}(?![\w-])"), _code),
        Rule(
            "ordinal",
            re.compile(rf"{_EDGE}(?P<n>\d{{1,3}}(?:,\d{{3}}){{1,5}}|\d{{1,18}})(?:st|nd|rd|th|ST|ND|RD|TH)\b"),
            _ordinal,
        ),
        Rule("decade", re.compile(r"(?<![\w.,])(?P<clip>['’])?(?P<n>\d{4}|\d0)['’]?s\b"), _plural),
        Rule("plural", re.compile(rf"{_EDGE}(?P<clip>['’])?(?P<n>\d{{1,3}})['’]?s\b"), _plural),
        Rule("year", re.compile(r"(?<![\w.,])['’](?P<n>\d\d)(?![\w'’])"), lambda m: _clipped_year(m["n"])),
        Rule("fraction", re.compile(rf"{_EDGE}(?:(?P<whole>\d{{1,18}}){_GAP}?)?(?P<part>[¼½¾⅐-⅞])"), _vulgar),
        Rule(
            "fraction",
            re.compile(rf"{_EDGE}(?:(?P<whole>\d{{1,18}})[ -])?(?P<top>\d{{1,4}})[/⁄](?P<bottom>\d{{1,4}})(?![\w/])"),
            _fraction,
        ),
        Rule("version", re.compile(r"(?<![\w.,])(?P<v>[vV])?(?P<n>\d+(?:\.\d+){2,})(?![\w]|\.\d)"), _version),
        Rule("version", re.compile(r"(?<![\w.,])(?P<v>[vV])(?P<n>\d+(?:\.\d+)*)(?![\w]|\.\d)"), _version),
        Rule("range", re.compile(rf"{_EDGE}(?P<from>{NUMBER})[-–—](?P<upto>{NUMBER})(?![\w-]|[.,]\d)"), _range),
        Rule("score", re.compile(rf"{_EDGE}(?P<from>\d{{1,3}}):(?P<upto>\d{{1,3}})(?![\w:])"), _range),
        Rule("roman", re.compile(r"(?<=\w )(?P<the>the )?(?P<n>[IVXLCDM]+)(?![\w'’-]|\.[A-Z])"), _roman),
        Rule(
            "number",
            re.compile(rf"(?<![\w.,)\]])(?P<minus>[-−])(?P<n>{NUMBER})(?![\w])"),
            lambda m: "minus " + say.number(m["n"]),
        ),
        Rule(
            "dimension",
            re.compile(rf"{_EDGE}(?P<from>{NUMBER}) ?[xX×] ?(?P<upto>{NUMBER})(?![\w])"),
            _dimension,
        ),
        Rule("year", re.compile(r"(?<![\w.,])[1-9]\d{3}(?![\w]|[.,]\d)"), lambda m: _plain(m[0])),
        Rule("letters", re.compile(r"(?<=[A-Za-z])(?<![HNO])2(?=[A-Za-z])"), lambda _: "to"),
        Rule("number", re.compile(r"(?<=[^\W\d_])(?P<hyphen>-)?(?P<n>\d+)(?!\d*\.\d)"), _behind_letters),
        Rule("number", re.compile(rf"{NUMBER}"), lambda m: say.number(m[0])),
    ]


def _clipped_year(text: str) -> str:
    return f"oh {say.cardinal(int(text))}" if text[0] == "0" else say.cardinal(int(text))


def _phone(match: re.Match[str]) -> str:
    plus = "plus " if match[0].startswith("+") else ""
    return plus + _code(match)
