"""Which sounds of a spoken phrase belong to which word, where a synthesiser has joined or split words.

The phrase is aligned with the words spoken one by one (Needleman & Wunsch 1970, costs of our own): word borders and the
phrase's spaces attract each other, like sounds too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["divide"]

_VOWELS = frozenset("aeiouyæøœɐɑɒɔəɚɛɜɨɪɯɤʊʌᵻAIOQWY")
_WEIGHTLESS = frozenset("ˈˌː^-\u0303\u0329\u032a ")
_GAP, _BORDER = 1.0, 0.7


def divide(phrase: str, words: Sequence[str]) -> list[str]:
    """Cut the sounds of a phrase into those of its words.

    Args:
        phrase: phonemes of the whole, spaces between its words.
        words: phonemes of each word spoken by itself.

    Returns:
        A piece for each word. Joined, they are the phrase; a piece keeps the spaces that fall into or before it.
    """
    sounds = [place for place, sound in enumerate(phrase) if sound not in _WEIGHTLESS or sound == " "]
    ours = [sound for word in words for sound in ("|", *(s for s in word if s not in _WEIGHTLESS))][1:]
    borders = _borders(ours, [phrase[place] for place in sounds])
    cuts = [
        0,
        *(_open(phrase, sounds[border] if border < len(sounds) else len(phrase)) for border in borders),
        len(phrase),
    ]
    return [phrase[first:last] for first, last in pairwise(cuts)]


def _open(phrase: str, place: int) -> int:
    """Move a cut before the stress mark that belongs to the sound at ``place``."""
    while place > 0 and phrase[place - 1] in "ˈˌ":
        place -= 1
    return place


def _borders(ours: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """For each "|" of ``ours`` the index in ``theirs`` where the next word begins."""
    width = len(theirs) + 1
    costs = [[0.0] * width for _ in range(len(ours) + 1)]
    steps = [bytearray(width) for _ in range(len(ours) + 1)]  # 0 both, 1 ours alone, 2 theirs alone
    for column in range(1, width):
        costs[0][column] = costs[0][column - 1] + (_BORDER if theirs[column - 1] == " " else _GAP)
        steps[0][column] = 2
    for row in range(1, len(ours) + 1):
        mine = ours[row - 1]
        alone = _BORDER if mine == "|" else _GAP
        above, here, step = costs[row - 1], costs[row], steps[row]
        here[0], step[0] = above[0] + alone, 1
        for column in range(1, width):
            other = theirs[column - 1]
            best, how = above[column - 1] + _cost(mine, other), 0
            if (cost := above[column] + alone) < best:
                best, how = cost, 1
            if (cost := here[column - 1] + (_BORDER if other == " " else _GAP)) < best:
                best, how = cost, 2
            here[column], step[column] = best, how
    row, column, borders = len(ours), len(theirs), []
    while row or column:
        how = steps[row][column]
        if how != 2:
            row -= 1
            if ours[row] == "|":
                borders.append(column)
        if how != 1:
            column -= 1
    return borders[::-1]


def _cost(mine: str, other: str) -> float:
    """Cost of setting one sound for another."""
    if mine == other or (mine == "|" and other == " "):
        return 0.0
    if mine == "|" or other == " ":
        return 9.0
    vowels = (mine in _VOWELS) + (other in _VOWELS)
    return 0.6 if vowels == 2 else 0.8 if vowels == 0 else 1.5
