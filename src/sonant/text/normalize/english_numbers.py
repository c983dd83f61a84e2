"""English words for numbers: no commas, no hyphens, no "and" unless asked for, as the voices learnt to say them."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["DIGITS", "cardinal", "decimal", "digits", "fraction", "number", "ordinal", "plural", "vulgar", "year"]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SMALL = (
    *DIGITS,
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_POWERS = ("", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion")
_MOST_FIGURES = 3 * len(_POWERS)
_CEILING = 10**_MOST_FIGURES
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(n: int, conjunction: bool = False) -> str:
    """1234 -> "one thousand two hundred thirty four"; with ``conjunction`` "... two hundred and thirty four"."""
    if n < 0:
        return "minus " + cardinal(-n, conjunction)
    if n >= _CEILING:
        return digits(str(n))
    groups: list[str] = []
    rest, power = n, 0
    while rest:
        rest, low = divmod(rest, 1000)
        if low:
            words = _below_thousand(low, conjunction)
            # "one thousand and five"
            joint = "and " if conjunction and power == 0 and rest and low < 100 else ""
            groups.append(f"{joint}{words} {_POWERS[power]}".strip())
        power += 1
    return " ".join(reversed(groups)) or DIGITS[0]


def _below_thousand(n: int, conjunction: bool) -> str:
    hundreds, rest = divmod(n, 100)
    words = [DIGITS[hundreds], "hundred"] if hundreds else []
    if hundreds and rest and conjunction:
        words.append("and")
    if rest >= 20:
        words += [_TENS[rest // 10], *([DIGITS[rest % 10]] if rest % 10 else [])]
    elif rest:
        words.append(_SMALL[rest])
    return " ".join(words)


def ordinal(n: int) -> str:
    """21 -> "twenty first"."""
    head, _, last = cardinal(n).rpartition(" ")
    last = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return f"{head} {last}".strip()


def plural(words: str) -> str:
    """The last word in the plural: "twenty five cent" -> "twenty five cents", "ninety" -> "nineties"."""
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("s", "x", "ch", "sh")) else "s")


def year(n: int) -> str:
    """1990 -> "nineteen ninety", 1905 -> "nineteen oh five", 2004 -> "two thousand four"."""
    high, low = divmod(n, 100)
    if high == 0 or high >= 100 or (high % 10 == 0 and low < 10):
        return cardinal(n)
    if low == 0:
        return f"{cardinal(high)} hundred"
    return f"{cardinal(high)} oh {cardinal(low)}" if low < 10 else f"{cardinal(high)} {cardinal(low)}"


def digits(text: str) -> str:
    """Figures one by one; other characters are left out."""
    return " ".join(DIGITS[int(figure)] for figure in text if figure.isdecimal())


def decimal(text: str) -> str:
    """Figures behind the point, one by one."""
    return "point " + digits(text)


def number(text: str, conjunction: bool = False) -> str:
    """A number as it is written, without years: "1,234.5" -> "one thousand two hundred thirty four point five"."""
    sign = "minus " if text[:1] in "-−" and text else ""
    whole, point, rest = text.lstrip("-−+").replace(",", "").partition(".")
    if not whole:
        words = ""
    elif (len(whole) > 1 and whole[0] == "0") or len(whole) > _MOST_FIGURES:
        words = digits(whole)
    else:
        words = cardinal(int(whole), conjunction)
    return sign + " ".join(part for part in (words, decimal(rest) if point and rest else "") if part)


def fraction(top: int, bottom: int) -> str:
    """3/4 -> "three quarters"."""
    name = {2: "half", 4: "quarter"}.get(bottom) or ordinal(bottom)
    if top != 1:
        name = "halves" if bottom == 2 else plural(name)
    return f"{cardinal(top)} {name}"


def vulgar(value: float) -> str:
    """The words of a one-character fraction such as ¾, by its value."""
    exact = Fraction(value).limit_denominator(20)
    return fraction(exact.numerator, exact.denominator)
