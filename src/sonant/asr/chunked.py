"""Chunked long form: overlapping chunks of fixed length, decoded apart from each other, joined by their common words.

Source of the method: Gandhi et al. (distil-whisper), arXiv:2311.00430, section on long-form transcription; transformers
``tokenization_whisper.py`` (how two token rows are laid over each other). Here segments keep their times, every gate
holds for each chunk, and where the rows share too little the middle of the overlap decides, so that nothing is written
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sonant.records import Segment
from sonant.text.bpe import WhisperTokenizer

__all__ = ["chunks_of", "join", "overlap_of"]

STRIDE = 6  # a chunk's side that only gives context is this part of it (transformers' default)
LEAST_MATCHES = 2  # equal tokens that make an overlap
LENGTH_BONUS = 1e-4  # for each token compared: of two overlaps equally good, the longer one


def chunks_of(frames: int, length: int) -> list[tuple[int, int]]:
    """(start, stop) of chunks of ``length`` frames that overlap by a third: a sixth at each side is context."""
    step = length - 2 * (length // STRIDE)
    starts = range(0, max(1, frames - 2 * (length // STRIDE)), step)
    return [(start, min(start + length, frames)) for start in starts]


def join(
    left: Sequence[Segment], right: Sequence[Segment], overlap_s: tuple[float, float], tokenizer: WhisperTokenizer
) -> tuple[list[Segment], list[Segment]]:
    """Two neighbouring chunks' segments, what both wrote kept once.

    Args:
        left: segments of the earlier chunk.
        right: segments of the later one.
        overlap_s: (start, end) of the sound that both heard.
        tokenizer: of the model.
    """
    tail = [one for one in left if one.end_s > overlap_s[0]]
    head = [one for one in right if one.start_s < overlap_s[1]]
    left_tokens = [token for one in tail for token in _text(one, tokenizer)]
    right_tokens = [token for one in head for token in _text(one, tokenizer)]
    found = overlap_of(left_tokens, right_tokens)
    if found is None:
        middle_s = sum(overlap_s) / 2
        kept_left = [one for one in left if (one.start_s + one.end_s) / 2 < middle_s]
        return kept_left, [one for one in right if (one.start_s + one.end_s) / 2 >= middle_s]
    left_count, right_skip = found
    kept_left = [one for one in left if one.end_s <= overlap_s[0]] + _first(tail, left_count, tokenizer)
    return kept_left, _after(head, right_skip, tokenizer) + [one for one in right if one.start_s >= overlap_s[1]]


def overlap_of(left: Sequence[int], right: Sequence[int]) -> tuple[int, int] | None:
    """How two rows of tokens are best laid over each other.

    Each shift of the right row is scored by the part of compared tokens that are equal; the seam is the middle of the
    best one.

    Returns:
        Tokens of ``left`` to keep, and tokens of ``right`` to leave out; None where no two tokens agree.
    """
    a, b = np.array(left, np.int64), np.array(right, np.int64)
    best, seam = 0.0, None
    for shift in range(1, len(a) + len(b)) if len(a) and len(b) else ():
        left_start, left_stop = max(0, len(a) - shift), min(len(a), len(a) + len(b) - shift)
        right_start, right_stop = max(0, shift - len(a)), min(len(b), shift)
        compared = left_stop - left_start
        matches = int((a[left_start:left_stop] == b[right_start:right_stop]).sum())
        score = matches / compared + compared * LENGTH_BONUS
        if matches >= LEAST_MATCHES and score > best:
            best, seam = score, ((left_start + left_stop) // 2, (right_start + right_stop) // 2)
    return seam


def _text(segment: Segment, tokenizer: WhisperTokenizer) -> list[int]:
    return [token for token in segment.tokens if token < tokenizer.eot]


def _first(segments: Sequence[Segment], count: int, tokenizer: WhisperTokenizer) -> list[Segment]:
    """The segments' first ``count`` text tokens; the segment that is cut ends where its share of tokens does."""
    kept = []
    for segment in segments:
        tokens = _text(segment, tokenizer)
        if count <= 0:
            break
        if len(tokens) <= count:
            kept.append(segment)
        else:
            text = tokenizer.decode(tokens[:count])
            words = tuple(word for word in segment.words if word.span is not None and word.span[1] <= len(text))
            end_s = words[-1].end_s if words else _share(segment, count / len(tokens))
            kept.append(replace(segment, text=text, tokens=tuple(tokens[:count]), words=words, end_s=end_s))
        count -= len(tokens)
    return [one for one in kept if one.text.strip()]


def _after(segments: Sequence[Segment], count: int, tokenizer: WhisperTokenizer) -> list[Segment]:
    """The segments without their first ``count`` text tokens."""
    kept = []
    for segment in segments:
        tokens = _text(segment, tokenizer)
        if count <= 0:
            kept.append(segment)
        elif len(tokens) > count:
            gone = len(segment.text) - len(tokenizer.decode(tokens[count:]))
            words = tuple(
                replace(word, span=(word.span[0] - gone, word.span[1] - gone))
                for word in segment.words
                if word.span is not None and word.span[0] >= gone
            )
            start_s = words[0].start_s if words else _share(segment, count / len(tokens))
            text = tokenizer.decode(tokens[count:])
            kept.append(replace(segment, text=text, tokens=tuple(tokens[count:]), words=words, start_s=start_s))
        count -= len(tokens)
    return [one for one in kept if one.text.strip()]


def _share(segment: Segment, share: float) -> float:
    """The time at which this share of a segment has passed, to 20 ms."""
    return round((segment.start_s + share * (segment.end_s - segment.start_s)) * 50) / 50
