"""faster-whisper's surface over sonant: ``from sonant.compat.faster_whisper import WhisperModel``.

Same names, arguments, defaults and lazily made segments. What differs on purpose: batched transcription keeps every
gate and the whole temperature ladder (the original drops them), weights come from sonant's catalog and cache, and an
unknown option raises.
"""

from sonant.audio.vad import VadOptions
from sonant.compat.faster_whisper.audio import decode_audio
from sonant.compat.faster_whisper.transcribe import (
    BatchedInferencePipeline,
    Segment,
    TranscriptionInfo,
    WhisperModel,
    Word,
)
from sonant.compat.faster_whisper.utils import available_models, download_model, format_timestamp

__all__ = [
    "BatchedInferencePipeline",
    "Segment",
    "TranscriptionInfo",
    "VadOptions",
    "WhisperModel",
    "Word",
    "available_models",
    "decode_audio",
    "download_model",
    "format_timestamp",
]
