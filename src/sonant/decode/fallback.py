"""The temperature ladder: windows that fail a gate are decoded again, hotter, until they pass or the ladder ends.

The gates are those of openai-whisper ``transcribe.py`` (``decode_with_fallback`` and the no-speech check after it),
kept for each window apart: in a batch, the windows that failed are gathered and go to the next temperature together.
(Other batched decoders of Whisper drop the ladder.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sonant.decode.options import TranscribeOptions
from sonant.decode.search import Hypothesis, Request, Search
from sonant.engines.base import Memory

__all__ = ["NOT_NUMBERS", "Attempt", "Outcome", "decode_with_fallback", "doubts", "is_silence"]

NOT_NUMBERS = "the network gave NaN, so nothing was heard; use dtype float32 or bfloat16"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One decoding of a window, and why it was not kept; ``reason`` is empty where it was."""

    hypothesis: Hypothesis
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a window came to.

    Attributes:
        hypothesis: the kept one.
        attempts: all of them, in order.
        silence: why the window is to be skipped; empty where it holds speech.
        last_temperature: the last one tried: it decides whether the text becomes context.
    """

    hypothesis: Hypothesis
    attempts: tuple[Attempt, ...]
    silence: str
    last_temperature: float


def decode_with_fallback(search: Search, memory: Memory, requests: Sequence[Request]) -> list[Outcome]:
    """Decode windows, each down the ladder as far as it has to go."""
    options = search.options
    attempts: list[list[Attempt]] = [[] for _ in requests]
    pending = list(range(len(requests)))
    for temperature in options.temperatures:
        hypotheses = search.decode(memory, [requests[index] for index in pending], temperature)
        failed = []
        for index, hypothesis in zip(pending, hypotheses, strict=True):
            reason = doubts(hypothesis, options)
            attempts[index].append(Attempt(hypothesis, reason))
            if reason:
                failed.append(index)
        pending = failed
        if not pending:
            break
    return [_outcome(tried, options) for tried in attempts]


def doubts(hypothesis: Hypothesis, options: TranscribeOptions) -> str:
    """Why a hypothesis should be decoded again, in words; empty where it should not."""
    if math.isnan(hypothesis.avg_logprob):  # a half-precision overflow: no comparison would hold
        return NOT_NUMBERS
    reasons = []
    ratio, floor = options.compression_ratio_threshold, options.logprob_threshold
    if ratio is not None and hypothesis.compression_ratio > ratio:
        reasons.append(f"repetitive: compression ratio {hypothesis.compression_ratio:.2f} > {ratio:g}")
    improbable = floor is not None and hypothesis.avg_logprob < floor
    if improbable:
        reasons.append(f"doubtful: mean log-probability {hypothesis.avg_logprob:.2f} < {floor:g}")
    silent = options.no_speech_threshold is not None and hypothesis.no_speech_prob > options.no_speech_threshold
    return "" if silent and improbable else "; ".join(reasons)  # silence: hotter text would be no better


def is_silence(hypothesis: Hypothesis, options: TranscribeOptions) -> str:
    """Why a window counts as silence, in words; empty where it counts as speech."""
    threshold, floor = options.no_speech_threshold, options.logprob_threshold
    if threshold is None or not hypothesis.no_speech_prob > threshold:
        return ""
    if floor is not None and hypothesis.avg_logprob > floor:
        return ""  # sure of its words in spite of the no-speech token
    return (
        f"silence: no-speech probability {hypothesis.no_speech_prob:.2f} > {threshold:g}, "
        f"mean log-probability {hypothesis.avg_logprob:.2f}"
    )


def _outcome(attempts: list[Attempt], options: TranscribeOptions) -> Outcome:
    kept = attempts[-1].hypothesis
    if attempts[-1].reason and options.keep == "best":
        ratio = options.compression_ratio_threshold
        tried = [attempt.hypothesis for attempt in attempts]
        varied = [one for one in tried if ratio is None or one.compression_ratio <= ratio]
        kept = max(varied or tried, key=lambda one: -math.inf if math.isnan(one.avg_logprob) else one.avg_logprob)
    return Outcome(kept, tuple(attempts), is_silence(kept, options), attempts[-1].hypothesis.temperature)
