"""Fragments of text -> sentences, each as soon as it is certain, in memory bounded by the longest sentence.

A sentence is certain when what follows can't change where it ends: a further word, or a paragraph. The rules of
sentences are those of ``text.split``; a stretch of 1,200 characters without an end is cut at a clause or a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sonant.errors import BadInput
from sonant.text.split import sentences
from sonant.text.tokens import Spoken
from sonant.tts import ssml
from sonant.tts.markup import Markup
from sonant.tts.options import SpeakOptions
from sonant.tts.script import Ending, Event, Manner, Passage, Pause, Say, Stop, Turn, cut_pieces

__all__ = ["Reader", "Text", "fragments", "read"]

Text = str | Path | Iterable[str]
"""A text, the path of a text file, or fragments (an open file, the tokens of a language model)."""

BLOCK = 8192  # characters read at once from a whole text
LONGEST = 1200  # characters of a sentence; above it the text is cut, so that memory and time stay bounded
FIRST_CLAUSES = (24, 70)  # the first clauses of so many letters may be spoken before their sentence ends
REST = 40  # letters that must follow in a later sentence, so that no scrap of it is left
_LINE = 64  # characters of an open line that tell ``text.split`` how it goes on
WIDE_LETTERS = 3  # letters of a script that writes a syllable or a word with one character count so much

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff]")
_WIDE = r"\u3000-\u30ff\u3400-\u9fff\uff00-\uffef"
_MAY_END = re.compile(r"[.!?…।॥؟۔‼⁇⁈⁉。！？｡．\n]")
# After this much text nothing changes an end before it: a whole further word, or a letter of a script without spaces.
# What follows "J." or "1)" says whether it begins a list, and so whether the line before it ended.
_CERTAIN = re.compile(rf"[^\w{_WIDE}]*(?:[{_WIDE}]|\w[\w'’-]*(?:[^\w'’.)-]|[.)][\s\S])|[^\w]{{64}})")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n|[\f\v\u2029]")
_CLAUSE = re.compile(
    rf"[^\W\d_][,;:—–][\"”’»)]*\s+(?=[^\W\d_]\w*[^\w])|[^\W\d_]\s*—\s*(?=[^\W\d_]\w*[^\w])|[、，；：](?=[{_WIDE}])"
)
_CUTS = (re.compile(r"[,;:—–、，；：][\"”’»)」』]*\s*"), re.compile(r"\s+"))


def fragments(text: Text) -> Iterator[str]:
    """Any text as fragments; bytes that are no text are refused.

    Raises:
        BadInput: a file that isn't UTF-8 text, a fragment that is no string, control characters.
    """
    place = 0
    if isinstance(text, Sequence) and not isinstance(text, str | list | tuple):
        raise BadInput(f"the text is {type(text).__name__}; give a string: data.decode('utf-8')")
    for fragment in _raw(text):
        if not isinstance(fragment, str):
            raise BadInput(f"a text fragment is {type(fragment).__name__}; give strings")
        if found := _CONTROL.search(fragment):
            raise BadInput(
                f"the text holds the control character U+{ord(found[0]):04X} at character {place + found.start() + 1}; "
                "is it a binary file?"
            )
        place += len(fragment)
        yield fragment


def _raw(text: Text) -> Iterator[str]:
    if isinstance(text, str):
        yield from (text[start : start + BLOCK] for start in range(0, len(text), BLOCK))
    elif isinstance(text, Path):
        try:
            with text.open(encoding="utf-8-sig", newline="") as file:
                while block := file.read(BLOCK):
                    yield block
        except UnicodeDecodeError as error:
            raise BadInput(f"{text} is no UTF-8 text: {error.reason} at byte {error.start}") from error
        except OSError as error:
            raise BadInput(f"{text} can't be read: {error.strerror}") from error
    else:
        yield from text


class _Source(Protocol):
    def push(self, fragment: str) -> list[Event]: ...

    def close(self) -> list[Event]: ...


class _Plain:
    """Text without markup."""

    def __init__(self) -> None:
        self._place = 0

    def push(self, fragment: str) -> list[Event]:
        start, self._place = self._place, self._place + len(fragment)
        return [Say(Spoken(fragment, (start, self._place)))]

    def close(self) -> list[Event]:
        return []


def read(
    text: Text, options: SpeakOptions, language: Callable[[Manner], str], early: bool = False
) -> Iterator[Passage | Pause]:
    """Passages and pauses of a text, in order, as its fragments come.

    Args:
        text: the text.
        options: says whether it is markup, SSML or plain.
        language: code of the language that a manner speaks.
        early: the first clause may come before its sentence has ended.

    Raises:
        BadInput: markup or SSML that can't be read (line and column), binary text.
    """
    stream = fragments(text)
    head = ""
    if options.ssml is None and not options.is_phonemes:
        for fragment in stream:
            head += fragment
            if len(head.lstrip()) >= len("<speak"):
                break
    if options.ssml or (options.ssml is None and re.match(r"\s*(?:<\?xml[^>]*>\s*)?<speak\b", head)):
        whole = head + "".join(stream)
        yield from _of_events(whole, ssml.parse(whole, language), language)
        return
    source: _Source = Markup() if options.markup and not options.is_phonemes else _Plain()
    reader = Reader(language, early)
    for fragment in _first(head, stream):
        reader.feed(fragment)
        for event in source.push(fragment):
            yield from reader.push(event)
    for event in source.close():
        yield from reader.push(event)
    yield from reader.close()


def _first(head: str, stream: Iterator[str]) -> Iterator[str]:
    if head:
        yield head
    yield from stream


def _of_events(whole: str, events: Iterable[Event], language: Callable[[Manner], str]) -> Iterator[Passage | Pause]:
    reader = Reader(language)
    reader.feed(whole)
    for event in events:
        yield from reader.push(event)
    yield from reader.close()


class Reader:
    """Events -> passages and pauses."""

    def __init__(self, language: Callable[[Manner], str], early: bool = False) -> None:
        """``language`` and ``early`` as in ``read``."""
        self._language = language
        # Least lengths of the clauses that may still be spoken early.
        self._early: tuple[int, ...] = FIRST_CLAUSES if early else ()
        self._pieces: tuple[Spoken, ...] = ()
        self._manner = Manner()
        self._source, self._start = "", 0  # the text that open pieces may refer to, and its place
        self._done = 0  # end of the last passage
        self._line = ""  # the end of what passages have of the open line already

    def feed(self, fragment: str) -> None:
        """Remember the user's text itself, before the events that come from it."""
        self._source += fragment

    def push(self, event: Event) -> Iterator[Passage | Pause]:
        """What is certain after this event."""
        if isinstance(event, Say):
            self._add(event.piece)
            yield from self._certain()
        elif isinstance(event, Pause):
            yield from self._flush("none")
            yield event
        elif isinstance(event, Stop):
            yield from self._flush(event.ending)
        elif isinstance(event, Turn) and event.manner != self._manner:
            yield from self._flush("none")
            self._manner = event.manner
        self._forget()

    def close(self) -> Iterator[Passage | Pause]:
        """The rest."""
        yield from self._flush("sentence")

    def _add(self, piece: Spoken) -> None:
        last = self._pieces[-1] if self._pieces else None
        if last and _follows(last, piece):
            joined = Spoken(last.text + piece.text, (last.span[0], piece.span[1]))
            self._pieces = (*self._pieces[:-1], joined)
        else:
            self._pieces = (*self._pieces, piece)

    def _certain(self) -> Iterator[Passage]:
        """Sentences that no further text changes."""
        yield from self._first_clause()
        text = "".join(piece.text for piece in self._pieces)
        if _MAY_END.search(text):
            groups = self._sentences(self._pieces)
            sizes = [sum(len(piece.text) for piece in group) for group in groups]
            place, sure = 0, 0
            for number, size in enumerate(sizes[:-1], 1):
                place += size
                if _CERTAIN.match(text, place):
                    sure = number
            for group in groups[:sure]:
                yield from self._passages(tuple(group), "sentence")
            if sure:
                self._pieces = tuple(piece for group in groups[sure:] for piece in group)
                text = "".join(piece.text for piece in self._pieces)
        while len(text) > LONGEST:
            head, rest = cut_pieces(self._pieces, _long_cut(text))
            if not rest:
                break
            self._pieces = rest
            yield self._passage(head, "none")
            text = "".join(piece.text for piece in self._pieces)

    def _first_clause(self) -> Iterator[Passage]:
        """A clause that may be spoken by itself, while little has been said yet."""
        text = "".join(piece.text for piece in self._pieces)
        first = len(self._early) == len(FIRST_CLAUSES)
        if self._early and (place := _first_clause(text, self._early[0], 0 if first else REST)):
            head, rest = cut_pieces(self._pieces, place)
            if len(self._sentences(head)) == 1:
                self._pieces = rest
                yield self._passage(head, "clause")

    def _flush(self, ending: Ending) -> Iterator[Passage]:
        """All that is left: nothing follows that could change it."""
        yield from self._first_clause()
        if _sounds(self._pieces):
            groups = self._sentences(self._pieces)
            self._pieces = ()
            for group in groups[:-1]:
                yield from self._passages(tuple(group), "sentence")
            yield from self._passages(tuple(groups[-1]), ending)
        elif self._pieces:
            self._done, self._pieces = self._pieces[-1].span[1], ()

    def _passages(self, pieces: tuple[Spoken, ...], ending: Ending) -> Iterator[Passage]:
        """A sentence, cut where it is too long."""
        while sum(len(piece.text) for piece in pieces) > LONGEST:
            head, rest = cut_pieces(pieces, _long_cut("".join(piece.text for piece in pieces)))
            if not rest:
                break
            yield self._passage(head, "none")
            pieces = rest
        text = "".join(piece.text for piece in pieces)
        if _PARAGRAPH.search(text, len(text.rstrip())):
            ending = "paragraph"
        yield self._passage(pieces, ending)

    def _forget(self) -> None:
        """Let go of the text before the open pieces."""
        first = min((piece.span[0] for piece in self._pieces), default=self._done)
        if first - self._start > BLOCK:
            self._source, self._start = self._source[first - self._start :], first

    def _sentences(self, pieces: tuple[Spoken, ...]) -> list[list[Spoken]]:
        """The sentences of open pieces, as if the beginning of their line were still there."""
        code = self._language(self._manner)
        if not self._line:
            return sentences(pieces, code)
        before = Spoken(self._line, (0, 0), phonemes="")  # which is never cut
        first, *rest = sentences((before, *pieces), code)
        return [first[1:], *rest] if first[1:] else rest

    def _passage(self, pieces: tuple[Spoken, ...], ending: Ending) -> Passage:
        self._early = self._early[1:]
        text = "".join(piece.text for piece in pieces)
        _, line_end, line = (self._line + text).rpartition("\n")
        self._line = (line.lstrip() if line_end else line)[-_LINE:]  # a line begins behind its white space
        first = min(piece.span[0] for piece in pieces)
        last = max(piece.span[1] for piece in pieces)
        source = self._source[first - self._start : last - self._start]
        self._done = max(self._done, last)
        return Passage(pieces, self._manner, ending, source, first)


def _sounds(pieces: tuple[Spoken, ...]) -> bool:
    """Whether there is more than white space."""
    return any(piece.phonemes is not None or piece.text.strip() for piece in pieces)


def _follows(last: Spoken, piece: Spoken) -> bool:
    """Whether two pieces are one stretch of plain text."""
    return last.span[1] == piece.span[0] and all(
        each.rule == "text"
        and each.phonemes is None
        and each.stress is None
        and not each.flags
        and each.span[1] - each.span[0] == len(each.text)
        for each in (last, piece)
    )


def _first_clause(text: str, least: int, rest: int) -> int:
    """Characters of a clause of ``least`` letters that ``rest`` letters follow; 0 for none."""
    start = len(text) - len(text.lstrip())
    for clause in _CLAUSE.finditer(text):
        weight = WIDE_LETTERS if clause[0][0] in "、，；：" else 1
        if (clause.end() - start) * weight >= least:
            return clause.end() if (len(text) - clause.end()) * weight >= rest else 0
    return 0


def _long_cut(text: str) -> int:
    """Where to cut a text above ``LONGEST``: the last clause, else the last space, else between two characters."""
    for pattern in _CUTS:
        ends = [found.end() for found in pattern.finditer(text, LONGEST // 2, LONGEST)]
        if ends:
            return ends[-1]
    return LONGEST
