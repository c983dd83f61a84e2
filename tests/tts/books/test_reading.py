"""Books of every format become the same chapters."""

import zipfile

import pytest

from sonant.errors import BadInput, UnknownName, UnspeakableText
from sonant.tts.books import read_book

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
PAGE = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="e"><head><title>x</title></head><body>{}</body></html>'  # noqa: E501


def book(path):
    found = read_book(path)
    return found, [(chapter.title, chapter.text) for chapter in found.chapters]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_text(tmp_path):
    text = (
        "My Book\n\nChapter 1\n\nChapter II\n\nby Nobody\n\nChapter 1\n\nIt was a dark\nnight. Chapter 2 was far.\n\n"
        "CHAPTER II. The Storm\n\nIt rained.\n\nEPILOGUE\n\nThe end.\n"
    )
    found, chapters = book(write(tmp_path / "my.txt", text))
    assert found.title == "my"
    assert [title for title, _ in chapters] == [
        "Beginning",
        "Chapter II",
        "Chapter 1",
        "CHAPTER II. The Storm",
        "EPILOGUE",
    ]
    assert chapters[1][1].startswith("Chapter 1\n"), "a table of contents stays with what follows"
    assert "".join(text.split()) == "".join("".join(body.split()) for _, body in chapters)
    _, chapters = book(write(tmp_path / "zh.txt", "第一章 雨\n\n下雨了。\n\n第二章\n\n天晴了。"))
    assert [title for title, _ in chapters] == ["第一章 雨", "第二章"]
    _, chapters = book(write(tmp_path / "plain.txt", "Only words.\n\nMore of them."))
    assert chapters == [("Beginning", "Only words.\n\nMore of them.")]


def test_markdown(tmp_path):
    text = """---
title: "A Tale"
author: Ann
lang: en-GB
---
# A Tale

## One

Some *soft* and **loud** `code`, a [link](https://example.org/x_(y)), an ![a cat](cat.png), [Kokoro](/kˈOkəɹO/).
<!-- hidden -->

> quoted
> lines

- first
- [ ] second

Setext
------

| a | b |
|---|---|
| c | d |

```python
# no heading
```
snake_case \\*stays\\*[^1]
"""
    found, chapters = book(write(tmp_path / "a.md", text))
    assert (found.title, found.author, found.language, found.markup) == ("A Tale", "Ann", "en-GB", True)
    assert [title for title, _ in chapters] == ["One", "Setext"]
    assert chapters[0][1].split("\n\n") == [
        "A Tale",
        "One",
        "Some soft and loud code, a [link](https://example.org/x_(y)), an a cat, [Kokoro](/kˈOkəɹO/).",
        "quoted\nlines",
        "first",
        "second",
    ]
    assert chapters[1][1] == "Setext\n\na, b\n\nc, d\n\n# no heading\n\nsnake_case *stays*"


def test_html(tmp_path):
    text = """<!doctype html><html lang="fr"><head><title>Le  Livre</title><style>p{}</style></head><body>
    <h1>Un</h1><p>Bonjour&nbsp;<b>le</b>
    monde<br>nouvelle ligne<script>no()</script></p><ul><li>a<li>b</ul>
    <h1>Deux</h1><div>Le <ruby>mot<rt>mo</rt></ruby> é &amp; <img alt="un chat"></div><p hidden>rien</p>
    </body></html>"""
    found, chapters = book(write(tmp_path / "a.html", text))
    assert (found.title, found.language) == ("Le Livre", "fr")
    assert chapters == [
        ("Un", "Un\n\nBonjour le monde\nnouvelle ligne\n\na\n\nb"),
        ("Deux", "Deux\n\nLe mot é & un chat"),
    ]


def epub(path, pages, nav="", ncx="", extra=None, spine=None):
    items = "".join(f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>' for name in pages)
    if nav:
        items += '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    if ncx:
        items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    order = "".join(f'<itemref idref="{name}"/>' for name in (spine or pages))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>A Novel</dc:title><dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator>"
        f"<dc:language>en</dc:language></metadata><manifest>{items}</manifest>"
        f"<spine>{order}<itemref idref='none'/></spine></package>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/book.opf", package)
        for name, body in pages.items():
            archive.writestr(f"OEBPS/{name}.xhtml", PAGE.format(body))
        if nav:
            archive.writestr("OEBPS/nav.xhtml", PAGE.format(nav))
        if ncx:
            archive.writestr("OEBPS/toc.ncx", ncx)
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return path


PAGES = {
    "a": "<h1>First</h1><p>One<a epub:type='noteref' href='#n'>1</a>.</p>",
    "b": "<p>Still one.</p><section id='two'><h1>Second</h1><p>Two.</p></section>",
    "c": "<p>Three.</p>",
}
NAV = (
    '<nav epub:type="landmarks"><a href="c.xhtml">no</a></nav>'
    '<nav epub:type="toc"><ol><li><a href="a.xhtml">The First</a></li>'
    '<li><a href="b.xhtml#two">The  Second</a></li><li><a href="c.xhtml">Third</a></li></ol></nav>'
)


def test_epub_with_navigation(tmp_path):
    found, chapters = book(epub(tmp_path / "a.epub", PAGES, NAV))
    assert (found.title, found.author, found.language) == ("A Novel", "Ann, Bob", "en")
    assert chapters == [
        ("The First", "First\n\nOne.\n\nStill one."),
        ("The Second", "Second\n\nTwo."),
        ("Third", "Three."),
    ]
    assert found.warnings == ("1 marks of notes were left out",)


def test_epub_2(tmp_path):
    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>'
        '<navPoint><navLabel><text>Uno</text></navLabel><content src="a.xhtml"/></navPoint>'
        '<navPoint><navLabel><text>Dos</text></navLabel><content src="c.xhtml"/></navPoint></navMap></ncx>'
    )
    _, chapters = book(epub(tmp_path / "a.epub", PAGES, ncx=ncx))
    assert [title for title, _ in chapters] == ["Uno", "Dos"]


def test_epub_without_contents(tmp_path):
    _, chapters = book(epub(tmp_path / "a.epub", PAGES))
    assert [title for title, _ in chapters] == ["First", "Second", "Part 3"]


def test_epubs_that_cannot_be_read(tmp_path):
    lock = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData>'
        '<EncryptionMethod Algorithm="aes"/><CipherData><CipherReference URI="OEBPS/a.xhtml"/></CipherData>'
        "</EncryptedData></encryption>"
    )
    path = epub(tmp_path / "drm.epub", PAGES, extra={"META-INF/encryption.xml": lock})
    with pytest.raises(BadInput, match="encrypted"):
        read_book(path)
    masked = lock.replace('"aes"', '"http://www.idpf.org/2008/embedding"')
    assert read_book(epub(tmp_path / "font.epub", PAGES, extra={"META-INF/encryption.xml": masked})).chapters
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><ncx>&a;</ncx>'
    with pytest.raises(BadInput, match="entities"):
        read_book(epub(tmp_path / "bomb.epub", PAGES, ncx=bomb))
    for data in (b"PK no zip", b""):
        (tmp_path / "broken.epub").write_bytes(data)
        with pytest.raises(BadInput, match="no readable EPUB"):
            read_book(tmp_path / "broken.epub")
    with zipfile.ZipFile(tmp_path / "zip.epub", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(BadInput, match="no readable EPUB"):
        read_book(tmp_path / "zip.epub")


def pdf(path, pages, outline=()):
    """A PDF by hand: Helvetica, a line of text a line."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R/Outlines 4 0 R>>",
        "",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        "",
    ]
    kids = []
    for lines in pages:
        text = "BT /F 12 Tf 50 700 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        objects.append(f"<</Length {len(text)}>>stream\n{text}\nendstream")
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 800]/Resources<</Font<</F 3 0 R>>>>"
            f"/Contents {len(objects)} 0 R>>"
        )
        kids.append(len(objects))
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(f'{kid} 0 R' for kid in kids)}]>>"
    first = len(objects) + 1
    count = len(outline)
    objects[3] = f"<</Type/Outlines/Count {count}" + (
        f"/First {first} 0 R/Last {first + count - 1} 0 R>>" if count else ">>"
    )
    for number, (title, page) in enumerate(outline):
        around = f"/Next {first + number + 1} 0 R" if number + 1 < count else ""
        objects.append(f"<</Title({title})/Parent 4 0 R/Dest[{kids[page]} 0 R/Fit]{around}>>")
    objects.append("<</Title(A Report)/Author(Ann)>>")
    data, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R/Info {len(objects)} 0 R>>\nstartxref\n{len(data)}\n%%EOF"  # noqa: E501
    path.write_bytes(data.encode("latin-1"))
    return path


def test_pdf(tmp_path):
    pytest.importorskip("pypdf")
    pages = [
        [
            f"A Report {number}",
            f"On this page {word} begins a line that is rather long",
            f"and is followed by another long one about {word}",
            f"and here, {word}, is a rather long line that ends with a won-",
            f"derful {word}.",
            str(number),
        ]
        for number, word in enumerate(["rain", "wind", "snow", "fog", "hail"], 1)
    ]
    found, chapters = book(pdf(tmp_path / "a.pdf", pages, [("Start", 0), ("Later", 3)]))
    assert (found.title, found.author) == ("A Report", "Ann")
    assert [title for title, _ in chapters] == ["Start", "Later"]
    assert "ends with a wonderful snow." in chapters[0][1]
    assert "A Report" not in chapters[0][1]
    assert found.warnings == ("10 running heads and page numbers were left out",)
    with pytest.raises(UnspeakableText, match="scanned"):
        read_book(pdf(tmp_path / "scan.pdf", [[], []]))
    (tmp_path / "broken.pdf").write_bytes(b"no pdf")
    with pytest.raises(BadInput, match="no readable PDF"):
        read_book(tmp_path / "broken.pdf")


def test_files_that_are_no_book(tmp_path):
    with pytest.raises(UnknownName, match=r"\.epub"):
        read_book(tmp_path / "a.epup")
    with pytest.raises(BadInput, match="no book"):
        read_book(tmp_path / "none.txt")
    with pytest.raises(UnspeakableText):
        read_book(write(tmp_path / "empty.txt", " \n\n"))
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="UTF-8"):
        read_book(tmp_path / "binary.txt")
