"""A row a segment: plain text (txt), tab- and comma-separated values (tsv, csv), Audacity labels (aud)."""

from __future__ import annotations

import csv as csv_module
import io
from collections.abc import Iterator

from sonant.asr.writers.clock import milliseconds
from sonant.asr.writers.cues import one_line
from sonant.records import Segment, Transcript

__all__ = ["aud", "csv", "tsv", "txt"]


def txt(transcript: Transcript) -> str:
    """A line a segment."""
    return "".join(f"{text}\n" for _, text in _spoken(transcript))


def tsv(transcript: Transcript) -> str:
    """openai-whisper's: start and end in whole milliseconds, the text, tabs in it as spaces."""
    rows = ((milliseconds(s.start_s), milliseconds(s.end_s), t.replace("\t", " ")) for s, t in _spoken(transcript))
    return "start\tend\ttext\n" + "".join(f"{start}\t{end}\t{text}\n" for start, end, text in rows)


def csv(transcript: Transcript) -> str:
    """whisper.cpp's columns, quoted after RFC 4180; times in whole milliseconds."""
    file = io.StringIO()
    writer = csv_module.writer(file, lineterminator="\n")
    writer.writerow(["start", "end", "text"])
    writer.writerows((milliseconds(s.start_s), milliseconds(s.end_s), text) for s, text in _spoken(transcript))
    return file.getvalue()


def aud(transcript: Transcript) -> str:
    """Audacity's label track: start and end in seconds, the text."""
    rows = ((f"{s.start_s:.6f}", f"{s.end_s:.6f}", text.replace("\t", " ")) for s, text in _spoken(transcript))
    return "".join(f"{start}\t{end}\t{text}\n" for start, end, text in rows)


def _spoken(transcript: Transcript) -> Iterator[tuple[Segment, str]]:
    """Segments that hold text, and the text on one line."""
    for segment in transcript.segments:
        if text := one_line(segment.text):
            yield segment, text
