"""The work of ``sonant transcribe``: one recording after the other, or several at once in processes of their own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonant.asr.writers.options import CaptionOptions
from sonant.cli.recordings import Recording
from sonant.errors import SonantError
from sonant.records import Audio, Transcript

__all__ = ["Orders", "Outcome", "outcomes"]


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do with each recording.

    Attributes:
        model: id or folder.
        opened: arguments of ``load_asr``.
        heard: options of ``transcribe``.
        formats: names of the formats to make.
        captions: their layout.
        align: CTC model that gives words their times; "" for none.
    """

    model: str
    opened: dict[str, Any]
    heard: dict[str, Any]
    formats: tuple[str, ...]
    captions: CaptionOptions
    align: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording: results by format, or the error; what the user should know; all that was heard."""

    item: Recording
    texts: dict[str, str] = field(default_factory=dict)
    error: str = ""
    warnings: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    heard: str = ""


class Ear:
    """An opened recogniser with its orders."""

    def __init__(self, orders: Orders, fetching: Callable[[str, int, int], None] | None = None) -> None:
        """Open the model; it is fetched where it is missing."""
        from sonant import api

        self.orders = orders
        self.asr = api.load_asr(orders.model, progress=fetching, **orders.opened)
        opening = {name: value for name, value in orders.opened.items() if name != "identifier"}
        self.aligner = api.load_ctc(orders.align, progress=fetching, **opening) if orders.align else None
        if orders.captions.needs_words and self.asr.checkpoint.family == "whisper":  # others give words always
            orders.heard.setdefault("word_timestamps", True)

    def hear(self, item: Recording, progress: Callable[..., None] | None = None) -> Outcome:
        """Write one recording down; what is wrong with it is told in the outcome."""
        from sonant.asr import writers
        from sonant.asr.ctc_sound import SAMPLE_RATE
        from sonant.asr.realign import realign
        from sonant.audio import io

        orders = self.orders
        try:
            audio: str | Path | Audio = item.source
            heard = orders.heard
            if item.item is not None:
                audio = item.item.sound()
                heard = {"language": item.item.language} | heard if item.item.language else heard
            if self.aligner is not None and audio == "-":  # standard input comes once
                audio = io.read("-", SAMPLE_RATE)
            transcript = self.asr.transcribe(audio, progress=progress, **heard)
            if self.aligner is not None:
                transcript = realign(transcript, audio, self.aligner)
            texts = {name: writers.render(transcript, name, orders.captions) for name in orders.formats}
        except (SonantError, OSError) as error:
            return Outcome(item, error=str(error))
        return Outcome(item, texts, "", transcript.warnings, tuple(_report(transcript)), transcript.text)


def outcomes(
    ear: Ear, items: Iterable[Recording], jobs: int, hearing: Callable[[str], Callable[..., None]]
) -> Iterator[Outcome]:
    """What becomes of each recording, in order.

    Args:
        ear: for one job; its orders serve the processes of several.
        items: the recordings.
        jobs: processes; each opens the model for itself.
        hearing: gives the progress callback of a recording, by name.
    """
    if jobs == 1:
        for item in items:
            yield ear.hear(item, hearing(item.label))
        return
    import multiprocessing
    from collections import deque
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")  # a forked runtime would share its locks
    with ProcessPoolExecutor(jobs, context, _open, (ear.orders,)) as pool:
        try:
            waiting: deque[Future[Outcome]] = deque()
            for item in items:  # datasets may be endless: a few recordings are drawn ahead, not all
                waiting.append(pool.submit(_hear, item))
                if len(waiting) > AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise SonantError(
                "a process that was hearing died, for want of memory perhaps; give fewer --jobs"
            ) from error
        finally:
            for child in multiprocessing.active_children():  # after Ctrl-C nothing goes on in the background
                child.terminate()


AHEAD = 2  # recordings drawn ahead for each process
_ears: list[Ear] = []  # of this process, when it is one of several


def _open(orders: Orders) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the first process ends the others
    _ears[:] = [Ear(orders)]


def _hear(item: Recording) -> Outcome:
    return _ears[0].hear(item)


def _report(transcript: Transcript) -> Iterator[str]:
    """The coverage report: length, language, and the fate of each window."""
    language = f"{transcript.language or 'no language'} ({transcript.language_probability:.0%})"
    yield f"{transcript.duration_s:.2f} s, {language}, {len(transcript.windows)} windows"
    for window in transcript.windows:
        reason = f": {window.reason}" if window.reason else ""
        yield f"{window.start_s:9.2f} {window.end_s:9.2f}  {window.fate} at {window.temperature:g}{reason}"
