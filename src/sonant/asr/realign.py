"""Word times of a transcript by a CTC network: `sonant transcribe --align`.

As whisperX does it (Bain et al., "WhisperX: Time-Accurate Speech Transcription of Long-Form Audio", 2023, section 2.3):
the text of each segment is placed in the frames of its stretch of sound. Here the recording is heard once with context
on both sides, a stretch is widened by ``MARGIN_S`` because segment times are rough, two stretches never overlap, and
numbers and symbols get the times of their spoken forms.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sonant.asr.alignment import Aligned, Normaliser, align_words, spell
from sonant.asr.ctc import CtcOptions, CtcRecognizer
from sonant.asr.ctc_sound import SAMPLE_RATE, Heard, Sounding, blocks_of
from sonant.errors import BadInput, UnknownName, UnspeakableText
from sonant.records import Segment, Transcript, Word
from sonant.text.languages import canonical
from sonant.text.languages import language as spoken_language
from sonant.text.normalize import normalize
from sonant.text.tokens import Spoken
from sonant.text.vocab import CtcVocabulary
from sonant.text.whisper_languages import UNSPACED

__all__ = ["MARGIN_S", "iso_of", "normaliser_for", "realign"]

MARGIN_S = 0.5  # heard on both sides of a segment: about what Whisper's segment times are wrong by


def iso_of(language: str | None) -> str | None:
    """ISO 639-1 code of a language that sonant speaks, however it is spelled; any other comes back as it is."""
    if language is not None:
        with contextlib.suppress(UnknownName):
            return spoken_language(language).iso
    return language


def normaliser_for(language: str | None) -> Normaliser | None:
    """What writes numbers and symbols out, for the nine languages that sonant speaks; None for others."""
    if language is not None:
        with contextlib.suppress(UnknownName):
            return partial(_as_said, language=canonical(language))
    return None


def _as_said(pieces: Sequence[Spoken], language: str) -> list[Spoken]:
    """Numbers and symbols as words; pictures (♪ in captions), which nobody said, as nothing."""
    return [replace(piece, text="") if piece.rule == "emoji" else piece for piece in normalize(pieces, language)]


def realign(
    transcript: Transcript,
    audio: Sounding,
    recognizer: CtcRecognizer,
    options: CtcOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcript:
    """The transcript with words, characters and segment times as a CTC network hears them.

    Args:
        transcript: of any recogniser; texts stay as they are.
        audio: the recording it is of.
        recognizer: a CTC network that knows the language.
        options: how the recording is heard (windows, batches), and the adapter; None takes the transcript's language.
        progress: called with the seconds heard so far.

    Returns:
        A transcript in which every word has a time. A segment that can't be placed keeps what it had, and a warning
        says so.

    Raises:
        UnknownName, BadInput: the network doesn't know the language.
    """
    options = options or CtcOptions()
    code = recognizer.adapters.code(options.language or transcript.language)
    vocabulary = recognizer.adapters.vocabulary(code)
    rows = recognizer.emissions(Heard(progress).watch(blocks_of(audio)), replace(options, language=code))
    symbols = len(vocabulary.symbols)
    log_probs = np.concatenate([np.zeros((0, symbols), np.float32), *(row[:, :symbols] for row in rows)])
    frame_s = recognizer.hop / SAMPLE_RATE
    segments: list[Segment] = []
    warnings = list(transcript.warnings)
    free = 0  # first frame that no segment before has taken
    for segment in transcript.segments:
        first = max(free, round((segment.start_s - MARGIN_S) / frame_s))
        last = min(len(log_probs), round((segment.end_s + MARGIN_S) / frame_s))
        placed = _place(segment, log_probs[first:last], vocabulary, frame_s, transcript.language)
        if isinstance(placed, str):
            warnings.append(f"{segment.start_s:.2f} s: {placed}; the words there keep the times they had")
            segments.append(segment)
            continue
        words = tuple(_moved(word, first * frame_s) for word in placed.words)
        letters = tuple(_moved(letter, first * frame_s) for letter in placed.characters)
        sounding = [word for word in words if word.end_s > word.start_s]
        free = max(free, round(sounding[-1].end_s / frame_s))
        segments.append(
            replace(segment, start_s=sounding[0].start_s, end_s=sounding[-1].end_s, words=words, characters=letters)
        )
        warnings.extend(f"{segment.start_s:.2f} s: {line}" for line in placed.warnings)
    return replace(transcript, segments=tuple(segments), warnings=tuple(warnings))


def _place(
    segment: Segment,
    log_probs: NDArray[np.float32],
    vocabulary: CtcVocabulary,
    frame_s: float,
    language: str | None,
) -> Aligned | str:
    """A segment's words in its stretch of frames, or why they can't be placed."""
    spoken = segment.language or language
    try:
        spaced = spoken not in UNSPACED
        written = spell(segment.text, vocabulary, normaliser_for(spoken), spaced=spaced)
        return align_words(log_probs, written, vocabulary, frame_s, spaced=spaced)
    except (BadInput, UnspeakableText) as error:
        return str(error)


def _moved(word: Word, by_s: float) -> Word:
    return replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s, span=None)
