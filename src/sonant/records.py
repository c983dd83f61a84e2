"""The results of both directions as frozen records: plain data, NumPy inside, times in seconds from the start.

A record is data alone. ``save`` finds the writer by name when it is called: file formats live in rooms above this one.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.errors import BadInput

__all__ = ["Audio", "Heard", "LanguageRow", "Segment", "Speech", "SpeechChunk", "Transcript", "Voice", "Window", "Word"]


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono sound: ``samples`` (N,) float32 in [-1, 1], ``sample_rate`` in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the sound; the suffix chooses the format (wav, flac, mp3, opus, ...). See ``sonant.audio.io.write``."""
        return importlib.import_module("sonant.audio.io").write(path, self, **options)


@dataclass(frozen=True, slots=True)
class Word:
    """One word, spoken or heard.

    Attributes:
        text: the word as written, without outer white space.
        start_s: start in seconds from the start of the audio.
        end_s: end in seconds.
        confidence: probability in [0, 1] for heard words; None for spoken ones.
        span: (start, end) character offsets into the user's original text, where there is one.
        phonemes: what was spoken, for synthesis.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None
    span: tuple[int, int] | None = None
    phonemes: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of heard speech.

    Attributes:
        start_s: start in seconds from the start of the file.
        end_s: end in seconds.
        text: what was heard, as the model spells it (a leading space is kept by Whisper).
        tokens: token ids, timestamps included.
        words: words with times, when they were asked for.
        temperature: the sampling temperature that gave this text.
        avg_logprob: mean log-probability per token.
        compression_ratio: zlib ratio of the window's text; high means repetition.
        no_speech_prob: probability of the no-speech token.
        language: ISO code of this segment.
        characters: single characters with times, when they were asked for and the model knows them (CTC).
    """

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...] = ()
    words: tuple[Word, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    language: str | None = None
    characters: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The fate of one stretch of audio that was given to the recogniser: nothing is dropped unsaid.

    Attributes:
        start_s: start in seconds.
        end_s: end in seconds.
        fate: "accepted", "retried" (accepted at a temperature above 0), or "skipped".
        reason: why it was retried or skipped, in words; empty when accepted at once.
        temperature: the last temperature tried.
    """

    start_s: float
    end_s: float
    fate: str
    reason: str = ""
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was heard in one file.

    Attributes:
        segments: in order of time.
        language: ISO code, or None where the model has no notion of it.
        duration_s: length of the audio in seconds.
        language_probability: of the detected language; 1.0 when the caller named it.
        task: "transcribe" or "translate".
        windows: the fate of every window (the coverage report).
        warnings: what the user should know, a line each.
    """

    segments: tuple[Segment, ...]
    language: str | None
    duration_s: float
    language_probability: float = 1.0
    task: str = "transcribe"
    windows: tuple[Window, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole text on one line."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> tuple[Word, ...]:
        """All words, where word times were asked for."""
        return tuple(word for segment in self.segments for word in segment.words)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the transcript; the suffix chooses the format (txt, srt, vtt, json ...). See ``sonant.asr.writers``."""
        return importlib.import_module("sonant.asr.writers").write(path, self, **options)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a recogniser made of a spoken chunk (``verify``).

    Attributes:
        text: what it heard.
        error_rate: character errors by characters of the text, case and punctuation left out.
        attempts: how often the chunk was spoken; the best is kept.
        seed: of the one that was kept.
        accepted: whether the error rate is below the threshold.
    """

    text: str
    error_rate: float
    attempts: int
    seed: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """One synthesised piece: at most 510 phonemes, spoken in one call of the network.

    Attributes:
        graphemes: the piece of the user's text.
        phonemes: what was spoken.
        audio: 24 kHz sound.
        words: with times from the start of this chunk.
        frames: (T + 2,) int64 durations of the tokens, both pads included, in frames of 600 samples (25 ms).
        span: (start, end) character offsets of the piece in the user's original text.
        voice: name of the voice.
        warnings: a line each.
        heard: what a recogniser made of it, where that was asked for.
    """

    graphemes: str
    phonemes: str
    audio: Audio
    words: tuple[Word, ...] = ()
    frames: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    span: tuple[int, int] = (0, 0)
    voice: str = ""
    warnings: tuple[str, ...] = ()
    heard: Heard | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """All that was spoken: the joined sound, words with times from its start, and the chunks it was made of."""

    audio: Audio
    words: tuple[Word, ...]
    chunks: tuple[SpeechChunk, ...]
    warnings: tuple[str, ...] = ()

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write sound (wav, mp3, ...) or captions (srt, vtt, json): the suffix chooses."""
        if Path(path).suffix.lower() in (".srt", ".vtt", ".json", ".ass", ".lrc"):
            return importlib.import_module("sonant.asr.writers").write(path, self.transcript(), **options)
        return self.audio.save(path, **options)

    def transcript(self) -> Transcript:
        """The spoken words as a transcript, a segment per chunk: both directions end in one record."""
        segments, offset = [], 0
        for chunk in self.chunks:
            words = self.words[offset : offset + len(chunk.words)]
            offset += len(chunk.words)
            if words:
                segments.append(Segment(words[0].start_s, words[-1].end_s, " " + chunk.graphemes.strip(), words=words))
        return Transcript(tuple(segments), None, self.audio.duration_s, warnings=self.warnings)


@dataclass(frozen=True, slots=True)
class Voice:
    """A Kokoro voice: ``styles`` (510, 256) float32, row n - 1 for n phonemes; columns 0-127 timbre, then prosody."""

    name: str
    styles: NDArray[np.float32]
    language: str = "a"

    def __post_init__(self) -> None:
        """Check the shape once, here."""
        if self.styles.shape != (510, 256):
            raise BadInput(f"voice {self.name!r} has shape {self.styles.shape}; a Kokoro voice is (510, 256) float32")


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """A language of a model.

    Attributes:
        code: the model's own.
        name: in English; "" where nobody knows it.
        also: other spellings that are accepted.
    """

    code: str
    name: str
    also: tuple[str, ...] = ()
