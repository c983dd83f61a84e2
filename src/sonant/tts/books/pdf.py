"""PDF text by pypdf (extra "books"): chapters by the outline, lines joined to paragraphs, page numbers left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from sonant.errors import BadInput, need
from sonant.tts.books.book import Book, Chapter
from sonant.tts.books.plain import chapters_of

__all__ = ["read"]

_EDGE = 2  # lines at the top and bottom of a page that may be a running head
_NUMBER = re.compile(r"\W*(?:page\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of)\s*\d{1,4})?\W*", re.IGNORECASE)
_ENDS = ".!?…:;\"'”’»)。！？।"


def read(path: Path) -> Book:
    """A PDF with text in it.

    Raises:
        BadInput: no readable PDF, or one under a password.
        MissingExtra: pypdf isn't installed.
    """
    pypdf = need("pypdf", "books")
    try:
        document = pypdf.PdfReader(path)
        if document.is_encrypted and not document.decrypt(""):
            raise BadInput(f"{path} is under a password; remove it first")
        pages = [(page.extract_text() or "").splitlines() for page in document.pages]
        starts = list(_outline(document))
    except pypdf.errors.PyPdfError as error:
        raise BadInput(f"{path} is no readable PDF: {error}") from error
    kept, left_out = _without_heads(pages)
    facts = document.metadata or {}
    warnings = (f"{left_out} running heads and page numbers were left out",) if left_out else ()
    chapters = _chapters(kept, starts)
    return Book(str(facts.get("/Title") or ""), chapters, str(facts.get("/Author") or ""), None, warnings=warnings)


def _outline(document: Any) -> Iterator[tuple[int, str]]:
    """(page, title) of the outline's first level."""
    for entry in document.outline:
        if not isinstance(entry, list):
            page = document.get_destination_page_number(entry)
            if page is not None and page >= 0:
                yield page, " ".join(str(entry.title).split())


def _chapters(pages: list[list[str]], starts: list[tuple[int, str]]) -> tuple[Chapter, ...]:
    if not starts:
        return chapters_of(_paragraphs([line for page in pages for line in (*page, "")]))
    places = sorted(dict(reversed(starts)).items())  # the first of a page wins
    if places[0][0] > 0:
        places = [(0, "Beginning"), *places]
    bounds = [*(page for page, _ in places), len(pages)]
    return tuple(
        Chapter(title, _paragraphs([line for page in pages[first:last] for line in page]))
        for (_, title), (first, last) in zip(places, pairwise(bounds), strict=True)
    )


def _without_heads(pages: list[list[str]]) -> tuple[list[list[str]], int]:
    """Pages without page numbers and without lines that stand at the edge of most pages; how many lines went."""
    pages = [[line.strip() for line in page if line.strip()] for page in pages]
    edges = Counter(_shape(line) for page in pages for line in {*page[:_EDGE], *page[-_EDGE:]})
    often = {shape for shape, count in edges.items() if count > 3 and count > len(pages) / 3}
    kept, left_out = [], 0
    for page in pages:
        inside = [
            line
            for number, line in enumerate(page)
            if _EDGE <= number < len(page) - _EDGE or not (_shape(line) in often or _NUMBER.fullmatch(line))
        ]
        left_out += len(page) - len(inside)
        kept.append(inside)
    return kept, left_out


def _shape(line: str) -> str:
    """A line with its numbers made equal: heads differ by the page number alone."""
    return re.sub(r"\d+", "0", line)


def _paragraphs(lines: list[str]) -> str:
    """Lines joined to paragraphs: words cut at a line's end are made whole, short last lines end a paragraph."""
    if not lines:
        return ""
    width = max(len(line) for line in lines)
    text = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.endswith("-") and line[-2:-1].isalpha() and following[:1].islower():
            text += line[:-1]
        elif line and line[-1] in _ENDS and len(line) < 0.8 * width:
            text += line + "\n\n"
        else:
            text += line + ("\n" if line else "\n\n")
    return text.strip()
