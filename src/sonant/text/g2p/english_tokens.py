"""English text -> words and marks, as the part-of-speech tagger and the dictionary want them.

Follows the conventions of the Penn Treebank: contractions and possessives are words of their own ("do" + "n't"),
punctuation stands alone, hyphens stand alone between the parts of a compound.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sonant.text.tokens import Spoken

__all__ = ["Piece", "cut", "subwords"]


@dataclass(slots=True)
class Piece:
    """A word, part of a word, or mark.

    Attributes:
        text: as written.
        span: (start, end) in the user's original text.
        space: whether white space follows.
        source: the piece of the user's text that it begins in.
        tag: Penn tag, set by the tagger.
        quote: "“" or "”" for a single quotation mark; "" for an apostrophe and everything else.
    """

    text: str
    span: tuple[int, int]
    space: bool
    source: Spoken
    tag: str = ""
    quote: str = ""


_CHUNK = re.compile(r"\S+")
_EDGE = frozenset("\"“”„«»()[]{}<>¿¡*_~|#=—–―…‘’'`´,;:!?./\\-•·")
_ELLIPSIS = re.compile(r"\.{2,}|…+")
_DASH = re.compile(r"[-—–―]+")
_APOSTROPHES = "'’‘"
_CLIPPED = re.compile(r"(?i)['’](?:em|tis|twas|til|till|cause|cos|coz|cuz|bout|n|round|s|d|ll|re|ve|m)(?![^\W_])")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+(?:[^\W\d_]\.?)?|[^\W\d_]{1,2}(?:\.[^\W\d_]{1,2})+\.?")
_CONTRACTION = re.compile(r"(?i)(?:(?<=[^\W\d_])n['’]t|(?<=[^\W_])['’](?:s|m|d|re|ve|ll))$")
_WHOLE = frozenset(("ma'am", "o'clock", "ma’am", "o’clock"))
_JOINED = frozenset(("cannot", "gonna", "gotta", "wanna", "gimme", "lemme"))
_INSIDE = re.compile(
    r"\.{2,}|…+|[—–―]+|--+|[,;:!?/=<>()\[\]\"“”+*&@%^~|\\](?=.)|(?<=[^\W_])[-_](?=[^\W_])"
    r"|(?<=[^\W\d_]{2})\.(?=[^\W\d_]{2})"
)


def cut(pieces: Sequence[Spoken]) -> list[Piece]:
    """Cut one sentence; joined, the texts are the sentence but for its white space. Fixed phonemes stay whole."""
    text = "".join(piece.text for piece in pieces)
    starts, place = [], 0
    for piece in pieces:
        starts.append(place)
        place += len(piece.text)
    owners = [(start, piece) for start, piece in zip(starts, pieces, strict=True) if piece.text or piece.phonemes]
    result: list[Piece] = []
    begin, stop = 0, len(text.rstrip())
    quoted = False
    fixed: list[tuple[int, Spoken | None]] = [(at, piece) for at, piece in owners if piece.phonemes is not None]
    for until, whole in [*fixed, (len(text), None)]:
        for chunk in _CHUNK.finditer(text, begin, until):
            at = chunk.start()
            ends = chunk.end() == stop
            for part, quote in _parts(chunk[0], quoted, ends):
                result.append(_piece(text, at, at + len(part), owners, quote))
                at += len(part)
                quoted = quote == "“" or (quoted and quote != "”")
        if whole is not None:
            begin = until + len(whole.text)
            space = whole.text != whole.text.rstrip() or text[begin : begin + 1].isspace()
            result.append(Piece(whole.text.strip(), whole.span, space, whole))
    return result


def _piece(text: str, start: int, end: int, owners: Sequence[tuple[int, Spoken]], quote: str) -> Piece:
    """A piece with its span in the original."""
    first_start, first = owners[bisect.bisect_right(owners, start, key=lambda owner: owner[0]) - 1]
    last_start, last = owners[bisect.bisect_right(owners, end - 1, key=lambda owner: owner[0]) - 1]
    left = first.span[0] + (start - first_start if _aligned(first) else 0)
    right = last.span[0] + end - last_start if _aligned(last) else last.span[1]
    return Piece(text[start:end], (left, right), text[end : end + 1].isspace(), first, quote=quote)


def _aligned(piece: Spoken) -> bool:
    """Whether it is the user's text, character by character."""
    return piece.rule == "text" and piece.span[1] - piece.span[0] == len(piece.text)


def _parts(chunk: str, quoted: bool, ends: bool) -> Iterator[tuple[str, str]]:
    """Cut what stands between white space: parts, and what quotation mark a single quote is.

    ``quoted`` is whether a single quotation mark is open: it says whether "dogs'" ends a quotation or owns something.
    ``ends`` is whether the sentence ends here: the dot of "U.S." is then its full stop.
    """
    start, end = 0, len(chunk)
    while start < end and chunk[start] in _EDGE and not _CLIPPED.match(chunk, start, end):
        run = _ELLIPSIS.match(chunk, start, end) or _DASH.match(chunk, start, end)
        step = run.end() - start if run else 1
        opens = chunk[start] in _APOSTROPHES and start + 1 < end
        yield chunk[start : start + step], "“" if opens else "”" if chunk[start] in _APOSTROPHES else ""
        quoted = quoted or opens
        start += step
    tail: list[tuple[str, str]] = []
    while start < end and chunk[end - 1] in _EDGE and (ends or not _DOTTED.fullmatch(chunk, start, end)):
        last = chunk[end - 1]
        step = end - start - len(chunk[start:end].rstrip(last)) if last in ".…-—–―" else 1
        closes = last in _APOSTROPHES and (quoted or not chunk[end - 2].isalnum())
        tail.append((chunk[end - step : end], "”" if closes else ""))
        end -= step
    for part in _words(chunk[start:end]) if start < end else ():
        yield part, ""
    yield from reversed(tail)


def _words(body: str) -> Iterator[str]:
    """Cut a chunk without outer punctuation: compounds, joined marks, contractions."""
    place = 0
    for mark in [] if _DOTTED.fullmatch(body) else _INSIDE.finditer(body):
        if mark.start() > place:
            yield from _contraction(body[place : mark.start()])
        yield mark[0]
        place = mark.end()
    if place < len(body):
        yield from _contraction(body[place:])


def _contraction(word: str) -> Iterator[str]:
    """Parts of a contraction: "don't" -> "do", "n't"; "cannot" -> "can", "not"."""
    lower = word.lower()
    found = None if lower in _WHOLE else _CONTRACTION.search(word)
    if lower in _JOINED:
        yield from (word[:3], word[3:])
    elif found and found.start():
        yield from (word[: found.start()], found[0])
    else:
        yield word


_CAMEL = re.compile(
    r"(?<=[^\W\d_A-Z])(?<!Mc)(?<!Mac)(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)"
)
_RUNS = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)*|.", re.DOTALL)


def subwords(text: str) -> list[str]:
    """Parts that a word no dictionary has may be read by: "wav2vec" -> "wav", "2", "vec"; "GitHub" -> "Git", "Hub"."""
    return [part for run in _RUNS.findall(text) for part in _CAMEL.split(run) if part]
