"""English words that no dictionary has: accents taken off, figures, compounds, letters to sound, foreign letters.

Nothing is ever dropped: what has no reading raises.
"""

from __future__ import annotations

from sonant.errors import UnspeakableText
from sonant.text.g2p.english_words import Reading, Words
from sonant.text.g2p.espeak import espeak, to_english

__all__ = ["Unknown"]

_FIGURES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Unknown:
    """Readings for what the dictionary lacks."""

    def __init__(self, words: Words, fallback: str) -> None:
        """Take the dictionary's readings and the way to read the rest: "auto", "letters" or "espeak"."""
        self._words, self._fallback = words, fallback

    def read(self, word: str) -> Reading:
        """The reading of one word, or part of a word, that ``Words.read`` doesn't know.

        Raises:
            UnspeakableText: a character that has no name.
        """
        voice = "en-gb" if self._words.british else "en-us"
        ipa = espeak().phonemes(word, voice)
        if not ipa:
            raise UnspeakableText(f"{word!r} has no reading")
        return Reading(to_english(ipa, self._words.british), "espeak")
