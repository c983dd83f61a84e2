"""Plain text: chapters by lines that say so ("Chapter 7", "XII.", "第三章")."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from sonant.tts.books.book import Book, Chapter, text_of

__all__ = ["chapters_of", "read"]

_WORDS = (
    "chapter|part|book|canto|act|letter|volume|capítulo|parte|libro|chapitre|partie|livre|capitolo|atto|capitulo|"
    "अध्याय|भाग"
)
_ALONE = (
    "prologue|epilogue|preface|introduction|foreword|afterword|conclusion|appendix|prólogo|epílogo|prefacio|"
    "introducción|préface|épilogue|avant-propos|prologo|epilogo|prefazione|introduzione|introdução|序章|終章|尾声|序"
)
_NUMBER = r"(?:\d{1,3}|[IVXLC]{1,7}|[^\W\d_]{3,12}(?:-[^\W\d_]{3,6})?)"
_HEADING = re.compile(
    rf"(?:(?:{_WORDS})\s+{_NUMBER}\b[.:—–-]?.*|(?:{_ALONE})\b[.:]?.{{0,40}}|[IVXLC]{{1,7}}\.?|第[一二三四五六七八九十百零〇\d]{{1,5}}[章回節节話话部].*)",
    re.IGNORECASE,
)
_LONGEST = 80  # characters of a heading


def read(path: Path) -> Book:
    """A UTF-8 text file."""
    return Book("", chapters_of(text_of(path)), markup=True)


def chapters_of(text: str) -> tuple[Chapter, ...]:
    """Chapters of a text: a heading stands on a line of its own between blank lines.

    A table of contents is no row of chapters: headings without text between them belong to what follows.
    """
    lines = text.splitlines()
    starts = [number for number in range(len(lines)) if _is_heading(lines, number)]
    bounds = [0, *starts, len(lines)]
    chapters: list[Chapter] = []
    waiting = ""
    for start, end in pairwise(bounds):
        part = waiting + "\n".join(lines[start:end]) + "\n"
        heading = lines[start].strip() if start in starts else ""
        body = lines[start + 1 : end] if heading else lines[start:end]
        if not any(line.strip() for line in body) and end < len(lines):
            waiting = part
            continue
        waiting = ""
        if part.strip():
            chapters.append(Chapter(heading or "Beginning", part.strip()))
    return tuple(chapters)


def _is_heading(lines: list[str], number: int) -> bool:
    line = lines[number].strip()
    if not line or len(line) > _LONGEST or not _HEADING.fullmatch(line):
        return False
    before = number == 0 or not lines[number - 1].strip()
    return before and (number + 1 == len(lines) or not lines[number + 1].strip())
