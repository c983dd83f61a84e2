"""Spelled-out English numbers as figures, the way Whisper's published error rates count them.

"twenty-one thousand and five dollars" -> "$21005", "nineteen sixties" -> "1960s", "one oh one" -> "101". Rules of
openai-whisper ``normalizers/english.py`` (``EnglishNumberNormalizer``), quirks included: a rate is only comparable with
the same folding. This is for measuring; what is spoken goes through ``text.normalize``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

__all__ = ["figures"]

ZEROS = frozenset({"o", "oh", "zero"})
ONES = {
    name: value
    for value, name in enumerate(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen".split(),
        1,
    )
}
TENS = {
    name: 10 * value for value, name in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
POWERS = {"hundred": 100} | {
    name: 1000**power
    for power, name in enumerate(
        "thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion "
        "decillion".split(),
        1,
    )
}
_IRREGULAR = {"zeroth": (0, "th"), "first": (1, "st"), "second": (2, "nd"), "third": (3, "rd")}
_IRREGULAR |= {"fifth": (5, "th"), "twelfth": (12, "th")}
ONES_ENDED = (
    {"sixes" if name == "six" else name + "s": (value, "s") for name, value in ONES.items()}
    | _IRREGULAR
    | {
        name + ("h" if name.endswith("t") else "th"): (value, "th")
        for name, value in ONES.items()
        if value > 3 and value not in (5, 12)
    }
)
TENS_ENDED = {name.replace("y", "ies"): (value, "s") for name, value in TENS.items()} | {
    name.replace("y", "ieth"): (value, "th") for name, value in TENS.items()
}
POWERS_ENDED = {name + "s": (value, "s") for name, value in POWERS.items()} | {
    name + "th": (value, "th") for name, value in POWERS.items()
}
SIGNS = {"minus": "-", "negative": "-", "plus": "+", "positive": "+"}  # before a number
CURRENCIES = {"pound": "£", "euro": "€", "dollar": "$", "cent": "¢"}  # after one
CURRENCIES |= {name + "s": sign for name, sign in CURRENCIES.items()}
PERCENT = frozenset({"per", "percent"})
SPECIALS = frozenset({"and", "double", "triple", "point"})
DIGITS = frozenset({*ONES, *TENS, *ZEROS})  # may follow "point"
PREFIXES = frozenset({*SIGNS.values(), *CURRENCIES.values()})
KNOWN = frozenset({*DIGITS, *ONES_ENDED, *TENS_ENDED, *POWERS, *POWERS_ENDED, *SIGNS, *CURRENCIES, *PERCENT, *SPECIALS})
_FIGURES = re.compile(r"^\d+(\.\d+)?$")


def figures(text: str) -> str:
    """Lower-case text with its numbers as figures."""
    return _tidy(" ".join(_Reader().read(_prepare(text).split())))


def _prepare(text: str) -> str:
    """A half after a number is "point five"; figures stand apart from letters, but not from "th" or "s"."""
    pieces = re.split(r"\band\s+a\s+half\b", text)
    parts = []
    for number, piece in enumerate(pieces, 1):
        if not piece.strip():
            continue
        parts.append(piece)
        if number < len(pieces):
            last = piece.rsplit(maxsplit=2)[-1]
            parts.append("point five" if last in DIGITS or last in POWERS else "and a half")
    text = " ".join(parts)
    text = re.sub(r"([a-z])([0-9])", r"\1 \2", text)
    text = re.sub(r"([0-9])([a-z])", r"\1 \2", text)
    return re.sub(r"([0-9])\s+(st|nd|rd|th|s)\b", r"\1\2", text)


def _tidy(text: str) -> str:
    """Dollars and cents are one amount, amounts below one are cents, and a lone 1 is "one"."""
    text = re.sub(
        r"([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})\b", lambda found: f"{found[1]}{found[2]}.{int(found[3]):02d}", text
    )
    text = re.sub(r"[€£$]0.([0-9]{1,2})\b", lambda found: f"¢{int(found[1])}", text)
    return re.sub(r"\b1(s?)\b", r"one\1", text)


class _Reader:
    """Reads words one by one; ``value`` is the number so far: an int that can still grow, or figures in a row."""

    def __init__(self) -> None:
        self.value: int | str | None = None
        self.prefix = ""
        self.skip = False

    def read(self, words: list[str]) -> Iterator[str]:
        """The words with numbers as figures."""
        for before, word, after in zip([None, *words], words, [*words[1:], None], strict=False):
            if self.skip:
                self.skip = False
                continue
            yield from self.word(before, word, after)
        yield from self.flush()

    def word(self, before: str | None, word: str, after: str | None) -> Iterator[str]:
        """What one word completes; most words only add to the number."""
        numeric_after = after is not None and (after in KNOWN or _FIGURES.match(after) is not None)
        bare = word[1:] if word[0] in PREFIXES else word
        if _FIGURES.match(bare):
            yield from self.given_figures(word, bare)
        elif word not in KNOWN:
            yield from self.flush(word)
        elif word in ZEROS:
            self.value = str(self.value or "") + "0"
        elif word in ONES:
            self.value = self.joined_ones(ONES[word], before)
        elif word in ONES_ENDED:
            value, ending = ONES_ENDED[word]
            yield self.output(f"{self.joined_ones(value, before)}{ending}")
        elif word in TENS:
            self.value = self.joined(TENS[word], 100)
        elif word in TENS_ENDED:
            value, ending = TENS_ENDED[word]
            yield self.output(f"{self.joined(value, 100)}{ending}")
        elif word in POWERS:
            yield from self.multiplied(POWERS[word])
        elif word in POWERS_ENDED:
            yield from self.multiplied_and_ended(*POWERS_ENDED[word])
        elif word in SIGNS:
            yield from self.flush()
            if numeric_after:
                self.prefix = SIGNS[word]
            else:
                yield self.output(word)
        elif word in CURRENCIES:
            if self.value is not None:
                self.prefix = CURRENCIES[word]
                yield from self.flush()
            else:
                yield self.output(word)
        elif word in PERCENT:
            yield from self.percent(word, after)
        elif not numeric_after:
            yield from self.flush(word)
        else:
            yield from self.special(before, word, after)

    def output(self, text: str | int) -> str:
        """A finished piece, with the prefix that waits for it."""
        text = f"{self.prefix}{text}"
        self.value, self.prefix = None, ""
        return text

    def flush(self, *words: str) -> Iterator[str]:
        """The number so far, if there is one, then words."""
        if self.value is not None:
            yield self.output(self.value)
        for word in words:
            yield self.output(word)

    def given_figures(self, word: str, bare: str) -> Iterator[str]:
        """Figures in the text; after "192." they are the next part of an address or of a decimal."""
        if isinstance(self.value, str) and self.value.endswith("."):
            self.value += word
            return
        yield from self.flush()
        if word != bare:
            self.prefix = word[0]
        number = Fraction(bare)
        self.value = number.numerator if number.denominator == 1 else bare

    def joined_ones(self, ones: int, before: str | None) -> int | str:
        """The number with 1 to 19 added, or set behind it."""
        if self.value is None:
            return ones
        if isinstance(self.value, str) or before in ONES:
            figures_so_far = str(self.value)
            if before in TENS and ones < 10:  # "nineteen twenty one": the zero of twenty becomes the one
                return figures_so_far[:-1] + str(ones)
            return figures_so_far + str(ones)
        return self.joined(ones, 10 if ones < 10 else 100)

    def joined(self, number: int, step: int) -> int | str:
        """The number with another added where it ends in enough zeros, else set behind it."""
        if self.value is None:
            return number
        if isinstance(self.value, int) and self.value % step == 0:
            return self.value + number
        return str(self.value) + str(number)

    def multiplied(self, power: int) -> Iterator[str]:
        """The number times hundred, thousand ...: of an int only what stands behind its last thousands."""
        if self.value is None:
            self.value = power
        elif isinstance(self.value, str) or self.value == 0:
            product = _product(self.value, power)
            if product is None:
                yield self.output(self.value)
                product = power
            self.value = product
        else:
            self.value = self.value // 1000 * 1000 + self.value % 1000 * power

    def multiplied_and_ended(self, power: int, ending: str) -> Iterator[str]:
        """The same with "th" or "s" behind it."""
        if self.value is None:
            yield self.output(f"{power}{ending}")
        elif isinstance(self.value, str):
            product = _product(self.value, power)
            if product is None:
                yield self.output(self.value)
                product = power
            yield self.output(f"{product}{ending}")
        else:
            yield self.output(f"{self.value // 1000 * 1000 + self.value % 1000 * power}{ending}")

    def percent(self, word: str, after: str | None) -> Iterator[str]:
        """A percent sign for "percent" and "per cent" behind a number."""
        if self.value is None:
            yield self.output(word)
        elif word == "percent" or after == "cent":
            self.skip = word == "per"
            yield self.output(f"{self.value}%")
        else:
            yield from self.flush(word)

    def special(self, before: str | None, word: str, after: str | None) -> Iterator[str]:
        """And, double, triple, point, where a number may follow."""
        if word == "and":
            if before not in POWERS:  # "two hundred and five" goes on
                yield from self.flush(word)
        elif word == "point":
            if after in DIGITS or (after is not None and _FIGURES.match(after)):
                self.value = f"{self.value or ''}."
        elif after in ONES or after in ZEROS:
            self.value = str(self.value or "") + str(ONES.get(str(after), 0)) * (2 if word == "double" else 3)
            self.skip = True
        else:
            yield from self.flush(word)


def _product(number: int | str, power: int) -> int | None:
    """Their product where it is whole; None where it isn't, or where there is no number."""
    try:
        product = Fraction(number) * power
    except ValueError:
        return None
    return product.numerator if product.denominator == 1 else None
