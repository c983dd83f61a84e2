"""Rules on the next token: each takes logits (R, V) and what each row has written so far, and changes the logits.

Sources: openai-whisper ``decoding.py`` (``SuppressBlank``, ``SuppressTokens``, ``ApplyTimestampRules``); CTranslate2
``decoding_utils`` (repetition penalty, repeated n-grams); whisper.cpp (``suppress_regex``).
Legend: R rows, V vocabulary, t tokens written (prompt and start tokens not counted).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.decode.options import TranscribeOptions
from sonant.decode.ranking import rank
from sonant.errors import BadInput
from sonant.text.bpe import SECONDS_PER_TIMESTAMP, WhisperTokenizer

__all__ = ["NoRepeat", "RepetitionPenalty", "Rule", "SuppressBlank", "SuppressTokens", "TimestampRules", "rules_of"]

FORBIDDEN = np.float32(-np.inf)
ROUNDINGS = 1e-3  # of logits, and more


class Rule(Protocol):
    """One rule; it holds for every row by itself, so that a row gets in a batch what it gets alone."""

    def __call__(self, logits: NDArray[np.float32], written: NDArray[np.int64]) -> None:
        """Change (R, V) logits in place, given (R, t) written tokens."""


def rules_of(options: TranscribeOptions, tokens: WhisperTokenizer) -> list[Rule]:
    """The rules that the options ask for, in the order in which they apply."""
    rules: list[Rule] = []
    if options.repetition_penalty != 1:
        rules.append(RepetitionPenalty(options.repetition_penalty))
    if options.no_repeat_ngram_size:
        rules.append(NoRepeat(options.no_repeat_ngram_size))
    if options.suppress_blank:
        rules.append(SuppressBlank(np.array((*tokens.blank, tokens.eot))))
    suppressed = _suppressed(options, tokens)
    if suppressed:
        rules.append(SuppressTokens(np.array(suppressed)))
    if not options.without_timestamps:
        latest = options.max_initial_timestamp
        rules.append(
            TimestampRules(
                tokens.timestamp_begin,
                tokens.eot,
                tokens.no_timestamps,
                round(latest / SECONDS_PER_TIMESTAMP) if latest else None,  # 0 bounds nothing, as in the reference
            )
        )
    return rules


def _suppressed(options: TranscribeOptions, tokens: WhisperTokenizer) -> list[int]:
    """Ids that are never written; an empty option lets the special tokens through too, as in the reference."""
    found = {token for token in options.suppress_tokens if token != -1}
    if found and not 0 <= min(found) <= max(found) < tokens.size:
        raise BadInput(f"suppress_tokens holds {min(found)}..{max(found)}; ids go from 0 to {tokens.size - 1}")
    if -1 in options.suppress_tokens:
        found.update(tokens.non_speech)
    if options.suppress_tokens:
        found.update((tokens.transcribe, tokens.translate, tokens.sot, tokens.sot_prev, tokens.sot_lm))
        found.add(tokens.no_speech)  # its probability is read before the first step
    if options.suppress_regex:
        found.update(tokens.matching(options.suppress_regex))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class SuppressTokens:
    """Never write these ids."""

    tokens: Sequence[int] | NDArray[np.int64]

    def __call__(self, logits: NDArray[np.float32], written: NDArray[np.int64]) -> None:  # noqa: ARG002
        """Forbid them in every row."""
        logits[:, self.tokens] = FORBIDDEN


@dataclass(frozen=True, slots=True)
class SuppressBlank:
    """Don't begin with these ids (a lone space, or the end of the text)."""

    tokens: Sequence[int] | NDArray[np.int64]

    def __call__(self, logits: NDArray[np.float32], written: NDArray[np.int64]) -> None:
        """Forbid them at the first step."""
        if written.shape[1] == 0:
            logits[:, self.tokens] = FORBIDDEN


@dataclass(frozen=True, slots=True)
class RepetitionPenalty:
    """Make written tokens less likely: positive logits are divided by the factor, negative ones multiplied."""

    factor: float

    def __call__(self, logits: NDArray[np.float32], written: NDArray[np.int64]) -> None:
        """Apply once to each distinct token of a row."""
        for row, tokens in zip(logits, written, strict=True):
            seen = np.unique(tokens)
            row[seen] = np.where(row[seen] < 0, row[seen] * self.factor, row[seen] / self.factor)


@dataclass(frozen=True, slots=True)
class NoRepeat:
    """No run of ``size`` tokens twice."""

    size: int

    def __call__(self, logits: NDArray[np.float32], written: NDArray[np.int64]) -> None:
        """Forbid each token that would complete a run that was written before."""
        length, ahead = written.shape[1], self.size - 1
        if length < self.size:
            return
        runs = np.lib.stride_tricks.sliding_window_view(written, self.size, axis=1)  # (R, t - size + 1, size)
        tail = written[:, length - ahead :]
        for row in range(len(written)):
            same = (runs[row, :, :ahead] == tail[row]).all(axis=1)
            logits[row, runs[row, same, ahead]] = FORBIDDEN


@dataclass(frozen=True, slots=True)
class TimestampRules:
    """Times open and close segments: in pairs but at the start and the end, never going back, first one bounded.

    And where all times together are likelier than the likeliest word, a time is written.

    Attributes:
        begin: id of <|0.00|>.
        eot: id of the end; text ids are below it.
        no_timestamps: id of the token that switches times off; never written here.
        latest_first: position (20 ms each) of the latest time to begin with, or None.
    """

    begin: int
    eot: int
    no_timestamps: int
    latest_first: int | None

    def __call__(self, logits: NDArray[np.float32], written: NDArray[np.int64]) -> None:
        """Apply to every row."""
        logits[:, self.no_timestamps] = FORBIDDEN
        if written.shape[1] == 0:
            logits[:, : self.begin] = FORBIDDEN
            if self.latest_first is not None:
                logits[:, self.begin + self.latest_first + 1 :] = FORBIDDEN
        else:
            self._pair(logits, written)
        self._prefer_times(logits)

    def _pair(self, logits: NDArray[np.float32], written: NDArray[np.int64]) -> None:
        latest = written.max(axis=1).tolist()  # times never fall, and their ids are above all others
        for row, (time, tail) in enumerate(zip(latest, written[:, -2:].tolist(), strict=True)):
            last_is_time = tail[-1] >= self.begin
            pair_done = len(tail) == 1 or tail[0] >= self.begin
            if last_is_time:
                if pair_done:  # text has to follow
                    logits[row, self.begin :] = FORBIDDEN
                else:  # the next segment's start, or the end
                    logits[row, : self.eot] = FORBIDDEN
            if time >= self.begin:  # a segment may start where the last one ended, but none is empty
                first_allowed = time if last_is_time and not pair_done else time + 1
                logits[row, self.begin : first_allowed] = FORBIDDEN

    def _prefer_times(self, logits: NDArray[np.float32]) -> None:
        text, times = logits[:, : self.begin].max(axis=1), logits[:, self.begin :]
        most = times.max(axis=1) + math.log(times.shape[1])  # what all together come to at most, -inf without any
        if (most < text - ROUNDINGS).all():
            return
        likelier = rank(times)[2] > text
        logits[likelier, : self.begin] = FORBIDDEN
