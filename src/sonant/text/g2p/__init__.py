"""Grapheme to phoneme: ``load(language)`` gives the converter of a language, made once and safe from many threads."""

from __future__ import annotations

import functools
import importlib
import threading

from sonant.errors import BadInput
from sonant.text.languages import canonical
from sonant.text.tokens import G2P

__all__ = ["FALLBACKS", "load"]

FALLBACKS = ("auto", "letters", "espeak")

_MODULES = {
    "a": "english",
    "b": "english",
    "e": "espeak_languages",
    "f": "espeak_languages",
    "h": "espeak_languages",
    "i": "espeak_languages",
    "j": "japanese",
    "p": "espeak_languages",
    "z": "mandarin",
}

_LOCK = threading.RLock()


def load(language: str, *, fallback: str = "auto") -> G2P:
    """The converter of a language.

    Args:
        language: code or alias; "a" and "b" are American and British English.
        fallback: for English words that no dictionary has: "letters" is our letter-to-sound model, "espeak" is
            eSpeak NG, "auto" is eSpeak NG where it is installed and our model elsewhere; compounds of known words are
            read as such by both "auto" and "letters". Other languages have one way and take "auto".

    Raises:
        UnknownName: no such language.
        BadInput: no such fallback.
        MissingExtra: the language needs an optional package; the message is the pip command.
    """
    if fallback not in FALLBACKS:
        raise BadInput(f"unknown fallback {fallback!r}; allowed: {', '.join(FALLBACKS)}")
    with _LOCK:
        return _load(canonical(language), fallback)


@functools.cache
def _load(code: str, fallback: str) -> G2P:
    module = importlib.import_module(f"{__name__}.{_MODULES[code]}")
    if code in "ab":
        converter: G2P = module.load(code, fallback=fallback)
    else:
        converter = module.load(code)
    return converter
