"""Numbers, dates, money, signs and abbreviations -> words, in all nine languages.

Pieces with fixed phonemes pass untouched.
A language is a module with ``normalize(pieces: Sequence[Spoken]) -> list[Spoken]``, imported when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from sonant.text.languages import canonical
from sonant.text.tokens import Spoken

__all__ = ["normalize"]

_MODULES = {
    "a": "english",
    "b": "english",
    "e": "spanish",
    "f": "french",
    "h": "hindi",
    "i": "italian",
    "j": "japanese",
    "p": "portuguese",
    "z": "mandarin",
}


def normalize(pieces: Sequence[Spoken], language: str) -> list[Spoken]:
    """Turn everything that isn't a word into words.

    Args:
        pieces: of the user's text, markup taken out. Joined, their texts are the text.
        language: code or alias.

    Returns:
        Pieces in order; each keeps the span of the original it stands for, and names its rule. Nothing is left out
        unsaid: a sign without sound becomes a piece with empty text.

    Raises:
        UnknownName: no such language.
    """
    code = canonical(language)
    module = importlib.import_module(f"{__name__}.{_MODULES[code]}")
    if code == "b":
        return list(module.normalize(pieces, british=True))
    return list(module.normalize(pieces))
