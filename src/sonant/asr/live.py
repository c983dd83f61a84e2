"""Live recognition with Whisper: sound arrives block by block, words come out once they are sure and never change.

Whisper hears windows, not streams; so the last seconds are heard again and again, and a policy decides which words are
sure. "local-agreement": those on which two hypotheses in a row agree (LocalAgreement-2: Liu et al. 2020,
arXiv:2005.11185; Macháček et al. 2023, whisper_streaming, arXiv:2307.14743). "align-att": those whose sound, by the
path of the cross-attention, ends well before the end of what was heard (AlignAtt: Papi et al. 2023, arXiv:2305.11408;
here the path is that of the word times, so the rule is the same for all sizes). Silence isn't heard at all: a voice
detector gates it, and the end of an utterance commits all of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.asr.agreement import Agreement, joined
from sonant.asr.utterance import Gate
from sonant.audio.features import SAMPLE_RATE
from sonant.decode.options import TranscribeOptions
from sonant.errors import BadInput, UnknownName, UnreadableAudio
from sonant.records import Transcript, Word

__all__ = ["LiveOptions", "LiveStream", "LiveUpdate", "Transcriber", "live"]

POLICIES = ("local-agreement", "align-att")
PROMPT_CHARACTERS = 200  # of committed text before the buffer (whisper_streaming)
LONGEST_BUFFER_S = 29.0  # one window of Whisper, less what a step may add


class Transcriber(Protocol):
    """What a live stream needs of a recogniser; ``asr.pipeline.Recognizer`` has it."""

    def transcribe(self, audio: NDArray[np.float32], options: TranscribeOptions | None = None) -> Transcript:
        """Write down (N,) samples at 16 kHz, with word times where the options ask for them."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How a stream is heard; times in seconds.

    Attributes:
        language: code, English name or BCP 47 tag; None or "auto" detects it until the first words are sure.
        task: "transcribe" (same language) or "translate" (into English).
        policy: "local-agreement" (words that two hypotheses agree on) or "align-att" (words that end long enough
            before the end of the sound).
        step_s: sound between two hypotheses.
        margin_s: with align-att, how long before the end of the sound a word must end to be sure.
        buffer_s: above this the buffer is cut at the end of a committed segment, or of the last committed word.
        vad: hear only where somebody speaks; an utterance's end makes all its words sure.
        vad_threshold: probability of voice that begins an utterance.
        silence_s: pause that ends an utterance.
        pad_s: sound kept before an utterance's first voice and after its last.
        hurry: where a block brings several steps, make one hypothesis of them: for a machine that falls behind. Off,
            the words do not depend on the size of the blocks.
        temperature: one, or a ladder, as in ``TranscribeOptions``; one keeps the delay short.
        beam_size: beams; None is greedy.
        initial_prompt: text before the first words: names, spelling, style.
        hotwords: words before every hypothesis's context.
    """

    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    policy: Literal["local-agreement", "align-att"] = "local-agreement"
    step_s: float = 1.0
    margin_s: float = 0.5
    buffer_s: float = 15.0
    vad: bool = True
    vad_threshold: float = 0.5
    silence_s: float = 0.6
    pad_s: float = 0.3
    hurry: bool = True
    temperature: float | tuple[float, ...] = 0.0
    beam_size: int | None = None
    initial_prompt: str | None = None
    hotwords: str | None = None

    def __post_init__(self) -> None:
        """Check the values; those of ``TranscribeOptions`` are checked there."""
        if self.policy not in POLICIES:
            raise UnknownName("policy", str(self.policy), POLICIES)
        for name, low, high in (
            ("step_s", 0.1, 10.0),
            ("margin_s", 0.0, 10.0),
            ("buffer_s", 2.0, LONGEST_BUFFER_S - 1),
            ("vad_threshold", 0.05, 0.95),
            ("silence_s", 0.1, 10.0),
            ("pad_s", 0.0, 2.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadInput(f"{name} is {getattr(self, name)!r}; allowed: {low:g} to {high:g}")
        self.hearing()

    def hearing(self, language: str | None = None, prompt: str = "") -> TranscribeOptions:
        """Options of one hypothesis, in this language, after this text."""
        return TranscribeOptions(
            language=language or self.language,
            task=self.task,
            temperature=self.temperature,
            beam_size=self.beam_size,
            initial_prompt=prompt or self.initial_prompt,
            hotwords=self.hotwords,
            voice_gate=self.vad,
            word_timestamps=True,
        )

    def changed(self, **changes: Any) -> LiveOptions:
        """A copy with some options changed.

        Raises:
            UnknownName: no such option.
        """
        names = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise UnknownName("option", name, names, "see sonant.asr.live.LiveOptions")
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """What one block brought; times of words in seconds from the start of the stream.

    Attributes:
        committed: words that have become sure with this block, in order; they never change.
        partial: the words after them as far as they are known now; the next update may replace all of them.
        heard_s: seconds of sound taken so far.
        language: of the words; None until it is known.
    """

    committed: tuple[Word, ...]
    partial: tuple[Word, ...]
    heard_s: float
    language: str | None = None


class LiveStream:
    """One live stream: feed blocks of any size, then finish. Not for several threads at once."""

    def __init__(self, recognizer: Transcriber, options: LiveOptions | None = None) -> None:
        """State of one stream over a shared recogniser."""
        self.recognizer, self.options = recognizer, options or LiveOptions()
        self.language = self.options.hearing().language
        self._agreement = Agreement()
        self._gate = Gate(self.options.vad, self.options.vad_threshold, self.options.silence_s, self.options.pad_s)
        self._step = round(self.options.step_s * SAMPLE_RATE)
        self._due = self._step  # length of the utterance at which the next hypothesis is made
        self._finished = False

    def feed(self, block: NDArray[np.float32]) -> LiveUpdate:
        """Hear (n,) float32 samples in [-1, 1] at 16 kHz, n >= 0.

        Raises:
            UnreadableAudio: a sample is NaN or infinite.
            BadInput: another shape or type, or the stream was finished.
        """
        if self._finished:
            raise BadInput("the stream was finished; make a new LiveStream")
        block = np.asarray(block)
        if block.ndim != 1 or block.dtype != np.float32:
            raise BadInput(f"a block is {block.dtype} {block.shape}; give float32 samples at 16 kHz, shape (n,)")
        if not np.isfinite(block).all():
            raise UnreadableAudio("a block holds samples that are NaN or infinite")
        return self._hear(self._gate.push(block))

    def finish(self) -> LiveUpdate:
        """The end of the stream: all words of the last utterance become sure. A second call brings nothing."""
        pieces = [] if self._finished else self._gate.finish()
        self._finished = True
        return self._hear(pieces)

    def run(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[LiveUpdate]:
        """All updates of a whole stream, the last one after its end."""
        for block in blocks:
            yield self.feed(block)
        yield self.finish()

    def _hear(self, pieces: Iterable[bool]) -> LiveUpdate:
        """Go through what the gate tells: False after each frame of an utterance, True at its end."""
        committed: list[Word] = []
        waiting = False
        for ended in pieces:
            if ended:
                committed += self._decide(final=True)
                self._gate.forget()
                self._due, waiting = self._step, False
            elif self._gate.length >= self._due:
                self._due = self._gate.length + self._step
                if self.options.hurry:
                    waiting = True
                else:
                    committed += self._decide()
        if waiting:
            committed += self._decide()
        return LiveUpdate(tuple(committed), tuple(self._agreement.partial), self._gate.heard_s, self.language)

    def _decide(self, final: bool = False) -> list[Word]:
        """Make a hypothesis of the utterance so far; the words that are sure by it."""
        start_s, sound = self._gate.start_s, self._gate.sound()
        if not len(sound) or not self._gate.speaks:
            return self._agreement.settle([], start_s) if final else []
        prompt = self._prompt(start_s)
        transcript = self.recognizer.transcribe(sound, self.options.hearing(self.language, prompt))
        words = [_moved(word, start_s) for word in transcript.words]
        end_s = start_s + len(sound) / SAMPLE_RATE
        if final:
            committed = self._agreement.settle(words, start_s)
        elif self.options.policy == "align-att":
            committed = self._agreement.until(words, start_s, end_s - self.options.margin_s)
        else:
            committed = self._agreement.agree(words, start_s)
        if committed:
            self.language = self.language or transcript.language
        if not final and end_s - start_s > self.options.buffer_s:
            committed += self._trim(transcript, start_s, end_s)
        return committed

    def _trim(self, transcript: Transcript, start_s: float, end_s: float) -> list[Word]:
        """Cut the buffer where its words are committed; one that no word was committed in is committed whole."""
        sure_s = self._agreement.sure_s
        ends = [start_s + segment.end_s for segment in transcript.segments]
        cut_s = max((end for end in ends if start_s < end <= sure_s + 0.05), default=sure_s)
        forced: list[Word] = []
        if cut_s <= start_s and end_s - start_s + self.options.step_s > LONGEST_BUFFER_S:
            forced = self._agreement.settle_partial()
            cut_s = forced[-1].end_s if forced else end_s - self.options.step_s
        if cut_s > start_s:
            self._gate.drop_until(min(cut_s, end_s))
            self._due = self._gate.length + self._step
        return forced

    def _prompt(self, start_s: float) -> str:
        """Committed text before the buffer, its last words; behind the caller's prompt."""
        before = [word for word in self._agreement.committed if word.end_s <= start_s]
        text = joined(before[-PROMPT_CHARACTERS:], self.language)
        if len(text) > PROMPT_CHARACTERS:
            text = text[-PROMPT_CHARACTERS:].partition(" ")[2] or text[-PROMPT_CHARACTERS:]
        return f"{self.options.initial_prompt or ''} {text}".strip() if text else ""


def live(
    recognizer: Transcriber, blocks: Iterable[NDArray[np.float32]], options: LiveOptions | None, changes: dict[str, Any]
) -> Iterator[LiveUpdate]:
    """The updates of a stream, options changed by name; see ``Recognizer.stream``."""
    return LiveStream(recognizer, (options or LiveOptions()).changed(**changes)).run(blocks)


def _moved(word: Word, by_s: float) -> Word:
    """The word in times of the stream."""
    start_s, end_s = round(word.start_s + by_s, 3), round(word.end_s + by_s, 3)
    return dataclasses.replace(word, start_s=start_s, end_s=end_s, span=None)
