"""Letters to sounds: English words that no dictionary has, read by a small convolution over their letters, in NumPy.

Each letter says 0 to 3 sounds and carries a stress; the word gets exactly one primary stress. Method: letter-wise
classification after alignment by expectation maximisation (Damper et al., "Aligning text and phonemes for speech
technology applications using an EM-like algorithm", 2005), with a residual dilated convolution as the classifier.
Weights: ``scripts/train_letters.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from sonant.text.g2p.english_stress import PRIMARY, SECONDARY, VOWELS

__all__ = ["Letters", "open_letters"]

_DILATIONS = (1, 2, 4, 1, 2)
_KERNEL = 5
_LONGEST = 60  # letters read at once; a longer string of letters is no word

Array = NDArray[np.float32]


class Letters:
    """The model. Weights are read only: safe from many threads."""

    def __init__(self, saved: Mapping[str, NDArray]) -> None:
        """Take the arrays of ``letters.npz``: int8 matrices with a scale a column, float32 vectors, chunk names."""
        self._names = [str(name) for name in saved["names"]]
        self._weights: dict[str, Array] = {}
        for name in saved:
            if name == "names" or name.endswith(":scale"):
                continue
            value = saved[name].astype(np.float32)
            self._weights[name] = value * saved[f"{name}:scale"] if f"{name}:scale" in saved else value
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
            self._cache[key] = "".join(
                self._say(word[start : start + _LONGEST], british) for start in range(0, len(word), _LONGEST)
            )
        return self._cache[key]

    def _say(self, word: str, british: bool) -> str:
        chunk, stress = self._scores(np.array([ord(letter) - 96 for letter in word]), british)
        sounds = [self._names[number] for number in chunk.argmax(1)]
        voiced = [place for place, sound in enumerate(sounds) if VOWELS & set(sound)]
        if not voiced:
            return "".join(sounds)
        primary = max(voiced, key=lambda place: stress[place, 1] - max(stress[place, 0], stress[place, 2]))
        result = []
        for place, sound in enumerate(sounds):
            mark = ""
            if place == primary:
                mark = PRIMARY
            elif place in voiced and stress[place].argmax() == 2:
                mark = SECONDARY
            at = next((index for index, symbol in enumerate(sound) if symbol in VOWELS), 0)
            result.append(sound[:at] + mark + sound[at:])
        return "".join(result)

    def _scores(self, spelling: NDArray[np.int64], british: bool) -> tuple[Array, Array]:
        """(T, chunks) and (T, 3) scores for T letters."""
        weights = self._weights
        x = weights["letter.weight"][spelling] + weights["accent.weight"][int(british)]
        for number, dilation in enumerate(_DILATIONS):
            block = f"blocks.{number}."
            y = self._norm(x, f"{block}norm.")
            reach = dilation * (_KERNEL // 2)
            padded = np.pad(y, ((reach, reach), (0, 0)))
            taps = [padded[tap * dilation : tap * dilation + len(y)] for tap in range(_KERNEL)]
            y = np.concatenate(taps, 1) @ weights[f"{block}wide.weight"] + weights[f"{block}wide.bias"]
            x = x + np.maximum(y, 0) @ weights[f"{block}out.weight"] + weights[f"{block}out.bias"]
        x = self._norm(x, "norm.")
        return (
            x @ weights["chunk.weight"] + weights["chunk.bias"],
            x @ weights["stress.weight"] + weights["stress.bias"],
        )

    def _norm(self, x: Array, name: str) -> Array:
        """Layer normalisation over the last axis."""
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        result: Array = centred / scale * self._weights[f"{name}weight"] + self._weights[f"{name}bias"]
        return result


@functools.cache
def open_letters() -> Letters:
    """The model with the weights that ship in the package."""
    with resources.files("sonant.text").joinpath("data", "letters.npz").open("rb") as file, np.load(file) as saved:
        return Letters({name: saved[name] for name in saved.files})
