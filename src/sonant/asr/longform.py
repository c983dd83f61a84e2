"""Long sound window by window: where the next window starts, what stands before its text, what becomes of it.

A ``Track`` walks through stretches of a recording by the rules of openai-whisper ``transcribe.py``. Sequential decoding
is one track; batched decoding is a track for each cut, walked side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sonant.asr.hallucination import Judged, last_end_s, skip_hallucinations
from sonant.asr.segments import Cut, Span, cut, finish
from sonant.asr.voice import Voice
from sonant.asr.words import Aligner, Heard
from sonant.audio.features import FRAMES_PER_SECOND, WINDOW_FRAMES
from sonant.decode.fallback import NOT_NUMBERS, Outcome
from sonant.decode.options import TranscribeOptions
from sonant.errors import BadInput
from sonant.records import Segment, Window
from sonant.text.bpe import WhisperTokenizer

__all__ = ["Context", "Report", "Setting", "Track"]


@dataclass(slots=True)
class Report:
    """What a run tells besides its segments; filled in while it goes."""

    windows: list[Window] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    language: str | None = None
    language_probability: float = 1.0

    def warn(self, line: str) -> None:
        """Note a line, once."""
        if line not in self.warnings:
            self.warnings.append(line)


class Context:
    """The tokens before a window's text: hotwords, initial prompt, what was written before, start tokens, prefix."""

    def __init__(self, options: TranscribeOptions, tokenizer: WhisperTokenizer, context: int, report: Report) -> None:
        """Encode the prompts; ``context`` is what the decoder holds (448), of which a prompt may take 223."""
        self._options, self._sot_prev = options, tokenizer.sot_prev
        self._begin = tokenizer.timestamp_begin
        self._room = context // 2 - 1
        self._initial = _encoded(options.initial_prompt, tokenizer)
        if len(self._initial) > self._room:
            report.warn(f"initial_prompt has {len(self._initial)} tokens; its last {self._room} are used")
            self._initial = self._initial[-self._room :]
        self._hotwords = () if options.prefix else _encoded(options.hotwords, tokenizer)
        if len(self._hotwords) > self._room:
            report.warn(f"hotwords have {len(self._hotwords)} tokens; their first {self._room} are used")
            self._hotwords = self._hotwords[: self._room]
        self._prefix = _encoded(options.prefix, tokenizer)
        if len(self._prefix) > self._room:
            raise BadInput(f"prefix has {len(self._prefix)} tokens; at most {self._room} leave room for the text")
        self._written: list[int] = list(self._initial)
        self._reset_at = 0

    def before(self, start: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
        """All that stands before the next window's text, and how much of it belongs to the text.

        The prefix is used up by the first call.
        """
        previous = tuple(self._written[self._reset_at :])
        if self._options.carry_initial_prompt:
            since = max(len(self._initial), self._reset_at)
            previous = self._initial + _last(self._written[since:], self._room - len(self._initial))
        prompt = self._hotwords + _last(previous, self._room - len(self._hotwords))
        prefix, self._prefix = self._prefix, ()
        if prefix and self._options.prefix_in_text and not self._options.without_timestamps:
            prefix = (self._begin, *prefix)
        tokens = ((self._sot_prev, *prompt) if prompt else ()) + start + prefix
        return tokens, len(prefix) if self._options.prefix_in_text else 0

    def extend(self, tokens: Sequence[int], temperature: float) -> None:
        """Note what was written; from text that was decoded too hot, or is not to be conditioned on, it starts anew."""
        self._written.extend(tokens)
        options = self._options
        if not options.condition_on_previous_text or temperature > options.prompt_reset_on_temperature:
            self._reset_at = len(self._written)


@dataclass(frozen=True, slots=True)
class Setting:
    """What all tracks of a run share.

    Attributes:
        options: of the run.
        tokenizer: the model's vocabulary.
        content_frames: frames of 10 ms of the whole recording.
        report: of the run.
        voice: knows where somebody speaks.
        aligner: gives words their times; None where they aren't asked for.
    """

    options: TranscribeOptions
    tokenizer: WhisperTokenizer
    content_frames: int
    report: Report
    voice: Voice
    aligner: Aligner | None


class Track:
    """One walk through stretches of a recording, window by window."""

    def __init__(self, setting: Setting, clips: Sequence[tuple[int, int]], context: Context) -> None:
        """Start before the first clip; clips are (start, stop) in frames of 10 ms."""
        self._setting, self._clips, self.context = setting, list(clips), context
        self._seek = self._clips[0][0] if self._clips else 0
        self._last_speech_s = 0.0
        self.heard_frames = 0  # for progress

    def window(self) -> Span | None:
        """The next stretch to hear; None at the end."""
        while self._clips:
            start, stop = self._clips[0]
            self._seek = max(self._seek, start)
            if self._seek < stop:
                return Span(self._seek, min(WINDOW_FRAMES, stop - self._seek))
            self._clips.pop(0)
            if self._clips:
                self._seek = self._clips[0][0]
        return None

    def skip(self, span: Span, reason: str, temperature: float = 0.0) -> None:
        """Pass over a window."""
        self._advance(span, span.stop, "skipped", reason, temperature)

    def accept(self, heard: Heard, outcome: Outcome) -> list[Segment]:
        """The segments that hold text in the window that ``window`` gave last, in order of time; and move on."""
        span, hypothesis, temperature = heard.span, outcome.hypothesis, outcome.last_temperature
        if math.isnan(hypothesis.avg_logprob):
            self._setting.report.warn(f"at {span.start_s:g} s {NOT_NUMBERS}")
            self.skip(span, NOT_NUMBERS, temperature)
            return []
        if outcome.silence:
            self.skip(span, outcome.silence, temperature)
            return []
        pieces = cut(hypothesis.tokens, span, self._setting.tokenizer)
        if self._setting.options.vad_filter or self._setting.options.batch_size > 1:
            for draft in pieces.drafts:  # after a cut that voices ended nobody speaks; the network may count on
                draft.end_s = min(draft.end_s, span.stop_s) if draft.start_s < span.stop_s else draft.end_s
        judged = Judged(pieces.drafts, pieces.seek)
        if self._setting.aligner is not None:
            self._setting.aligner.add_words(pieces.drafts, heard, hypothesis.language, self._last_speech_s)
            judged = self._by_words(pieces, span)
            if judged.again:
                self._advance(span, judged.seek, "skipped", judged.reason, temperature)
                return []
            self._last_speech_s = last_end_s(judged.drafts) or self._last_speech_s
        written = [draft for draft in judged.drafts if draft.start_s != draft.end_s and draft.text.strip()]
        kept = [draft for draft in written if self._setting.voice.hears(draft.start_s, draft.end_s)]
        self.context.extend([token for draft in kept for token in draft.tokens], temperature)
        reasons = [f"at {one.hypothesis.temperature:g} {one.reason}" for one in outcome.attempts if one.reason]
        if outcome.attempts[-1].reason:
            reasons.append(f"kept the one at {hypothesis.temperature:g}, for no attempt was better")
        reasons += [judged.reason] if judged.reason else []
        reasons += [f"nobody speaks where it wrote {draft.text.strip()!r}" for draft in written if draft not in kept]
        fate = "skipped" if not kept else "retried" if len(outcome.attempts) > 1 else "accepted"
        reason = "; ".join(reasons) if kept or reasons else "the model wrote no text"
        self._advance(span, judged.seek, fate, reason, temperature)
        return [finish(draft, hypothesis) for draft in kept]

    def _by_words(self, pieces: Cut, span: Span) -> Judged:
        """Where the words' times lead the seek, and what silence around improbable ones costs."""
        options, seek = self._setting.options, pieces.seek
        if not pieces.to_the_end:
            end_s = last_end_s(pieces.drafts)
            if end_s is not None and end_s > span.start_s:
                seek = round(end_s * FRAMES_PER_SECOND)
        threshold_s = options.hallucination_silence_threshold
        if threshold_s is None:
            return Judged(pieces.drafts, seek)
        return skip_hallucinations(
            pieces,
            span,
            seek,
            threshold_s=threshold_s,
            last_speech_s=self._last_speech_s,
            content_frames=self._setting.content_frames,
        )

    def _advance(self, span: Span, seek: int, fate: str, reason: str, temperature: float) -> None:
        """Move on, and note the window up to where the next one starts."""
        if seek <= span.start:  # the reference would hear the same window for ever
            self._setting.report.warn(f"no progress at {span.start_s:g} s: the rest of that window is passed over")
            seek = span.stop
        window = Window(span.start_s, seek / FRAMES_PER_SECOND, fate, reason, temperature)
        self._setting.report.windows.append(window)
        self.heard_frames += seek - span.start
        self._seek = seek


def _encoded(text: str | tuple[int, ...] | None, tokenizer: WhisperTokenizer) -> tuple[int, ...]:
    """Ids of a prompt given as text, or as ids."""
    if isinstance(text, str):
        return tuple(tokenizer.encode(" " + text.strip())) if text.strip() else ()
    return tuple(text or ())


def _last(tokens: Sequence[int], count: int) -> tuple[int, ...]:
    return tuple(tokens[-count:]) if count > 0 else ()
