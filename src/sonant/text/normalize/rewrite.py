"""Rewriting of text by rules, the span of the original kept: under the normalisers of all languages but English.

A rule is a pattern and what to say for it. Rules are tried in order over the whole text, so that a pattern sees its
surroundings; what an earlier rule has claimed is closed to later ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sonant.text.tokens import Spoken

__all__ = ["INVISIBLE", "Rule", "after", "before", "full_stop", "rewrite", "roman_value"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a normaliser.

    Attributes:
        name: what ``Spoken.rule`` will say of the pieces it makes.
        pattern: where it applies.
        say: the spoken form of a match; None leaves the text to later rules.
    """

    name: str
    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A stretch of a piece that a rule speaks for."""

    start: int
    end: int
    text: str
    rule: str


def rewrite(pieces: Iterable[Spoken], rules: Sequence[Rule], spaced: bool = True) -> list[Spoken]:
    """Apply ``rules`` to every piece without fixed phonemes.

    Args:
        pieces: text of the user, markup already taken out.
        rules: in order of right: the first to claim a stretch keeps it.
        spaced: put a space where a spoken form would run into a letter or digit beside it ("MP3"); False for scripts
            that write no spaces.

    Returns:
        Pieces in order. Untouched text keeps its rule and, character by character, its span; a spoken form has the span
        of what it stands for and the name of its rule.
    """
    result: list[Spoken] = []
    for piece in pieces:
        if piece.phonemes is not None or not piece.text:
            result.append(piece)
        else:
            result.extend(_cut(piece, _claims(piece.text, rules), spaced))
    return result


def _claims(text: str, rules: Sequence[Rule]) -> list[_Claim]:
    """The claims of all rules on one text, in order of place."""
    claims: list[_Claim] = []
    closed = bytearray(len(text))
    for rule in rules:
        position = 0
        while (match := rule.pattern.search(text, position)) is not None:
            start, end = match.span()
            position = max(end, start + 1)
            if start == end:
                continue
            taken = closed.find(1, start, end)
            if taken >= 0:
                # Try again just behind the claimed stretch: the pattern may fit there in full.
                position = taken + 1
                while position < len(text) and closed[position]:
                    position += 1
                continue
            spoken = rule.say(match)
            if spoken is None:
                position = start + 1
                continue
            claims.append(_Claim(start, end, spoken, rule.name))
            closed[start:end] = b"\x01" * (end - start)
    return sorted(claims, key=lambda claim: claim.start)


def _cut(piece: Spoken, claims: list[_Claim], spaced: bool) -> Iterable[Spoken]:
    """Cut one piece along its claims."""
    text, (start, _) = piece.text, piece.span
    aligned = piece.rule == "text" and piece.span[1] - start == len(text)

    def span(first: int, last: int) -> tuple[int, int]:
        return (start + first, start + last) if aligned else piece.span

    place, previous = 0, ""
    for number, claim in enumerate(claims):
        if claim.start > place:
            yield replace(piece, text=text[place : claim.start], span=span(place, claim.start))
            previous = text[claim.start - 1]
        spoken = claim.text
        if spaced and spoken:
            follows = claims[number + 1] if number + 1 < len(claims) and claims[number + 1].start == claim.end else None
            following = (follows.text[:1] if follows else text[claim.end : claim.end + 1]) or " "
            spoken = (" " if _runs_into(previous, spoken[0]) else "") + spoken
            spoken += " " if _runs_into(spoken[-1], following) else ""
        yield replace(piece, text=spoken, span=span(claim.start, claim.end), rule=claim.rule)
        place, previous = claim.end, spoken[-1:] or previous
    if place < len(text):
        yield replace(piece, text=text[place:], span=span(place, len(text)))


def _runs_into(left: str, right: str) -> bool:
    """Whether two neighbours would read as one word."""
    return bool(left) and (_is_lettery(left) or left in ",;:.") and _is_lettery(right)


def _is_lettery(sign: str) -> bool:
    """Whether a sign belongs to a word: a letter, figure, or vowel sign of an Indic script."""
    return unicodedata.category(sign)[0] in "LMN"


def before(match: re.Match[str]) -> str:
    """The word before a match, an abbreviation without its dot; "" when other punctuation or nothing stands there."""
    left = match.string[max(0, match.start() - 40) : match.start()]
    found = re.search(r"([^\W\d_]+)['’ \u00a0\u202f]*$|\b([^\W\d_]{1,4})\.[ \u00a0\u202f]*$", left)
    return (found[1] or found[2]) if found else ""


def after(match: re.Match[str]) -> str:
    """The word after a match ("" when punctuation or nothing stands there)."""
    found = re.match(r"[ \u00a0\u202f]+([^\W\d_]+)", match.string[match.end() : match.end() + 40])
    return found[1] if found else ""


_SENTENCE_END = re.compile(r"[ \u00a0]*[\"”»’')]*[ \u00a0]*(?:\n|$)")


def full_stop(match: re.Match[str]) -> str:
    """A dot where that of an abbreviation ends the sentence too: at the end of the text or of a line; else ""."""
    return "." if match[0].endswith(".") and _SENTENCE_END.match(match.string, match.end()) else ""


_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman_value(numeral: str) -> int | None:
    """Value of a Roman numeral in its regular spelling (1-3999), else None."""
    if not numeral or not _ROMAN.fullmatch(numeral):
        return None
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return sum(
        -value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True)
    )


INVISIBLE = Rule(
    "invisible",
    re.compile(
        "[\u00ad\u200b\u200c\u200e\u200f\u2060\ufeff\u202a-\u202e]+"
        "|(?<![\u2600-\U0001faff\ufe0f])[\u200d\ufe0e\ufe0f]|(?<=[0-9#*])\ufe0f?\u20e3"
    ),
    lambda _: "",
)
"""Signs that say nothing: soft hyphens, zero-width spaces, marks of direction, keycaps around figures. Joiners and
variation selectors inside an emoji stay for the emoji rule."""
