"""Every error that sonant raises on purpose; each also inherits the builtin that fits, so old ``except`` clauses work.

SonantError
├── BadInput (ValueError)            what the user gave can't be used: text, audio, an option
│   ├── UnreadableAudio              a file that no decoder opens, or that holds no samples
│   ├── UnspeakableText              no symbol that can be spoken, or one that has no reading
│   └── UnknownName (LookupError)    a model, voice, language or engine that isn't there; lists the nearest
├── ModelFileMissing (FileNotFoundError)   a weight file that isn't in the cache and can't be fetched
├── CorruptFile (ValueError)         a file whose checksum or structure is wrong
├── UnsupportedCheckpoint (ValueError)     a key, shape or config that no family of ours has
├── MissingExtra (ImportError)       an optional package that this call needs; says the pip command
└── OutputError (OSError)            a result that couldn't be written whole; nothing is left behind
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

__all__ = [
    "BadInput",
    "CorruptFile",
    "MissingExtra",
    "ModelFileMissing",
    "OutputError",
    "SonantError",
    "UnknownName",
    "UnreadableAudio",
    "UnspeakableText",
    "UnsupportedCheckpoint",
    "need",
]


class SonantError(Exception):
    """Base of all errors that sonant raises on purpose; its text is one line, fit to show a user."""


class BadInput(SonantError, ValueError):
    """What the caller gave can't be used."""


class UnreadableAudio(BadInput):
    """A file or array that holds no audio we can read."""


class UnspeakableText(BadInput):
    """Text without a symbol that can be spoken."""


class UnknownName(BadInput, LookupError):
    """A name that isn't in a known list."""

    def __init__(self, kind: str, given: str, known: Iterable[str], hint: str = "") -> None:
        """Say what was given, the nearest of ``known``, and the command that lists all (``hint``)."""
        import difflib  # 10 ms, for who errs

        known = sorted(known)
        near = difflib.get_close_matches(given.lower(), known, n=3, cutoff=0.4) or known[:5]
        parts = [f"unknown {kind} {given!r}", f"nearest: {', '.join(near)}" if near else "", hint]
        super().__init__("; ".join(part for part in parts if part))
        self.given, self.nearest = given, near


class ModelFileMissing(SonantError, FileNotFoundError):
    """A weight file that is neither cached nor to be had from any source."""


class CorruptFile(SonantError, ValueError):
    """A file whose checksum or structure is not what it should be."""


class UnsupportedCheckpoint(SonantError, ValueError):
    """A checkpoint with a key, shape or setting that the network doesn't have."""


class MissingExtra(SonantError, ImportError):
    """An optional package that the call needs is not installed."""


class OutputError(SonantError, OSError):
    """A result that couldn't be written whole."""


def need(module: str, extra: str) -> ModuleType:
    """Import and return an optional module.

    Raises:
        MissingExtra: it isn't installed; the message is the pip command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f"{module} is not installed; run: pip install 'sonant[{extra}]' ({error})") from error
