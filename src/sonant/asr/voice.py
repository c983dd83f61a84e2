"""Where somebody speaks: the gate around the network, the cuts of batched decoding, and speech that gave no text.

Whisper writes words into noise, music and silence; its own no-speech token misses many of them (openai-whisper and
faster-whisper print what it invents). So a window in which Silero's detector hears nobody is not decoded, and a segment
that lies where nobody speaks is left out; both are noted. ``voice_gate=False`` gives the references' behaviour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sonant.asr.chunked import chunks_of
from sonant.asr.segments import Span
from sonant.asr.source import Sound
from sonant.audio import vad
from sonant.audio.features import FRAMES_PER_SECOND, HOP, SAMPLE_RATE, WINDOW_FRAMES
from sonant.decode.options import TranscribeOptions
from sonant.errors import BadInput, UnknownName
from sonant.records import Segment

__all__ = ["Voice", "clips_of"]

SPEECH = 0.5  # probability from which a frame counts as speech (Silero's own default)
LEAST_FRAMES = 4  # of 32 ms in a window: shorter is no word. Organ music had 1, "hello world" 23
MARGIN_S = 0.5  # around a segment: its times may be this far off
BLOCK = 30 * SAMPLE_RATE
BATCH_PAUSE_MS = 160  # pause that may end a cut of batched decoding (faster-whisper's choice)
UNWRITTEN = vad.VadOptions(min_speech_duration_ms=300, min_silence_duration_ms=300, speech_pad_ms=0)


class Voice:
    """Probabilities of speech along a recording, computed block by block as far as they are asked for."""

    def __init__(self, sound: Sound, options: TranscribeOptions) -> None:
        """Compute nothing yet."""
        self._sound, self._options = sound, options
        self._detector = vad.StreamingVad()
        self._heard = 0  # samples
        self._known = np.zeros(0, np.float32)

    def probabilities(self, stop: int | None = None) -> np.ndarray:
        """Probabilities of frames of 512 samples, at least up to sample ``stop``; None for all."""
        length = len(self._sound)
        stop = length if stop is None else min(stop, length)
        fresh = []
        while self._heard < stop:
            block = self._sound.read(self._heard, min(self._heard + BLOCK, length))
            fresh.append(self._detector.push(block))
            self._heard += len(block)
            if self._heard == length:
                fresh.append(self._detector.finish())
        if fresh:
            self._known = np.concatenate([self._known, *fresh])
        return self._known

    def absence(self, span: Span) -> str:
        """Why a window needs no decoding, in words; empty where somebody may be speaking."""
        if not self._options.voice_gate:
            return ""
        frames = self._frames(span.start_s, span.stop_s)
        spoken = int((frames >= SPEECH).sum())
        if spoken >= LEAST_FRAMES:
            return ""
        return f"nobody speaks: probability of speech {frames.max(initial=0.0):.2f} at most"

    def hears(self, start_s: float, end_s: float) -> bool:
        """Whether anybody speaks in or near a stretch; always where the gate is off."""
        if not self._options.voice_gate:
            return True
        return bool((self._frames(start_s - MARGIN_S, end_s + MARGIN_S) >= SPEECH).any())

    def _frames(self, start_s: float, end_s: float) -> np.ndarray:
        first = max(0, int(start_s * SAMPLE_RATE)) // vad.FRAME
        last = -(-max(0, int(end_s * SAMPLE_RATE)) // vad.FRAME)
        return self.probabilities(last * vad.FRAME + vad.FRAME)[first:last]

    def spans(self, options: vad.VadOptions) -> list[tuple[int, int]]:
        """Stretches of speech, (start, end) in samples."""
        return vad.spans(self.probabilities(), len(self._sound), options)

    def unwritten(self, segments: Sequence[Segment], clips: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
        """Speech inside the clips, in seconds, that no segment is near; [] where voices were never looked for."""
        if not len(self._known):
            return []
        lost = []
        for start, end in vad.spans(self._known, self._heard, UNWRITTEN):
            start_s, end_s = start / SAMPLE_RATE, end / SAMPLE_RATE
            asked = any(a / FRAMES_PER_SECOND <= start_s and end_s <= b / FRAMES_PER_SECOND for a, b in clips)
            near = any(one.start_s - MARGIN_S < end_s and start_s < one.end_s + MARGIN_S for one in segments)
            if asked and not near:
                lost.append((start_s, end_s))
        return lost


def clips_of(options: TranscribeOptions, frames: int, voice: Voice) -> list[tuple[int, int]]:
    """Stretches to hear, (start, stop) in frames of 10 ms, none of them empty.

    Raises:
        BadInput: a clip starts after the end of the recording, or the detector's options can't be used.
    """
    if options.clip_timestamps:
        points = [round(time * FRAMES_PER_SECOND) for time in options.clip_timestamps]
        if len(points) % 2:
            points.append(frames)
        clips = [(start, min(stop, frames)) for start, stop in zip(points[::2], points[1::2], strict=True)]
        late = next((start for start, _stop in clips if start >= frames > 0), None)
        if late is not None:
            raise BadInput(
                f"clip_timestamps names {late / FRAMES_PER_SECOND:g} s; the recording ends at "
                f"{frames / FRAMES_PER_SECOND:g} s"
            )
    elif options.chunk_length is not None:
        clips = chunks_of(frames, round(options.chunk_length * FRAMES_PER_SECOND))
    elif options.vad_filter or (options.batch_size > 1 and frames > WINDOW_FRAMES):
        clips = _joined([(start // HOP, -(-end // HOP)) for start, end in voice.spans(_vad_options(options))], frames)
    else:
        clips = [(0, frames)]
    return [(start, stop) for start, stop in clips if stop > start]


def _vad_options(options: TranscribeOptions) -> vad.VadOptions:
    """The detector's options: the caller's over faster-whisper's defaults for the kind of decoding."""
    defaults = {} if options.batch_size == 1 else {"min_silence_duration_ms": BATCH_PAUSE_MS}
    known = vad.VadOptions.__dataclass_fields__
    given = dict(options.vad_parameters)
    for name in given:
        if name not in known:
            raise UnknownName("vad_parameters option", name, known, "see sonant.audio.vad.VadOptions")
    longest_s = {"max_speech_duration_s": WINDOW_FRAMES / FRAMES_PER_SECOND}
    return vad.VadOptions(**{**longest_s, **defaults, **given})


def _joined(spans: list[tuple[int, int]], frames: int) -> list[tuple[int, int]]:
    """Neighbouring spans as one clip, as long as it fits one window: a window costs the same however full it is."""
    clips: list[tuple[int, int]] = []
    for start, stop in spans:
        first = clips.pop()[0] if clips and min(stop, frames) - clips[-1][0] <= WINDOW_FRAMES else start
        clips.append((first, min(stop, frames)))
    return clips
