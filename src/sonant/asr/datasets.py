"""Collections of recordings, one after the other: folders, CSV and JSONL manifests, datasets of Hugging Face.

Nothing is held but the recording at hand: manifests are read line by line, datasets streamed. Sound of any rate and
format is decoded here, not by the ``datasets`` package, which needs torch for it.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sonant.audio import io
from sonant.audio.suffixes import SUFFIXES
from sonant.errors import BadInput, UnknownName, UnreadableAudio, need
from sonant.records import Audio
from sonant.text.evaluation import edit_distance, fold

__all__ = ["DatasetOptions", "Item", "Score", "open_dataset"]

HUB_MARK = "hf:"
AUDIO_COLUMNS = ("audio", "audio_filepath", "path", "file", "file_name", "filename", "wav")
TEXT_COLUMNS = ("text", "sentence", "transcript", "transcription", "reference", "normalized_text")
LANGUAGE_COLUMNS = ("language", "lang", "locale")
NAME_COLUMNS = ("id", "utterance_id", "key")
METADATA = ("metadata.jsonl", "metadata.csv")  # manifests inside a folder, as Hugging Face's "audiofolder" has them
SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """Which part of a dataset is heard, and what its columns are called.

    Attributes:
        split: of a dataset of Hugging Face.
        subset: of a dataset of Hugging Face that has several (its "config", often the language).
        audio_column: column with the sound or its file; None finds audio, audio_filepath, path, file ...
        text_column: column with what was said; None finds text, sentence, transcript, transcription ...
        language_column: column with the language of each recording; None finds language, lang or locale.
        limit: recordings to take; None takes all.
    """

    split: str = "test"
    subset: str | None = None
    audio_column: str | None = None
    text_column: str | None = None
    language_column: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        """Check the range."""
        if self.limit is not None and self.limit < 1:
            raise BadInput(f"limit is {self.limit}; allowed: 1 or more, or None")


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of a dataset.

    Attributes:
        name: unique in the dataset; fit for a file name, folders divided by "/".
        audio: a file, the bytes of one, or the sound itself.
        text: what was said; None where the dataset doesn't tell.
        language: as the dataset spells it; None where it doesn't tell.
    """

    name: str
    audio: Path | bytes | Audio
    text: str | None = None
    language: str | None = None

    def sound(self) -> Path | Audio:
        """What a recogniser takes.

        Raises:
            UnreadableAudio: the bytes are no sound.
        """
        return io.read(self.audio, SAMPLE_RATE) if isinstance(self.audio, bytes) else self.audio


@dataclass(slots=True)
class Score:
    """Errors against what was said, over several recordings; case, punctuation and spacing don't count.

    Attributes:
        recordings: how many were compared.
        words: words that were said.
        word_errors: words wrong, missing or added.
        characters: characters that were said, spaces left out.
        character_errors: alike.
    """

    recordings: int = 0
    words: int = 0
    word_errors: int = 0
    characters: int = 0
    character_errors: int = 0

    def add(self, said: str, heard: str) -> None:
        """Compare one recording."""
        wanted, found = fold(said).split(), fold(heard).split()
        self.recordings += 1
        self.words += len(wanted)
        self.word_errors += edit_distance(wanted, found)
        self.characters += len("".join(wanted))
        self.character_errors += edit_distance("".join(wanted), "".join(found))

    @property
    def wer(self) -> float:
        """Word errors a word said; 0 where nothing was said or heard, 1 where words were heard in nothing."""
        return self.word_errors / self.words if self.words else float(self.word_errors > 0)

    @property
    def cer(self) -> float:
        """Character errors a character said."""
        return self.character_errors / self.characters if self.characters else float(self.character_errors > 0)


def open_dataset(source: str | Path, options: DatasetOptions | None = None, **changes: Any) -> Iterator[Item]:
    """The recordings of a dataset, in its order.

    Args:
        source: a folder (what was said stands in NAME.txt beside a recording, or in metadata.csv or metadata.jsonl); a
            manifest .csv, .tsv, .jsonl or .ndjson, whose files are found from its own folder, with "offset" and
            "duration" in seconds where a row is a part of a file; "hf:owner/name", or "hf:FOLDER" for one on disk.
        options: see ``DatasetOptions``.
        **changes: its fields by name.

    Raises:
        BadInput: no such source, or a row without a recording.
        UnknownName: no such column.
        MissingExtra: a dataset of Hugging Face, and ``datasets`` isn't installed.
    """
    options = replace(options or DatasetOptions(), **changes)
    name, path = str(source), Path(source).expanduser()
    if name.startswith(HUB_MARK):
        found = _hub(name.removeprefix(HUB_MARK), options)
    elif path.is_dir():
        manifest = next((path / inside for inside in METADATA if (path / inside).is_file()), None)
        found = _folder(path) if manifest is None else _manifest(manifest, options)
    elif path.is_file():
        found = _manifest(path, options)
    else:
        raise BadInput(
            f"there is no folder or manifest {name}; for a dataset of Hugging Face write {HUB_MARK}owner/name"
        )
    return itertools.islice(_named_apart(found), options.limit)


def _named_apart(items: Iterable[Item]) -> Iterator[Item]:
    """The same items; a name that was there before gets a number."""
    seen: set[str] = set()
    for item in items:
        name, count = item.name, 2
        while name in seen:
            name, count = f"{item.name}-{count}", count + 1
        seen.add(name)
        yield replace(item, name=name)


def _folder(folder: Path) -> Iterator[Item]:
    """Recordings of a folder and those inside, by name."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower().lstrip(".") in SUFFIXES and path.is_file())
    if not files:
        raise BadInput(f"{folder} holds no recordings")
    for path in files:
        said = path.with_suffix(".txt")
        text = said.read_text(encoding="utf-8").strip() if said.is_file() else None
        yield Item(path.relative_to(folder).with_suffix("").as_posix(), path, text)


def _manifest(path: Path, options: DatasetOptions) -> Iterator[Item]:
    """Rows of a manifest."""
    columns: Columns | None = None
    last: tuple[Path, Audio] | None = None  # rows of one long file stand together: it is decoded once
    for line, row in _rows(path):
        columns = columns or Columns.of(row, options)
        given = row.get(columns.audio)
        if not isinstance(given, str) or not given.strip():
            raise BadInput(f"{path}, line {line}: {columns.audio} is {given!r}; it must name a file")
        file = path.parent / Path(given).expanduser()
        start, length = (_seconds(row.get(name), path, line) for name in ("offset", "duration"))
        audio: Path | Audio = file
        if start is not None:  # a duration alone is a remark, as NeMo writes it
            if last is None or last[0] != file:
                last = file, io.read(file, SAMPLE_RATE)
            audio = _part(last[1], start, length, f"{path}, line {line}")
        stem = str(row.get(columns.name) or file.stem) if columns.name else file.stem
        yield Item(_plain(stem), audio, columns.text_of(row), columns.language_of(row))
    if columns is None:
        raise BadInput(f"{path} has no rows")


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line numbers and rows of a CSV, TSV or JSONL file."""
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson", ".json"):
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _object(line, path, number)
    elif suffix in (".csv", ".tsv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            divider = max("\t,;", key=header.count) if suffix == ".csv" else "\t"
            table = csv.DictReader(file, delimiter=divider)
            for row in table:
                yield table.line_num, row
    else:
        raise BadInput(f"{path} is no manifest; give a folder, or a .csv, .tsv, .jsonl or .ndjson file")


def _object(line: str, path: Path, number: int) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{path}, line {number} is not JSON ({error}); a manifest has one object a line") from error
    if not isinstance(row, Mapping):
        raise BadInput(f"{path}, line {number} is no object; a manifest has one object a line")
    return row


def _seconds(given: Any, path: Path, line: int) -> float | None:
    if given in (None, ""):
        return None
    try:
        return float(given)
    except (TypeError, ValueError):
        raise BadInput(f"{path}, line {line}: {given!r} is no time in seconds") from None


def _part(audio: Audio, start_s: float, length_s: float | None, where: str) -> Audio:
    stop = len(audio.samples) if length_s is None else round((start_s + length_s) * audio.sample_rate)
    part = audio.samples[round(start_s * audio.sample_rate) : stop]
    if start_s < 0 or not len(part):
        raise BadInput(f"{where}: nothing lies at {start_s} s for {length_s} s; the file has {audio.duration_s:.2f} s")
    return Audio(np.ascontiguousarray(part), audio.sample_rate)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what; None for what isn't there."""

    audio: str
    text: str | None = None
    language: str | None = None
    name: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any], options: DatasetOptions) -> Columns:
        """Those of a row, given or found.

        Raises:
            UnknownName: a given column isn't there, or none that could hold the sound.
        """

        def one(given: str | None, usual: tuple[str, ...]) -> str | None:
            if given is not None and given not in row:
                raise UnknownName("column", given, row)
            return given or next((name for name in usual if name in row), None)

        audio = one(options.audio_column, AUDIO_COLUMNS)
        if audio is None:
            raise UnknownName("column", "audio", row, "name the one that holds the sound: audio_column")
        text = one(options.text_column, TEXT_COLUMNS)
        return cls(audio, text, one(options.language_column, LANGUAGE_COLUMNS), one(None, NAME_COLUMNS))

    def text_of(self, row: Mapping[str, Any]) -> str | None:
        """What was said."""
        found = row.get(self.text) if self.text else None
        return None if found is None else str(found)

    def language_of(self, row: Mapping[str, Any]) -> str | None:
        """The language, where the row names one in letters (datasets number their classes)."""
        found = row.get(self.language) if self.language else None
        return found if isinstance(found, str) and found.strip() else None


def _hub(name: str, options: DatasetOptions) -> Iterator[Item]:
    """A dataset of Hugging Face, streamed."""
    datasets = need("datasets", "datasets")
    try:
        rows = datasets.load_dataset(name, options.subset, split=options.split, streaming=True)
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(f"dataset {name!r} can't be opened: {' '.join(str(error).split())[:300]}") from error
    for column, kind in (rows.features or {}).items():
        if isinstance(kind, datasets.Audio):
            rows = rows.cast_column(column, datasets.Audio(decode=False))
            options = replace(options, audio_column=options.audio_column or column)
    columns: Columns | None = None
    for number, row in enumerate(rows):
        columns = columns or Columns.of(row, options)
        audio, origin = _sound(row[columns.audio], f"{name}, row {number}")
        stem = str((columns.name and row.get(columns.name)) or origin or f"{number:06d}")
        yield Item(_plain(stem), audio, columns.text_of(row), columns.language_of(row))


def _sound(cell: Any, where: str) -> tuple[Path | bytes | Audio, str]:
    """The sound in a cell, and the name of its file, "" where it has none."""
    if isinstance(cell, str):
        return Path(cell), Path(cell).stem
    if isinstance(cell, Mapping):
        origin = Path(str(cell.get("path") or "")).stem
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"]), origin
        if cell.get("array") is not None:
            return Audio(np.asarray(cell["array"], np.float32), int(cell["sampling_rate"])), origin
        if cell.get("path"):
            return Path(cell["path"]), origin
    raise UnreadableAudio(f"{where}: the audio column holds {type(cell).__name__}, which is no sound")


def _plain(name: str) -> str:
    """A name fit for a file below a folder."""
    parts = (part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))
    return "/".join(parts) or "recording"
