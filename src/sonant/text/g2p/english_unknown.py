"""English words that no dictionary has: accents taken off, compounds, letters to sounds, other scripts.

Nothing is ever dropped: what has no reading raises.
"""

from __future__ import annotations

import re
import unicodedata

from sonant.errors import UnspeakableText
from sonant.text.g2p import english_stress as stress
from sonant.text.g2p.english_words import Context, Reading, Words
from sonant.text.g2p.letters import open_letters

__all__ = ["Unknown"]

_FIGURES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_VOWEL_LETTERS = frozenset("aeiouy")
_SHORT = 5  # letters of a word without vowels that is still spelled: "xkcd"
_LONGEST = 40  # letters of a compound
_FIRST, _SECOND = 3, 4  # fewest letters of the parts of a compound
# Letters that Unicode doesn't take apart.
_PLAIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "th", "ı": "i", "ŋ": "ng", "ĸ": "k"}
    | {"ç": "s", "ñ": "ny", "ə": "e", "ʻ": "", "Æ": "Ae", "Œ": "Oe", "Ø": "O", "Đ": "D", "Ł": "L", "Þ": "Th", "Ç": "S"}
)
_GREEK = (
    "α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch ψ ps ω o".split()
)
_CYRILLIC = (
    "а a б b в v г g д d е e ё yo ж zh з z и i й y к k л l м m н n о o п p р r с s т t у u ф f х kh ц ts ч ch ш sh "
    "щ shch ъ - ы y ь - э e ю yu я ya і i ї yi є ye ґ g ђ dj ј y љ ly њ ny ћ ch џ dz"
).split()
# Second parts of names, which have lost their stress: American, British.
_NAME_ENDINGS = {
    "son": ("sən", "sən"),
    "man": ("mən", "mən"),
    "ton": ("tən", "tən"),
    "ham": ("əm", "əm"),
    "land": ("lənd", "lənd"),
    "ford": ("fəɹd", "fəd"),
    "ley": ("li", "li"),
    "bury": ("bɛɹi", "bəɹi"),
    "shire": ("ʃəɹ", "ʃə"),
}
_LATIN_FOR = {
    letter: latin.strip("-")
    for table in (_GREEK, _CYRILLIC)
    for letter, latin in zip(table[::2], table[1::2], strict=True)
}


class Unknown:
    """Readings for what the dictionary lacks. Safe from many threads."""

    def __init__(self, words: Words, fallback: str) -> None:
        """Take the dictionary's readings and the way to read the rest: "auto", "letters" or "espeak"."""
        self._words, self._british = words, words.british
        self._by_espeak = fallback == "espeak"

    def read(self, word: str) -> Reading:
        """The reading of one word, or part of a word, that ``Words.read`` doesn't know.

        Raises:
            UnspeakableText: a character that has no name.
            MissingExtra: fallback "espeak" without eSpeak NG.
        """
        if word.isdecimal():
            figures = [self._known(_FIGURES[int(figure)]) for figure in word]
            return Reading(" ".join(reading.phonemes for reading in figures if reading), "gold")
        bare = unicodedata.normalize("NFC", re.sub(r"['’‘]", "", word))
        latin = _latin(bare)
        if not latin:
            return self._named(bare or word)
        if latin != word and (reading := self._known(latin)):
            return reading
        if self._by_espeak:
            return self._espeak(word) or self._named(word)
        if len(latin) <= _SHORT and not _VOWEL_LETTERS & set(latin.lower()):
            spelled = self._words.spell(latin)
            if spelled is not None:
                return spelled
        return self._name(word, latin) or self._compound(latin.lower()) or self._letters(latin)

    def _known(self, word: str) -> Reading | None:
        return self._words.read(word, "NN", Context(vowel=False))

    def _letters(self, latin: str) -> Reading:
        try:
            phonemes = open_letters().read(latin, self._british)
        except FileNotFoundError:  # until the weights are trained
            return self._espeak(latin) or self._named(latin)
        if not phonemes:
            spelled = self._words.spell(latin)
            if spelled is None:
                raise UnspeakableText(f"{latin!r} has no reading; give one as [{latin}](/phonemes/)")
            return spelled
        return Reading(phonemes, "letters")

    def _name(self, word: str, latin: str) -> Reading | None:
        """McElroy, O'Reilly, Peterson: names with a light syllable before or behind a known one."""
        mac = re.fullmatch(r"(Ma?c)([A-Z][a-z]+)", latin)
        irish = re.fullmatch(r"O['’]([A-Z][^\W\d_]+)", word)
        if mac:
            rest = self._known(mac[2]) or self._letters(mac[2])
            return Reading("mək" + rest.phonemes, rest.source)
        if irish:
            rest = self._known(irish[1]) or self._letters(_latin(irish[1]) or irish[1])
            return Reading(("Q" if self._british else "O") + rest.phonemes, rest.source)
        for ending, light in _NAME_ENDINGS.items() if word[:1].isupper() else ():
            first = self._words.lexicon.gold(latin[: -len(ending)]) if latin.endswith(ending) else None
            if first and first.phonemes and len(latin) - len(ending) > 2:
                return Reading(first.phonemes + light[self._british], "compound")
        return None

    def _compound(self, word: str) -> Reading | None:
        """Two known words written as one: "oakfield". The second one has secondary stress."""
        lexicon = self._words.lexicon
        if len(word) > _LONGEST:
            return None
        for cut in sorted(range(_FIRST, len(word) - _SECOND + 1), key=lambda place: abs(2 * place - len(word))):
            first, second = lexicon.gold(word[:cut]), lexicon.gold(word[cut:])
            if first and second and first.phonemes and second.phonemes:
                return Reading(first.phonemes + stress.restress(second.phonemes, -0.5), "compound")
        return None

    def _espeak(self, word: str) -> Reading | None:
        from sonant.text.g2p.espeak import espeak, to_english

        phonemes = to_english(espeak().phonemes(word, "en-gb" if self._british else "en-us"), self._british)
        return Reading(phonemes, "espeak") if phonemes else None

    def _named(self, word: str) -> Reading:
        """Characters of a script that we don't read, by their names in Unicode."""
        parts = []
        for character in word:
            name = unicodedata.name(character, "").lower()
            if not name:
                raise UnspeakableText(f"U+{ord(character):04X} in {word!r} has no reading in English; leave it out")
            if name.startswith(("cjk", "kangxi")):
                name = "chinese character"
            name = re.split(r" (?:letter|syllable|syllabics|sign|mark|digit) ", name)[-1]
            parts += re.findall(r"[a-z]+", name)
        readings = (self._known(part) or self._letters(part) for part in parts)
        return Reading(" ".join(reading.phonemes for reading in readings), "named")


def _latin(word: str) -> str:
    """The word in the letters a-z, or "" where it can't be put so: accents off, Greek and Cyrillic transcribed."""
    if len(word) > 1:
        word = "".join(_LATIN_FOR.get(letter.lower(), letter) for letter in unicodedata.normalize("NFC", word))
    plain = unicodedata.normalize("NFKD", word.translate(_PLAIN))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain if plain.isascii() and plain.isalpha() else ""
