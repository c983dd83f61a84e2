"""Tone sandhi of Mandarin: 一, 不 and the third tone, as they are spoken.

Source: Duanmu, The Phonology of Standard Chinese (2007), chapter 11; Chao, A Grammar of Spoken Chinese (1968), 1.3.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["sandhi"]

_NUMERALS = frozenset("零〇一二三四五六七八九幺点")
_SCALE = frozenset("百千万亿")
_ORDINAL_NEXT = frozenset("月号楼")


def sandhi(words: Sequence[tuple[str, Sequence[int]]]) -> list[list[int]]:
    """Spoken tones of a phrase without a pause.

    Args:
        words: (characters, their dictionary tones 1-5), a pair a word; as many tones as characters.

    Returns:
        The tones of each word.
    """
    text = "".join(characters for characters, _ in words)
    tones = [tone for _, word_tones in words for tone in word_tones]
    starts = [0]
    for characters, _ in words:
        starts.append(starts[-1] + len(characters))
    _one_and_not(text, tones)
    _third(tones, starts)
    return [tones[first:last] for first, last in pairwise(starts)]


def _one_and_not(text: str, tones: list[int]) -> None:
    """一 and 不 by the tone behind them, in place; right to left, as 一 may stand before 不."""
    for place in range(len(text) - 1, -1, -1):
        sign = text[place]
        if sign not in "一不":
            continue
        left, right = text[place - 1 : place], text[place + 1 : place + 2]
        following = tones[place + 1] if right else 0
        if left and left == right and sign in "一不" and left not in _NUMERALS:
            tones[place] = 5  # 看一看, 好不好
        elif sign == "不":
            tones[place] = 2 if following == 4 else 4
        elif _counts(left, right):
            tones[place] = 1
        elif following:
            # A neutral 个 was a fourth tone: 一个 yí ge.
            tones[place] = 2 if following == 4 or (following == 5 and right == "个") else 4
        else:
            tones[place] = 1


def _counts(left: str, right: str) -> bool:
    """Whether 一 is a figure or an ordinal, which keeps its tone."""
    if not right or left in ("第", "初", "周", "期"):
        return True
    if left and (left in _NUMERALS or left == "十"):
        return right not in _SCALE  # 十一个, 二零一一; but 两万一千
    return right in _NUMERALS or right == "十" or right in _ORDINAL_NEXT or (right == "日" and left == "月")


def _third(tones: list[int], starts: list[int]) -> None:
    """Third tones before a third tone rise, in place: inside words first, then between words, right to left."""
    for first, last in pairwise(starts):
        run = tones[first:last]
        if len(run) == 3 and run == [3, 3, 3]:
            tones[first:last] = [2, 2, 3]
            continue
        for place in range(first, last - 1):
            if tones[place] == 3 and tones[place + 1] == 3:
                tones[place] = 2
    for number in range(len(starts) - 2, 0, -1):
        border = starts[number]
        short = starts[number] - starts[number - 1] == 1 or starts[number + 1] - border == 1
        if short and tones[border - 1] == 3 and tones[border] == 3:
            tones[border - 1] = 2
