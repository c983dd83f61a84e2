"""Improbable words around silence: where they lead the seek, and which segments they cost.

Source: openai-whisper ``transcribe.py`` (``hallucination_silence_threshold``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sonant.asr.segments import Cut, Draft, DraftWord, Span
from sonant.audio.features import FRAMES_PER_SECOND
from sonant.decode.options import APPEND_PUNCTUATIONS, PREPEND_PUNCTUATIONS

__all__ = ["Judged", "is_anomalous", "last_end_s", "skip_hallucinations"]

PUNCTUATION = PREPEND_PUNCTUATIONS + APPEND_PUNCTUATIONS
IMPROBABLE, SHORT_S, LONG_S = 0.15, 0.133, 2.0
SHORT_WEIGHT = 15.0  # score of each second below SHORT_S
FIRST_WORDS = 8  # of a segment that are judged
ANOMALY = 3.0  # sum of scores from which a segment is anomalous
EDGE_S = 2.0  # a segment this near a window's edge counts as beside silence


@dataclass(frozen=True, slots=True)
class Judged:
    """A window after judgement.

    Attributes:
        drafts: segments that stay.
        seek: frame where the next window starts.
        reason: what was left out and why; empty where nothing was.
        again: the whole window is to be heard again from ``seek``; nothing of it counts.
    """

    drafts: list[Draft]
    seek: int
    reason: str = ""
    again: bool = False


def skip_hallucinations(
    cut: Cut, span: Span, seek: int, *, threshold_s: float, last_speech_s: float, content_frames: int
) -> Judged:
    """Leave out segments of improbable words that stand in silence.

    Args:
        cut: the window's segments, with words.
        span: where the window lies.
        seek: where the next window would start, by the times of words.
        threshold_s: silence longer than this counts.
        last_speech_s: end of the last word before this window.
        content_frames: frames of the whole recording.
    """
    drafts = cut.drafts
    if not cut.to_the_end:
        end_s = last_end_s(drafts)
        if end_s is not None and end_s > span.start_s:
            rest_s = span.full_stop_s - end_s
            seek = round(end_s * FRAMES_PER_SECOND) if rest_s > threshold_s else span.stop
    first = _first_with_words(drafts)
    if first is not None and is_anomalous(first):
        gap_s = first.start_s - span.start_s
        if gap_s > threshold_s:
            return Judged([], span.start + round(gap_s * FRAMES_PER_SECOND), "silence before improbable words", True)
    spoken_until_s = last_speech_s
    for index, draft in enumerate(drafts):
        if not draft.words:
            continue
        if is_anomalous(draft):
            following = _first_with_words(drafts[index + 1 :])
            next_start_s = following.words[0].start_s if following else span.stop_s
            silence_before = (
                draft.start_s - spoken_until_s > threshold_s
                or draft.start_s < threshold_s
                or draft.start_s - span.start_s < EDGE_S
            )
            silence_after = (
                next_start_s - draft.end_s > threshold_s
                or (following is not None and is_anomalous(following))
                or span.full_stop_s - draft.end_s < EDGE_S
            )
            if silence_before and silence_after:
                seek = round(max(span.start_s + 1, draft.start_s) * FRAMES_PER_SECOND)
                if content_frames / FRAMES_PER_SECOND - draft.end_s < threshold_s:
                    seek = content_frames
                text = "".join(one.text for one in drafts[index:]).strip()
                return Judged(drafts[:index], seek, f"improbable words beside silence left out: {text!r}")
        spoken_until_s = draft.end_s
    return Judged(drafts, seek)


def is_anomalous(draft: Draft) -> bool:
    """Whether a segment's first words are too improbable, too short or too long to have been spoken."""
    words = [word for word in draft.words if word.text not in PUNCTUATION][:FIRST_WORDS]
    if not draft.words:
        return False
    score = sum(_score(word) for word in words)
    return score >= ANOMALY or score + 0.01 >= len(words)


def _score(word: DraftWord) -> float:
    length_s = word.end_s - word.start_s
    score = 1.0 if word.probability < IMPROBABLE else 0.0
    if length_s < SHORT_S:
        score += (SHORT_S - length_s) * SHORT_WEIGHT
    if length_s > LONG_S:
        score += length_s - LONG_S
    return score


def _first_with_words(drafts: Sequence[Draft]) -> Draft | None:
    return next((draft for draft in drafts if draft.words), None)


def last_end_s(drafts: Sequence[Draft]) -> float | None:
    """End of the last word, or of the last segment where there is no word."""
    for draft in reversed(drafts):
        if draft.words:
            return draft.words[-1].end_s
    return drafts[-1].end_s if drafts else None
