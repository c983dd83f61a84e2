"""Readings of single English words: dictionary, part of speech, what comes next, endings, spelled letters.

The order of the rules and the special cases are those that the voices were trained with (hexgrad/misaki 0.9.4,
``en.py``, class Lexicon, Apache-2.0), written anew.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sonant.text.g2p import english_stress as stress
from sonant.text.g2p.lexicon import Lexicon

__all__ = ["Context", "Reading", "Words", "parent_tag"]

_ASCII_WORD = re.compile(r"[A-Za-z'-]+")
_DOUBLED = re.compile(r"([bcdgklmnprstvxz])\1ing$|cking$")
_SIGNS = {"%": "percent", "&": "and", "+": "plus", "@": "at"}


@dataclass(frozen=True, slots=True)
class Context:
    """What follows a word.

    ``vowel`` is True before a vowel, False before a consonant, None before a pause or the end; ``to`` is whether the
    next word is "to".
    """

    vowel: bool | None = None
    to: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """Phonemes of a word and what gave them."""

    phonemes: str
    source: str


def parent_tag(tag: str) -> str:
    """The class of a Penn tag, as the dictionary names it."""
    for prefixes, name in ((("VB",), "VERB"), (("NN",), "NOUN"), (("RB", "ADV"), "ADV"), (("JJ", "ADJ"), "ADJ")):
        if tag.startswith(prefixes):
            return name
    return tag


class Words:
    """Readings of one accent's words."""

    def __init__(self, lexicon: Lexicon, british: bool) -> None:
        """Take the dictionary."""
        self.lexicon, self.british = lexicon, british

    def read(self, word: str, tag: str, context: Context) -> Reading | None:
        """The reading of a word as written, or None for one that neither dictionary nor rule has.

        Args:
            word: letters, perhaps with apostrophes and hyphens inside; capitals as written.
            tag: Penn part-of-speech tag, "" for none.
            context: of what follows.
        """
        word = unicodedata.normalize("NFKC", word.replace("\u2018", "'").replace("\u2019", "'"))
        emphasis = None if word == word.lower() else (2.0 if word == word.upper() else 0.5)
        return self._special(word, tag, emphasis, context) or self._regular(word, tag, emphasis, context)

    def spell(self, word: str) -> Reading | None:
        """Letters by their names, the last one stressed most; None when one has no name."""
        names = [self.lexicon.gold(letter.upper()) for letter in word if letter.isalpha()]
        if not names or any(name is None or name.phonemes is None for name in names):
            return None
        joined = stress.restress("".join(name.phonemes or "" for name in names if name), 0)
        head, mark, tail = joined.rpartition(stress.SECONDARY)
        return Reading(head + stress.PRIMARY + tail if mark else joined, "spelled")

    def _special(self, word: str, tag: str, emphasis: float | None, context: Context) -> Reading | None:
        """Words whose reading hangs on their neighbours, and letters with dots."""
        lower = word.lower()
        if word in _SIGNS:
            return self._look_up(_SIGNS[word], "", None, context)
        if "." in word.strip(".") and word.replace(".", "").isalpha() and max(map(len, word.split("."))) < 3:
            return self.spell(word)
        small = word in (lower, lower.capitalize())  # not all in capitals
        if lower == "a" and len(word) == 1:
            return Reading("ɐ" if tag == "DT" else "ˈA", "special")
        if lower == "am":
            if tag.startswith("NN"):
                return self.spell(word)
            strong = context.vowel is None or word != "am" or (emphasis or 0) > 0
            return self._look_up("am", "", None, context) if strong else Reading("ɐm", "special")
        if lower == "an":
            return self.spell(word) if word == "AN" and tag.startswith("NN") else Reading("ɐn", "special")
        if word == "I" and tag == "PRP":
            return Reading("ˌI", "special")
        if lower == "by" and parent_tag(tag) == "ADV":
            return Reading("bˈI", "special")
        if lower == "to" and (small or tag in ("TO", "IN")):
            if context.vowel is None:
                return self._look_up("to", "", None, context)
            return Reading("tʊ" if context.vowel else "tə", "special")
        if lower == "in" and (small or tag != "NNP"):
            return Reading("ˈɪn" if context.vowel is None or tag != "IN" else "ɪn", "special")
        if lower == "the" and (small or tag == "DT"):
            return Reading("ði" if context.vowel else "ðə", "special")
        if tag == "IN" and lower in ("vs", "vs."):
            return self._look_up("versus", "", None, context)
        if lower == "used":
            entry = self.lexicon.gold("used")
            if entry is not None and entry.phonemes is not None:
                past = entry.by_tag.get("VBD") if tag in ("VBD", "JJ") and context.to else None
                return Reading(past or entry.phonemes, "gold")
        return None

    def _regular(self, word: str, tag: str, emphasis: float | None, context: Context) -> Reading | None:
        """Whole words, then endings."""
        if self._reads_as_lower(word, tag):
            word = word.lower()
        if self._known(word):
            return self._look_up(word, tag, emphasis, context)
        if word.endswith("s'") and self._known(word[:-2] + "'s"):
            return self._look_up(word[:-2] + "'s", tag, emphasis, context)
        if word.endswith("'") and self._known(word[:-1]):
            return self._look_up(word[:-1], tag, emphasis, context)
        for stem, ending in (self._stem_s(word), self._stem_ed(word), self._stem_ing(word)):
            if not stem:
                continue
            # The ending -ing lengthens the word, so that a stem without stress gets some.
            change = 0.5 if ending == "ing" and emphasis is None else emphasis
            base = self._look_up(stem, tag, change, context)
            phonemes = self._end(base.phonemes, ending) if base else None
            if phonemes is not None:
                return Reading(phonemes, "stem")
        return None

    def _end(self, stem: str, ending: str) -> str | None:
        """A stem with its ending."""
        if not stem:
            return None
        if ending == "s":
            return stress.add_s(stem, self.british)
        return stress.add_ed(stem, self.british) if ending == "ed" else stress.add_ing(stem, self.british)

    def _reads_as_lower(self, word: str, tag: str) -> bool:
        """Whether capitals are mere emphasis or the start of a sentence: the word is known in lower case only."""
        lower = word.lower()
        if len(word) < 2 or word == lower or not word.replace("'", "").isalpha():
            return False
        if (tag == "NNP" and len(word) <= 7) or word in self.lexicon:
            return False
        if word != word.upper() and word[1:] != word[1:].lower():
            return False
        return lower in self.lexicon or any(
            stem for stem, _ in (self._stem_s(lower), self._stem_ed(lower), self._stem_ing(lower))
        )

    def _known(self, word: str) -> bool:
        """Whether ``_look_up`` has something to say: an entry, a letter, or letters to be spelled."""
        if word in self.lexicon or word in _SIGNS:
            return True
        if not word.isalpha() or not _ASCII_WORD.fullmatch(word):
            return False
        return word[1:] == word[1:].upper()

    def _look_up(self, word: str, tag: str, emphasis: float | None, context: Context) -> Reading | None:
        """An entry's reading for a part of speech, or the letters spelled."""
        shouted = word == word.upper() and self.lexicon.gold(word) is None
        name = shouted and tag == "NNP"
        word = word.lower() if shouted else word
        entry = self.lexicon.gold(word)
        if entry is None and not name:
            entry = self.lexicon.silver(word)
        phonemes = entry.phonemes if entry else None
        if entry is not None and entry.by_tag:
            key = tag if tag in entry.by_tag else parent_tag(tag)
            if context.vowel is None and "None" in entry.by_tag:
                key = "None"
            phonemes = entry.by_tag.get(key, phonemes)
        if phonemes is None or (name and stress.PRIMARY not in phonemes):
            spelled = self.spell(word)
            if spelled is not None or phonemes is None:
                return spelled
        return Reading(stress.restress(phonemes, emphasis), "gold" if entry and entry.gold else "silver")

    def _stem_s(self, word: str) -> tuple[str, str]:
        if len(word) > 2 and word.endswith("s"):
            if not word.endswith("ss") and self._known(word[:-1]):
                return word[:-1], "s"
            es = len(word) > 4 and word.endswith("es") and not word.endswith("ies")
            if (es or word.endswith("'s")) and self._known(word[:-2]):
                return word[:-2], "s"
            if len(word) > 4 and word.endswith("ies") and self._known(word[:-3] + "y"):
                return word[:-3] + "y", "s"
        return "", "s"

    def _stem_ed(self, word: str) -> tuple[str, str]:
        if len(word) > 3 and word.endswith("d"):
            if not word.endswith("dd") and self._known(word[:-1]):
                return word[:-1], "ed"
            if len(word) > 4 and word.endswith("ed") and not word.endswith("eed") and self._known(word[:-2]):
                return word[:-2], "ed"
        return "", "ed"

    def _stem_ing(self, word: str) -> tuple[str, str]:
        if len(word) > 4 and word.endswith("ing"):
            if len(word) > 5 and self._known(word[:-3]):
                return word[:-3], "ing"
            if self._known(word[:-3] + "e"):
                return word[:-3] + "e", "ing"
            if len(word) > 5 and _DOUBLED.search(word) and self._known(word[:-4]):
                return word[:-4], "ing"
        return "", "ing"
