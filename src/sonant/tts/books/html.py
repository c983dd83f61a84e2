"""HTML and XHTML: headings and paragraphs as a browser would show them, by the standard library's parser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from sonant.tts.books.book import Block, Book, divided, text_of

__all__ = ["Page", "page_of", "read"]

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form "
    "header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul h1 h2 h3 h4 h5 h6 title".split()
)
_HIDDEN = frozenset("script style template noscript svg math rt rp head select textarea audio video object".split())
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_NOTE_TYPES = frozenset(("noteref", "doc-noteref"))


class Page(HTMLParser):
    """A parsed page.

    Attributes:
        title: of its head.
        language: of its ``lang``.
        blocks: headings and paragraphs.
        notes: marks of notes that were left out.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title, self.language = "", ""
        self.blocks: list[Block] = []
        self.notes = 0
        self._text: list[str] = []
        self._level = 0
        self._ids: list[str] = []
        self._hidden: list[str] = []
        self._in_title = self._preformatted = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        values = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = values.get("lang") or values.get("xml:lang", "")
        if tag == "title":
            self._in_title = True
            return
        if self._hidden:
            if tag not in _VOID:
                self._hidden.append(tag)
            return
        kinds = {values.get("epub:type", ""), values.get("role", "")}
        if tag in _HIDDEN or "hidden" in values or kinds & _NOTE_TYPES:
            self.notes += bool(kinds & _NOTE_TYPES)
            if tag not in _VOID:
                self._hidden.append(tag)
            return
        if tag in _BLOCKS:
            self._end_block()
            self._level = int(tag[1]) if re.fullmatch("h[1-6]", tag) else 0
            self._preformatted = tag == "pre"
        if anchor := values.get("id") or (values.get("name") if tag == "a" else ""):
            self._ids.append(anchor)
        if tag == "br":
            self._text.append("\n")
        elif tag == "img" and values.get("alt"):
            self._text.append(f" {values['alt']} ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """XHTML's ``<p/>``."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those inside it that were left open."""
        if tag == "title":
            self._in_title = False
        elif self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
        elif tag in _BLOCKS:
            self._end_block()
            self._preformatted = False

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._in_title:
            self.title += data
        elif not self._hidden:
            self._text.append(data if self._preformatted else re.sub(r"\s+", " ", data))

    def close(self) -> None:
        """The end of the page."""
        super().close()
        self._end_block()

    def _end_block(self) -> None:
        lines = re.sub(r"[^\S\n]+", " ", "".join(self._text)).split("\n")
        text = "\n".join(line.strip() for line in lines).strip()
        self._text.clear()
        if text or self._ids:
            # An anchor on an element around a block belongs to the first text in it.
            self.blocks.append(Block(text, self._level if text else 0, tuple(self._ids)))
            self._ids.clear()
        self._level = 0


def page_of(text: str) -> Page:
    """A page from its source."""
    page = Page()
    page.feed(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    page.close()
    page.title = " ".join(page.title.split())
    return page


def read(path: Path) -> Book:
    """An HTML file in UTF-8."""
    page = page_of(text_of(path))
    title, chapters = divided([block for block in page.blocks if block.text], page.title)
    return Book(title, chapters, language=page.language or None, warnings=note_warning(page.notes))


def note_warning(notes: int) -> tuple[str, ...]:
    """The line that tells of marks of notes."""
    return (f"{notes} marks of notes were left out",) if notes else ()
