"""Live recognition with a CTC network: stable words with a bounded delay.

Each block is heard with left context (sound that was heard before) and right context (sound still to be decided): a
frame is decided once its right context is there, and never changes after. The delay is therefore chunk + right context,
whatever the length of the stream, and what it costs in accuracy against the whole file is measured in RESULTS.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.asr.ctc import CtcRecognizer
from sonant.asr.ctc_sound import SAMPLE_RATE
from sonant.asr.frames import FrameWindow, FrameWindows
from sonant.decode.ctc import Hypothesis
from sonant.decode.ctc_align import Span
from sonant.errors import BadInput
from sonant.records import Word

__all__ = ["CtcStream", "StreamOptions", "Update"]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Sizes of the live windows, in seconds.

    Attributes:
        chunk_s: decided at a time.
        left_s: heard again before each chunk.
        right_s: waited for after each chunk; chunk_s + right_s is the delay.
        language: adapter language (MMS).
    """

    chunk_s: float = 0.18
    left_s: float = 4.0
    right_s: float = 0.3
    language: str | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.chunk_s < 0.02 or self.left_s < 0 or self.right_s < 0:
            raise BadInput(
                f"chunk_s {self.chunk_s}, left_s {self.left_s}, right_s {self.right_s}: "
                "a chunk is at least 0.02 s, contexts are not negative"
            )


@dataclass(frozen=True, slots=True)
class Update:
    """What one block brought.

    Attributes:
        committed: words that are whole now; they never change.
        partial: letters of the word under way.
        heard_s: seconds of sound decided so far.
    """

    committed: tuple[Word, ...]
    partial: str
    heard_s: float


class CtcStream:
    """One live stream; feed blocks of any size, then finish."""

    def __init__(self, recognizer: CtcRecognizer, options: StreamOptions | None = None) -> None:
        """State of one stream over a shared recogniser."""
        self.recognizer, self.options = recognizer, options or StreamOptions()
        self.adapter = recognizer.adapters.code(self.options.language)
        self.vocabulary = recognizer.adapters.vocabulary(self.adapter)
        frames_per_s = SAMPLE_RATE / recognizer.hop
        self.cutter = FrameWindows(
            max(1, round(self.options.chunk_s * frames_per_s)),
            round(self.options.left_s * frames_per_s),
            round(self.options.right_s * frames_per_s),
            hop=recognizer.hop,
            field=recognizer.field,
        )
        self.last = self.vocabulary.blank  # symbol of the last decided frame
        self.frames = 0
        self.ids: list[int] = []  # symbols of the word under way
        self.spans: list[list[float]] = []  # start, end, sum of probabilities

    def feed(self, block: NDArray[np.float32]) -> Update:
        """Hear (n,) float32 samples at 16 kHz; returns what they decided."""
        return self._decide(self.cutter.push(block))

    def finish(self) -> Update:
        """The end of the stream: decides what is left and closes the last word."""
        update = self._decide(self.cutter.finish())
        return Update((*update.committed, *self._close()), "", update.heard_s)

    def run(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[Update]:
        """All updates of a whole stream."""
        for block in blocks:
            yield self.feed(block)
        yield self.finish()

    def _decide(self, windows: Iterable[FrameWindow]) -> Update:
        words: list[Word] = []
        for window in windows:
            (log_probs,) = self.recognizer.hear([window], [self.adapter])
            for row in log_probs[:, : len(self.vocabulary.symbols)]:
                words.extend(self._frame(row))
        spelled = self.vocabulary.text(self.ids)
        return Update(tuple(words), spelled, self.frames * self.recognizer.hop / SAMPLE_RATE)

    def _frame(self, row: NDArray[np.float32]) -> list[Word]:
        """Greedy CTC, one frame further."""
        symbol = int(row.argmax())
        probability = float(np.exp(row[symbol]))
        words: list[Word] = []
        if symbol == self.last and self.spans and symbol not in self.vocabulary.silent:
            self.spans[-1][1] = self.frames + 1
            self.spans[-1][2] += probability
        elif symbol != self.last and symbol == self.vocabulary.ids.get(self.vocabulary.delimiter):
            words = self._close()
        elif symbol != self.last and symbol not in self.vocabulary.silent:
            self.ids.append(symbol)
            self.spans.append([self.frames, self.frames + 1, probability])
        self.last = symbol
        self.frames += 1
        return words

    def _close(self) -> list[Word]:
        """The word under way, ended."""
        spans = tuple(Span(int(start), int(end), total / (end - start)) for start, end, total in self.spans)
        words, _ = self.recognizer.timed(Hypothesis(tuple(self.ids), spans, 0.0), self.vocabulary)
        self.ids, self.spans = [], []
        return words
