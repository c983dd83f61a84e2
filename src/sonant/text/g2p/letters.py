"""Letters to sounds: English words that no dictionary has, read letter by letter with a beam.

Each letter says 0 to 3 sounds, stress mark included; a word gets at most one primary stress. Method: many-to-many
alignment by expectation maximisation and a linear model over letter windows and what was said so far, its weights
hashed into one table and learnt by an averaged perceptron (Jiampojamarn, Kondrak and Sherif, "Applying many-to-many
alignments and hidden Markov models to letter-to-phoneme conversion", 2007; Jiampojamarn, Cherry and Kondrak, "Joint
processing and discriminative training for letter-to-phoneme conversion", 2008). Weights: ``scripts/train_letters.py``.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from sonant.text.g2p.english_stress import PRIMARY, VOWELS

__all__ = ["NOTHING", "Letters", "class_marks", "features", "open_letters"]

NOTHING = 255  # class number of what was said before the first letter
_BEAM = 6
_LONGEST = 60  # letters read at once; a longer string of letters is no word
_VOWEL_LETTERS = frozenset("aeiouy")
_WINDOWS = (  # letters before, letters behind
    *((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 1), (1, 2), (2, 2), (3, 0), (0, 3), (3, 1)),
    *((1, 3), (3, 3), (4, 0), (0, 4), (2, 3), (3, 2), (4, 4)),
)
_ACCENT_WINDOWS = ((0, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (2, 3), (3, 3))


def features(word: str, british: bool) -> tuple[list[list[int]], list[list[int]]]:
    """Hashes for each letter: of features that hang on letters only, and seeds of those that hang on sounds before."""
    text = f"<<<<{word}>>>>"
    accent = "b" if british else "a"
    vowels = [letter in _VOWEL_LETTERS for letter in word]
    crc = zlib.crc32
    fixed, seeds = [], []
    for place in range(len(word)):
        at, last = place + 4, min(len(word) - place, 9)
        behind, ahead = sum(vowels[:place]), sum(vowels[place + 1 :])
        near = text[at - 1 : at + 2]
        names = [f"{before}{text[at - before : at + 1 + after]}" for before, after in _WINDOWS]
        names += [f"{accent}{before}{text[at - before : at + 1 + after]}" for before, after in _ACCENT_WINDOWS]
        names += [
            f"e{word[-2:]}{last}{word[place]}",
            f"E{word[-3:]}{last}{word[place]}",
            f"F{word[-4:]}{last}{word[place]}",
            f"n{behind}.{ahead}{word[place]}",
            f"N{behind}.{ahead}{near}",
            f"p{word[:3]}{place}{word[place]}",
        ]
        fixed.append([crc(name.encode()) for name in names])
        starts = (
            f"1{word[place]}",
            f"2{near}",
            f"3{text[at : at + 2]}",
            f"4{near}",
            f"5{word[-3:]}{ahead}{word[place]}",
            f"6{behind}.{ahead}{word[place]}",
        )
        seeds.append([crc(name.encode()) for name in starts])
    return fixed, seeds


def class_marks(names: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each class: whether it has primary stress, whether it holds a vowel."""
    primary = np.array([PRIMARY in name for name in names], np.int64)
    vowel = np.array([bool(VOWELS & set(name)) for name in names], np.int64)
    return primary, vowel


@dataclass(frozen=True, slots=True)
class _State:
    """What was said so far: score, classes, and what the dynamic features look at."""

    score: float
    said: tuple[int, ...] = ()
    before: int = NOTHING
    second: int = NOTHING
    vowel: int = NOTHING
    primary: int = 0
    syllables: int = 0


class Letters:
    """The model. Weights are read only: safe from many threads."""

    def __init__(self, saved: Mapping[str, NDArray]) -> None:
        """Take ``table`` (2^n,) int8, ``names`` of the classes, ``allowed`` (accents, 26, classes) bool."""
        self._table = saved["table"]
        self._names = [str(name) for name in saved["names"]]
        self._allowed = [[np.flatnonzero(row) for row in accent] for accent in saved["allowed"]]
        self._primary, self._vowel = class_marks(self._names)
        self._spread = (np.arange(len(self._names), dtype=np.uint64) + 1) * 0x9E3779B1 & 0xFFFFFFFF
        self._cache: dict[tuple[str, bool], str] = {}

    def read(self, word: str, british: bool) -> str:
        """Phonemes of a word of the letters a-z (any case); "" where the model hears nothing.

        Raises:
            ValueError: another character.
        """
        word = word.lower()
        if not (word.isascii() and word.isalpha()):
            raise ValueError(f"{word!r} is not letters a-z alone")
        key = (word, british)
        if key not in self._cache:
            if len(self._cache) > 20_000:
                self._cache.clear()
            parts = [word[start : start + _LONGEST] for start in range(0, len(word), _LONGEST)]
            self._cache[key] = "".join(self._say(part, british) for part in parts)
        return self._cache[key]

    def _say(self, word: str, british: bool) -> str:
        """Beam search over the letters of one word."""
        beam = [_State(0.0)]
        for letter, fixed, seeds in zip(word, *features(word, british), strict=True):
            classes = self._allowed[british][ord(letter) - 97]
            base = self._weigh(np.array(fixed, np.uint64), classes)
            found = []
            for state in beam:
                scores = base + self._weigh(_dynamic(seeds, state), classes)
                found += [self._next(state, int(c), float(s)) for c, s in zip(classes, scores, strict=True)]
            legal = [state for state in found if state.primary < 2] or found
            beam = sorted(legal, key=lambda state: -state.score)[:_BEAM]
        stressed = [state for state in beam if state.primary == 1 or not state.syllables]
        best = (stressed or beam)[0]
        return "".join(self._names[number] for number in best.said)

    def _weigh(self, hashes: NDArray[np.uint64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sum of the weights of features for each class."""
        mixed = hashes[:, None] ^ self._spread[classes]
        mixed = (mixed ^ mixed >> np.uint64(15)) * np.uint64(0x2C1B3C6D) & np.uint64(0xFFFFFFFF)
        places = (mixed ^ mixed >> np.uint64(13)) & np.uint64(len(self._table) - 1)
        return self._table[places].sum(0, dtype=np.int64)

    def _next(self, state: _State, number: int, score: float) -> _State:
        vowel = bool(self._vowel[number])
        return _State(
            state.score + score,
            (*state.said, number),
            number,
            state.before,
            number if vowel else state.vowel,
            state.primary + int(self._primary[number]),
            state.syllables + vowel,
        )


def _dynamic(seeds: list[int], state: _State) -> NDArray[np.uint64]:
    """Hashes of the features that hang on the sounds before."""
    one, two, vowel = state.before + 1, state.second + 1, state.vowel + 1
    stress = min(state.primary, 1) + 1
    syllables = min(state.syllables, 7) + 1
    parts = (
        (seeds[0], one, 0, 0),
        (seeds[1], one, 0, 0),
        (seeds[0], one, two, 0),
        (seeds[2], vowel, 0, 0),
        (seeds[3], 0, 0, stress),
        (seeds[4], 0, 0, stress),
        (seeds[5], syllables, 0, stress),
        (seeds[2], one, vowel, stress),
    )
    return np.array(
        [s ^ (a * 0x85EBCA6B + b * 0xC2B2AE35 + c * 0x27D4EB2F & 0xFFFFFFFF) for s, a, b, c in parts], np.uint64
    )


@functools.cache
def open_letters() -> Letters:
    """The model with the weights that ship in the package."""
    with resources.files("sonant.text").joinpath("data", "letters.npz").open("rb") as file, np.load(file) as saved:
        return Letters({name: saved[name] for name in saved.files})
