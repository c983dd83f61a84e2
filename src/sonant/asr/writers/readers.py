"""Captions read back: srt and vtt from any program, tsv and csv with our columns."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable

from sonant.asr.writers.captions import WORD_JOINER
from sonant.errors import BadInput
from sonant.records import Segment, Transcript

__all__ = ["from_csv", "from_srt", "from_tsv", "from_vtt"]

TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
ARROW = re.compile(rf"^\s*{TIME}\s*-->\s*{TIME}(?:\s.*)?$")
TAG = re.compile(r"<[^>]*>")


def from_srt(text: str) -> Transcript:
    """SubRip, leniently: any line ends, full stops for commas, missing numbers.

    Raises:
        BadInput: a block has no line with times.
    """
    segments = []
    for number, block in enumerate(_blocks(text), 1):
        place = next((row for row, line in enumerate(block[:2]) if ARROW.match(line)), None)
        if place is None:
            raise BadInput(f"this srt has no times in its caption {number}: {block[0][:60]!r}")
        segments.append(_segment(block[place], "\n".join(block[place + 1 :]).replace(f"--{WORD_JOINER}>", "-->")))
    return _transcript(segments)


def from_vtt(text: str) -> Transcript:
    """WebVTT: comments, styles, names, settings and tags are left out, character references are resolved.

    Raises:
        BadInput: it doesn't begin with WEBVTT.
    """
    blocks = _blocks(text)
    if not blocks or not blocks[0][0].startswith("WEBVTT"):
        raise BadInput("this vtt doesn't begin with WEBVTT; is it another format?")
    segments = []
    for block in blocks[1:]:
        place = next((row for row, line in enumerate(block[:2]) if ARROW.match(line)), None)
        if place is not None:  # else a comment, a style or a region
            segments.append(_segment(block[place], html.unescape(TAG.sub("", "\n".join(block[place + 1 :])))))
    return _transcript(segments)


def from_tsv(text: str) -> Transcript:
    """Columns start, end (milliseconds) and text.

    Raises:
        BadInput: other columns.
    """
    return _rows(line.split("\t") for line in text.split("\n") if line)


def from_csv(text: str) -> Transcript:
    """Columns start, end (milliseconds) and text, quoted after RFC 4180; errors as ``from_tsv``."""
    return _rows(csv.reader(io.StringIO(text, newline="")))


def _rows(rows: Iterable[list[str]]) -> Transcript:
    head, *rest = [*rows] or [[]]
    if head != ["start", "end", "text"]:
        raise BadInput(f"this table's columns are {head}; a transcript has start, end, text")
    try:
        return _transcript([Segment(int(row[0]) / 1000, int(row[1]) / 1000, f" {row[2]}") for row in rest])
    except (ValueError, IndexError) as error:
        raise BadInput(f"a row of this table is no segment: {error}") from error


def _blocks(text: str) -> list[list[str]]:
    """Lines between empty ones."""
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip(" \t"):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _segment(times: str, text: str) -> Segment:
    match = ARROW.match(times)
    assert match  # the caller found it by this pattern
    return Segment(_seconds(*match.groups()[:4]), _seconds(*match.groups()[4:]), f" {text}")


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _transcript(segments: list[Segment]) -> Transcript:
    return Transcript(tuple(segments), None, max((segment.end_s for segment in segments), default=0.0))
