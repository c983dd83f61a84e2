"""Markup in plain text, read as it comes: pronunciation, stress, number flags, pauses, and turns of manner.

    [word](/phonemes/)   these phonemes, of Kokoro's alphabet, for the word
    [word](+1)           stress: -2 -1 -0.5 0.5 1 2, as in misaki
    [123](#a&n#)         number flags: a "a hundred", & keep "and", n reduce it
    [pause:1.5s]         silence; also 500ms, or a bare number of seconds
    [voice:af_bella]     another voice or blend from here on; [/voice] ends it
    [rate:1.2]           factor of the speed from here on; [/rate] ends it
    [volume:0.5]         factor of the volume from here on; [/volume] ends it
    [lang:fr]            another language from here on; [/lang] ends it

Brackets of any other kind are text. A link ``[text](address)`` is its text. The first three forms are hexgrad/misaki's
(0.9.4, ``en.py``), voice, rate and pause those of remsky/Kokoro-FastAPI.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sonant.errors import BadInput
from sonant.text.languages import canonical
from sonant.text.tokens import Spoken
from sonant.tts.options import FASTEST, LOUDEST, SLOWEST
from sonant.tts.script import Event, Manner, Pause, Say, Turn

__all__ = ["LONGEST_PAUSE_S", "Markup", "duration_s", "parse"]

LONGEST_PAUSE_S = 600.0

_NAMES = "pause|voice|rate|volume|lang|language"
_TAG = re.compile(rf"\[(?:(?P<name>{_NAMES}):(?P<value>[^\[\]\n]*)|/(?P<end>{_NAMES}))\]")
_TARGET = r"\((?P<target>(?:[^()\n]|\([^()\n]*\))*)\)"
_LINK = re.compile(rf"\[(?P<text>[^\[\]\n]+)\]{_TARGET}")
_UNFINISHED = re.compile(r"\[[^\[\]\n]*(?:\]?|\]\((?:[^()\n]|\([^()\n]*\))*(?:\([^()\n]*)?)")
_HOLD = 400  # characters that an unfinished bracket may hold back; a longer one is text

_STRESS = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)")
_STRESSES = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
_FLAGS = re.compile(r"#([a&n]*)#")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:\S*|[./#]\S*|\S+\.\S+", re.IGNORECASE)
_DURATION = re.compile(r"\+?(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>ms|s|)", re.IGNORECASE)


def parse(text: str, tags: bool = True) -> list[Event]:
    """All events of a whole text.

    Args:
        text: the text.
        tags: read ``[pause:...]``, ``[voice:...]`` and the like; False knows the first three forms alone.

    Raises:
        BadInput: a tag with a value that can't be; the message has line and column.
    """
    reader = Markup(tags=tags)
    return [*reader.push(text), *reader.close()]


class Markup:
    """Reads fragments of a text: a tag may be cut anywhere between two of them."""

    def __init__(self, offset: int = 0, tags: bool = True) -> None:
        """``offset`` is the place of the first fragment in the user's text; ``tags`` as in ``parse``."""
        self._tags = tags
        self._pending = ""
        self._offset = offset
        self._manner = Manner()
        self._line, self._column = 1, 1  # of the first pending character

    def push(self, fragment: str) -> list[Event]:
        """What is certain after this fragment."""
        self._pending += fragment
        return self._read(final=False)

    def close(self) -> list[Event]:
        """What was still open: it is text."""
        return self._read(final=True)

    def _read(self, final: bool) -> list[Event]:
        events: list[Event] = []
        text, place = self._pending, 0
        while place < len(text):
            bracket = text.find("[", place)
            if bracket < 0:
                bracket = len(text)
            self._say(events, text, place, bracket)
            place = bracket
            if place == len(text):
                break
            if not final and len(text) - place <= _HOLD and _UNFINISHED.fullmatch(text, place):
                break
            if self._tags and (tag := _TAG.match(text, place)):
                events.append(self._tag(tag))
                place = tag.end()
            elif (link := _LINK.match(text, place)) and (piece := self._link(link)):
                events.append(Say(piece))
                place = link.end()
            else:
                self._say(events, text, place, place + 1)
                place += 1
        self._consume(place)
        return events

    def _say(self, events: list[Event], text: str, start: int, end: int) -> None:
        """Plain text; what follows plain text at once is one piece with it."""
        if start == end:
            return
        span = (self._offset + start, self._offset + end)
        last = events[-1].piece if events and isinstance(events[-1], Say) else None
        if last and last.span[1] == span[0] and _is_plain(last) and text[start - 1 : start] != ")":
            events[-1] = Say(Spoken(last.text + text[start:end], (last.span[0], span[1])))
        else:
            events.append(Say(Spoken(text[start:end], span)))

    def _consume(self, count: int) -> None:
        done, self._pending = self._pending[:count], self._pending[count:]
        self._line, self._column = self._place(done)
        self._offset += count

    def _place(self, done: str) -> tuple[int, int]:
        """Line and column after ``done``."""
        lines = done.count("\n")
        return self._line + lines, len(done) - done.rfind("\n") if lines else self._column + len(done)

    def _wrong(self, match: re.Match[str], problem: str) -> BadInput:
        line, column = self._place(self._pending[: match.start()])
        return BadInput(f"markup {match[0]!r} at line {line}, column {column}: {problem}")

    def _link(self, match: re.Match[str]) -> Spoken | None:
        """The piece of ``[text](target)``; None where it is no markup."""
        text, target = match["text"], match["target"].strip()
        start = self._offset + match.start("text")
        span = (start, start + len(text))
        if len(target) >= 2 and target[0] == target[-1] == "/":
            return Spoken(text, span, "markup", phonemes=target[1:-1].strip())
        if flags := _FLAGS.fullmatch(target):
            return Spoken(text, span, flags=flags[1])
        if _STRESS.fullmatch(target):
            if float(target) not in _STRESSES:
                raise self._wrong(match, f"stress {target}; allowed: -2 -1 -0.5 0.5 1 2")
            return Spoken(text, span, stress=float(target))
        return Spoken(text, span) if not target or _ADDRESS.fullmatch(target) else None

    def _tag(self, match: re.Match[str]) -> Event:
        span = (self._offset + match.start(), self._offset + match.end())
        name, value = match["name"] or match["end"], (match["value"] or "").strip()
        try:
            if match["name"] == "pause":
                return Pause(duration_s(value), span)
            self._manner = _turned(self._manner, name, value if match["name"] else None)
        except BadInput as error:
            raise self._wrong(match, str(error)) from error
        return Turn(self._manner, span)


def _is_plain(piece: Spoken) -> bool:
    return piece.rule == "text" and piece.stress is None and not piece.flags and piece.phonemes is None


def _turned(manner: Manner, name: str, value: str | None) -> Manner:
    """The manner after a tag; ``value`` None ends it."""
    if name == "voice":
        if value == "":
            raise BadInput("no voice is named; `sonant voices` lists all")
        return replace(manner, voice=value)
    if name in ("lang", "language"):
        return replace(manner, language=canonical(value) if value is not None else None)
    if name == "rate":
        return replace(manner, rate=_number(value, "rate", SLOWEST, FASTEST))
    return replace(manner, gain=_number(value, "volume", 0.01, LOUDEST))


def _number(value: str | None, name: str, lowest: float, highest: float) -> float:
    if value is None:
        return 1.0
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not lowest <= number <= highest:
        raise BadInput(f"{name} {value!r}; allowed: {lowest:g} to {highest:g}")
    return number


def duration_s(value: str) -> float:
    """Seconds of "1.5s", "500ms" or "2".

    Raises:
        BadInput: it is none of these, or above 600 seconds.
    """
    match = _DURATION.fullmatch(value.strip())
    if not match:
        raise BadInput(f"duration {value!r}; write 1.5s or 500ms")
    seconds = float(match["number"]) / (1000 if match["unit"].lower() == "ms" else 1)
    if seconds > LONGEST_PAUSE_S:
        raise BadInput(f"duration {value!r}; at most {LONGEST_PAUSE_S:g}s")
    return seconds
