"""Japanese: figures, dates, money and signs to what a reader says.

Figures become kanji numerals with their counter ("三本"), which OpenJTalk reads with the right changes of sound; where
it doesn't (checked for 1-100 with the common counters), the reading is written in katakana here ("ゴフン"). Telephone
numbers are said figure by figure. Source of the readings: the appendix on counters of NHK's accent dictionary
(日本語発音アクセント新辞典, 2016).
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

__all__ = ["cardinal", "normalize", "reading"]

_TABLE = load_table("ja")
_KANJI = "〇一二三四五六七八九"
_SIZES = ((10**16, "京"), (10**12, "兆"), (10**8, "億"), (10**4, "万"))
_CEILING = 10**20


def cardinal(n: int, _: str = "") -> str:
    """Kanji numerals for 0 <= n < 10**20: "千二百三十四"; 0 is "ゼロ"."""
    if n == 0:
        return "ゼロ"
    words = ""
    for size, name in _SIZES:
        if n >= size:
            words += cardinal(n // size) + name
            n %= size
    for size, name in ((1000, "千"), (100, "百"), (10, "十")):
        figure, n = divmod(n, size)
        if figure:
            # "一千万", but "千二百": a thousand says its one only before 万 and up.
            words += ("" if figure == 1 else _KANJI[figure]) + name
    return words + (_KANJI[n] if n else "")


_TENS = [
    "",
    "ジュー",
    "ニジュー",
    "サンジュー",
    "ヨンジュー",
    "ゴジュー",
    "ロクジュー",
    "ナナジュー",
    "ハチジュー",
    "キュージュー",
]
_FUN = [
    "ップン",
    "イップン",
    "ニフン",
    "サンプン",
    "ヨンプン",
    "ゴフン",
    "ロップン",
    "ナナフン",
    "ハップン",
    "キューフン",
]
# (figure, counter) pairs that OpenJTalk reads as names or in an old way, with the reading of today.
_ODD = {
    (8, "頭"): "ハットー",
    (9, "頭"): "キュートー",
    (4, "足"): "ヨンソク",
    (100, "足"): "ヒャクソク",
    (7, "軒"): "ナナケン",
    (10, "軒"): "ジュッケン",
    (7, "曲"): "ナナキョク",
    (1, "行"): "イチギョー",
    (3, "行"): "サンギョー",
    (2, "人前"): "ニニンマエ",
    (3, "膳"): "サンゼン",
    (4, "条"): "ヨンジョー",
    (7, "条"): "ナナジョー",
    (7, "社"): "ナナシャ",
    (6, "車"): "ロクシャ",
    (1, "棟"): "イットー",
    (2, "棟"): "ニトー",
    (3, "棟"): "サントー",
    (99, ""): "キュージューキュー",
    (800, ""): "ハッピャク",
    (5, "分"): "ゴフン",
}


def reading(n: int, counter: str) -> str | None:
    """Katakana for a number with its counter where kanji numerals would be misread, else None."""
    if counter == "分" and 0 < n < 100:
        tens, ones = divmod(n, 10)
        return (_TENS[tens] if ones else _TENS[tens].removesuffix("ー")) + _FUN[ones]
    return _ODD.get((n, counter))


def _spell(text: str) -> str:
    """Letters and figures one by one."""
    small = _TABLE.numerals["small"]
    return "".join(_TABLE.letters.get(sign.lower(), small[int(sign)] if sign.isdecimal() else sign) for sign in text)


def _figures(text: str) -> str:
    """Figures of a telephone number: ニー and ゴー are drawn out."""
    return "".join(_TABLE.numerals["figures"][int(sign)] for sign in text if sign.isdecimal())


def _plain(text: str) -> str:
    """Half-width figures without separators of thousands."""
    return unicodedata.normalize("NFKC", text).replace(",", "")


def _number(text: str, counter: str = "") -> str:
    """A number as it is written, with its counter."""
    whole, _, fraction = _plain(text).partition(".")
    if (len(whole) > 1 and whole[0] == "0" and not fraction) or int(whole) >= _CEILING:
        return _figures(whole) + counter
    if fraction:
        head = "零" if int(whole) == 0 else cardinal(int(whole))
        return f"{head}点{''.join('ゼロ' if sign == '0' else _KANJI[int(sign)] for sign in fraction)}{counter}"
    return reading(int(whole), counter) or cardinal(int(whole)) + counter


def _date(year: str | None, month: str, day: str | None) -> str | None:
    if not 1 <= int(month) <= 12 or (day and not 1 <= int(day) <= 31):
        return None
    words = f"{cardinal(int(year))}年" if year else ""
    words += f"{cardinal(int(month))}月"
    return words + (("ツイタチ" if int(day) == 1 else f"{cardinal(int(day))}日") if day else "")


def _clock(match: re.Match[str]) -> str | None:
    hours, minutes = int(match["h"]), int(match["m"])
    if hours > 29 or minutes > 59:
        return None
    words = f"{cardinal(hours) if hours else '零'}時"
    words += (reading(minutes, "分") or "") if minutes else ""
    return words + (f"{cardinal(int(match['s']))}秒" if match["s"] and int(match["s"]) else "")


def _money(match: re.Match[str]) -> str:
    coin, text, big = _TABLE.money[match["symbol"]], _plain(match["number"]), match["big"] or ""
    minus = "マイナス" if match["sign"] else ""
    whole, _, fraction = text.partition(".")
    if big or not fraction or not coin.cent_one or len(fraction) != 2:
        return f"{minus}{_number(text)}{big}{coin.one}"
    cents = f"{cardinal(int(fraction))}{coin.cent_one}" if int(fraction) else ""
    return minus + (f"{cardinal(int(whole))}{coin.one}" if int(whole) or not cents else "") + cents


def _measure(match: re.Match[str]) -> str:
    unit = _TABLE.units[match["unit"]].one
    minus = "マイナス" if match["sign"] else ""
    if unit == "分":
        return minus + _number(match["number"], unit)
    return f"{minus}{_number(match['number'])}{unit}"


def _speed(match: re.Match[str]) -> str:
    told = "時速" in match.string[max(0, match.start() - 4) : match.start()]
    return f"{'' if told else '時速'}{_number(match['number'])}キロメートル"


def _roman(match: re.Match[str]) -> str | None:
    value = roman_value(unicodedata.normalize("NFKC", match["numeral"]))
    if value is None:
        return None
    left, right = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    counted = left == "第" or (right and right in "世章部巻型期編節")
    if counted:
        return cardinal(value)
    loose = ["", "ワン", "ツー", "スリー", "フォー", "ファイブ", "シックス", "セブン", "エイト", "ナイン", "テン"]
    return None if match["numeral"].isascii() else loose[value] if value <= 10 else cardinal(value)


def _operator(match: re.Match[str]) -> str:
    sign = unicodedata.normalize("NFKC", match[1] or match[2]).replace("−", "-")
    return {
        "+": "プラス",
        "-": "マイナス",
        "=": "イコール",
        "×": "かける",
        "x": "かける",
        "*": "かける",
        "÷": "わる",
        "<": "小なり",
        ">": "大なり",
    }[sign]


def _between(match: re.Match[str]) -> str:
    counter = match["counter"] or ""
    return f"{_number(match['first'])}から{_number(match['last'], counter)}"


def _domain(match: re.Match[str]) -> str:
    """Ends of addresses as they are said."""
    return {"com": "コム", "jp": "ジェーピー", "co": "シーオー", "net": "ネット", "org": "オーグ"}[match[0]]


_VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"


def _vulgar(match: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", match["vulgar"]).partition("⁄")
    whole = f"{_number(match['whole'])}と" if match["whole"] else ""
    return f"{whole}{cardinal(int(bottom))}分の{cardinal(int(top))}"


_D = "[0-9０-９]"
_WIDE = r"[０-９]{1,3}(?:，[０-９]{3})+(?![０-９])"
_NUMBER = rf"(?:{_WIDE}|{_D}{{1,3}}(?:,{_D}{{3}})+(?!{_D})(?:[.．]{_D}+)?|{_D}+(?:[.．]{_D}+)?)"
_NUM = rf"(?P<number>{_NUMBER})"
_LEFT = r"(?<![0-9０-９.．,，A-Za-z])"
_SIGN = r"(?P<sign>(?<![0-9０-９A-Za-z])[-−－–])?"
_SYMBOL = "|".join(sorted(map(re.escape, _TABLE.money), key=len, reverse=True))
_UNIT = "|".join(sorted(map(re.escape, _TABLE.units), key=len, reverse=True))
_COUNTER = "|".join(sorted({counter for _, counter in _ODD if counter}, key=len, reverse=True))
_WEEKDAY = "(?=[（(][月火水木金土日])"


def _addresses() -> list[Rule]:
    """Address rules with Japanese words run together as Japanese writes them."""
    voice = Voice(_TABLE.words, cardinal, _spell, _figures)
    made = [*addresses(voice), *telephones(voice, national=False)]

    def joined(rule: Rule) -> Rule:
        def say(match: re.Match[str]) -> str | None:
            words = rule.say(match)
            if words is None:
                return None
            words = re.sub(r"(?<=ドット )(?:com|jp|co|net|org)\b", _domain, words)
            return re.sub(
                r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])|(?<=[A-Za-z]) (?=[^\x00-\x7f])|(?<=[^\x00-\x7f]) (?=[A-Za-z])",
                "",
                words.replace(", ", "、"),
            )

        return Rule(rule.name, rule.pattern, say)

    return [joined(rule) for rule in made]


_RULES = [
    INVISIBLE,
    Rule(
        "unicode",
        re.compile("[\uff61-\uff9f]*[\uff66-\uff9f][\uff61-\uff9f]*"),
        lambda m: unicodedata.normalize("NFKC", m[0]),
    ),
    Rule("unicode", re.compile("[か-とは-ほカ-トハ-ホ][\u3099\u309a]"), lambda m: unicodedata.normalize("NFC", m[0])),
    Rule("unicode", re.compile("[Ａ-Ｚａ-ｚ]+"), lambda m: unicodedata.normalize("NFKC", m[0])),
    *_addresses(),
    Rule(
        "phone",
        re.compile(rf"(?<!{_D})(?P<post>〒[ ]?){_D}{{3}}[-－−]{_D}{{4}}(?!{_D})"),
        lambda m: "郵便番号、" + "の".join(map(_figures, re.findall(rf"{_D}+", m[0]))),
    ),
    Rule(
        "phone",
        re.compile(
            rf"{_LEFT}0{_D}{{0,4}}(?:[-－−]{_D}{{1,4}}){{2}}(?!{_D})|{_LEFT}[(（]0{_D}{{1,4}}[)）]{_D}{{1,4}}[-－−]{_D}{{4}}(?!{_D})"
        ),
        lambda m: "、".join(map(_figures, re.findall(rf"{_D}+", m[0]))),
    ),
    Rule(
        "phone",
        re.compile(rf"{_LEFT}0[5789]0{_D}{{8}}(?!{_D})"),
        lambda m: "、".join(map(_figures, (m[0][:3], m[0][3:7], m[0][7:]))),
    ),
    Rule(
        "date",
        re.compile(rf"{_LEFT}({_D}{{4}})([-/.])({_D}{{1,2}})\2({_D}{{1,2}})(?!{_D})"),
        lambda m: _date(m[1], m[3], m[4]),
    ),
    Rule(
        "date",
        re.compile(rf"{_LEFT}(?:({_D}{{1,4}})年)?({_D}{{1,2}})月({_D}{{1,2}})日(?!間)"),
        lambda m: _date(m[1], m[2], m[3]),
    ),
    Rule(
        "date",
        re.compile(rf"{_LEFT}({_D}{{1,2}})/({_D}{{1,2}})(?:{_WEEKDAY}|(?=に|から|まで))"),
        lambda m: _date(None, m[1], m[2]),
    ),
    Rule(
        "time",
        re.compile(rf"{_LEFT}(?P<h>{_D}{{1,2}})[:：](?P<m>{_D}{{2}})(?:[:：](?P<s>{_D}{{2}}))?(?![0-9０-９:：])"),
        _clock,
    ),
    Rule(
        "time", re.compile(rf"{_LEFT}(?P<h>{_D}{{1,2}})時(?P<m>{_D}{{1,2}})分(?:(?P<s>{_D}{{1,2}})秒)?(?!間)"), _clock
    ),
    Rule("currency", re.compile(rf"{_SIGN}(?P<symbol>{_SYMBOL})[ ]?{_NUM}(?P<big>[万億兆百千]+)?"), _money),
    Rule("currency", re.compile(rf"{_SIGN}{_LEFT}{_NUM}(?P<big>[万億兆]+)?(?P<symbol>{_SYMBOL})(?![A-Za-z])"), _money),
    Rule(
        "percent",
        re.compile(rf"{_SIGN}{_LEFT}{_NUM}[ ]?[%％]"),
        lambda m: f"{'マイナス' if m['sign'] else ''}{_number(m['number'])}パーセント",
    ),
    Rule(
        "unit",
        re.compile(rf"{_SIGN}{_LEFT}{_NUM}[ ]?(?:km/h|㎞/h)(?![A-Za-z])"),
        _speed,
    ),
    Rule("unit", re.compile(rf"{_SIGN}{_LEFT}{_NUM}[ ]?(?P<unit>{_UNIT})(?![A-Za-z²³/])"), _measure),
    Rule("fraction", re.compile(rf"(?:{_LEFT}(?P<whole>{_D}{{1,3}})[ ]?)?(?P<vulgar>[{_VULGAR}])"), _vulgar),
    Rule(
        "fraction",
        re.compile(rf"{_LEFT}({_D}{{1,4}})[/／⁄]({_D}{{1,4}})(?![0-9０-９/／])"),
        lambda m: f"{cardinal(int(m[2]))}分の{cardinal(int(m[1]))}",
    ),
    Rule("roman", re.compile(r"(?P<numeral>[Ⅰ-Ⅿⅰ-ⅿ]+|(?<=第)[IVX]+|(?<![A-Za-z])[IVX]+(?=世))"), _roman),
    Rule(
        "version",
        re.compile(rf"(?<!{_D}){_D}+(?:[.．]{_D}+){{2,}}(?!{_D})"),
        lambda m: "点".join(
            cardinal(int(part)) if len(part) < 5 else _figures(part) for part in re.findall(rf"{_D}+", m[0])
        ),
    ),
    Rule(
        "range",
        re.compile(
            rf"{_LEFT}(?P<first>{_NUMBER})[ ]?[〜～~–\-－−][ ]?(?P<last>{_NUMBER})"
            rf"(?P<counter>分|{_COUNTER})?"
            r"(?![0-9０-９])(?![ ]?[=＝])"
        ),
        _between,
    ),
    Rule(
        "math",
        re.compile(
            rf"(?<={_D})[ ]?([+＋=＝×x*÷<>＜＞])[ ]?(?=[0-9０-９(（\-−√π])|(?<={_D})[ ]?([-−－])[ ]?(?={_D}+[ ]?[=＝])"
        ),
        _operator,
    ),
    Rule(
        "number",
        re.compile(rf"(?<![0-9０-９A-Za-z)）])[-−－]{_NUM}(?P<counter>分|{_COUNTER})?"),
        lambda m: "マイナス" + _number(m["number"], m["counter"] or ""),
    ),
    Rule(
        "counter",
        re.compile(rf"{_NUM}(?P<counter>分(?!の|間)|{_COUNTER})"),
        lambda m: _number(m["number"], m["counter"]),
    ),
    Rule("number", re.compile(_NUM), lambda m: _number(m["number"])),
    Rule("number", re.compile("[①-⑳]"), lambda m: cardinal(int(unicodedata.normalize("NFKC", m[0])))),
    *abbreviations(_TABLE.abbreviations, r"(?<![A-Za-z.])"),
    Rule(
        "emoji",
        EMOJI,
        lambda m: emoji_words(m, COLUMNS["ja"], _TABLE.words["emoji"], "、") if m[1] not in _TABLE.signs else None,
    ),
    Rule(
        "symbol",
        re.compile(f"[{''.join(map(re.escape, _TABLE.signs))}]"),
        lambda m: None if m[0] == "々" else _TABLE.signs[m[0]],
    ),
    Rule("unicode", re.compile("[\u3200-\u33ff]+"), lambda m: unicodedata.normalize("NFKC", m[0])),
]


def normalize(pieces: Sequence[Spoken]) -> list[Spoken]:
    """Japanese text with everything that isn't a word turned into what is said; see ``rewrite`` for spans."""
    return rewrite(pieces, _RULES, spaced=False)
