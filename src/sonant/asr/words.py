"""When each word is spoken: cross-attention of the alignment heads, warped onto time.

Source of every rule: openai-whisper ``timing.py`` (``find_alignment``, ``merge_punctuations``,
``add_word_timestamps``), its repairs of too long words included. Legend: H heads, L tokens, F frames of 20 ms.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.asr.segments import Draft, DraftWord, Span
from sonant.decode.dtw import median_filter, warp
from sonant.decode.search import log_softmax
from sonant.engines.base import Memory, Seq2Seq
from sonant.text.bpe import WhisperTokenizer

__all__ = ["Aligner", "Heard", "attention_path", "merge_punctuations"]

SENTENCE_ENDS = ".。!！?？"
LONGEST_MEDIAN_S = 0.7  # a word's usual length is never taken to be more
FRAMES_PER_SECOND = 50  # of the encoder's output
FEATURE_FRAMES_PER_FRAME = 2
PAUSE_MEDIANS = 4  # silence of this many usual words makes the next word's start doubtful
SLACK_S = 0.5  # between a word's time and its segment's, before the segment's is believed


@dataclass(frozen=True, slots=True)
class Heard:
    """A window that was decoded.

    Attributes:
        span: where it lies.
        memory: what the encoder heard.
        row: the window's row in it.
        start: its start tokens (start, language, task), without context.
    """

    span: Span
    memory: Memory
    row: int
    start: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Aligner:
    """Gives the segments of a window their words.

    Attributes:
        engine: the network.
        tokenizer: its vocabulary.
        heads: (layer, head) pairs that follow the words.
        prepended: marks joined to the next word.
        appended: marks joined to the word before.
    """

    engine: Seq2Seq
    tokenizer: WhisperTokenizer
    heads: Sequence[tuple[int, int]]
    prepended: str
    appended: str

    def add_words(self, drafts: Sequence[Draft], heard: Heard, language: str | None, last_speech_s: float) -> None:
        """Fill in the words of a window's segments, and move the segments' ends onto them.

        Args:
            drafts: the window's segments; changed in place.
            heard: the window.
            language: decides how words are split.
            last_speech_s: end of the last word before this window.
        """
        if not drafts:
            return
        texts = [[token for token in draft.tokens if token < self.tokenizer.eot] for draft in drafts]
        words = self._align([token for text in texts for token in text], heard, language)
        lengths = np.array([word.end_s - word.start_s for word in words])
        lengths = lengths[lengths.nonzero()]
        usual_s = min(LONGEST_MEDIAN_S, float(np.median(lengths)) if len(lengths) else 0.0)
        if len(lengths):
            _shorten_at_sentence_ends(words, 2 * usual_s)
        merge_punctuations(words, self.prepended, self.appended)
        index = 0
        for draft, text in zip(drafts, texts, strict=True):
            taken = 0
            while index < len(words) and taken < len(text):
                word = words[index]
                taken += len(word.tokens)
                index += 1
                if word.text:
                    word.start_s = round(heard.span.start_s + word.start_s, 2)
                    word.end_s = round(heard.span.start_s + word.end_s, 2)
                    draft.words.append(word)
            if draft.words:
                _settle(draft, usual_s, last_speech_s)
                last_speech_s = draft.end_s

    def _align(self, text: list[int], heard: Heard, language: str | None) -> list[DraftWord]:
        """Words of a window's text tokens; times from the window's start, before any repair."""
        if not text:
            return []
        start, frames = heard.start, heard.span.size // FEATURE_FRAMES_PER_FRAME
        tokens = np.array([*start, self.tokenizer.no_timestamps, *text, self.tokenizer.eot], np.int64)
        scores, logits = self.engine.align(heard.memory, heard.row, tokens, self.heads)
        spoken = log_softmax(logits[len(start) : len(start) + len(text), : self.tokenizer.eot])
        probabilities = np.exp(spoken[np.arange(len(text)), text]).astype(np.float64)
        token_path, frame_path = attention_path(scores, frames, len(start))
        words = self.tokenizer.split_words([*text, self.tokenizer.eot], language)
        if len(words) <= 1:
            return []
        ends = np.cumsum([len(tokens) for _word, tokens in words[:-1]])
        starts = np.concatenate([[0], ends[:-1]])
        jumps = np.concatenate([[True], np.diff(token_path) > 0])
        times_s = frame_path[jumps] / FRAMES_PER_SECOND
        return [
            DraftWord(word, ids, float(times_s[first]), float(times_s[last]), float(probabilities[first:last].mean()))
            for (word, ids), first, last in zip(words[:-1], starts, ends, strict=True)
        ]


def attention_path(scores: NDArray[np.float32], frames: int, skip: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The path of tokens through time.

    Args:
        scores: cross-attention before its softmax, (H, L, F).
        frames: frames of the window that hold sound.
        skip: start tokens, left out of the path; so is the last token.

    Returns:
        Token and frame index of each point, from the token after the skipped ones.
    """
    scores = scores[:, :, :frames]
    weights = np.exp(log_softmax(scores))
    mean, deviation = weights.mean(axis=1, keepdims=True), weights.std(axis=1, keepdims=True)
    weights = median_filter((weights - mean) / deviation)
    return warp(-weights.mean(axis=0)[skip:-1].astype(np.float64))


def merge_punctuations(words: list[DraftWord], prepended: str, appended: str) -> None:
    """Join opening marks to the next word and closing ones to the word before; what was joined is left empty."""
    following = len(words) - 1
    for previous in range(len(words) - 2, -1, -1):
        mark = words[previous]
        if mark.text.startswith(" ") and mark.text.strip() in prepended:
            words[following].text = mark.text + words[following].text
            words[following].tokens = mark.tokens + words[following].tokens
            mark.text, mark.tokens = "", ()
        else:
            following = previous
    previous = 0
    for current in range(1, len(words)):
        mark = words[current]
        if not words[previous].text.endswith(" ") and mark.text in appended:
            words[previous].text += mark.text
            words[previous].tokens += mark.tokens
            mark.text, mark.tokens = "", ()
        else:
            previous = current


def _shorten_at_sentence_ends(words: list[DraftWord], longest_s: float) -> None:
    """No mark that ends a sentence, and no word after one, lasts longer than this: the rest is a pause."""
    for before, word in itertools.pairwise(words):
        if word.end_s - word.start_s > longest_s:
            if word.text in SENTENCE_ENDS:
                word.end_s = word.start_s + longest_s
            elif before.text in SENTENCE_ENDS:
                word.start_s = word.end_s - longest_s


def _settle(draft: Draft, usual_s: float, last_speech_s: float) -> None:
    """Shorten the words at a segment's ends that swallowed a pause, then let words and segment agree."""
    words, longest_s = draft.words, 2 * usual_s
    first, last = words[0], words[-1]
    if first.end_s - last_speech_s > usual_s * PAUSE_MEDIANS and (
        first.end_s - first.start_s > longest_s or (len(words) > 1 and words[1].end_s - first.start_s > longest_s * 2)
    ):
        if len(words) > 1 and words[1].end_s - words[1].start_s > longest_s:
            boundary = max(words[1].end_s / 2, words[1].end_s - longest_s)
            first.end_s = words[1].start_s = boundary
        first.start_s = max(0, first.end_s - longest_s)
    if draft.start_s < first.end_s and draft.start_s - SLACK_S > first.start_s:
        first.start_s = max(0, min(first.end_s - usual_s, draft.start_s))
    else:
        draft.start_s = first.start_s
    if draft.end_s > last.start_s and draft.end_s + SLACK_S < last.end_s:
        last.end_s = max(last.start_s + usual_s, draft.end_s)
    else:
        draft.end_s = last.end_s
