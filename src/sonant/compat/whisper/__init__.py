"""openai-whisper's surface over sonant: ``import sonant.compat.whisper as whisper``.

Same names, arguments, defaults and results; arrays are NumPy where the original has torch tensors (``.numpy()`` and
``.cpu()`` aren't needed and not there). What differs on purpose: no torch, weights come from sonant's catalog and
cache, ``in_memory`` and ``fp16`` change nothing, and an unknown option raises instead of being swallowed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant import api
from sonant.asr.pipeline import Recognizer
from sonant.compat.spacing import spaced_words
from sonant.compat.whisper.audio import load_audio, log_mel_spectrogram, pad_or_trim
from sonant.compat.whisper.decoding import DecodingOptions, DecodingResult, decode, detect_language
from sonant.errors import BadInput
from sonant.records import Segment, Transcript
from sonant.weights import catalog

__all__ = [
    "DecodingOptions",
    "DecodingResult",
    "Whisper",
    "available_models",
    "decode",
    "detect_language",
    "load_audio",
    "load_model",
    "log_mel_spectrogram",
    "pad_or_trim",
    "transcribe",
]

NAMES = (
    *("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium"),
    *("large-v1", "large-v2", "large-v3", "large", "large-v3-turbo", "turbo"),
)
RENAMED = {"sample_len": "max_new_tokens"}
WITHOUT_EFFECT = ("fp16", "verbose", "prompt")
FRAMES_PER_SECOND = 100


def available_models() -> list[str]:
    """Names that ``load_model`` takes, beside paths."""
    return list(NAMES)


def load_model(
    name: str,
    device: str | None = None,
    download_root: str | None = None,
    in_memory: bool = False,  # noqa: ARG001  files are mapped into memory anyway
) -> Whisper:
    """Open a model by OpenAI's name, or a checkpoint file or folder by path.

    Raises:
        BadInput: ``download_root`` is given; set SONANT_CACHE instead.
    """
    if download_root is not None:
        raise BadInput("download_root has no effect here; set the environment variable SONANT_CACHE to move the cache")
    known = {alias for row in catalog.rows() if row.family == "whisper" for alias in (row.id, *row.aliases)}
    model = f"whisper-{name}" if f"whisper-{name}" in known else name
    wanted = str(device or "auto").split(":")[0]
    opened = api.load_asr(model, device=wanted)
    if not isinstance(opened, Recognizer):
        raise BadInput(f"{name} is no Whisper model")
    return Whisper(opened, "cpu" if wanted == "auto" else wanted)


class Dimensions:
    """Sizes under OpenAI's names (``model.dims``)."""

    def __init__(self, config: Any) -> None:
        """Read them off a config of ours."""
        self.n_mels = config.num_mel_bins
        self.n_vocab = config.vocab_size
        self.n_audio_ctx = config.max_source_positions
        self.n_audio_state = self.n_text_state = config.d_model
        self.n_audio_head, self.n_text_head = config.encoder_attention_heads, config.decoder_attention_heads
        self.n_audio_layer, self.n_text_layer = config.encoder_layers, config.decoder_layers
        self.n_text_ctx = config.max_target_positions


class Whisper:
    """An open model."""

    def __init__(self, recognizer: Recognizer, device: str = "cpu") -> None:
        """Hold a recogniser of ours."""
        self.recognizer = recognizer
        self.dims = Dimensions(recognizer.engine.config)
        self.device = device

    def to(self, device: Any) -> Whisper:
        """Itself, where the device is the one it was opened on.

        Raises:
            BadInput: another device; ``load_model`` takes it.
        """
        wanted = str(getattr(device, "type", device)).split(":")[0]
        if wanted != self.device:
            raise BadInput(f"the model is open on {self.device}; open it there: load_model(name, device={wanted!r})")
        return self

    def eval(self) -> Whisper:
        """Itself: it is never in training."""
        return self

    @property
    def is_multilingual(self) -> bool:
        """Whether it knows languages and translation."""
        return self.recognizer.facts.multilingual

    @property
    def num_languages(self) -> int:
        """Language tokens in its vocabulary; as the original, 99 for English-only models."""
        return self.recognizer.facts.language_count

    def transcribe(self, audio: str | Path | NDArray[np.float32], **options: Any) -> dict[str, Any]:
        """See ``transcribe``."""
        return transcribe(self, audio, **options)

    def decode(self, mel: NDArray[np.float32], options: DecodingOptions | None = None, **changes: Any) -> Any:
        """See ``decode``."""
        return decode(self, mel, options, **changes)

    def detect_language(self, mel: NDArray[np.float32], tokenizer: Any = None) -> Any:
        """See ``detect_language``."""
        return detect_language(self, mel, tokenizer)


def transcribe(
    model: Whisper, audio: str | Path | NDArray[np.float32], *, verbose: bool | None = None, **options: Any
) -> dict[str, Any]:
    """Write down a recording.

    Args:
        model: an open model.
        audio: a path, or 16 kHz samples (N,) float32.
        verbose: print each segment with its times.
        **options: those of the original's ``transcribe`` and ``DecodingOptions``.

    Returns:
        ``{"text", "segments", "language"}`` as the original gives them.

    Raises:
        UnknownName: an option that doesn't exist.
    """
    settings = {RENAMED.get(key, key): value for key, value in options.items() if key not in WITHOUT_EFFECT}
    for key in ("suppress_tokens", "clip_timestamps"):
        if settings.get(key) is None:
            settings.pop(key, None)
    # The original has no gate on voice, and keeps the last attempt of the ladder.
    settings = {"voice_gate": False, "keep": "last", **settings}
    result = model.recognizer.transcribe(audio, **settings)
    if verbose:
        for segment in result.segments:
            sys.stdout.write(f"[{_clock(segment.start_s)} --> {_clock(segment.end_s)}] {segment.text}\n")
    return {
        "text": "".join(segment.text for segment in result.segments),
        "segments": [_segment(number, segment, result) for number, segment in enumerate(result.segments)],
        "language": result.language,
    }


def _segment(number: int, segment: Segment, result: Transcript) -> dict[str, Any]:
    """A segment as the original's dictionary; ``seek`` is the frame at which its window starts."""
    starts = [window.start_s for window in result.windows if window.start_s <= segment.start_s + 1e-6]
    found: dict[str, Any] = {
        "id": number,
        "seek": round(max(starts, default=0.0) * FRAMES_PER_SECOND),
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
    if segment.words:
        found["words"] = [
            {"word": text, "start": word.start_s, "end": word.end_s, "probability": word.confidence}
            for text, word in zip(spaced_words(segment), segment.words, strict=True)
        ]
    return found


def _clock(seconds: float) -> str:
    """Minutes, seconds and milliseconds, hours only where there are any."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    clock = f"{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
    return f"{hours:02}:{clock}" if hours else clock
