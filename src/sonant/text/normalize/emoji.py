"""Spoken names of emoji in the seven languages other than English, from ``emoji.tsv``; names are kept short.

An emoji that is not in the table is said as the word for "emoji": heard, never dropped.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from importlib import resources

__all__ = ["COLUMNS", "EMOJI", "emoji_words"]

COLUMNS = {"es": 0, "fr": 1, "hi": 2, "it": 3, "ja": 4, "pt": 5, "zh": 6}

_PICTURE = "[\u231a-\u23ff\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
_DRESSED = f"{_PICTURE}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
_ONE = f"(?:[\U0001f1e6-\U0001f1ff]{{2}}|{_DRESSED})"

EMOJI = re.compile(f"[ \u00a0]{{0,8}}({_ONE}(?:\u200d{_ONE})*|[\U0001f1e6-\U0001f1ff])")

_MORE = re.compile(r"[ \u00a0]+\w")
_DRESS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


@functools.cache
def _table() -> dict[str, tuple[str, ...]]:
    """Emoji -> its names, a column a language."""
    lines = resources.files(__package__).joinpath("emoji.tsv").read_text(encoding="utf-8").splitlines()
    return {cells[0]: tuple(cells[1:]) for cells in (line.split("\t") for line in lines)}


def emoji_words(match: re.Match[str], column: int, fallback: str, comma: str = ", ") -> str:
    """The name of an emoji, set off by commas so that it doesn't run into the sentence.

    Args:
        match: of ``EMOJI``.
        column: of the language; see ``COLUMNS``.
        fallback: the word for "emoji", said for one that the table lacks.
        comma: how the script writes it.
    """
    bare = _DRESS.sub("", match[1])
    names = _table()
    parts = [bare] if bare in names else [part for part in bare.split("\u200d") if part not in "♂♀"]
    words = " ".join(names[part][column] if part in names else fallback for part in parts)
    left = match.string[max(0, match.start() - 20) : match.start()].rstrip()
    words = (
        comma
        if left and (unicodedata.category(left[-1])[0] in "LMN" or EMOJI.search(left[-3:]))
        else " "
        if left
        else ""
    ) + words
    return words + (comma.rstrip() if _MORE.match(match.string, match.end()) else "")
