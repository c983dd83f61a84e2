"""Where somebody speaks: the gate before the network, and the cuts of batched decoding."""

from __future__ import annotations

from collections.abc import Sequence

from sonant.asr.segments import Span
from sonant.asr.source import Sound
from sonant.decode.options import TranscribeOptions
from sonant.records import Segment

__all__ = ["Voice", "clips_of"]


class Voice:
    def __init__(self, sound: Sound, options: TranscribeOptions) -> None:
        self._sound, self._options = sound, options

    def absence(self, span: Span) -> str:
        return ""

    def unwritten(self, segments: Sequence[Segment]) -> list[tuple[float, float]]:
        return []


def clips_of(options: TranscribeOptions, frames: int, voice: Voice) -> list[tuple[int, int]]:
    """Stretches to hear, (start, stop) in frames of 10 ms."""
    return [(0, frames)]
