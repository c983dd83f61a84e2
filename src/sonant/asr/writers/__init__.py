"""Transcripts as files and back: txt srt vtt tsv csv json jsonl ass lrc aud.

write("talk.srt", transcript, max_line_width=42, max_line_count=2)
render(transcript, "vtt", highlight_words=True)
read("talk.json")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sonant.asr.writers import captions, json_form, readers, tables
from sonant.asr.writers.options import CaptionOptions
from sonant.errors import BadInput, UnknownName
from sonant.files import write_text
from sonant.records import Transcript

__all__ = ["FORMATS", "READABLE", "CaptionOptions", "read", "render", "write"]

LAID_OUT: dict[str, Callable[[Transcript, CaptionOptions], str]] = {
    "srt": captions.srt,
    "vtt": captions.vtt,
    "ass": captions.ass,
    "lrc": captions.lrc,
}
WHOLE: dict[str, Callable[[Transcript], str]] = {
    "txt": tables.txt,
    "tsv": tables.tsv,
    "csv": tables.csv,
    "aud": tables.aud,
    "json": json_form.to_json,
    "jsonl": json_form.to_jsonl,
}
READERS: dict[str, Callable[[str], Transcript]] = {
    "srt": readers.from_srt,
    "vtt": readers.from_vtt,
    "tsv": readers.from_tsv,
    "csv": readers.from_csv,
    "json": json_form.from_json,
    "jsonl": json_form.from_jsonl,
}
FORMATS = (*WHOLE, *LAID_OUT)
READABLE = tuple(READERS)


def render(transcript: Transcript, format: str, options: CaptionOptions | None = None, **changes: Any) -> str:  # noqa: A002
    """The transcript in a format, as text whose lines end in a line feed.

    Args:
        transcript: what was heard or spoken.
        format: one of ``FORMATS``.
        options: layout of captions.
        **changes: fields of ``CaptionOptions`` by name.

    Raises:
        UnknownName: no such format or option.
        BadInput: a layout that needs the times of words, where there are none.
    """
    options = (options or CaptionOptions()).changed(**changes)
    if format in LAID_OUT:
        return LAID_OUT[format](transcript, options)
    if format in WHOLE:
        return WHOLE[format](transcript)
    raise UnknownName("transcript format", format, FORMATS)


def write(path: str | Path, transcript: Transcript, options: CaptionOptions | None = None, **changes: Any) -> Path:
    """Write the transcript in the format of the path's suffix, whole or not at all; arguments as ``render``.

    Raises:
        OutputError: no such folder, disk full; what was there before is still there.
    """
    path = Path(path)
    return write_text(path, render(transcript, _format_of(path, FORMATS), options, **changes))


def read(path: str | Path) -> Transcript:
    """A transcript from a srt, vtt, tsv, csv, json or jsonl file.

    Raises:
        BadInput: the file can't be read, or isn't what its suffix says.
    """
    path = Path(path)
    reader = READERS[_format_of(path, READERS)]
    try:
        return reader(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _format_of(path: Path, known: Any) -> str:
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in known:
        raise UnknownName("transcript format", suffix or path.name, known, f"known: {', '.join(known)}")
    return suffix
