"""English text with everything that isn't a word turned into words: the rules in their order of right."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from sonant.text.normalize import english_numbers as say
from sonant.text.normalize import english_tables as tables
from sonant.text.normalize.emoji import EMOJI
from sonant.text.normalize.english_rules import NUMBER, amounts, calendar, figures, stop
from sonant.text.normalize.rewrite import Rule, after, before, rewrite, roman_value
from sonant.text.tokens import Spoken

__all__ = ["normalize"]


def normalize(pieces: Sequence[Spoken], british: bool = False) -> list[Spoken]:
    """Normalise English; see ``rewrite`` for spans and rule names. ``british`` puts the day first in dates of figures.

    Pieces with number flags (the user's markup) say their number by the flags: "&" keeps "and", "n" reduces it, "a"
    says "a hundred".
    """
    result: list[Spoken] = []
    plain: list[Spoken] = []
    for piece in pieces:
        if piece.flags and piece.phonemes is None and re.fullmatch(NUMBER, piece.text.strip()):
            result += _plain(plain, british)
            result += _flagged(piece)
            plain = []
        else:
            plain.append(piece)
    return result + _plain(plain, british)


def _plain(pieces: Sequence[Spoken], british: bool) -> list[Spoken]:
    """Characters first, so that the rules for words and numbers meet no dressed ones."""
    plain = [part for piece in pieces for part in (_undressed(piece) if piece.phonemes is None else (piece,))]
    return rewrite(plain, _rules(british))


def _flagged(piece: Spoken) -> list[Spoken]:
    """A number said by its flags, in pieces where a word has phonemes of its own."""
    text = piece.text.strip()
    words = say.number(text, conjunction=bool(set("&n") & set(piece.flags)))
    result = []
    if "a" in piece.flags and words.startswith("one ") and len(words.split()) > 1:
        result.append(replace(piece, text="a", rule="number", phonemes="ə"))
        words = words[3:]
    return [*result, replace(piece, text=words, rule="number")]


@functools.cache
def _rules(british: bool) -> tuple[Rule, ...]:
    """All rules; those that need most context first."""
    return (
        Rule("emoji", EMOJI, lambda m: None if all(c in tables.SIGNS or c in _SILENT for c in m[1]) else _emoji(m)),
        Rule(
            "emoji",
            re.compile("([0-9#*])\ufe0f?\u20e3"),
            lambda m: say.digits(m[1]) or {"#": "hash", "*": "star"}[m[1]],
        ),
        *_marks(),
        *_addresses(),
        *calendar(british),
        *amounts(),
        *_abbreviations(),
        *figures(),
        *_signs(),
    )


_PICTURES = "\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_CONTROL = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_HIDDEN = f"[{_CONTROL}\u00ad\u200b\u200c\u200e\u200f\u2060\ufeff\u202a-\u202e]|(?<![{_PICTURES}])\u200d"
_DRESSED = "[\u0300-\u036f\u2080-\u2089\u2160-\u217f\u2460-\u2473\uff01-\uff5e\ufb00-\ufb06]"


def _bare(match: re.Match[str]) -> str:
    """A word without characters that only dress it: soft hyphens, ligatures, full-width letters, loose accents."""
    text = re.sub(_HIDDEN, "", match[0])
    return unicodedata.normalize("NFKC", text) if re.search(_DRESSED, text) else text


# Whole words, so that a rule sees them whole.
_TO_UNDRESS = re.compile(f"{_DRESSED}|{_HIDDEN}")
_IN_WORD = rf"[^\s{_PICTURES}]"
_CHARACTERS = (Rule("unicode", re.compile(rf"(?<!{_IN_WORD}){_IN_WORD}*?(?:{_DRESSED}|{_HIDDEN}){_IN_WORD}*"), _bare),)


def _undressed(piece: Spoken) -> list[Spoken]:
    """The piece with its dressed words bare."""
    return rewrite([piece], _CHARACTERS, spaced=False) if _TO_UNDRESS.search(piece.text) else [piece]


def _marks() -> list[Rule]:
    """Quotes and apostrophes in other spellings."""
    return [
        Rule("apostrophe", re.compile(r"(?<=[^\W\d_])[ʼ`´](?=[^\W\d_])"), lambda _: "'"),
        Rule("quote", re.compile("``|[«„‟]"), lambda _: "“"),
        Rule("quote", re.compile("''|[»]|(?<!\\d)″"), lambda _: "”"),
    ]


# ------------------------------------------------------------------------------------------------------------ addresses

_ENDINGS = (
    "com|org|net|edu|gov|mil|int|info|io|co|uk|us|ca|de|fr|eu|dev|app|ai|me|tv|ly|gg|xyz|biz|ch|at|nl|jp|cn|in|au|nz"
)
_ADDRESS_SIGNS = {
    ".": "dot",
    "/": "slash",
    "-": "dash",
    "_": "underscore",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "%": "percent",
    ":": "colon",
    "@": "at",
    "~": "tilde",
    "+": "plus",
    ",": "comma",
    ";": "semicolon",
    "!": "exclamation mark",
    "$": "dollar",
    "*": "star",
    "(": "open bracket",
    ")": "close bracket",
    "'": "apostrophe",
}
_SPELLED = frozenset("www io uk us de fr eu ai tv ch nl jp cn au nz id ip api url html css js php xml cdn".split())
_PARTS = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\S")


def _address(text: str) -> str:
    """An address said part by part: "ex-1.io/a" -> "ex dash one dot i.o slash a"."""
    words = []
    for part in _PARTS.findall(text):
        if part.isdecimal():
            words.append(say.cardinal(int(part)) if len(part) < 3 and part[0] != "0" else say.digits(part))
        elif part.lower() in _SPELLED:
            words.append(".".join(part.lower()))
        else:
            words.append(_ADDRESS_SIGNS.get(part, part))
    return " ".join(words)


def _url(match: re.Match[str]) -> str:
    """The scheme is not said; a slash at the end is not either."""
    return _address(match["rest"].removesuffix("/"))


def _addresses() -> list[Rule]:
    tail = r"[^\s<>\"“”]*[^\s<>\"“”.,;:!?'’)\]]"
    return [
        Rule(
            "email",
            re.compile(r"(?<![\w.+%-])(?:mailto:)?(?P<rest>[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)"),
            _url,
        ),
        Rule("url", re.compile(rf"(?i)\b(?:https?|ftp|file)://(?P<rest>{tail})"), _url),
        Rule("url", re.compile(rf"(?i)\b(?P<rest>www\.{tail})"), _url),
        Rule(
            "url",
            re.compile(
                rf"(?<![\w@.-])(?P<rest>(?:[a-zA-Z0-9-]{{1,63}}\.){{1,8}}(?:{_ENDINGS})(?:/(?:{tail})?)?)(?![\w@])(?!\.\w)"
            ),
            lambda m: _url(m) if re.search(r"[a-zA-Z]{2}", m["rest"]) else None,
        ),
        Rule("hashtag", re.compile(r"(?<![\w#&])#(?P<rest>[^\W\d_]\w*)"), lambda m: "hashtag " + _address(m["rest"])),
        Rule("mention", re.compile(r"(?<![\w@])@(?P<rest>[^\W\d_]\w+)"), lambda m: "at " + _address(m["rest"])),
    ]


# -------------------------------------------------------------------------------------------------------- abbreviations


def _saint(match: re.Match[str]) -> str:
    """St. and Dr.: Saint and Doctor before a name, Street and Drive behind one."""
    title, place = {"St": ("Saint", "Street"), "Dr": ("Doctor", "Drive")}[match["word"]]
    name_follows, name_before = after(match)[:1].isupper(), before(match)[:1].isupper()
    before_name = name_follows and not (name_before and match["word"] == "St")
    words = title if before_name or not name_before else place
    return words + (stop(match) if words == place else "")


def _numbered(match: re.Match[str]) -> str:
    value = roman_value(match["n"]) if match["n"] else None
    behind = say.cardinal(value) if value else match["n"] or ""
    return f"{tables.BEFORE_NUMBER[match['word']]} {behind}"


def _abbreviations() -> list[Rule]:
    titles, numbers = "|".join(tables.TITLES), "|".join(tables.BEFORE_NUMBER)
    others = "|".join(sorted(tables.ABBREVIATIONS, key=len, reverse=True))
    return [
        Rule("abbreviation", re.compile(r"\b(?P<word>St|Dr)(?:\.|(?= [A-Z]))"), _saint),
        Rule("abbreviation", re.compile(r"\b(Mrs?|Ms|Mx|Prof|Lt|Sgt|Capt)\.(?!\s*$)"), lambda m: tables.TITLES[m[1]]),
        Rule("abbreviation", re.compile(rf"\b({titles})\.(?=\s*[A-Z\"“'])"), lambda m: tables.TITLES[m[1]]),
        Rule("abbreviation", re.compile(rf"\b(?P<word>{numbers})\.[ \u00a0]?(?:(?=\d)|(?P<n>[IVX]+)\b)"), _numbered),
        Rule("abbreviation", re.compile(rf"\b({others})\."), lambda m: tables.ABBREVIATIONS[m[1]] + stop(m)),
        Rule("abbreviation", re.compile(r"\b(?i:w/o)(?!\w)"), lambda _: "without"),
        Rule("abbreviation", re.compile(r"(?<![\w/])w/(?=[ \w])"), lambda _: "with "),
        Rule("abbreviation", re.compile(r"\bvs\b(?!\.)"), lambda _: "versus"),
        Rule("initials", re.compile(r"(?<![\w.])(?:[^\W\d_]\.){2,}(?!\w)"), lambda m: m[0][:-1] + stop(m)),
        Rule(
            "initials",
            re.compile(r"(?<![\w.])[^\W\d_a-z]\.(?= [^\W\d_a-z][\w.])"),
            lambda m: None if stop(m) else m[0][:-1],
        ),
        Rule(
            "initials", re.compile(r"\b([A-Z]{1,4})&([A-Z]{1,4})\b"), lambda m: f"{'.'.join(m[1])} and {'.'.join(m[2])}"
        ),
        Rule("sharp", re.compile(r"\b(?P<note>[A-GF])#(?!\w)"), lambda m: f"{m['note']} sharp"),
    ]


# ---------------------------------------------------------------------------------------------------------------- signs

_SILENT = frozenset("*_~^|`#•·▪▫◦■□●○►▶▸◆◇★☆✓✔─━│┃═║…―—–-\"“”‘’'.,;:!?()[]{}<>/\\¿¡„«»‹›´\u2028\u2029\ufffc")


def _emoji(match: re.Match[str]) -> str:
    """The name of an emoji, from Unicode, set off by commas."""
    bare = re.sub("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f♂♀]", "", match[1])
    flags = re.fullmatch("[\U0001f1e6-\U0001f1ff]+", bare)
    if flags:
        words = "flag " + ".".join(chr(ord(letter) - 0x1F1E6 + ord("A")) for letter in bare)
    else:
        words = " ".join(_name(character) for character in bare if character != "\u200d")
    left, right = match.string[: match.start()].rstrip(), match.string[match.end() :]
    words = (", " if left and left[-1].isalnum() else " " if left else "") + words
    return words + ("," if re.match(r"\s+\w", right) else "")


def _name(character: str) -> str:
    """What Unicode calls a character, in lower case: "👍" -> "thumbs up"."""
    name = unicodedata.name(character, "").lower().removesuffix(" sign").removesuffix(" symbol")
    name = re.sub(
        r"\b(?:white|black|heavy|medium) (?=heart|star|check|smiling|large|small|heavy|medium|black)", "", name
    )
    return re.sub(r"[^a-z ]+", " ", name).strip() or "symbol"


def _sign(match: re.Match[str]) -> str | None:
    """Any other sign: its word, or its name in Unicode; punctuation is left to g2p."""
    sign = match[0]
    if sign in _SILENT:
        return None
    words = tables.SIGNS.get(sign)
    if words is None:
        if unicodedata.category(sign) in ("Co", "Cn"):
            return "symbol"
        if unicodedata.category(sign)[0] != "S":
            return None
        words = _name(sign)
    return words


def _signs() -> list[Rule]:
    number = r"(?=\.?\d)"
    return [
        Rule("sign", re.compile(r"(?<!\w)~" + number), lambda _: "about"),
        Rule("sign", re.compile(r"(?<!\w)#[ ]?" + number), lambda _: "number"),
        Rule("sign", re.compile(r"->|=>|-->"), lambda _: "to"),
        Rule("sign", re.compile(r"<=|>="), lambda m: tables.SIGNS["≤" if m[0] == "<=" else "≥"]),
        Rule("sign", re.compile(r"!="), lambda _: "is not equal to"),
        Rule("sign", re.compile(r"==="), lambda _: "equals"),
        Rule("sign", re.compile(r"={3,}|={2}"), lambda m: "equals" if len(m[0]) == 2 else ""),
        Rule("sign", re.compile(r"(?<=[\d)]) \* (?=[\d(])|(?<=\d)\*(?=\d)"), lambda _: "times"),
        Rule("sign", re.compile(r"(?<=\d) / (?=\d)"), lambda _: "divided by"),
        Rule("sign", re.compile(r"(?<=\d) - (?=\d)"), lambda _: "minus"),
        Rule("range", re.compile(r"(?<=\d)[-–](?=\d)|(?<=[ap]m)[-–](?=\d)"), lambda _: "to"),
        Rule("sign", re.compile(r"(?<=\w)\^(?=[\w(])"), lambda _: "to the power of"),
        Rule("sign", re.compile(r"(?<=[\w)] )<(?= [\w(])"), lambda _: "is less than"),
        Rule("sign", re.compile(r"(?<=[\w)] )>(?= [\w(])"), lambda _: "is greater than"),
        Rule("sign", re.compile(r"(?<=\w)\\(?=\w)"), lambda _: "backslash"),
        Rule("sign", re.compile(r"(?<=[A-Za-z])&(?=[A-Za-z])"), lambda _: "and"),
        Rule("sign", re.compile(r"[^\w\s]"), _sign),
    ]
