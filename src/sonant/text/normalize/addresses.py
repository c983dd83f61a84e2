"""E-mail and web addresses, names with @ and #, telephone numbers: alike in all languages, spoken in the words
of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sonant.text.normalize.rewrite import Rule

__all__ = ["Voice", "addresses"]


@dataclass(frozen=True, slots=True)
class Voice:
    """What a language gives for addresses.

    Attributes:
        words: names of dot, at, dash, underscore, slash, colon, plus, hash, equals, and, percent_sign, question, tilde,
            www, hashtag.
        cardinal: (n, gender) -> words.
        spell: letters and figures one by one.
        group: one group of figures of a telephone number -> words.
    """

    words: Mapping[str, str]
    cardinal: Callable[[int, str], str]
    spell: Callable[[str], str]
    group: Callable[[str], str]


def addresses(voice: Voice) -> list[Rule]:
    """E-mail, web addresses, names with @ and #, telephone numbers."""
    signs = {
        ".": "dot",
        "@": "at",
        "-": "dash",
        "_": "underscore",
        "/": "slash",
        ":": "colon",
        "+": "plus",
        "#": "hash",
    }
    signs |= {"=": "equals", "&": "and", "%": "percent_sign", "?": "question", "~": "tilde"}

    def address(match: re.Match[str]) -> str:
        text = re.sub(r"^[a-z]+://", "", match[0], flags=re.IGNORECASE).rstrip("/")
        parts = re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", text)
        said = []
        for part in parts:
            if part.isdecimal():
                said.append(voice.cardinal(int(part), "") if len(part) <= 4 and part[0] != "0" else voice.spell(part))
            elif part.lower() == "www":
                said.append(voice.words["www"])
            elif part in signs:
                said.append(voice.words[signs[part]])
            elif len(part) == 1 or (part.isalpha() and part.isupper()):
                said.append(voice.spell(part))
            else:
                said.append(part)
        return " ".join(said)

    def phone(match: re.Match[str]) -> str:
        groups = re.findall(r"\d+", match[0])
        if match[0].lstrip("( ").startswith("+"):
            return ", ".join(
                [f"{voice.words['plus']} {voice.cardinal(int(groups[0]), '')}", *map(voice.group, groups[1:])]
            )
        return ", ".join(map(voice.group, groups))

    tld = r"(?:com|org|net|edu|gov|gob|info|io|ai|app|dev|eu|es|fr|it|br|pt|mx|ar|cl|co|pe|in|jp|cn|tw|uk|us|de|ch|tv)"
    gap = r"[ .\-\u00a0\u202f/]"
    return [
        Rule("email", re.compile(r"(?<![\w.])[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+"), address),
        Rule(
            "url",
            re.compile(r"\b(?:https?|ftp)://[^\s<>“”\"«»]*[\w/]|\bwww\.[^\s<>“”\"«»]*[\w/]", re.IGNORECASE),
            address,
        ),
        Rule(
            "url",
            re.compile(rf"(?<![\w@.])[a-zA-Z][\w\-]*(?:\.[\w\-]+)*\.{tld}\b(?:/[\w\-./?=&%#]*[\w/])?(?![\w@])"),
            address,
        ),
        Rule("handle", re.compile(r"(?<![\w@])@[A-Za-z_]\w+"), address),
        Rule(
            "hashtag", re.compile(r"(?<![\w#&])#[^\W\d]\w+"), lambda m: f"{voice.words['hashtag']} {_camel(m[0][1:])}"
        ),
        Rule("phone", re.compile(rf"(?<![\w.,])\+\d{{1,3}}(?:{gap}?\(?\d{{1,4}}\)?){{2,6}}(?!\w)"), phone),
        Rule("phone", re.compile(rf"(?<![\w.,+])\(\d{{2,4}}\){gap}?\d{{3,5}}{gap}\d{{3,4}}(?!\w)"), phone),
        Rule("phone", re.compile(r"(?<![\w.,+])0\d(?:[ .\u00a0\u202f]\d\d){4}(?!\w)"), phone),
        Rule(
            "phone",
            re.compile(r"(?<![\w.,+])[689]\d\d(?:[ \u00a0]\d{3}[ \u00a0]\d{3}|(?:[ \u00a0]\d\d){3})(?![\w%]|[ ]?[€$])"),
            phone,
        ),
        Rule("phone", re.compile(r"(?<![\w.,+])\d{4,5}-\d{4}(?!\w|-)"), lambda m: None if _years(m[0]) else phone(m)),
        Rule("phone", re.compile(r"(?<![\w.,+])0\d{3}[ \-]\d{3}[ \-]\d{3,4}(?!\w|-)"), phone),
        Rule("phone", re.compile(r"(?<![\w.,+])(?:0\d{1,3}|3\d\d)[ ./\-](?:\d{3}[ .]\d{3,5}|\d{6,8})(?!\w)"), phone),
        Rule("phone", re.compile(r"(?<![\w.,+])\d{3}-\d{3,4}-\d{3,4}(?!\w|-)"), phone),
    ]


def _camel(name: str) -> str:
    """The words of a hashtag: "BuenosDias" -> "Buenos Dias"."""
    return re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|_", " ", name))


def _years(text: str) -> bool:
    """Whether "2010-2015" looks like two years."""
    first, _, last = text.partition("-")
    return len(first) == 4 and 1000 <= int(first) < int(last) <= 2100
