"""One run over one recording: its tracks, its windows, their features and prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sonant.asr import language
from sonant.asr.chunked import join
from sonant.asr.facts import ModelFacts
from sonant.asr.longform import Context, Report, Setting, Track
from sonant.asr.segments import Span
from sonant.asr.source import Sound
from sonant.asr.voice import Voice, clips_of
from sonant.asr.words import Aligner, Heard
from sonant.audio.features import FRAMES_PER_SECOND, HOP, WINDOW_FRAMES, mel_peak, mel_window, pad_or_trim
from sonant.decode.fallback import Outcome
from sonant.decode.options import TranscribeOptions
from sonant.decode.rules import Rule, rules_of
from sonant.decode.search import Request, Search
from sonant.engines.base import Memory
from sonant.records import Segment
from sonant.text.bpe import WhisperTokenizer

__all__ = ["Session", "Window", "search_parts"]

SURE = 0.8  # of a language, heard before zeros: before silence, where openai-whisper hears it, it is the same then


def search_parts(
    options: TranscribeOptions, facts: ModelFacts
) -> tuple[WhisperTokenizer, TranscribeOptions, list[Rule], int]:
    """What a ``Search`` takes besides its engine."""
    return facts.tokenizer, options, rules_of(options, facts.tokenizer), facts.context


@dataclass(slots=True)
class Lane:
    """A track, its (first) clip, and the segments that it has given and that are not yet handed out."""

    track: Track
    clip: tuple[int, int]
    segments: list[Segment] = field(default_factory=list)
    ended: bool = False


@dataclass(slots=True)
class Window:
    """A window that is being decoded: its place, and where its segments go."""

    span: Span
    lane: Lane
    start: tuple[int, ...] = ()

    def take(self, outcome: Outcome, memory: Memory, row: int) -> None:
        """Give its track what was decoded, and keep the segments for their turn."""
        heard = Heard(self.span, memory, row, self.start)
        self.lane.segments += self.lane.track.accept(heard, outcome)


class Session:
    """What a run needs to know at each window; see ``Recognizer._listen`` for the order of calls."""

    def __init__(self, search: Search, facts: ModelFacts, report: Report, heads: Sequence[tuple[int, int]]) -> None:
        """Make the aligner; ``heads`` are those that follow words, [] where words aren't asked for."""
        self.search, self.facts, self.report = search, facts, report
        self.engine, self.options = search.engine, search.options
        options = search.options
        self._aligner = (
            Aligner(self.engine, facts.tokenizer, heads, options.prepend_punctuations, options.append_punctuations)
            if options.word_timestamps
            else None
        )
        if options.word_timestamps and options.task == "translate":
            report.warn("times of words in a translation are not reliable")
        report.language = options.language if facts.multilingual else "en"

    def begin(self, sound: Sound) -> None:
        """Look at the recording: what is to be heard, and how loud its loudest bin is."""
        self._sound = sound
        frames = len(sound) // HOP
        self._voice = Voice(sound, self.options)
        self._clips = clips = clips_of(self.options, frames, self._voice)
        self.first_frame = clips[0][0] if clips else 0
        self.total_s = sum(stop - start for start, stop in clips) / FRAMES_PER_SECOND
        setting = Setting(self.options, self.facts.tokenizer, frames, self.report, self._voice, self._aligner)
        apart = self.options.batch_size > 1 or self.options.chunk_length is not None
        together = [[clip] for clip in clips] if apart else [clips]
        self._lanes = deque(Lane(Track(setting, group, self._context()), group[0]) for group in together if group)
        self._passed = 0  # frames of lanes that have ended
        self._peak: float | None = None
        if not frames:
            self.report.warn(f"the audio is {len(sound)} samples long, less than one frame of {HOP}: nothing to hear")

    def _context(self) -> Context:
        return Context(self.options, self.facts.tokenizer, self.facts.context, self.report)

    @property
    def heard_s(self) -> float:
        """Seconds that are done."""
        return (self._passed + sum(lane.track.heard_frames for lane in self._lanes)) / FRAMES_PER_SECOND

    def next_windows(self) -> list[Window]:
        """Up to ``batch_size`` windows, each of another track; [] at the end."""
        windows: list[Window] = []
        for lane in self._lanes:
            if len(windows) == self.options.batch_size:
                break
            span = None if lane.ended else self._voiced(lane.track)
            if span is None:
                lane.ended = True
            else:
                windows.append(Window(span, lane))
        return windows

    def _voiced(self, track: Track) -> Span | None:
        """The track's next window in which somebody may be speaking."""
        while (span := track.window()) is not None:
            reason = self._voice.absence(span)
            if not reason:
                return span
            track.skip(span, reason)
        return None

    def features(self, span: Span) -> NDArray[np.float32]:
        """Features of a window (n_mels, 3000), zeros after its end."""
        return pad_or_trim(self._mel(span.start, span.stop))

    def _mel(self, start: int, stop: int) -> NDArray[np.float32]:
        sound, n_mels = self._sound, self.facts.n_mels
        if self.options.mel_floor == "file" and self._peak is None:
            self._peak = mel_peak(sound.read, len(sound), n_mels)
        return mel_window(sound.read, len(sound), start, stop, n_mels=n_mels, peak=self._peak)

    def requests(self, windows: Sequence[Window], memory: Memory) -> list[Request]:
        """What to decode for each window; the language is settled here, when the first voice is there."""
        codes = self._languages(windows, memory)
        requests = []
        for row, (window, code) in enumerate(zip(windows, codes, strict=True)):
            window.start = self.facts.tokenizer.start(code, self.options.task, not self.options.without_timestamps)
            tokens, given = window.lane.track.context.before(window.start)
            requests.append(Request(row, tokens, code, window.span.start, given))
        return requests

    def _languages(self, windows: Sequence[Window], memory: Memory) -> list[str | None]:
        if not self.facts.multilingual:
            return ["en"] * len(windows)
        if self.options.multilingual:
            heard = self._hear(memory, range(len(windows)))
            codes = [max(chances, key=chances.__getitem__) for chances in heard]
            if self.report.language is None:
                self.report.language, self.report.language_probability = codes[0], heard[0][codes[0]]
            return list(codes)
        if self.report.language is None:
            guess = self._first_language(windows[0].span, memory)
            self.report.language, self.report.language_probability = guess.language, guess.probability
        return [self.report.language] * len(windows)

    def _first_language(self, span: Span, memory: Memory) -> language.LanguageGuess:
        """The language from this window on, which is the memory's first; encoded once more only where it must be."""
        if span.size == WINDOW_FRAMES:  # encoded from the very features that detection would look at
            return self.detect(span.start, memory)
        if span.stop == len(self._sound) // HOP:  # from these, but for what stands behind the end of the sound
            guess = language.detect([lambda: self._hear(memory, [0])[0]], None)
            if guess.probability > SURE:
                return guess
        return self.detect(span.start)

    def _hear(self, memory: Memory, windows: Sequence[int]) -> list[dict[str, float]]:
        return language.hear_languages(self.engine, memory, self.facts.tokenizer, self.options.languages, windows)

    def detect(self, start: int, encoded: Memory | None = None) -> language.LanguageGuess:
        """The language from this frame on, heard in as many windows as the options allow.

        Args:
            start: first frame.
            encoded: a memory whose first window is the 30 s from there; None to encode them.
        """
        frames = len(self._sound) // HOP
        starts = range(start, max(frames, start + 1), WINDOW_FRAMES)[: self.options.language_detection_segments]

        def listen(first: int) -> dict[str, float]:
            if encoded is not None and first == start:
                return self._hear(encoded, [0])[0]
            # silence, not zeros, after the end of the sound
            return self._hear(self.engine.encode(self._mel(first, first + WINDOW_FRAMES)[None]), [0])[0]

        return language.detect([partial(listen, first) for first in starts], self.options.language_detection_threshold)

    def ready(self) -> Iterator[Segment]:
        """Segments whose turn has come: those of the first track, and of the next ones once it has ended."""
        chunked = self.options.chunk_length is not None
        while self._lanes:
            lane = self._lanes[0]
            if not chunked:
                yield from lane.segments
                lane.segments = []
            if lane.track.window() is not None:
                return
            if chunked:
                if len(self._lanes) > 1 and not self._join(lane, self._lanes[1]):
                    return
                yield from lane.segments
            self._passed += lane.track.heard_frames
            self._lanes.popleft()

    def _join(self, lane: Lane, following: Lane) -> bool:
        """Keep once what two neighbouring chunks both wrote; False while the second is still being heard."""
        if following.track.window() is not None:
            return False
        overlap_s = following.clip[0] / FRAMES_PER_SECOND, lane.clip[1] / FRAMES_PER_SECOND
        lane.segments, following.segments = join(lane.segments, following.segments, overlap_s, self.facts.tokenizer)
        return True

    def cover(self, segments: Sequence[Segment]) -> None:
        """Note the speech that gave no text, where voices were looked for."""
        for start_s, end_s in self._voice.unwritten(segments, self._clips):
            self.report.warn(f"speech at {start_s:.2f}-{end_s:.2f} s gave no text")
