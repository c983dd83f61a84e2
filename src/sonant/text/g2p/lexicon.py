"""The English pronouncing dictionaries: misaki's gold and silver entries (Apache-2.0), searched where they lie.

The file is sorted text (see ``scripts/build_lexicon.py``); a look-up is a binary search in its bytes, so opening it is
only unpacking: no parsing, no table of 180,000 strings.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

__all__ = ["Entry", "Lexicon", "open_lexicon"]

_LONGEST = 60  # characters; no entry is longer
_REMEMBERED = 50_000  # words kept in mind: memory stays flat over any book


@dataclass(frozen=True, slots=True)
class Entry:
    """A word's reading.

    Attributes:
        phonemes: the reading, or the default one; None where the letters are spelled.
        gold: checked by hand ("gold"), or made by rule ("silver").
        by_tag: readings by part of speech: Penn tags, or the classes VERB, NOUN, ADJ, ADV, or "None" for the last word
            before a pause; a value of None means that the letters are spelled.
    """

    phonemes: str | None
    gold: bool
    by_tag: Mapping[str, str | None] = field(default_factory=dict)


class Lexicon:
    """Entries of one accent. Safe from many threads: the bytes never change, the cache only grows."""

    def __init__(self, raw: bytes, own: Mapping[str, str] | None = None) -> None:
        """Take the unpacked file, and words of our own that come before it."""
        self._raw, self._own = raw, own or {}
        self._known: dict[str, tuple[Entry | None, Entry | None]] = {}

    def gold(self, word: str) -> Entry | None:
        """The gold entry of a word; a capitalised word finds the lower-case one and the other way round."""
        return self._both(word)[0]

    def silver(self, word: str) -> Entry | None:
        """The silver entry of a word, found in the same way."""
        return self._both(word)[1]

    def __contains__(self, word: str) -> bool:
        """Whether there is any entry."""
        return self._both(word) != (None, None)

    def _both(self, word: str) -> tuple[Entry | None, Entry | None]:
        if len(word) > _LONGEST:
            return None, None
        found = self._known.get(word)
        if found is None:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            exact, twin = self._exact(word), self._exact(_twin(word))
            golds = [entry for entry in (exact, twin) if entry and entry.gold]
            silvers = [entry for entry in (exact, twin) if entry and not entry.gold]
            found = self._known[word] = (golds[0] if golds else None, silvers[0] if silvers else None)
        return found

    def _exact(self, word: str) -> Entry | None:
        """Binary search for the line that begins with the word and a tab."""
        if not word:
            return None
        if word in self._own:
            return Entry(self._own[word], gold=True)
        raw, wanted = self._raw, word.encode("utf-8", "surrogatepass")
        low, high = 0, len(raw)
        while low < high:
            start = raw.rfind(b"\n", 0, (low + high) // 2) + 1
            tab = raw.find(b"\t", start)
            key = raw[start:tab]
            if key == wanted:
                return _entry(raw[tab + 1 : raw.find(b"\n", tab)].decode())
            if key < wanted:
                low = raw.find(b"\n", tab) + 1
            else:
                high = start
        return None


def _twin(word: str) -> str:
    """The same word with the other case of its first letter; "" where it has no such twin (HTML, one letter)."""
    if len(word) < 2:
        return ""
    lower = word.lower()
    if word == lower:
        twin = word.capitalize()
        return twin if twin != word and twin.lower() == word else ""
    return lower if word == lower.capitalize() else ""


def _entry(text: str) -> Entry:
    gold = not text.startswith("~")
    if "=" not in text:
        return Entry(text if gold else text[1:], gold)
    readings = {tag: phonemes or None for tag, _, phonemes in (part.partition("=") for part in text.split(";"))}
    return Entry(readings.pop("DEFAULT"), gold, readings)


@functools.cache
def open_lexicon(british: bool) -> Lexicon:
    """The dictionary of an accent; unpacked once a process (about 20 ms, 5 MB)."""
    name = f"lexicon_{'gb' if british else 'us'}.txt.gz"
    packed = resources.files("sonant.text").joinpath("data", name).read_bytes()
    return Lexicon(gzip.decompress(packed), _own(british))


def _own(british: bool) -> dict[str, str]:
    """``lexicon_own.tsv``: words of today that misaki's dictionaries lack."""
    text = resources.files("sonant.text").joinpath("data", "lexicon_own.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {word: gb if british else us for word, us, gb in rows}
