"""A book as chapters of text, whatever file it came from."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sonant.errors import BadInput, UnknownName, UnspeakableText

__all__ = ["SUFFIXES", "Block", "Book", "Chapter", "divided", "read_book"]

_READERS = {
    "plain": (".txt", ".text", ""),
    "markdown": (".md", ".markdown"),
    "html": (".html", ".htm", ".xhtml"),
    "epub": (".epub",),
    "pdf": (".pdf",),
}
SUFFIXES = {suffix: reader for reader, suffixes in _READERS.items() for suffix in suffixes}
LARGEST_BYTES = 500 * 2**20


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter.

    Attributes:
        title: for the list of chapters.
        text: what is spoken, the heading included; paragraphs are parted by blank lines.
    """

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Book:
    """A book.

    Attributes:
        title: as its file tells, else the file's name.
        chapters: in order, each with something to say.
        author: "" where the file doesn't tell.
        language: BCP 47 tag, where the file tells.
        markup: the text may hold sonant's markup.
        warnings: what was left out, a line each.
    """

    title: str
    chapters: tuple[Chapter, ...]
    author: str = ""
    language: str | None = None
    markup: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """Length of all text."""
        return sum(len(chapter.text) for chapter in self.chapters)


@dataclass(frozen=True, slots=True)
class Block:
    """A heading or a paragraph of a structured text.

    Attributes:
        text: with no line ends but those that are meant.
        level: 1 to 6 for a heading, 0 for a paragraph.
        ids: anchors that point here.
    """

    text: str
    level: int = 0
    ids: tuple[str, ...] = ()


def read_book(path: str | Path) -> Book:
    """Read a book; the suffix tells the format.

    Raises:
        UnknownName: another format.
        BadInput: it can't be read, is encrypted, or is too large (500 MB).
        UnspeakableText: it holds no text.
        MissingExtra: pdf needs the extra "books".
    """
    path = Path(path)
    reader = SUFFIXES.get(path.suffix.lower())
    if reader is None:
        raise UnknownName("book format", path.suffix, [suffix for suffix in SUFFIXES if suffix])
    if not path.is_file():
        raise BadInput(f"there is no book {path}")
    if path.stat().st_size > LARGEST_BYTES:
        raise BadInput(f"{path} has {path.stat().st_size / 2**20:.0f} MB; a book has at most {LARGEST_BYTES >> 20}")
    book: Book = importlib.import_module(f"sonant.tts.books.{reader}").read(path)
    chapters = tuple(chapter for chapter in book.chapters if any(letter.isalnum() for letter in chapter.text))
    if not chapters:
        raise UnspeakableText(f"{path} holds no text; a book of scanned pages needs character recognition first")
    return replace(book, title=book.title.strip() or path.stem, chapters=chapters)


def text_of(path: Path) -> str:
    """The text of a UTF-8 file, with plain line ends.

    Raises:
        BadInput: it isn't one.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}; convert it first") from error
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error


def divided(blocks: Sequence[Block], title: str) -> tuple[str, tuple[Chapter, ...]]:
    """Title and chapters of a text with headings.

    Chapters begin at the highest level that has two headings or more; a single heading above it is the title.
    """
    counts = {level: sum(block.level == level for block in blocks) for level in range(1, 7)}
    present = [level for level in range(1, 7) if counts[level]]
    level = next((level for level in present if counts[level] > 1), present[0] if present else 0)
    first = blocks[0] if blocks else None
    if first and 0 < first.level < level and counts[first.level] == 1:
        title = first.text
    elif present and counts[present[0]] == 1 and level == present[0] and not title:
        title = next(block.text for block in blocks if block.level == level)
    starts = [index for index, block in enumerate(blocks) if 0 < block.level <= level]
    if not starts or starts[0] > 0:
        starts = [0, *starts]
    chapters: list[Chapter] = []
    waiting: list[Block] = []
    for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
        part = [*waiting, *blocks[start:end]]
        waiting = []
        if all(block.level for block in part) and end < len(blocks):
            waiting = part  # "Part One" right before "Chapter 1" belongs to it
            continue
        leading = itertools.takewhile(lambda block: block.level, part)
        heading = ". ".join(block.text.rstrip(".") for block in leading if block.text != title)
        chapters.append(Chapter(heading or title or "Beginning", joined(part)))
    return title, tuple(chapters)


def joined(blocks: Sequence[Block]) -> str:
    """Blocks as text, blank lines between."""
    return "\n\n".join(block.text for block in blocks if block.text)
