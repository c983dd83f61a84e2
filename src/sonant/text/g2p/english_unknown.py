"""English words that no dictionary has: accents taken off, compounds, eSpeak NG or letters to sounds, other scripts.

Nothing is ever dropped: what has no reading raises.
"""

from __future__ import annotations

import re
import unicodedata

from sonant.errors import UnspeakableText
from sonant.text.g2p import english_stress as stress
from sonant.text.g2p.english_words import Context, Reading, Words
from sonant.text.g2p.espeak import available, espeak, to_english
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
        self._always_espeak = fallback == "espeak"
        self._by_espeak = self._always_espeak or (fallback == "auto" and available())

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
        if self._always_espeak:
            return self._espeak(word) or self._named(word)
        if len(latin) <= _SHORT and not _VOWEL_LETTERS & set(latin.lower()):
            spelled = self._words.spell(latin)
            if spelled is not None:
                return spelled
        return self._name(word, latin) or self._compound(latin) or self._guess(latin, bare)

    def _known(self, word: str) -> Reading | None:
        return self._words.read(word, "NN", Context(vowel=False))

    def _guess(self, latin: str, accented: str = "") -> Reading:
        """A word read from its letters alone: by eSpeak NG where it may be used, else by our own model."""
        if self._by_espeak:
            known = all("LATIN" in unicodedata.name(letter, "") for letter in accented)  # Greek would be spelled
            if reading := self._espeak(accented if accented and known else latin):
                return reading
        phonemes = open_letters().read(latin, self._british)
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
            rest = self._known(mac[2]) or self._guess(mac[2])
            return Reading("mək" + rest.phonemes, rest.source)
        if irish:
            rest = self._known(irish[1]) or self._guess(_latin(irish[1]) or irish[1])
            return Reading(("Q" if self._british else "O") + rest.phonemes, rest.source)
        for ending, light in _NAME_ENDINGS.items() if word[:1].isupper() else ():
            first = self._words.lexicon.gold(latin[: -len(ending)]) if latin.endswith(ending) else None
            if first and first.phonemes and len(latin) - len(ending) > 2:
                return Reading(first.phonemes + light[self._british], "compound")
        return None

    def _compound(self, word: str) -> Reading | None:
        """Two known words written as one: "oakfield". The second one has secondary stress."""
        if not _FIRST + _SECOND <= len(word) <= _LONGEST:
            return None
        if word.endswith("s") and not word.endswith("ss") and (one := self._compound(word[:-1])):
            return Reading(stress.add_s(one.phonemes, self._british), "compound")
        lexicon, first_least = self._words.lexicon, _FIRST + word[0].isupper()  # "Leonard" is no compound
        word = word.lower()
        for cut in sorted(range(first_least, len(word) - _SECOND + 1), key=lambda place: abs(2 * place - len(word))):
            first, second = lexicon.gold(word[:cut]), lexicon.gold(word[cut:])
            if first and second and first.phonemes and second.phonemes:
                return Reading(first.phonemes + stress.restress(second.phonemes, -0.5), "compound")
        return None

    def _espeak(self, word: str) -> Reading | None:
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
        readings = (self._known(part) or self._guess(part) for part in parts)
        return Reading(" ".join(reading.phonemes for reading in readings), "named")


def _latin(word: str) -> str:
    """The word in the letters a-z, or "" where it can't be put so: accents off, Greek and Cyrillic transcribed."""
    if len(word) > 1:
        word = "".join(_transcribed(letter) for letter in unicodedata.normalize("NFC", word))
    plain = unicodedata.normalize("NFKD", word.translate(_PLAIN))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain if plain.isascii() and plain.isalpha() else ""


def _transcribed(letter: str) -> str:
    """A Greek or Cyrillic letter, accented or not, in Latin letters; any other as it is."""
    bare = unicodedata.normalize("NFD", letter)[0]
    return _LATIN_FOR.get(letter.lower()) or _LATIN_FOR.get(bare.lower(), letter)
