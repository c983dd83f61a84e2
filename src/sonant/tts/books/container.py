"""Chapters of sound into one file with a table of chapters and metadata: m4b, m4a, mp3, opus, ogg (FFmpeg's muxers)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from sonant.audio.encode import pcm16
from sonant.audio.loudness import Limiter
from sonant.errors import BadInput, MissingExtra, UnknownName

__all__ = ["FORMATS", "check_format", "write"]

FORMATS = {
    ".m4b": ("ipod", "aac", 64_000),
    ".m4a": ("ipod", "aac", 64_000),
    ".mp3": ("mp3", "libmp3lame", 64_000),
    ".opus": ("ogg", "libopus", 32_000),
    ".ogg": ("ogg", "libopus", 32_000),
}
"""Suffix: muxer, encoder, bits a second for one voice."""


def check_format(path: Path, bit_rate: int | None = None) -> None:
    """Refuse a format without chapters, before anything is spoken.

    Raises:
        UnknownName: another suffix.
        BadInput: no sensible bit rate.
    """
    if path.suffix.lower() not in FORMATS:
        raise UnknownName("format of an audio book", path.suffix, FORMATS, "these hold chapters")
    if bit_rate is not None and not 6_000 <= bit_rate <= 512_000:
        raise BadInput(f"bit_rate is {bit_rate} bits a second; allowed: 6000 to 512000")


def write(
    file: BinaryIO,
    suffix: str,
    blocks: Iterable[NDArray[np.float32]],
    sample_rate: int,
    chapters: Iterable[tuple[str, float, float]],
    metadata: Mapping[str, str],
    bit_rate: int | None = None,
) -> None:
    """Encode mono sound with chapters.

    Args:
        file: open for writing, and able to seek.
        suffix: chooses the format.
        blocks: (N,) float32 each.
        sample_rate: in Hz; one that the encoder knows (24,000 is known to all).
        chapters: title, start and end in seconds.
        metadata: title, artist, ...
        bit_rate: in bits a second; None for the format's own.

    Raises:
        MissingExtra: the installed PyAV is too old to write chapters.
    """
    container, codec, usual = FORMATS[suffix.lower()]
    output: Any = av.open(file, "w", format=container)
    stream = output.add_stream(codec, rate=sample_rate)
    stream.layout = "mono"
    stream.bit_rate = bit_rate or usual
    facts = {key: value for key, value in metadata.items() if value}
    if container == "ogg":  # keeps its facts with the stream, all others with the file
        stream.metadata.update(facts | _comments(chapters))
    elif hasattr(output, "set_chapters"):
        output.metadata.update(facts)
        output.set_chapters([_chapter(number, *chapter) for number, chapter in enumerate(chapters)])
    else:
        raise MissingExtra("chapters need PyAV 14.2 or newer; run: pip install --upgrade av")
    output.start_encoding()
    limiter = Limiter(sample_rate)
    place = 0
    for samples in _limited(blocks, limiter):
        frame: Any = av.AudioFrame.from_ndarray(pcm16(samples).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, place
        place += len(samples)
        for packet in stream.encode(frame):
            output.mux(packet)
    for packet in stream.encode(None):
        output.mux(packet)
    output.close()


def _limited(blocks: Iterable[NDArray[np.float32]], limiter: Limiter) -> Iterable[NDArray[np.float32]]:
    """Blocks without clipping; empty ones are left out."""
    for block in blocks:
        if len(ready := limiter.push(block)):
            yield ready
    if len(rest := limiter.push(np.zeros(0, np.float32), last=True)):
        yield rest


def _comments(chapters: Iterable[tuple[str, float, float]]) -> dict[str, str]:
    """Chapters as Vorbis comments (wiki.xiph.org, Chapter Extension); FFmpeg's own are up to a second late."""
    comments: dict[str, str] = {}
    for number, (title, start_s, _) in enumerate(chapters):
        minutes, milliseconds = divmod(round(start_s * 1000), 60_000)
        clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds / 1000:06.3f}"
        comments |= {f"CHAPTER{number:03d}": clock, f"CHAPTER{number:03d}NAME": title}
    return comments


def _chapter(number: int, title: str, start_s: float, end_s: float) -> dict[str, object]:
    return {
        "id": number,
        "start": round(start_s * 1000),
        "end": round(end_s * 1000),
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }
