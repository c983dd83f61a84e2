"""Which languages a recogniser has: told by its catalog row, or by what lies in its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sonant.records import LanguageRow
from sonant.text import mms_languages, vocab, whisper_languages
from sonant.weights.catalog import Row
from sonant.weights.checkpoint import Checkpoint

__all__ = ["adapters_of", "languages_of"]

V2_LANGUAGES = 99  # of Whisper before large-v3
V3_VOCABULARY = 51866  # tokens of large-v3 and what came after it


def languages_of(model: Row | Checkpoint) -> tuple[LanguageRow, ...]:
    """Every language of a recogniser, in the model's order.

    Args:
        model: a row of the catalog (nothing is fetched), or a checkpoint on disk.
    """
    if isinstance(model, Row):
        if model.raw.get("adapters"):
            return _named(mms_languages.table())
        return tuple(_whisper(code) for code in model.languages)
    if model.family == "whisper":
        codes = list(whisper_languages.LANGUAGES)
        count = len(codes) if model.config["vocab_size"] >= V3_VOCABULARY else V2_LANGUAGES
        return tuple(_whisper(code) for code in (codes[:count] if model.config["vocab_size"] > 51864 else ["en"]))
    return _named(adapters_of(model.folder))


def adapters_of(folder: Path) -> tuple[str, ...]:
    """Codes of the languages of a wav2vec 2.0 folder: those of its vocabulary; () where it has one alone."""
    path = folder / "vocab.json"
    return vocab.languages(vocab.read_table(path)) if path.is_file() else ()


def _named(codes: Iterable[str]) -> tuple[LanguageRow, ...]:
    rows = mms_languages.table()
    found = ((code, rows.get(code)) for code in codes)
    return tuple(LanguageRow(code, row.name if row else "", row.own if row else ()) for code, row in found)


def _whisper(code: str) -> LanguageRow:
    other = tuple(name for name, of in whisper_languages.ALIASES.items() if of == code)
    return LanguageRow(code, whisper_languages.LANGUAGES.get(code, "").title(), other)
