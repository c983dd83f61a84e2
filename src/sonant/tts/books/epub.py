"""EPUB 2 and 3: a zip of XHTML pages in reading order, with a table of contents. Standard library only.

Sources: W3C, EPUB 3.3; IDPF, Open Packaging Format 2.0.1 (NCX).
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from sonant.errors import BadInput
from sonant.tts.books.book import Block, Book, Chapter, joined
from sonant.tts.books.html import note_warning, page_of

__all__ = ["read"]

_LARGEST_PART = 100 * 2**20
_FONT_MASKS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # these hide fonts, not text
_PAGES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document")


@dataclass(frozen=True, slots=True)
class _Package:
    """The package document: where it lies, and its parts."""

    folder: str
    root: ET.Element
    items: dict[str, ET.Element]

    def texts(self, name: str) -> list[str]:
        """Texts of the metadata elements of a name."""
        found = [element for element in self.root.iter() if _local(element) == name and element.text]
        return [" ".join((element.text or "").split()) for element in found]

    def path(self, item: ET.Element) -> str:
        """Path of a manifest item inside the zip."""
        return _path(self.folder, item.get("href", ""))


def read(path: Path) -> Book:
    """An EPUB file.

    Raises:
        BadInput: no EPUB, damaged, or under digital rights management.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path)
    except (zipfile.BadZipFile, KeyError, ET.ParseError, UnicodeDecodeError, NotImplementedError) as error:
        raise BadInput(f"{path} is no readable EPUB: {error}") from error


def _read(archive: zipfile.ZipFile, path: Path) -> Book:
    package = _package(archive, path)
    _refuse_encrypted(archive, package, path)
    titles = _contents(archive, package)
    chapters: list[tuple[str, list[Block]]] = []
    notes = skipped = 0
    for reference in (element for element in package.root.iter() if _local(element) == "itemref"):
        item = package.items.get(reference.get("idref", ""))
        if item is None or item.get("media-type") not in _PAGES:
            continue
        if reference.get("linear") == "no" or "nav" in (item.get("properties") or "").split():
            skipped += reference.get("linear") == "no"
            continue
        name = package.path(item)
        page = page_of(_text(archive, name))
        notes += page.notes
        _add(chapters, page.blocks, titles.get(name, {}), bool(titles))
    warnings = note_warning(notes) + ((f"{skipped} pages beside the reading order were left out",) if skipped else ())
    return Book(
        title=next(iter(package.texts("title")), ""),
        chapters=tuple(Chapter(title, joined(blocks)) for title, blocks in chapters if joined(blocks)),
        author=", ".join(package.texts("creator")),
        language=next(iter(package.texts("language")), None),
        warnings=warnings,
    )


def _add(chapters: list[tuple[str, list[Block]]], blocks: list[Block], titles: dict[str, str], known: bool) -> None:
    """Put a page's blocks into chapters: a new one at each place that the table of contents names."""
    anchors = {anchor: title for anchor, title in titles.items() if anchor}
    start = titles.get("")
    if start is None and (not known or not chapters):
        start = next((block.text for block in blocks if block.level), None)
        if start is None and (not chapters or not known):
            start = f"Part {len(chapters) + 1}" if chapters else "Beginning"
    if start is not None:
        chapters.append((start, []))
    for block in blocks:
        title = next((anchors[anchor] for anchor in block.ids if anchor in anchors), None)
        if title is not None and title != chapters[-1][0]:
            chapters.append((title, []))
        chapters[-1][1].append(block)


def _package(archive: zipfile.ZipFile, path: Path) -> _Package:
    container = _xml(archive, "META-INF/container.xml")
    rootfile = next((element for element in container.iter() if _local(element) == "rootfile"), None)
    if rootfile is None:
        raise BadInput(f"{path} is no readable EPUB: its container names no package")
    name = rootfile.get("full-path", "")
    root = _xml(archive, name)
    items = {element.get("id", ""): element for element in root.iter() if _local(element) == "item"}
    return _Package(posixpath.dirname(name), root, items)


def _refuse_encrypted(archive: zipfile.ZipFile, package: _Package, path: Path) -> None:
    if "META-INF/encryption.xml" not in archive.namelist():
        return
    pages = {package.path(item) for item in package.items.values() if item.get("media-type") in _PAGES}
    for data in (element for element in _xml(archive, "META-INF/encryption.xml").iter()):
        if _local(data) != "EncryptedData":
            continue
        method = next((part.get("Algorithm") for part in data.iter() if _local(part) == "EncryptionMethod"), "")
        names = {_path("", part.get("URI", "")) for part in data.iter() if _local(part) == "CipherReference"}
        if method not in _FONT_MASKS and names & pages:
            raise BadInput(f"{path} is encrypted (digital rights management); sonant can't read it")


def _contents(archive: zipfile.ZipFile, package: _Package) -> dict[str, dict[str, str]]:
    """Page -> anchor ("" for its start) -> title, by the navigation document, else the NCX."""
    titles: dict[str, dict[str, str]] = {}
    for item in package.items.values():
        if "nav" in (item.get("properties") or "").split():
            folder = posixpath.dirname(package.path(item))
            for link, text in _nav_links(_xml(archive, package.path(item))):
                _note(titles, folder, link, text)
    if titles:
        return titles
    for item in package.items.values():
        if item.get("media-type") == "application/x-dtbncx+xml":
            folder = posixpath.dirname(package.path(item))
            for point in (e for e in _xml(archive, package.path(item)).iter() if _local(e) == "navPoint"):
                label = next((e.text or "" for e in point.iter() if _local(e) == "text"), "")
                link = next((e.get("src", "") for e in point.iter() if _local(e) == "content"), "")
                _note(titles, folder, link, label)
    return titles


def _nav_links(root: ET.Element) -> list[tuple[str, str]]:
    """Links of the table of contents, not those of landmarks or page lists."""
    navs = [element for element in root.iter() if _local(element) == "nav"]
    kinds = {id(nav): next((value for key, value in nav.attrib.items() if key.endswith("type")), "") for nav in navs}
    tables = [nav for nav in navs if "toc" in kinds[id(nav)].split()] or navs[:1]
    links = [element for nav in tables for element in nav.iter() if _local(element) == "a"]
    return [(link.get("href", ""), "".join(link.itertext())) for link in links]


def _note(titles: dict[str, dict[str, str]], folder: str, link: str, title: str) -> None:
    page, _, anchor = link.partition("#")
    title = " ".join(title.split())
    if page and title:
        titles.setdefault(_path(folder, page), {}).setdefault(unquote(anchor), title)


def _path(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href))) if href else ""


def _local(element: ET.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _text(archive: zipfile.ZipFile, name: str) -> str:
    info = archive.getinfo(name)
    if info.file_size > _LARGEST_PART:
        raise BadInput(f"{archive.filename}: {name} has {info.file_size >> 20} MB; at most {_LARGEST_PART >> 20}")
    data = archive.read(info)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding)


def _xml(archive: zipfile.ZipFile, name: str) -> ET.Element:
    """A parsed part; one that defines entities of its own is refused before they are expanded."""
    text = _text(archive, name)
    if re.search(r"<!ENTITY", text):
        raise BadInput(f"{archive.filename}: {name} defines entities, which no EPUB needs")
    return ET.fromstring(text.encode())  # noqa: S314  entities are refused above
