"""Vocabularies of CTC checkpoints: symbols <-> ids, as Hugging Face's ``vocab.json`` spells them.

A flat file maps a symbol to its id; an MMS file nests one such map for each language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sonant.errors import BadInput, CorruptFile, UnknownName

__all__ = ["CtcVocabulary", "Table", "languages", "read_table", "read_vocabulary", "vocabulary_of"]

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")


@dataclass(frozen=True)
class CtcVocabulary:
    """Symbols of a CTC head.

    Attributes:
        symbols: symbol of each id.
        blank: id of the CTC blank (the pad token in this family).
        delimiter: symbol between words.
        language: code of the language, for a nested vocabulary.
    """

    symbols: tuple[str, ...]
    blank: int = 0
    delimiter: str = "|"
    language: str | None = None

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each symbol."""
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    @cached_property
    def silent(self) -> frozenset[int]:
        """Ids that stand for no letter: blank, sentence marks, unknown."""
        return frozenset(self.ids[symbol] for symbol in SPECIAL if symbol in self.ids) | {self.blank}

    @cached_property
    def upper(self) -> bool:
        """Whether the letters are upper case, as in base-960h."""
        letters = [symbol for symbol in self.symbols if len(symbol) == 1 and symbol.isalpha()]
        return bool(letters) and all(letter == letter.upper() for letter in letters)

    def text(self, ids: Sequence[int]) -> str:
        """Symbols of these ids as text: the delimiter becomes a space, silent ids vanish."""
        spelled = (self.symbols[index] for index in ids if index not in self.silent)
        return "".join(" " if symbol == self.delimiter else symbol for symbol in spelled)

    def fold(self, text: str) -> str:
        """Text in the case of this vocabulary."""
        return text.upper() if self.upper else text.lower()

    def encode(self, text: str) -> list[int]:
        """Ids of a text; white space becomes the delimiter.

        Raises:
            BadInput: a character has no symbol; names them all.
        """
        words = self.fold(text).split()
        missing = sorted({character for word in words for character in word if character not in self.ids})
        if missing:
            raise BadInput(
                f"the vocabulary has no symbol for {' '.join(map(repr, missing))}; it has: "
                f"{''.join(symbol for symbol in self.symbols if len(symbol) == 1)}"
            )
        ids: list[int] = []
        for word in words:
            if ids and self.delimiter in self.ids:
                ids.append(self.ids[self.delimiter])
            ids.extend(self.ids[character] for character in word)
        return ids


Table = Mapping[str, Any]  # symbols to ids, or languages to such tables


def read_table(path: Path) -> Table:
    """The parsed content of a ``vocab.json``.

    Raises:
        CorruptFile: it is no vocabulary.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CorruptFile(f"{path.parent} has no vocab.json, which names the outputs of a CTC head") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CorruptFile(f"{path} is no vocabulary: {error}") from error
    if not isinstance(table, Mapping) or not table:
        raise CorruptFile(f"{path} is no vocabulary: a table from symbols to ids is wanted")
    return table


def languages(table: Table) -> tuple[str, ...]:
    """Codes of the languages of a nested table; () for a flat one."""
    return tuple(table) if isinstance(next(iter(table.values())), Mapping) else ()


def read_vocabulary(path: Path, *, blank: int = 0, language: str | None = None) -> CtcVocabulary:
    """Read a ``vocab.json``; see ``vocabulary_of``."""
    return vocabulary_of(read_table(path), str(path), blank=blank, language=language)


def vocabulary_of(table: Table, name: str, *, blank: int = 0, language: str | None = None) -> CtcVocabulary:
    """The vocabulary in a table.

    Args:
        table: see ``read_table``.
        name: what to call it in errors.
        blank: id of the blank, the config's ``pad_token_id``.
        language: which of a nested table's languages; needed there, ignored for a flat one.

    Raises:
        BadInput: a nested table and no language.
        UnknownName: the nested table has no such language; names the nearest.
        CorruptFile: ids have gaps.
    """
    nested = bool(languages(table))
    if nested:
        if language is None:
            raise BadInput(f"the model has {len(table)} languages; name one")
        if language not in table:
            raise UnknownName("language", language, table, "`sonant languages` lists all")
        table = table[language]
    ids = sorted(table.values())
    if ids != list(range(len(ids))):
        raise CorruptFile(f"{name} has gaps or doubles among its {len(ids)} ids")
    symbols = tuple(sorted(table, key=table.__getitem__))
    return CtcVocabulary(symbols, blank, language=language if nested else None)
