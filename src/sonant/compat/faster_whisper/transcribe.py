"""``faster_whisper.transcribe``: models that listen, and what they give."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sonant import api
from sonant.asr.pipeline import Recognizer
from sonant.audio.vad import VadOptions, speech_spans
from sonant.compat.faster_whisper.audio import decode_audio
from sonant.compat.faster_whisper.tokenizer import Tokenizer
from sonant.compat.spacing import spaced_words
from sonant.decode.options import TranscribeOptions
from sonant.errors import BadInput
from sonant.records import Segment as Heard
from sonant.text.bpe import WhisperTokenizer
from sonant.weights import catalog

__all__ = [
    "BatchedInferencePipeline",
    "Segment",
    "TranscriptionInfo",
    "VadOptions",
    "WhisperModel",
    "Word",
    "get_suppressed_tokens",
]

SAMPLE_RATE = 16_000
DTYPES = {
    "default": "auto",
    "auto": "auto",
    "float32": "float32",
    "float16": "float16",
    "bfloat16": "bfloat16",
    **dict.fromkeys(("int8", "int8_float32", "int8_float16", "int8_bfloat16"), "int8"),
}
RENAMED = {"log_prob_threshold": "logprob_threshold", "length_penalty": "length_power"}
WITHOUT_EFFECT = ("log_progress", "chunk_length")
# Defaults in which the original differs from openai-whisper, whose defaults are ours.
DEFAULTS: dict[str, Any] = {
    "beam_size": 5,
    "best_of": 5,
    "patience": 1.0,
    "length_power": 1.0,
    "prefix_in_text": True,
    "voice_gate": False,
}


@dataclass
class Word:
    """A word with its times in seconds."""

    start: float
    end: float
    word: str
    probability: float


@dataclass
class Segment:
    """A stretch of speech, under the original's names."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: list[Word] | None
    temperature: float | None


@dataclass
class TranscriptionInfo:
    """What is known before the segments are."""

    language: str
    language_probability: float
    duration: float
    duration_after_vad: float
    all_language_probs: list[tuple[str, float]] | None
    transcription_options: TranscribeOptions
    vad_options: VadOptions | None


def get_suppressed_tokens(tokenizer: Tokenizer, suppress_tokens: Sequence[int]) -> tuple[int, ...]:
    """Ids that are never written, sorted: those given, -1 standing for what nobody speaks, and the special ones."""
    found = {token for token in suppress_tokens if token >= 0}
    if -1 in suppress_tokens:
        found.update(tokenizer.non_speech_tokens)
    found.update((tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm))
    return tuple(sorted({*found, tokenizer.no_speech}))


class WhisperModel:
    """An open model."""

    def __init__(
        self,
        model_size_or_path: str,
        device: str = "auto",
        device_index: int | list[int] = 0,  # noqa: ARG002  one device
        compute_type: str = "default",
        cpu_threads: int = 0,
        num_workers: int = 1,  # noqa: ARG002  windows are batched instead
        **places: Any,
    ) -> None:
        """Open by size name ("base", "distil-large-v3") or by path.

        Raises:
            BadInput: an unknown compute type, or an option about places (``download_root``): set SONANT_CACHE instead.
        """
        wrong = [name for name, value in places.items() if value not in (None, False)]
        if wrong:
            raise BadInput(f"{wrong[0]} has no effect here; SONANT_CACHE moves the cache, SONANT_OFFLINE=1 stays local")
        if compute_type not in DTYPES:
            raise BadInput(f"compute_type {compute_type!r} is not known; allowed: {', '.join(DTYPES)}")
        known = {alias for row in catalog.rows() for alias in (row.id, *row.aliases)}
        sized = f"whisper-{model_size_or_path}"
        model = sized if sized in known and not Path(model_size_or_path).exists() else model_size_or_path
        opened = api.load_asr(model, device=device, dtype=DTYPES[compute_type], threads=cpu_threads)
        if not isinstance(opened, Recognizer):
            raise BadInput(f"{model_size_or_path} is no Whisper model")
        self.recognizer = opened

    @property
    def hf_tokenizer(self) -> WhisperTokenizer:
        """The model's vocabulary, to make a ``Tokenizer`` from."""
        return self.recognizer.facts.tokenizer

    @property
    def supported_languages(self) -> list[str]:
        """Codes of the model's languages."""
        return list(self.recognizer.facts.tokenizer.languages) or ["en"]

    @property
    def is_multilingual(self) -> bool:
        """Whether it knows languages and translation."""
        return self.recognizer.facts.multilingual

    def transcribe(
        self, audio: str | BinaryIO | NDArray[np.float32], **options: Any
    ) -> tuple[Iterator[Segment], TranscriptionInfo]:
        """Write down a recording: segments, made while they are read, and what is known before.

        Args:
            audio: a path, an open file, or 16 kHz samples.
            **options: the original's.

        Raises:
            UnknownName: an option that doesn't exist.
        """
        return _transcribe(self.recognizer, audio, options)

    def detect_language(
        self,
        audio: NDArray[np.float32],
        vad_filter: bool = False,
        vad_parameters: Any = None,
        language_detection_segments: int = 1,
        language_detection_threshold: float = 0.5,
    ) -> tuple[str, float, list[tuple[str, float]]]:
        """Language, its probability, and those of all languages, likeliest first."""
        samples = _samples(audio)
        if vad_filter:
            spans = speech_spans(samples, _vad(vad_parameters))
            samples = np.concatenate([samples[start:end] for start, end in spans] or [samples])
        guess = self.recognizer.detect_language(
            samples,
            language_detection_segments=language_detection_segments,
            language_detection_threshold=language_detection_threshold,
        )
        return guess.language, guess.probability, list(guess.probabilities.items())


class BatchedInferencePipeline:
    """The same with windows decoded together, cut where nobody speaks; all gates and retries are kept."""

    def __init__(self, model: WhisperModel) -> None:
        """Share an open model."""
        self.model = model

    def transcribe(
        self, audio: str | BinaryIO | NDArray[np.float32], batch_size: int = 8, **options: Any
    ) -> tuple[Iterator[Segment], TranscriptionInfo]:
        """See ``WhisperModel.transcribe``; VAD is on, and segments have no inner times, unless asked otherwise."""
        settings = {"vad_filter": True, "without_timestamps": True, "batch_size": max(batch_size, 2), **options}
        return _transcribe(self.model.recognizer, audio, settings)


def _transcribe(
    recognizer: Recognizer, audio: str | BinaryIO | NDArray[np.float32], options: dict[str, Any]
) -> tuple[Iterator[Segment], TranscriptionInfo]:
    """The work of both classes."""
    settings = DEFAULTS | {RENAMED.get(key, key): value for key, value in options.items() if key not in WITHOUT_EFFECT}
    clips = _clips(settings)
    vad = _vad(settings.pop("vad_parameters", None)) if settings.get("vad_filter") else None
    if vad is not None:
        settings["vad_parameters"] = asdict(vad)
    if settings.get("beam_size") == 1:
        settings["beam_size"], settings["patience"] = None, None
    samples = _samples(audio)
    length = audio.size if isinstance(audio, np.ndarray) else len(samples)
    chosen = TranscribeOptions().changed(**settings)
    language, probability, chances = chosen.language, 1.0, None
    if language is None and recognizer.facts.multilingual:
        guess = recognizer.detect_language(samples, chosen)
        language, probability, chances = guess.language, guess.probability, list(guess.probabilities.items())
        if not chosen.multilingual:
            chosen = chosen.changed(language=language)
    kept_s = length / SAMPLE_RATE
    if vad is not None:
        kept_s = sum(end - start for start, end in speech_spans(samples, vad)) / SAMPLE_RATE
    elif clips is not None:
        kept_s = sum(clip["end"] - clip["start"] for clip in clips)
    info = TranscriptionInfo(language or "en", probability, length / SAMPLE_RATE, kept_s, chances, chosen, vad)
    heard = recognizer.segments(samples, chosen)
    return (_segment(number, segment) for number, segment in zip(itertools.count(1), heard, strict=False)), info


def _samples(audio: str | BinaryIO | NDArray[np.float32]) -> NDArray[np.float32]:
    """What is to be heard; one sample of silence for an empty array, which the original takes."""
    samples = np.asarray(audio if isinstance(audio, np.ndarray) else decode_audio(audio), np.float32)
    return samples if samples.size else np.zeros(1, np.float32)


def _clips(settings: dict[str, Any]) -> list[dict[str, float]] | None:
    """The batched class's clips, ``{"start", "end"}`` in seconds, brought to our list of times; they replace VAD."""
    clips = settings.get("clip_timestamps")
    if not clips or isinstance(clips, str) or not isinstance(clips[0], dict):
        return None
    settings["clip_timestamps"] = [clip[side] for clip in clips for side in ("start", "end")]
    settings["vad_filter"] = False
    settings.pop("vad_parameters", None)
    return list(clips)


def _segment(number: int, segment: Heard) -> Segment:
    """Ours under the original's names; ``seek`` is where the segment starts, in frames of 10 ms."""
    words = [
        Word(word.start_s, word.end_s, text, word.confidence or 0.0)
        for text, word in zip(spaced_words(segment), segment.words, strict=True)
    ]
    return Segment(
        number,
        round(segment.start_s * 100),
        segment.start_s,
        segment.end_s,
        segment.text,
        list(segment.tokens),
        segment.avg_logprob,
        segment.compression_ratio,
        segment.no_speech_prob,
        words or None,
        segment.temperature,
    )


def _vad(given: Any) -> VadOptions:
    """Options of the detector from a record, a dictionary or nothing."""
    return given if isinstance(given, VadOptions) else VadOptions(**(given or {}))
