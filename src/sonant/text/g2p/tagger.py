"""Part-of-speech tagger: an averaged perceptron over hashed features, tags of the Penn Treebank, left to right.

Method: M. Collins, "Discriminative Training Methods for Hidden Markov Models" (EMNLP 2002); features after M.
Honnibal's "A Good Part-of-Speech Tagger in about 200 Lines of Python" (2013); hashing after Weinberger et al. (ICML
2009), so that no table of feature names is kept. Weights: ``scripts/train_tagger.py``.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

__all__ = ["START", "Tagger", "dynamic_seeds", "open_tagger", "static_features"]

START = 255  # tag id of what stands before the sentence
_MASK = 0xFFFFFFFF


class Tagger:
    """Words of a sentence -> Penn tags. Weights are read only: safe from many threads."""

    def __init__(self, weights: NDArray[np.int8], tags: Sequence[str]) -> None:
        """Take weights (rows, tags) int8 with rows a power of two, and the names of the tags."""
        self._weights, self._tags = weights, list(tags)
        self._rows = len(weights)

    def __call__(self, words: Sequence[str]) -> list[str]:
        """A tag for each word."""
        numbers: list[int] = []
        before, second = START, START
        rows = self._rows - 1
        for seeds, fixed in zip(dynamic_seeds(words), static_features(words), strict=True):
            places = [number & rows for number in fixed]
            places += [mixed & rows for mixed in mix(seeds, before, second)]
            scores = self._weights[places].sum(axis=0, dtype=np.int32)
            second, before = before, int(scores.argmax())
            numbers.append(before)
        return [self._tags[number] for number in numbers]


def mix(seeds: Sequence[int], before: int, second: int) -> list[int]:
    """Hashes of the features that hang on the two tags before."""
    one = (before + 1) * 0x9E3779B1 & _MASK
    two = (one ^ (second + 1) * 0x85EBCA6B) & _MASK
    other = (second + 1) * 0xC2B2AE35 & _MASK
    bias, word, ending, following = seeds
    return [
        _stir(bias ^ one),
        _stir(bias ^ other),
        _stir(bias ^ two),
        _stir(word ^ one),
        _stir(ending ^ one),
        _stir(following ^ one),
        _stir(ending ^ two),
    ]


def _stir(number: int) -> int:
    """Spread the bits, so that the low ones depend on all."""
    number = (number ^ number >> 15) * 0x2C1B3C6D & _MASK
    return number ^ number >> 13


def _norm(word: str) -> str:
    """Lower case; figures as one sign."""
    lower = word.lower()
    return "0" if lower[:1].isdigit() else lower


def _shape(word: str) -> str:
    """Kind of capitals, figures and hyphens, in a few letters."""
    if word.isalpha():
        return (
            "x"
            if word.islower()
            else "I"
            if len(word) == 1
            else "A"
            if word.isupper()
            else "X"
            if word[0].isupper()
            else "m"
        )
    kinds = ("d" if any(c.isdigit() for c in word) else "", "-" if "-" in word else "", "." if "." in word else "")
    letters = "X" if word[:1].isupper() else "x" if any(c.isalpha() for c in word) else ""
    return letters + "".join(kinds) + ("'" if "'" in word or "’" in word else "")


def static_features(words: Sequence[str]) -> list[list[int]]:
    """Hashes of each word's features that hang on words only."""
    low = ["<2", "<1", *(_norm(word) for word in words), ">1", ">2"]
    shapes = ["<", "<", *(_shape(word) for word in words), ">", ">"]
    crc = zlib.crc32
    result = []
    for at in range(2, len(words) + 2):
        word, left, right, shape = low[at], low[at - 1], low[at + 1], shapes[at]
        names = (
            "b",
            f"w{word}",
            f"3{word[-3:]}",
            f"2{word[-2:]}",
            f"4{word[-4:]}",
            f"p{word[:1]}{shape}",
            f"P{word[:3]}",
            f"s{shape}{shapes[at - 1]}",
            f"S{shape}{word[-3:]}",
            f"l{left}",
            f"L{left[-3:]}",
            f"k{low[at - 2]}",
            f"r{right}",
            f"R{right[-3:]}{shapes[at + 1]}",
            f"q{low[at + 2]}",
            f"<{left} {word}",
            f">{word} {right}",
            f"={left} {right}",
        )
        result.append([crc(name.encode("utf-8", "surrogatepass")) for name in names])
    return result


def dynamic_seeds(words: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """What the features with tags start from: a constant, the word, its ending, the word after it."""
    low = [*(_norm(word) for word in words), ">1"]
    crc = zlib.crc32
    return [
        (
            0x27D4EB2F,
            crc(f"d{word}".encode("utf-8", "surrogatepass")),
            crc(f"e{word[-3:]}".encode("utf-8", "surrogatepass")),
            crc(f"f{right}".encode("utf-8", "surrogatepass")),
        )
        for word, right in itertools.pairwise(low)
    ]


@functools.cache
def open_tagger() -> Tagger:
    """The tagger with the weights that ship in the package."""
    with resources.files("sonant.text").joinpath("data", "tagger.npz").open("rb") as file, np.load(file) as saved:
        return Tagger(saved["weights"], [str(tag) for tag in saved["tags"]])
