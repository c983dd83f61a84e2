"""Error rates between what was said and what was heard.

Both texts are folded first: case, punctuation and spacing don't count, letters and digits do. WER and CER are edit
distances (Levenshtein) over the length of what was said; jiwer gives the same numbers and holds them in the tests.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

__all__ = ["character_error_rate", "edit_distance", "fold", "word_error_rate", "word_errors"]

APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u0060": "'"})


def fold(text: str) -> str:
    """Lower case (NFKC), words divided by single spaces; kept are letters, marks, digits and apostrophes in words."""
    text = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).casefold()
    kept = (character if character == "'" or unicodedata.category(character)[0] in "LMN" else " " for character in text)
    return " ".join(word.strip("'") for word in "".join(kept).split() if word.strip("'"))


def edit_distance(said: Sequence[object], heard: Sequence[object]) -> int:
    """Fewest insertions, deletions and substitutions from one sequence to the other."""
    names = {item: number for number, item in enumerate({*said, *heard})}
    wanted = np.array([names[item] for item in said])
    row = np.arange(len(said) + 1)
    for place, item in enumerate(heard, 1):
        best = np.minimum(row[:-1] + (wanted != names[item]), row[1:] + 1)
        # A deletion extends the best of all earlier cells of the row by one each: a running minimum of value - place.
        shifted = np.concatenate([[place], best]) - np.arange(len(said) + 1)
        row = np.minimum.accumulate(shifted) + np.arange(len(said) + 1)
    return int(row[-1])


def word_errors(said: str, heard: str) -> int:
    """Words wrong, missing or added."""
    return edit_distance(fold(said).split(), fold(heard).split())


def word_error_rate(said: str, heard: str) -> float:
    """WER; where nothing was said, 0 if nothing was heard and 1 otherwise."""
    words = len(fold(said).split())
    return word_errors(said, heard) / words if words else float(bool(fold(heard)))


def character_error_rate(said: str, heard: str) -> float:
    """CER without spaces, which fits scripts with and without them."""
    wanted, found = fold(said).replace(" ", ""), fold(heard).replace(" ", "")
    return edit_distance(wanted, found) / len(wanted) if wanted else float(bool(found))
