"""Speech out of the loudspeaker, and the prompt that speaks every line."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from sonant.audio import play
from sonant.cli.ending import fail, warn
from sonant.errors import BadInput, OutputError, SonantError
from sonant.records import SpeechChunk
from sonant.tts.options import KOKORO_RATE, SpeakOptions
from sonant.tts.pipeline import Speaker
from sonant.tts.reader import Text

__all__ = ["HISTORY", "Loud", "converse", "standard_input"]

PROMPT = "sonant> "
HISTORY, HISTORY_LINES = "speak-history", 1000
HELP = "/voice NAME, /speed NUMBER, /help, /quit; Ctrl-C stops what is being said; all else is spoken"
BLOCK = 1 << 13


def standard_input() -> Iterator[str]:
    """Standard input as it comes.

    Raises:
        BadInput: it is no UTF-8 text.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    source: Any = sys.stdin.buffer
    place = 0
    while True:
        data = source.read1(BLOCK)  # what is there, without waiting for a whole block
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise BadInput(f"standard input is no UTF-8 text: {error.reason} after {place} bytes") from error
        if text:
            yield text
        if not data:
            return
        place += len(data)


@dataclass(slots=True)
class Loud:
    """Somebody who speaks aloud.

    Attributes:
        tts: who.
        voice: its voice.
        settings: how.
        open_output: what to play through.
    """

    tts: Speaker
    voice: str
    settings: SpeakOptions
    open_output: play.Open = play.open_loudspeaker

    def say(self, text: Text) -> None:
        """Say a text; Ctrl-C ends sound and work at once, and is passed on."""
        for chunk in self.spoken(text):
            warn(chunk.warnings)

    def spoken(self, text: Text) -> Iterator[SpeechChunk]:
        """The chunks of a text, each when the loudspeaker has it."""
        cancel = Event()
        chunks = self.tts.stream(text, self.voice, options=self.settings, cancel=cancel)
        try:
            with play.Player(self.settings.sample_rate or KOKORO_RATE, self.open_output) as player:
                for chunk in chunks:
                    player.play(chunk.audio.samples)
                    yield chunk
        finally:
            cancel.set()


def converse(loud: Loud, history: Path, read_line: Callable[[str], str] = input) -> None:
    """Speak every line that is typed, until Ctrl-D or Ctrl-C at the prompt.

    Args:
        loud: who speaks.
        history: file of earlier lines, kept where the terminal has a history (readline).
        read_line: asks for a line.
    """
    fail(HELP)
    with _remembered(history):
        while True:
            try:
                line = read_line(PROMPT).strip()
            except (EOFError, KeyboardInterrupt):
                print(file=sys.stderr)
                return
            if line == "/quit":
                return
            try:
                if line.startswith("/"):
                    _change(loud, line)
                elif line:
                    loud.say(line)
            except KeyboardInterrupt:
                print(file=sys.stderr)
            except SonantError as error:  # a wrong line is no reason to leave
                fail(str(error))


def _change(loud: Loud, line: str) -> None:
    """A command of the prompt.

    Raises:
        BadInput: there is no such command, voice or speed.
    """
    command, _, value = line[1:].partition(" ")
    value = value.strip()
    if command == "voice" and value:
        loud.tts.voice(value)  # raises where there is none
        loud.voice = value
    elif command == "speed" and value:
        try:
            loud.settings = loud.settings.changed(speed=float(value))
        except ValueError as error:
            if isinstance(error, SonantError):
                raise
            raise BadInput(f"speed {value!r} is no number; allowed: 0.5 to 2") from error
    elif command == "help":
        fail(HELP)
    else:
        raise BadInput(f"{line!r} is no command of the prompt; allowed: {HELP}")


@contextmanager
def _remembered(path: Path) -> Iterator[None]:
    """Lines of earlier runs under the arrow keys, and this run's lines kept for the next."""
    try:
        import readline
    except ImportError:  # Windows: its console has a history of its own
        yield
        return
    history: Any = readline
    if path.is_file():
        history.read_history_file(path)
    history.set_history_length(HISTORY_LINES)
    try:
        yield
    finally:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            history.write_history_file(path)
        except OSError as error:
            raise OutputError(f"the history can't be written to {path}: {error.strerror}") from error
