"""E-mail and web addresses, names with @ and #, telephone numbers: alike in all languages, spoken in the words
of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sonant.text.normalize.rewrite import Rule

__all__ = ["Voice", "addresses", "telephones"]


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
    """E-mail, web addresses, names with @ and #."""
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

    def hashtag(match: re.Match[str]) -> str:
        words = re.split(r"(\d+)", _camel(match[0][1:]))
        said = [voice.cardinal(int(part), "") if part.isdecimal() and len(part) <= 4 else part for part in words]
        return " ".join(
            [voice.words["hashtag"], *(voice.spell(p) if p.isdecimal() else p.strip() for p in said if p.strip())]
        )

    tld = r"(?:com|org|net|edu|gov|gob|info|io|ai|app|dev|eu|es|fr|it|br|pt|mx|ar|cl|co|pe|in|jp|cn|tw|uk|us|de|ch|tv)"
    path = r"(?:/[\w\-./?=&%#~+]*[\w/])?"
    return [
        Rule("email", re.compile(r"(?<![\w.])[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+", re.ASCII), address),
        Rule(
            "url",
            re.compile(r"\b(?:https?|ftp)://[!-;=?-~]*[\w/]|\bwww\.[!-;=?-~]*[\w/]", re.IGNORECASE | re.ASCII),
            address,
        ),
        Rule(
            "url", re.compile(rf"(?<![\w@.])[a-zA-Z][\w\-]*(?:\.[\w\-]+)*\.{tld}\b{path}(?![\w@])", re.ASCII), address
        ),
        Rule("handle", re.compile(r"(?<![\w@])@[A-Za-z_]\w+", re.ASCII), address),
        Rule("hashtag", re.compile(r"(?<![\w#&])#[^\W\d]\w+"), hashtag),
    ]


_GAP = r"[ .\-\u00a0\u202f/]"


def telephones(voice: Voice, national: bool = True) -> list[Rule]:
    """Telephone numbers: with a country's code, and (``national``) in the groupings of Europe and America."""

    def phone(match: re.Match[str]) -> str:
        groups = re.findall(r"\d+", match[0])
        if match[0].lstrip("( ").startswith("+"):
            return ", ".join(
                [f"{voice.words['plus']} {voice.cardinal(int(groups[0]), '')}", *map(voice.group, groups[1:])]
            )
        return ", ".join(map(voice.group, groups))

    abroad = Rule(
        "phone", re.compile(rf"(?<![\w.,])\+\d{{1,3}}(?:{_GAP}?\(?\d{{1,4}}\)?){{2,6}}(?!\w)", re.ASCII), phone
    )
    if not national:
        return [abroad]
    patterns = (
        rf"\(\d{{2,4}}\){_GAP}?\d{{3,5}}{_GAP}\d{{3,4}}(?!\w)",
        r"0\d(?:[ .\u00a0\u202f]\d\d){4}(?!\w)",
        r"[689]\d\d(?:[ \u00a0]\d{3}[ \u00a0]\d{3}|(?:[ \u00a0]\d\d){3})(?![\w%]|[ ]?[€$])",
        r"\d{5}-\d{4}(?!\w|-)",
        r"0\d{3}[ \-]\d{3}[ \-]\d{3,4}(?!\w|-)",
        r"(?:0\d{1,3}|3\d\d)[ ./\-](?:\d{3}[ .]\d{3,5}|\d{6,8})(?!\w)",
        r"\d{3}-\d{3,4}-\d{3,4}(?!\w|-)",
    )
    inland = [Rule("phone", re.compile(r"(?<![\w.,+])" + pattern, re.ASCII), phone) for pattern in patterns]
    four = re.compile(r"(?<![\w.,+])\d{4}-\d{4}(?!\w|-)", re.ASCII)
    return [abroad, *inland, Rule("phone", four, lambda m: None if _years(m[0]) else phone(m))]


def _camel(name: str) -> str:
    """The words of a hashtag: "BuenosDias" -> "Buenos Dias"."""
    return re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|_", " ", name))


def _years(text: str) -> bool:
    """Whether "2010-2015" looks like two years."""
    first, _, last = text.partition("-")
    return len(first) == 4 and 1000 <= int(first) < int(last) <= 2100
