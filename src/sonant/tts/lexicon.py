"""A user's own words: a file that says how they are spoken, by phonemes or by another spelling.

TSV, a word or phrase and its reading a line, ``#`` begins a comment:

    Kokoro      /kˈOkəɹO/
    SQL         sequel

JSON: an object of the same pairs. A reading between slashes is phonemes of Kokoro's alphabet, any other is text to be
spoken instead. An entry in lower case holds for every case; one with capitals for its own spelling alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import regex

from sonant.errors import BadInput
from sonant.text.phonemes import encode
from sonant.text.tokens import Spoken
from sonant.tts.script import cut_pieces

__all__ = ["UserLexicon", "load"]

_WIDE = r"[\p{Han}\p{Hiragana}\p{Katakana}ー]"
_LETTER = rf"[[\p{{L}}\p{{N}}\p{{M}}_]--{_WIDE}]"


class UserLexicon:
    """Readings by word; ``apply`` puts them in place of the words. Longer entries go first."""

    def __init__(self, readings: Mapping[str, str]) -> None:
        """Check every entry.

        Raises:
            BadInput: an empty word or reading, or phonemes that aren't in the alphabet.
        """
        self._exact: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        for written, said in readings.items():
            word, reading = " ".join(written.split()), said.strip()
            if not word or not reading or reading == "//":
                raise BadInput(f"lexicon entry {word!r} -> {reading!r}: a word and a reading are needed")
            if _is_phonemes(reading):
                encode(reading[1:-1])
            (self._folded if word == word.lower() else self._exact)[word] = reading
        entries = [*self._exact, *self._folded]
        # A word ends where letters end; scripts without spaces have no such border.
        self._pattern = regex.compile(
            rf"(?<!{_LETTER})\L<entries>(?!{_LETTER})|\L<wide>",
            regex.V1 | regex.IGNORECASE,
            entries=entries,
            wide=[word for word in entries if regex.fullmatch(rf"{_WIDE}+", word, regex.V1)],
        )

    @property
    def readings(self) -> dict[str, str]:
        """Every entry, sorted."""
        return dict(sorted((self._exact | self._folded).items()))

    def __len__(self) -> int:
        return len(self._exact) + len(self._folded)

    def apply(self, pieces: Iterable[Spoken]) -> list[Spoken]:
        """Pieces with every known word cut out and given its reading; those with phonemes of their own stay."""
        result: list[Spoken] = []
        for piece in pieces:
            if piece.phonemes is not None or not piece.text or not len(self):
                result.append(piece)
                continue
            rest: tuple[Spoken, ...] = (piece,)
            place = 0
            for match in self._pattern.finditer(piece.text):
                reading = self._reading(match[0])
                if reading is None:
                    continue
                before, rest = cut_pieces(rest, match.start() - place)
                word, rest = cut_pieces(rest, match.end() - match.start())
                result.extend(before)
                result.append(_spoken(word[0], reading))
                place = match.end()
            result.extend(rest)
        return [piece for piece in result if piece.text or piece.phonemes is not None]

    def _reading(self, word: str) -> str | None:
        return self._exact.get(word) or self._folded.get(word.lower())


def _is_phonemes(reading: str) -> bool:
    return len(reading) > 2 and reading[0] == reading[-1] == "/"


def _spoken(word: Spoken, reading: str) -> Spoken:
    if _is_phonemes(reading):
        return Spoken(word.text, word.span, "lexicon", phonemes=reading[1:-1])
    return Spoken(reading, word.span, "lexicon")


def load(source: UserLexicon | Mapping[str, str] | str | Path) -> UserLexicon:
    """A lexicon from a file (.json, else TSV), a table, or as it is.

    Raises:
        BadInput: no such file, or a line that is no entry; the message names it.
    """
    if isinstance(source, UserLexicon):
        return source
    if isinstance(source, Mapping):
        return UserLexicon(source)
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the lexicon {path} can't be read: {error}") from error
    table = _json(path, text) if path.suffix.lower() == ".json" else _tsv(path, text)
    try:
        return UserLexicon(table)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _json(path: Path, text: str) -> dict[str, str]:
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} is no JSON: {error}") from error
    if not isinstance(table, dict) or not all(isinstance(reading, str) for reading in table.values()):
        raise BadInput(f"{path}: a JSON lexicon is an object of words and readings, both strings")
    return table


def _tsv(path: Path, text: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, tab, reading = line.partition("\t")
        if not tab:
            raise BadInput(f"{path}, line {number}: write a word, a tab and its reading; found {line.strip()[:60]!r}")
        table[word.strip()] = reading.strip()
    return table
