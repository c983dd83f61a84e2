"""A book spoken: chapter by chapter into a work folder, then into one file with chapters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.errors import BadInput, UnknownName, UnspeakableText
from sonant.files import whole_file, write_text
from sonant.records import Voice
from sonant.text.languages import LANGUAGES, canonical
from sonant.text.phonemes import LIMIT
from sonant.tts import style
from sonant.tts.books import container
from sonant.tts.books.book import Book, Chapter
from sonant.tts.books.work import KeepingSynth, Work, chapter_blocks, chapter_duration_s, digest, write_chapter
from sonant.tts.lexicon import load as load_lexicon
from sonant.tts.options import KOKORO_RATE, SpeakOptions
from sonant.tts.pipeline import Speaker

__all__ = ["BookSpeech", "Progress", "SpokenChapter", "speak_book"]

BETWEEN_CHAPTERS_S = 1.5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a book is.

    Attributes:
        chapter: title of the chapter that is being spoken.
        number: of it, from 1.
        characters: of the text that are spoken.
        total: of the whole text.
        spoken_s: sound so far in seconds.
        left_s: time that the rest will take in seconds; None until it can be told.
    """

    chapter: str
    number: int
    characters: int
    total: int
    spoken_s: float
    left_s: float | None


@dataclass(frozen=True, slots=True)
class SpokenChapter:
    """A chapter in the file: title, start and end in seconds."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class BookSpeech:
    """A finished audio book.

    Attributes:
        path: the file.
        chapters: in order.
        duration_s: length in seconds.
        warnings: a line each, of the book and of its speech.
    """

    path: Path
    chapters: tuple[SpokenChapter, ...]
    duration_s: float
    warnings: tuple[str, ...] = ()


def speak_book(
    speaker: Speaker,
    book: Book,
    path: str | Path,
    voice: style.VoiceLike = "af_heart",
    *,
    options: SpeakOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: Flag | None = None,
    work: str | Path | None = None,
    keep_work: bool = False,
    bit_rate: int | None = None,
    **changes: Any,
) -> BookSpeech:
    """Speak a book into one file with chapters.

    Interrupted, it goes on where it stopped when it is called again with the same work folder. Memory holds a chunk.

    Args:
        speaker: who speaks.
        book: what ``read_book`` gives.
        path: .m4b, .m4a, .mp3, .opus or .ogg.
        voice: see ``Speaker.speak``.
        options: how it is spoken; where they name no language and the voice speaks another, the book's own holds.
        progress: called after each chunk.
        cancel: a flag that ends the work after the chunk at hand.
        work: the work folder; "PATH.work" where it is left out. It goes when the book is whole.
        keep_work: leave it.
        bit_rate: in bits a second.
        **changes: fields of ``SpeakOptions`` by name.

    Raises:
        UnknownName: another format, or no such voice.
        BadInput: the options can't be used for a book; another process has the work folder; it was cancelled.
        OutputError: the file or the work folder can't be written.
    """
    path = Path(path)
    container.check_format(path, bit_rate)
    options = (options or SpeakOptions()).changed(**changes)
    options = _for_book(book, options, speaker.voice(voice))
    _rehearse(speaker, book, voice, options)
    with Work(Path(work) if work is not None else path.with_name(path.name + ".work")) as place:
        run = _Run(speaker, book, options, voice, place, progress, cancel)
        sounds = [run.chapter(number, chapter) for number, chapter in enumerate(book.chapters, 1)]
        spoken = _placed(book, sounds)
        with whole_file(path) as file:
            container.write(
                file,
                path.suffix,
                _blocks(sounds),
                KOKORO_RATE,
                [(each.title, each.start_s, each.end_s) for each in spoken],
                {"title": book.title, "album": book.title, "artist": book.author, "genre": "Audiobook"},
                bit_rate,
            )
        if not keep_work:
            place.remove()
    return BookSpeech(path, spoken, spoken[-1].end_s, (*book.warnings, *run.warnings))


def _for_book(book: Book, options: SpeakOptions, voice: Voice) -> SpeakOptions:
    """The options with what the book itself tells: its language, where the voice speaks another."""
    if options.is_phonemes or options.ssml:
        raise BadInput("a book is text; leave is_phonemes and ssml out")
    if options.sample_rate not in (None, KOKORO_RATE):
        raise BadInput(f"sample_rate is {options.sample_rate}; a book is written at {KOKORO_RATE} Hz")
    code = language_of(book)
    if options.language is None and code and LANGUAGES[code].iso != LANGUAGES[canonical(voice.language)].iso:
        options = replace(options, language=code)
    return replace(options, ssml=False, markup=options.markup and book.markup)


def _rehearse(speaker: Speaker, book: Book, voice: style.VoiceLike, options: SpeakOptions) -> None:
    """Read all text once without speaking: what can't be read is told now and not after hours."""
    for chapter in book.chapters:
        try:
            for _ in speaker.plan(chapter.text, voice, options=options):
                pass
        except UnspeakableText as error:
            raise UnspeakableText(f"chapter {chapter.title!r}: {error}") from error
        except BadInput as error:
            raise BadInput(f"chapter {chapter.title!r}: {error}") from error


def language_of(book: Book) -> str | None:
    """Kokoro's code of the book's language; None where it tells none or one that has no voice."""
    if not book.language:
        return None
    for name in (book.language, book.language.split("-")[0]):
        try:
            return canonical(name)
        except UnknownName:
            continue
    return None


class _Run:
    """One run over a book."""

    def __init__(
        self,
        speaker: Speaker,
        book: Book,
        options: SpeakOptions,
        voice: style.VoiceLike,
        work: Work,
        progress: Callable[[Progress], None] | None,
        cancel: Flag | None,
    ) -> None:
        self.synth = KeepingSynth(speaker.engine, work.chunks)
        self.speaker = speaker.with_engine(self.synth)
        self.voice = speaker.voice(voice)
        self.book, self.options, self.work = book, options, work
        self.progress, self.cancel = progress, cancel
        self.warnings: list[str] = []
        self._key = digest(self.voice.styles, self.voice.language, _told(options), speaker.engine.description)
        self._done, self._spoken_s = 0, 0.0
        self._fresh, self._fresh_s = 0, 0.0  # characters that the network spoke in this run, and how long that took

    def chapter(self, number: int, chapter: Chapter) -> Path:
        """The sound of a chapter, spoken if it isn't there yet."""
        path = self.work.chapter(digest(chapter.text, self._key))
        told = path.with_suffix(".txt")
        if not path.is_file():
            self._number, self._title, self._start = number, chapter.title, self._done
            self._chapter_warnings: list[str] = []
            write_chapter(path, self._spoken(chapter))
            write_text(told, "\n".join(self._chapter_warnings))
            self.work.forget_chunks()
        self.warnings.extend(told.read_text(encoding="utf-8").splitlines() if told.is_file() else [])
        self._done = sum(len(each.text) for each in self.book.chapters[:number])
        self._spoken_s += chapter_duration_s(path)
        return path

    def _spoken(self, chapter: Chapter) -> Iterator[NDArray[np.float32]]:
        """A chapter's sound, chunk by chunk."""
        sound_s, began = 0.0, time.monotonic()
        for chunk in self.speaker.chunks(chapter.text, self.voice, options=self.options):
            if self.cancel is not None and self.cancel.is_set():
                raise BadInput(f"cancelled in chapter {self._number}; call again to go on from there")
            sound_s += chunk.audio.duration_s
            self._chapter_warnings.extend(f"{self._title}: {warning}" for warning in chunk.warnings)
            self._tell(max(self._done, self._start + chunk.span[1]), self._spoken_s + sound_s, time.monotonic() - began)
            began = time.monotonic()
            yield chunk.audio.samples

    def _tell(self, characters: int, spoken_s: float, took_s: float) -> None:
        """Progress; the time left goes by what the network itself spoke."""
        if self.synth.spoken:
            self._fresh, self._fresh_s = self._fresh + characters - self._done, self._fresh_s + took_s
        self.synth.spoken, self._done = 0, characters
        if self.progress is not None:
            left_s = (self.book.characters - characters) * self._fresh_s / self._fresh if self._fresh else None
            self.progress(Progress(self._title, self._number, characters, self.book.characters, spoken_s, left_s))


def _told(options: SpeakOptions) -> str:
    """All that the options say of the sound, the same in every run."""
    speed = [options.speed(count) for count in range(1, LIMIT + 1)] if callable(options.speed) else options.speed
    lexicon = load_lexicon(options.lexicon).readings if options.lexicon is not None else None
    verify = (options.verify.threshold, options.verify.attempts) if options.verify else None
    rest = replace(options, speed=1.0, lexicon=None, verify=None, batch_size=1)
    return repr((rest, speed, lexicon, verify))


def _placed(book: Book, sounds: list[Path]) -> tuple[SpokenChapter, ...]:
    """Where each chapter lies in the whole."""
    found, start_s = [], 0.0
    for number, (chapter, sound) in enumerate(zip(book.chapters, sounds, strict=True), 1):
        end_s = start_s + chapter_duration_s(sound) + (BETWEEN_CHAPTERS_S if number < len(sounds) else 0.0)
        found.append(SpokenChapter(chapter.title, start_s, end_s))
        start_s = end_s
    return tuple(found)


def _blocks(sounds: list[Path]) -> Iterator[NDArray[np.float32]]:
    """All sound in order, silence between the chapters."""
    for number, sound in enumerate(sounds):
        if number:
            yield np.zeros(round(BETWEEN_CHAPTERS_S * KOKORO_RATE), np.float32)
        yield from chapter_blocks(sound)
