"""Markdown (CommonMark's common part): headings become chapters, marks of form go, words stay.

sonant's own markup, ``[word](/phonemes/)`` and the like, is left for the speaker.
"""

from __future__ import annotations

import re
from pathlib import Path

from sonant.tts.books.book import Block, Book, divided, text_of

__all__ = ["blocks_of", "read"]

_FRONT = re.compile(r"\A---\n(.*?)\n(?:---|\.\.\.)\n", re.DOTALL)
_FIELD = re.compile(r"^(title|author|lang|language):\s*[\"']?(.*?)[\"']?\s*$", re.MULTILINE)
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*")
_FENCE = re.compile(r" {0,3}(```+|~~~+).*")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*")
_ITEM = re.compile(r"\s*(?:[-*+]\s+(?:\[[ xX]\]\s+)?)(.*)")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-{3,}:?\s*(?:\|\s*:?-{3,}:?\s*)*\|?\s*")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

_INLINE = (
    (re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)"), r"\1"),  # an image is its description
    (re.compile(r"\[([^\]\n]+)\]\[[^\]\n]*\]"), r"\1"),
    (re.compile(r"\[\^[^\]\n]+\]:?"), ""),
    (re.compile(r"<(https?://[^>\s]+)>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^>\n]*>"), ""),
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (re.compile(r"(\*\*\*|\*\*|\*|~~)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)(___|__|_)(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!~>|])")
_PRIVATE = 0xE000  # an escaped mark waits here, in the private use area, while the others are read
_WAITING = re.compile("[\ue000-\ue07f]")


def read(path: Path) -> Book:
    """A Markdown file; a front matter's title, author and language hold."""
    text = text_of(path)
    fields: dict[str, str] = {}
    if front := _FRONT.match(text):
        fields = {name.lower(): value for name, value in _FIELD.findall(front[1])}
        text = text[front.end() :]
    title, chapters = divided(blocks_of(text), fields.get("title", ""))
    language = fields.get("lang") or fields.get("language")
    return Book(title, chapters, fields.get("author", ""), language, markup=True)


def blocks_of(text: str) -> list[Block]:
    """Headings and paragraphs; list items and table rows are paragraphs of their own, code is read as it stands."""
    blocks: list[Block] = []
    paragraph: list[str] = []
    fence = ""

    def end() -> None:
        if paragraph:
            blocks.append(Block("\n".join(paragraph)))
            paragraph.clear()

    for raw in _COMMENT.sub("", text).splitlines():
        if fence or _FENCE.fullmatch(raw):
            mark = _FENCE.fullmatch(raw)
            if not fence and mark:
                end()
                fence = mark[1]
            elif raw.strip().startswith(fence) and not raw.strip().strip(fence[0]):
                end()
                fence = ""
            elif raw.strip():
                paragraph.append(raw.strip())
            continue
        line = re.sub(r"^\s{0,3}(?:>\s?)+", "", raw)
        if heading := _HEADING.fullmatch(line):
            end()
            blocks.append(Block(inline(heading[2]), len(heading[1])))
        elif (under := _UNDERLINE.fullmatch(line)) and len(paragraph) == 1:
            title = paragraph.pop()
            blocks.append(Block(title, 1 if under[1][0] == "=" else 2))
        elif not line.strip() or _RULE.fullmatch(line) or _TABLE_RULE.fullmatch(line):
            end()
        elif item := _ITEM.fullmatch(line):
            end()
            paragraph.append(inline(item[1]))
        elif line.count("|") >= 2 and line.strip().startswith("|"):
            end()
            blocks.append(Block(inline(", ".join(cell.strip() for cell in line.strip().strip("|").split("|")))))
        else:
            paragraph.append(inline(line.strip()))
    end()
    return [block for block in blocks if block.text.strip()]


def inline(text: str) -> str:
    """Marks of form inside a line taken away."""
    text = _ESCAPED.sub(lambda mark: chr(_PRIVATE + ord(mark[1])), text)
    for pattern, instead in _INLINE:
        text = pattern.sub(instead, text)
    return _WAITING.sub(lambda mark: chr(ord(mark[0]) - _PRIVATE), text)
