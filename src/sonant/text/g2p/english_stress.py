"""Stress marks, endings and sound classes of Kokoro's English phonemes.

The scale of stress and the classes are those that the voices were trained with (hexgrad/misaki 0.9.4, ``en.py``).
"""

from __future__ import annotations

__all__ = [
    "CONSONANTS",
    "PRIMARY",
    "SECONDARY",
    "VOWELS",
    "add_ed",
    "add_ing",
    "add_s",
    "restress",
    "weight",
]

PRIMARY, SECONDARY = "ˈ", "ˌ"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ")  # the article ɐ is not one: "to a" looks through it
CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
_LONG = frozenset("AIOQWYʤʧ")  # symbols that stand for two sounds
_TAPPED_AFTER = frozenset("AIOWYiuæɑəɛɪɹʊʌ")  # American t between these and a vowel is a tap


def weight(phonemes: str) -> int:
    """Length of a word in sounds: double symbols count twice."""
    return sum(2 if symbol in _LONG else 1 for symbol in phonemes)


def restress(phonemes: str, change: float | None) -> str:
    """Change a word's stress.

    Args:
        phonemes: of one word.
        change: -2 takes all stress away; -1 makes primary secondary; -0.5 and 0 do so where there is a primary;
            0, 0.5 and 1 give an unstressed word secondary stress; 1 and 2 make secondary primary; 2 gives an unstressed
            word primary stress. None changes nothing.
    """
    if change is None:
        return phonemes
    marked = PRIMARY in phonemes or SECONDARY in phonemes
    if change < -1:
        return phonemes.replace(PRIMARY, "").replace(SECONDARY, "")
    if change == -1 or (change in (0, -0.5) and PRIMARY in phonemes):
        return phonemes.replace(SECONDARY, "").replace(PRIMARY, SECONDARY)
    if change >= 0 and not marked:
        return _before_vowel(phonemes, PRIMARY if change > 1 else SECONDARY)
    if change >= 1 and PRIMARY not in phonemes:
        return phonemes.replace(SECONDARY, PRIMARY)
    return phonemes


def _before_vowel(phonemes: str, mark: str) -> str:
    """The mark put before the first vowel; a word without vowels has no place for one."""
    for place, symbol in enumerate(phonemes):
        if symbol in VOWELS:
            return phonemes[:place] + mark + phonemes[place:]
    return phonemes


def add_s(stem: str, british: bool) -> str:
    """Plural, third person and possessive."""
    if stem[-1:] in ("p", "t", "k", "f", "θ"):
        return stem + "s"
    if stem[-1:] in ("s", "z", "ʃ", "ʒ", "ʧ", "ʤ"):
        return stem + ("ɪz" if british else "ᵻz")
    return stem + "z"


def add_ed(stem: str, british: bool) -> str:
    """Past tense."""
    last = stem[-1:]
    if last == "d":
        return stem + ("ɪd" if british else "ᵻd")
    if last != "t":
        return stem + ("t" if last in ("p", "k", "f", "θ", "ʃ", "s", "ʧ") else "d")
    if british or len(stem) < 2:
        return stem + "ɪd"
    return (stem[:-1] + "ɾᵻd") if stem[-2] in _TAPPED_AFTER else stem + "ᵻd"


def add_ing(stem: str, british: bool) -> str | None:
    """Present participle; None where British linking would change the stem (the dictionary has those whole)."""
    if british:
        return None if stem[-1:] in ("ə", "ː") else stem + "ɪŋ"
    if len(stem) > 1 and stem[-1] == "t" and stem[-2] in _TAPPED_AFTER:
        return stem[:-1] + "ɾɪŋ"
    return stem + "ɪŋ"
