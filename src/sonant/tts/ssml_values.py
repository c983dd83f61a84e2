"""What SSML's attributes may say, and what they mean here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from sonant.errors import BadInput, UnknownName
from sonant.text.g2p.espeak_languages import to_kokoro
from sonant.text.languages import canonical
from sonant.text.phonemes import SYMBOLS, encode
from sonant.text.tokens import Spoken
from sonant.tts.markup import duration_s
from sonant.tts.options import FASTEST, LOUDEST, SLOWEST
from sonant.tts.script import Manner

__all__ = ["EMPHASIS", "break_s", "check", "ipa_to_kokoro", "replacement", "turned"]

_ALLOWED: dict[str, tuple[str, ...]] = {
    "speak": ("version", "xmlns", "xmlns:xsi", "xsi:schemaLocation", "xml:lang", "xml:base"),
    "p": ("xml:lang",),
    "s": ("xml:lang",),
    "break": ("time", "strength"),
    "prosody": ("rate", "volume"),
    "phoneme": ("alphabet", "ph"),
    "sub": ("alias",),
    "say-as": ("interpret-as", "format", "detail"),
    "voice": ("name", "xml:lang"),
    "lang": ("xml:lang",),
    "emphasis": ("level",),
}
_NEEDED = {"phoneme": "ph", "sub": "alias", "say-as": "interpret-as", "lang": "xml:lang"}
_OF_TEXT = ("phoneme", "sub", "say-as")  # these hold nothing but text

EMPHASIS: dict[str, float | None] = {"strong": 2.0, "moderate": 1.0, "none": None, "reduced": -1.0}

# SSML names strengths and leaves seconds to the engine; "medium" is our pause between sentences.
_STRENGTHS = {"none": 0.0, "x-weak": 0.05, "weak": 0.15, "medium": 0.3, "strong": 0.6, "x-strong": 1.2}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
# Steps of 6 dB around the voice's own level.
_VOLUMES = {"silent": 0.0, "x-soft": 0.25, "soft": 0.5, "medium": 1.0, "default": 1.0, "loud": 1.5, "x-loud": 2.0}


def check(name: str, attributes: Mapping[str, str], parent: str | None) -> None:
    """Refuse elements and attributes that have no meaning here.

    Raises:
        UnknownName: names the nearest that has.
        BadInput: a needed attribute is missing, or an element stands where it can't.
    """
    if name not in _ALLOWED:
        raise UnknownName("SSML element", name, _ALLOWED, f"allowed: {' '.join(_ALLOWED)}")
    for attribute in attributes:
        if attribute not in _ALLOWED[name]:
            raise UnknownName("attribute", attribute, _ALLOWED[name], f"<{name}> takes {' '.join(_ALLOWED[name])}")
    needed = _NEEDED.get(name)
    if needed and not attributes.get(needed, "").strip():
        raise BadInput(f"<{name}> needs the attribute {needed}")
    if name == "voice" and not attributes:
        raise BadInput("<voice> needs a name or xml:lang")
    if parent in (*_OF_TEXT, "break"):
        raise BadInput(f"<{name}> inside <{parent}>, which holds {'nothing' if parent == 'break' else 'text alone'}")
    if name == "emphasis" and attributes.get("level", "moderate") not in EMPHASIS:
        raise UnknownName("emphasis level", attributes["level"], EMPHASIS)


def break_s(attributes: Mapping[str, str]) -> float:
    """Seconds of a break; without attributes a medium one."""
    if "time" in attributes:
        return duration_s(attributes["time"])
    strength = attributes.get("strength", "medium")
    if strength not in _STRENGTHS:
        raise UnknownName("break strength", strength, _STRENGTHS)
    return _STRENGTHS[strength]


def turned(manner: Manner, name: str, attributes: Mapping[str, str]) -> Manner:
    """The manner inside an element."""
    if language := attributes.get("xml:lang"):
        manner = replace(manner, language=canonical(language))
    if name == "voice" and "name" in attributes:
        if not attributes["name"].strip():
            raise BadInput("<voice> has an empty name; `sonant voices` lists all")
        manner = replace(manner, voice=attributes["name"].strip())
    if name == "prosody":
        rate = manner.rate * _rate(attributes.get("rate", "default"))
        gain = manner.gain * _volume(attributes.get("volume", "default"))
        if not SLOWEST <= rate <= FASTEST:
            raise BadInput(f"prosody rate is {rate:g} in all; allowed: {SLOWEST:g} to {FASTEST:g}")
        manner = replace(manner, rate=rate, gain=min(gain, LOUDEST))
    return manner


def _rate(value: str) -> float:
    """As "slow", "120%" of the default, "+20%" more than it, or a bare factor."""
    value = value.strip()
    if value in _RATES:
        return _RATES[value]
    percent = re.fullmatch(r"([+-]?)(\d+(?:\.\d+)?)%", value)
    if percent:
        number = float(percent[2]) / 100
        return 1 + number if percent[1] == "+" else 1 - number if percent[1] == "-" else number
    if re.fullmatch(r"\d*\.?\d+", value):
        return float(value)
    raise UnknownName("prosody rate", value, _RATES, "or write 120%, +20%, 1.2")


def _volume(value: str) -> float:
    """As "soft", "+6dB", "-20%", or 0 to 100 as in SSML 1.0."""
    value = value.strip()
    if value in _VOLUMES:
        return _VOLUMES[value]
    if decibels := re.fullmatch(r"([+-]?\d+(?:\.\d+)?)\s*dB", value, re.IGNORECASE):
        gain = 10 ** (float(decibels[1]) / 20)
        if gain > LOUDEST:
            raise BadInput(f"prosody volume {value}; at most +12dB")
        return gain
    if percent := re.fullmatch(r"([+-])(\d+(?:\.\d+)?)%", value):
        return max(0.0, 1 + float(percent[1] + percent[2]) / 100)
    if (number := re.fullmatch(r"(\d+(?:\.\d+)?)%?", value)) and float(number[1]) <= 100:
        return float(number[1]) / 100
    raise UnknownName("prosody volume", value, _VOLUMES, "or write +6dB, -20%, 0 to 100")


def replacement(name: str, attributes: Mapping[str, str], text: str, span: tuple[int, int], language: str) -> Spoken:
    """What <sub>, <phoneme> or <say-as> says in place of its text."""
    if name == "sub":
        return Spoken(attributes["alias"].strip(), span, "sub")
    if name == "phoneme":
        alphabet = attributes.get("alphabet", "ipa")
        if alphabet not in ("ipa", "x-kokoro", "kokoro"):
            raise UnknownName("phoneme alphabet", alphabet, ("ipa", "x-kokoro"))
        phonemes = attributes["ph"].strip()
        phonemes = ipa_to_kokoro(phonemes, language) if alphabet == "ipa" else phonemes
        encode(phonemes)
        return Spoken(text.strip(), span, "markup", phonemes=phonemes)
    return Spoken(_said_as(attributes, text.strip(), language), span, "say-as")


_KINDS = ("characters", "spell-out", "digits", "cardinal", "number", "ordinal", "date", "time", "telephone",
          "currency", "unit", "fraction", "address", "name")  # fmt: skip
_ORDINAL = {"e": "{}.º", "f": "{}e", "h": "{}वां", "i": "{}º", "p": "{}º", "j": "第{}", "z": "第{}"}


def _said_as(attributes: Mapping[str, str], text: str, language: str) -> str:
    """The text in a spelling that the normaliser reads as it is meant."""
    kind = attributes["interpret-as"].strip().lower()
    if kind not in _KINDS:
        raise UnknownName("interpret-as", kind, _KINDS)
    if kind in ("characters", "spell-out"):
        return ", ".join(character.upper() for character in text if not character.isspace())
    if kind in ("digits", "telephone"):
        groups = re.split(r"[^\d+]+", text) if kind == "telephone" else [text]
        spoken = [" ".join(character for character in group if not character.isspace()) for group in groups if group]
        return ", ".join(spoken)
    if kind == "ordinal":
        number = re.sub(r"\D", "", text)
        if not number:
            raise BadInput(f"say-as ordinal holds {text!r}; a number is needed")
        return f"{number}{_english_suffix(int(number))}" if language in "ab" else _ORDINAL[language].format(number)
    if kind == "date":
        return _date(text, attributes.get("format", ""))
    return text


def _english_suffix(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _date(text: str, order: str) -> str:
    """A date whose parts are in a named order ("dmy") as year-month-day, which every normaliser reads."""
    parts = re.findall(r"\d+", text)
    order = order.lower()
    if not order:
        return text
    if not re.fullmatch(r"[dmy]{1,3}", order) or len(set(order)) != len(order):
        raise BadInput(f"date format {order!r}; allowed: the letters d, m and y in the order of the text")
    if len(parts) != len(order) or len(order) < 3:
        return text
    fields = dict(zip(order, parts, strict=True))
    year = fields["y"] if len(fields["y"]) == 4 else f"20{fields['y']:0>2}"
    return f"{year}-{fields['m']:0>2}-{fields['d']:0>2}"


_TIES = {"͡": "^", "͜": "^"}
_ENGLISH = (
    ("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("oʊ", "O"), ("əʊ", "Q"), ("ɔɪ", "Y"), ("dʒ", "ʤ"), ("tʃ", "ʧ"),
    ("ɝ", "ɜɹ"), ("ɚ", "əɹ"), ("r", "ɹ"), ("ɫ", "l"), ("e", "ɛ"),
)  # fmt: skip


def ipa_to_kokoro(ipa: str, language: str = "a") -> str:
    """IPA as people write it, in the symbols of Kokoro's alphabet.

    English diphthongs and affricates are single symbols there (misaki, ``EN_PHONES.md``); ties, syllable dots and
    apostrophes for stress are understood.

    Raises:
        UnspeakableText: a sound that the alphabet lacks.
    """
    ipa = unicodedata.normalize("NFC", ipa).replace("'", "ˈ").replace(".", "").replace(":", "ː").replace("g", "ɡ")
    for mark, tie in _TIES.items():
        ipa = ipa.replace(mark, tie)
    if language in "ab":
        ipa = ipa.replace("^", "")
        for old, new in _ENGLISH:
            ipa = ipa.replace(old, new)
    return to_kokoro("".join(each if each in SYMBOLS else unicodedata.normalize("NFD", each) for each in ipa))
