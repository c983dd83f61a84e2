"""Mandarin: figures, dates, money and signs to characters.

二 or 两: 两 before measure words, 千, 万 and 亿 at the head of a number; 二 in counting, ordinals, dates and after 十.
Years and telephone numbers figure by figure, 1 of a telephone number as 幺. Source: Lü Shuxiang, 现代汉语八百词,
entries 二 and 两; GB/T 15835-2011 on numerals.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from sonant.text.normalize.addresses import Voice, addresses, telephones
from sonant.text.normalize.emoji import COLUMNS, EMOJI, emoji_words
from sonant.text.normalize.rewrite import INVISIBLE, Rule, rewrite, roman_value
from sonant.text.normalize.romance import abbreviations
from sonant.text.normalize.table import load_table
from sonant.text.tokens import Spoken

__all__ = ["cardinal", "normalize"]

_TABLE = load_table("zh")
_FIGURES = _TABLE.numerals["small"]
_CEILING = 10**16
_COUNTED = tuple(sorted(_TABLE.counters, key=len, reverse=True))  # measure words


def cardinal(n: int, _: str = "") -> str:
    """Characters for 0 <= n < 10**16: "两千零二十四", "一百一十", "十二"."""
    if n == 0:
        return "零"
    words, gap = "", False
    for size, name in ((10**12, "万亿"), (10**8, "亿"), (10**4, "万")):
        if n >= size:
            high, n = divmod(n, size)
            words += ("零" if gap or (words and high < 1000) else "") + ("两" if high == 2 else cardinal(high)) + name
            gap = False
        elif words:
            gap = True
    if n:
        words += ("零" if words and (gap or n < 1000) else "") + _below_myriad(n, head=not words)
    return words


def _below_myriad(n: int, head: bool) -> str:
    """Characters for 1-9999; ``head``: nothing stands before, so that 10-19 lose their 一."""
    words, gap = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        figure, n = divmod(n, size)
        if not figure:
            gap = bool(words)
            continue
        sign = "两" if figure == 2 and size == 1000 else _FIGURES[figure]
        if size == 10 and figure == 1 and not words and head:
            sign = ""
        words += ("零" if gap else "") + sign + name
        gap = False
    return words


def _one_by_one(text: str) -> str:
    return "".join(_FIGURES[int(figure)] for figure in text if figure.isdecimal())


def _phone(text: str) -> str:
    return "".join(_TABLE.numerals["figures"][int(figure)] for figure in text if figure.isdecimal())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace(",", "")


def _number(text: str, following: str = "") -> str:
    """A number as it is written; 2 before a measure word is 两."""
    whole, _, fraction = _plain(text).partition(".")
    if (len(whole) > 1 and whole[0] == "0" and not fraction) or int(whole) >= _CEILING:
        return _one_by_one(whole)
    if fraction:
        return f"{cardinal(int(whole))}点{_one_by_one(fraction)}"
    if int(whole) == 2 and following.startswith(_COUNTED):
        return "两"
    return cardinal(int(whole))


def _year(text: str) -> str:
    return _one_by_one(unicodedata.normalize("NFKC", text))


def _date(year: str | None, month: str, day: str | None, mark: str = "日") -> str | None:
    if not 1 <= int(month) <= 12 or (day and not 1 <= int(day) <= 31):
        return None
    return (
        (f"{_year(year)}年" if year else "")
        + f"{cardinal(int(month))}月"
        + (f"{cardinal(int(day))}{mark}" if day else "")
    )


def _clock(match: re.Match[str]) -> str | None:
    hours, minutes = int(match["h"]), int(match["m"])
    if hours > 24 or minutes > 59:
        return None
    words = f"{'两' if hours == 2 else cardinal(hours)}点"
    if minutes:
        words += ("零" if minutes < 10 else "") + f"{cardinal(minutes)}分"
    elif not match["s"]:
        words += "整"
    return words + (f"{'零' if int(match['s']) < 10 else ''}{cardinal(int(match['s']))}秒" if match["s"] else "")


def _money(match: re.Match[str]) -> str:
    coin, text, big = _TABLE.money[match["symbol"]], _plain(match["number"]), match["big"] or ""
    minus = "负" if match["sign"] else ""
    whole, _, fraction = text.partition(".")
    if big or not fraction or not coin.cent_one or len(fraction) > 2:
        head = "两" if text == "2" else _number(text)
        return f"{minus}{head}{big}{coin.one}"
    jiao, fen = int(fraction[0]), int(fraction[1:] or 0)
    words = f"{_number(whole, coin.one)}{coin.one}" if int(whole) or not (jiao or fen) else ""
    words += (
        f"{'两' if jiao == 2 and not words else _FIGURES[jiao]}{coin.cent_many}"
        if jiao
        else ("零" if words and fen else "")
    )
    return minus + words + (f"{_FIGURES[fen]}{coin.cent_one}" if fen else "")


def _measure(match: re.Match[str]) -> str:
    unit = _TABLE.units[match["unit"]].one
    minus = "" if not match["sign"] else "零下" if unit.endswith("氏度") else "负"
    return f"{minus}{_number(match['number'], unit)}{unit}"


def _percent(match: re.Match[str]) -> str:
    base = "千分之" if match["mark"] == "‰" else "百分之"
    return f"{'负' if match['sign'] else ''}{base}{_number(match['number'])}"


def _range(match: re.Match[str]) -> str:
    following = match.string[match.end() : match.end() + 8]
    first, last = match["first"], match["last"]
    if following.startswith("年") and len(first) == len(last) == 4:
        return f"{_year(first)}到{_year(last)}"
    if (
        re.fullmatch(r"(?:1[0-9]|20)\d\d", first)
        and re.fullmatch(r"(?:1[0-9]|20)\d\d", last)
        and int(first) < int(last)
    ):
        return f"{_year(first)}到{_year(last)}"
    return f"{_number(first, following)}到{_number(last, following)}"


def _roman(match: re.Match[str]) -> str | None:
    value = roman_value(unicodedata.normalize("NFKC", match["numeral"]))
    return cardinal(value) if value else None


def _operator(match: re.Match[str]) -> str:
    sign = unicodedata.normalize("NFKC", match[1] or match[2]).replace("−", "-")
    return {"+": "加", "-": "减", "=": "等于", "×": "乘", "x": "乘", "*": "乘", "÷": "除以", "<": "小于", ">": "大于"}[
        sign
    ]


def _counted(match: re.Match[str]) -> str:
    return _number(match["number"], match.string[match.end() : match.end() + 8])


def _vulgar(match: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", match["vulgar"]).partition("⁄")
    whole = f"{cardinal(int(match['whole']))}又" if match["whole"] else ""
    return f"{whole}{cardinal(int(bottom))}分之{cardinal(int(top))}"


def _chinese(rule: Rule) -> Rule:
    """An address rule whose Chinese words stand without spaces."""

    def say(match: re.Match[str]) -> str | None:
        words = rule.say(match)
        if words is None:
            return None
        words = re.sub(r"\bcom\b", "com", words.replace(", ", "，"))
        return re.sub(
            r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])|(?<=[A-Za-z]) (?=[^\x00-\x7f])|(?<=[^\x00-\x7f]) (?=[A-Za-z])",
            "",
            words,
        )

    return Rule(rule.name, rule.pattern, say)


_D = "[0-9０-９]"
_WIDE = r"[０-９]{1,3}(?:，[０-９]{3})+(?![０-９])"
_NUMBER = rf"(?:{_WIDE}|{_D}{{1,3}}(?:,{_D}{{3}})+(?!{_D})(?:[.．]{_D}+)?|{_D}+(?:[.．]{_D}+)?)"
_NUM = rf"(?P<number>{_NUMBER})"
_LEFT = r"(?<![0-9０-９.．A-Za-z])"
_SIGN = r"(?P<sign>(?<![0-9０-９A-Za-z])[-－−–])?"
_SYMBOL = "|".join(sorted(map(re.escape, _TABLE.money), key=len, reverse=True))
_UNIT = "|".join(sorted(map(re.escape, _TABLE.units), key=len, reverse=True))
_VOICE = Voice(
    _TABLE.words,
    lambda n, _: _one_by_one(str(n)),
    lambda text: " ".join(_FIGURES[int(s)] if s.isdecimal() else s.upper() for s in text),
    _phone,
)

_RULES = [
    INVISIBLE,
    Rule("unicode", re.compile("[Ａ-Ｚａ-ｚ]+"), lambda m: unicodedata.normalize("NFKC", m[0])),
    Rule("unicode", re.compile("[\uf900-\ufaff\u2e80-\u2fdf]"), lambda m: unicodedata.normalize("NFKC", m[0])),
    *map(_chinese, [*addresses(_VOICE), *telephones(_VOICE, national=False)]),
    Rule(
        "phone",
        re.compile(rf"{_LEFT}1[3-9]{_D}[- ]?{_D}{{4}}[- ]?{_D}{{4}}(?!{_D})"),
        lambda m: "，".join((_phone(_digits(m)[:3]), _phone(_digits(m)[3:7]), _phone(_digits(m)[7:]))),
    ),
    Rule(
        "phone",
        re.compile(
            rf"{_LEFT}(?:0{_D}{{2,3}}[- ]{_D}{{7,8}}|[(（]0{_D}{{2,3}}[)）][ ]?{_D}{{7,8}}"
            rf"|[48]00(?:-{_D}{{3,4}}){{2}})(?!{_D})"
        ),
        lambda m: "，".join(map(_phone, re.findall(rf"{_D}+", m[0]))),
    ),
    Rule("phone", re.compile(rf"(?:(?<=拨打)|(?<=报警)|(?<=热线))1[12]{_D}{{1,3}}(?!{_D})"), lambda m: _phone(m[0])),
    Rule(
        "date",
        re.compile(rf"{_LEFT}({_D}{{4}})([-/.])({_D}{{1,2}})\2({_D}{{1,2}})(?!{_D})"),
        lambda m: _date(m[1], m[3], m[4]),
    ),
    Rule(
        "date",
        re.compile(rf"{_LEFT}(?:({_D}{{4}}|{_D}{{2}})年)?({_D}{{1,2}})月({_D}{{1,2}})([日号])"),
        lambda m: _date(m[1], m[2], m[3], m[4]),
    ),
    Rule(
        "range",
        re.compile(rf"{_LEFT}({_D}{{4}})[~～–\-－—到至]({_D}{{4}})(?=年)"),
        lambda m: f"{_year(m[1])}到{_year(m[2])}",
    ),
    Rule(
        "year",
        re.compile(
            rf"{_LEFT}({_D}{{4}})(?=年(?!前|后|来|间|以))|{_LEFT}([09]{_D}|[1-9]0)(?=年代|后(?![0-9]|天|来))|(?<=公元){_D}{{4}}(?!{_D})"
        ),
        lambda m: _year(m[0]) if len(m[0]) == 4 or m.string[m.end() : m.end() + 1] == "后" else cardinal(int(m[0])),
    ),
    Rule(
        "time",
        re.compile(rf"{_LEFT}(?P<h>{_D}{{1,2}})[:：](?P<m>{_D}{{2}})(?:[:：](?P<s>{_D}{{2}}))?(?![0-9０-９:：])"),
        _clock,
    ),
    Rule("currency", re.compile(rf"{_SIGN}(?P<symbol>{_SYMBOL})[ ]?{_NUM}(?P<big>[万亿千百]+)?"), _money),
    Rule("currency", re.compile(rf"{_SIGN}{_LEFT}{_NUM}(?P<big>[万亿]+)?(?P<symbol>{_SYMBOL})(?![A-Za-z])"), _money),
    Rule("percent", re.compile(rf"{_SIGN}{_LEFT}{_NUM}[ ]?(?P<mark>[%％‰])"), _percent),
    Rule(
        "unit",
        re.compile(rf"{_LEFT}{_NUM}[ ]?km/h(?![A-Za-z])"),
        lambda m: (
            f"{'' if m.string[max(0, m.start() - 2) : m.start()] == '时速' else '每小时'}{_number(m['number'])}公里"
        ),
    ),
    Rule("unit", re.compile(rf"{_SIGN}{_LEFT}{_NUM}[ ]?(?P<unit>{_UNIT})(?![A-Za-z²³/])"), _measure),
    Rule("fraction", re.compile(rf"(?:{_LEFT}(?P<whole>{_D}{{1,3}})[ ]?)?(?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])"), _vulgar),
    Rule(
        "fraction",
        re.compile(rf"{_LEFT}({_D}{{1,4}})[/⁄]({_D}{{1,4}})(?![0-9０-９/])"),
        lambda m: f"{cardinal(int(m[2]))}分之{cardinal(int(m[1]))}",
    ),
    Rule(
        "score",
        re.compile(rf"{_LEFT}({_D}{{1,3}})[:：]({_D}{{1,3}})(?![0-9０-９:：])"),
        lambda m: f"{cardinal(int(m[1]))}比{cardinal(int(m[2]))}",
    ),
    Rule(
        "roman",
        re.compile(r"(?P<numeral>[Ⅰ-Ⅿⅰ-ⅿ]+|(?<=第)[IVX]+(?![A-Za-z])|(?<=[\u4e00-\u9fff])[IVX]+(?=世))"),
        _roman,
    ),
    Rule(
        "roman",
        re.compile(r"(?:(?<=路易)|(?<=亨利)|(?<=查理)|(?<=乔治)|(?<=世))[IVX]+(?![A-Za-z])"),
        lambda m: cardinal(roman_value(m[0]) or 0) if roman_value(m[0]) else None,
    ),
    Rule(
        "version",
        re.compile(rf"(?<!{_D}){_D}+(?:[.．]{_D}+){{2,}}(?!{_D})"),
        lambda m: "点".join(map(_number, re.findall(rf"{_D}+", m[0]))),
    ),
    Rule(
        "range",
        re.compile(rf"{_LEFT}(?P<first>{_NUMBER})[ ]?[~～–\-－—][ ]?(?P<last>{_NUMBER})(?![0-9０-９])(?![ ]?[=＝])"),
        _range,
    ),
    Rule(
        "math",
        re.compile(
            rf"(?<={_D})[ ]?([+＋=＝×x*÷<>＜＞])[ ]?(?=[0-9０-９(（\-−√π])|(?<={_D})[ ]?([-－−])[ ]?(?={_D}+[ ]?[=＝])"
        ),
        _operator,
    ),
    Rule("number", re.compile(rf"(?<![0-9０-９A-Za-z)）])[-－−]{_NUM}"), lambda m: "负" + _counted(m)),
    Rule("ordinal", re.compile(rf"(?<![A-Za-z])[Nn][Oo][.．][ ]?{_NUM}"), lambda m: f"第{_number(m['number'])}号"),
    Rule("ordinal", re.compile(rf"(?<=第){_NUM}"), lambda m: _number(m["number"])),
    Rule("number", re.compile(rf"{_NUM}(?=[号楼月日层])"), lambda m: _number(m["number"])),
    Rule("number", re.compile(_NUM), _counted),
    Rule("number", re.compile("[①-⑳]"), lambda m: cardinal(int(unicodedata.normalize("NFKC", m[0])))),
    *abbreviations(_TABLE.abbreviations, r"(?<![A-Za-z.])"),
    Rule(
        "emoji",
        EMOJI,
        lambda m: emoji_words(m, COLUMNS["zh"], _TABLE.words["emoji"], "，") if m[1] not in _TABLE.signs else None,
    ),
    Rule("symbol", re.compile(f"[{''.join(map(re.escape, _TABLE.signs))}]"), lambda m: _TABLE.signs[m[0]]),
]


def _digits(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])


def normalize(pieces: Sequence[Spoken]) -> list[Spoken]:
    """Mandarin text with everything that isn't a word turned into characters; see ``rewrite`` for spans."""
    return rewrite(pieces, _RULES, spaced=False)
