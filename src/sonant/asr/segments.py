"""From the tokens of a window to segments, and to where the next window starts.

Source of the rules: openai-whisper ``transcribe.py``. Times are kept to the 20 ms of the time tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sonant.audio.features import FRAMES_PER_SECOND, WINDOW_FRAMES
from sonant.decode.search import Hypothesis
from sonant.records import Segment, Word
from sonant.text.bpe import SECONDS_PER_TIMESTAMP, WhisperTokenizer

__all__ = ["Cut", "Draft", "DraftWord", "Span", "cut", "finish"]

FRAMES_PER_TIMESTAMP = round(SECONDS_PER_TIMESTAMP * FRAMES_PER_SECOND)  # 2


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of sound given to the network, in frames of 10 ms: ``start``, and ``size`` of at most 3000."""

    start: int
    size: int

    @property
    def stop(self) -> int:
        """Frame after the last."""
        return self.start + self.size

    @property
    def start_s(self) -> float:
        """Start in seconds."""
        return self.start / FRAMES_PER_SECOND

    @property
    def stop_s(self) -> float:
        """End in seconds."""
        return self.stop / FRAMES_PER_SECOND

    @property
    def full_stop_s(self) -> float:
        """Where a window of full length would end, in seconds."""
        return (self.start + WINDOW_FRAMES) / FRAMES_PER_SECOND


@dataclass(slots=True)
class DraftWord:
    """A word while its times are still being settled; ``text`` keeps its white space, times in seconds."""

    text: str
    tokens: tuple[int, ...]
    start_s: float
    end_s: float
    probability: float


@dataclass(slots=True)
class Draft:
    """A segment while its times are still being settled, in seconds from the start of the file."""

    start_s: float
    end_s: float
    tokens: tuple[int, ...]
    text: str
    words: list[DraftWord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cut:
    """A window's segments.

    Attributes:
        drafts: in order of time.
        seek: frame where the next window starts.
        to_the_end: whether the text ends on a single time token: nobody speaks after it in this window.
    """

    drafts: list[Draft]
    seek: int
    to_the_end: bool


def cut(tokens: Sequence[int], span: Span, tokenizer: WhisperTokenizer) -> Cut:
    """Cut a window's tokens at its pairs of time tokens.

    Where the last segment is open (the window ended in the middle of it), it is left out and the next window starts at
    its beginning. Without a pair, all tokens are one segment that ends at the last time token, or with the window.
    """
    begin = tokenizer.timestamp_begin
    times = [token >= begin for token in tokens]
    to_the_end = times[-2:] == [False, True]
    pairs = [i for i in range(1, len(tokens)) if times[i - 1] and times[i]]
    if not pairs:
        stamps = [token for token in tokens if token >= begin]
        length_s = span.size / FRAMES_PER_SECOND
        if stamps and stamps[-1] != begin:
            length_s = (stamps[-1] - begin) * SECONDS_PER_TIMESTAMP
        draft = _draft(tokens, span.start_s, span.start_s + length_s, tokenizer)
        return Cut([draft], span.stop, to_the_end)
    ends = [*pairs, len(tokens)] if to_the_end else pairs
    drafts = []
    for first, last in zip([0, *ends], ends, strict=False):
        piece = tokens[first:last]
        # text before any time (only without the timestamp rules) starts with the window
        start_s = span.start_s + max(0, piece[0] - begin) * SECONDS_PER_TIMESTAMP
        end_s = span.start_s + (piece[-1] - begin) * SECONDS_PER_TIMESTAMP
        drafts.append(_draft(piece, start_s, end_s, tokenizer))
    if to_the_end:
        return Cut(drafts, span.stop, to_the_end)
    return Cut(drafts, span.start + (tokens[ends[-1] - 1] - begin) * FRAMES_PER_TIMESTAMP, to_the_end)


def finish(draft: Draft, hypothesis: Hypothesis) -> Segment:
    """The record of a draft; words carry their place in the segment's text."""
    words, offset = [], 0
    for word in draft.words:
        text = word.text.strip()
        at = draft.text.find(text, offset)
        span = (at, at + len(text)) if text and at >= 0 else None
        offset = span[1] if span else offset
        words.append(Word(text, word.start_s, word.end_s, word.probability, span))
    return Segment(
        start_s=draft.start_s,
        end_s=draft.end_s,
        text=draft.text,
        tokens=draft.tokens,
        words=tuple(words),
        temperature=hypothesis.temperature,
        avg_logprob=hypothesis.avg_logprob,
        compression_ratio=hypothesis.compression_ratio,
        no_speech_prob=hypothesis.no_speech_prob,
        language=hypothesis.language,
    )


def _draft(tokens: Sequence[int], start_s: float, end_s: float, tokenizer: WhisperTokenizer) -> Draft:
    text = tokenizer.decode(token for token in tokens if token < tokenizer.eot)
    return Draft(start_s, end_s, tuple(tokens), text)
