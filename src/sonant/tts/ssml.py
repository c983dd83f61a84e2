"""SSML 1.1, the part that Kokoro can do, read with expat: errors tell line and column, custom entities are refused.

    <speak xml:lang> <p> <s> <break time strength> <prosody rate volume> <phoneme alphabet ph> <sub alias>
    <say-as interpret-as format> <voice name xml:lang> <lang xml:lang> <emphasis level>

``phoneme`` takes the alphabets "ipa" and "x-kokoro". Source: W3C, Speech Synthesis Markup Language (SSML) 1.1; a
prosody volume in decibels is its rule "+6dB doubles the amplitude". What SSML knows and Kokoro can't do (pitch, audio)
is an error that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from xml.parsers import expat

import numpy as np

from sonant.errors import BadInput, SonantError
from sonant.text.tokens import Spoken
from sonant.tts import ssml_values as values
from sonant.tts.script import Event, Manner, Pause, Say, Stop, Turn

__all__ = ["parse"]

_DEEPEST = 100  # nested elements; a text has no use for more


def parse(text: str, language: Callable[[Manner], str] = lambda manner: manner.language or "a") -> list[Event]:
    """All events of a document; spans point into ``text``.

    Args:
        text: the document.
        language: code of the language that a manner speaks; IPA and ordinals hang on it.

    Raises:
        BadInput: no well-formed XML, an element or value that isn't in the list above; with line and column.
    """
    return _Parser(text, language).events()


@dataclass(frozen=True, slots=True)
class _Open:
    """An element that is open.

    Attributes:
        name: its name.
        manner: the manner outside it, to go back to.
        attributes: as written.
        start: how many events came before it.
        stress: change of stress inside it.
    """

    name: str
    manner: Manner
    attributes: Mapping[str, str]
    start: int
    stress: float | None


class _Parser:
    """One document."""

    def __init__(self, text: str, language: Callable[[Manner], str]) -> None:
        self._text, self._language = text, language
        try:
            self._bytes = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise BadInput(f"SSML: the text holds half of a character at {error.start}") from error
        # Character index of each byte: expat counts bytes.
        starts = (np.frombuffer(self._bytes, np.uint8) & 0xC0) != 0x80
        self._index = np.concatenate([np.cumsum(starts) - 1, [len(text)]])
        self._events: list[Event] = []
        self._stack: list[_Open] = []
        self._manner = Manner()
        self._stress: float | None = None
        self._xml = expat.ParserCreate("utf-8")
        self._xml.buffer_text = False  # each call of ``_characters`` is one stretch of the source
        self._xml.StartElementHandler = self._guarded(self._start)
        self._xml.EndElementHandler = self._guarded(self._end)
        self._xml.CharacterDataHandler = self._guarded(self._characters)
        self._xml.StartDoctypeDeclHandler = self._doctype

    def events(self) -> list[Event]:
        try:
            self._xml.Parse(self._bytes, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise BadInput(f"SSML, line {error.lineno}, column {error.offset + 1}: {reason}") from error
        return self._events

    def _guarded(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Errors of a handler, with their place."""

        def handle(*arguments: object) -> None:
            try:
                handler(*arguments)
            except _Placed:
                raise
            except SonantError as error:
                raise self._wrong(str(error)) from error

        return handle

    def _wrong(self, problem: str) -> BadInput:
        line, column = self._xml.CurrentLineNumber, self._xml.CurrentColumnNumber + 1
        return _Placed(f"SSML, line {line}, column {column}: {problem}")

    def _place(self) -> int:
        return int(self._index[self._xml.CurrentByteIndex])

    def _doctype(self, *_: object) -> None:
        raise self._wrong("a document type with entities of its own is not read; leave <!DOCTYPE> out")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.removeprefix("ssml:")
        if not self._stack and name != "speak":
            raise BadInput(f"the outermost element is <{name}>; write <speak> around all")
        if len(self._stack) >= _DEEPEST:
            raise BadInput(f"more than {_DEEPEST} elements inside each other")
        values.check(name, attributes, self._stack[-1].name if self._stack else None)
        place = self._place()
        self._stack.append(_Open(name, self._manner, attributes, len(self._events), self._stress))
        if name in ("p", "s"):
            self._events.append(Stop("paragraph" if name == "p" else "sentence", (place, place)))
        elif name == "break":
            self._events.append(Pause(values.break_s(attributes), (place, place)))
        elif name == "emphasis":
            self._stress = values.EMPHASIS[attributes.get("level", "moderate")]
        self._turn(values.turned(self._manner, name, attributes), place)

    def _end(self, name: str) -> None:
        name = name.removeprefix("ssml:")
        place = self._place()
        opened = self._stack.pop()
        if name in ("sub", "phoneme", "say-as"):
            self._replace(opened)
        self._stress = opened.stress
        self._turn(opened.manner, place)
        if name in ("p", "s"):
            self._events.append(Stop("paragraph" if name == "p" else "sentence", (place, place)))

    def _turn(self, manner: Manner, place: int) -> None:
        if manner != self._manner:
            self._manner = manner
            self._events.append(Turn(manner, (place, place)))

    def _characters(self, data: str) -> None:
        start = self._place()
        source = self._text[start : start + len(data)]
        if source == data:
            span = (start, start + len(data))
        elif self._text.startswith("\r\n", start) and data == "\n":
            span = (start, start + 2)
        else:  # a reference: &amp; or &#233;
            span = (start, self._text.index(";", start) + 1)
        # Line ends in the source are mere layout: sentences and paragraphs have elements of their own.
        spoken = data.replace("\n", " ").replace("\r", " ")
        self._events.append(Say(Spoken(spoken, span, stress=self._stress)))

    def _replace(self, opened: _Open) -> None:
        """Put what an element says in place of its text."""
        inside = self._events[opened.start :]
        del self._events[opened.start :]
        pieces = [event.piece for event in inside if isinstance(event, Say)]
        if not pieces or not (text := "".join(piece.text for piece in pieces)).strip():
            raise BadInput(f"<{opened.name}> is empty; write the text that it stands for")
        span = (pieces[0].span[0], pieces[-1].span[1])
        code = self._language(self._manner)
        piece = values.replacement(opened.name, opened.attributes, text, span, code)
        self._events.append(Say(replace(piece, stress=opened.stress)))


class _Placed(BadInput):
    """An error whose text tells its place already."""
