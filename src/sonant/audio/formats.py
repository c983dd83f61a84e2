"""Which formats sound is written in, and the options of writing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonant.errors import BadInput, UnknownName

__all__ = ["FORMATS", "HIGHEST_HZ", "LOWEST_HZ", "SUFFIXES", "Codec", "EncodeOptions"]

LOWEST_HZ, HIGHEST_HZ = 1_000, 768_000  # sample rates that files in the wild have


@dataclass(frozen=True, slots=True)
class Codec:
    """How a format is made.

    Attributes:
        container: FFmpeg's name; "" for our own code.
        name: FFmpeg's name of the encoder.
        rates: sample rates in Hz that it knows; () for any.
        bit_rate: default in bits a second; 0 where the format has none.
        media_type: for HTTP.
    """

    container: str
    name: str
    rates: tuple[int, ...]
    bit_rate: int
    media_type: str


MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)

FORMATS = {
    "wav": Codec("", "", (), 0, "audio/wav"),
    "pcm": Codec("", "", (), 0, "audio/pcm"),
    "flac": Codec("flac", "flac", (), 0, "audio/flac"),
    "mp3": Codec("mp3", "libmp3lame", MPEG_RATES, 96_000, "audio/mpeg"),
    "opus": Codec("ogg", "libopus", OPUS_RATES, 48_000, "audio/ogg"),
    "webm": Codec("webm", "libopus", OPUS_RATES, 48_000, "audio/webm"),
    "aac": Codec("adts", "aac", MPEG_RATES, 96_000, "audio/aac"),
    "m4a": Codec("mp4", "aac", MPEG_RATES, 96_000, "audio/mp4"),
}
SUFFIXES = {"ogg": "opus", "oga": "opus", "mp4": "m4a", "wave": "wav", "raw": "pcm", "weba": "webm"} | {
    name: name for name in FORMATS
}


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How a sound is written.

    Attributes:
        format: wav, pcm (raw 16-bit little-endian), flac, mp3, opus, webm, aac or m4a; None goes by the suffix.
        sample_rate: in Hz; None keeps the sound's own, or takes the next higher one that the format knows.
        bit_rate: in bits a second, for mp3, opus, webm, aac and m4a; None is 96,000, opus 48,000.
        bits: 16, or 32 for float samples (wav only; these are neither limited nor rounded).
        loudness_lufs: loudness to bring a whole file to (-16 suits podcasts); None leaves it. Not for streams.
        limit: turn peaks down that would clip; False clips them.
    """

    format: str | None = None
    sample_rate: int | None = None
    bit_rate: int | None = None
    bits: int = 16
    loudness_lufs: float | None = None
    limit: bool = True

    def __post_init__(self) -> None:
        """Check what can be checked without the sound."""
        if self.format is not None and self.format not in FORMATS:
            raise UnknownName("sound format", self.format, FORMATS)
        if self.bits not in (16, 32):
            raise BadInput(f"bits is {self.bits}; allowed: 16, or 32 for float wav")
        if self.bits == 32 and self.format not in (None, "wav"):
            raise BadInput(f"{self.format} has no 32-bit float samples; write wav, or leave bits at 16")
        if self.loudness_lufs is not None and not -70 <= self.loudness_lufs <= 0:
            raise BadInput(f"loudness_lufs is {self.loudness_lufs}; allowed: -70 to 0 (podcasts: -16)")
        self._check_rates()

    def _check_rates(self) -> None:
        codec = FORMATS[self.format or "wav"]
        allowed = codec.rates
        if self.sample_rate is not None:
            if not LOWEST_HZ <= self.sample_rate <= HIGHEST_HZ:
                raise BadInput(f"sample_rate is {self.sample_rate} Hz; allowed: {LOWEST_HZ} to {HIGHEST_HZ}")
            if allowed and self.sample_rate not in allowed:
                known = ", ".join(map(str, allowed))
                raise BadInput(f"{self.format} has no sample rate of {self.sample_rate} Hz; allowed: {known}")
        if self.bit_rate is not None:
            if self.format is not None and not codec.bit_rate:
                raise BadInput(f"{self.format} has no bit rate to choose; leave bit_rate out")
            if not 6_000 <= self.bit_rate <= 512_000:
                raise BadInput(f"bit_rate is {self.bit_rate} bits a second; allowed: 6000 to 512000")

    def changed(self, **changes: Any) -> EncodeOptions:
        """A copy with some fields changed.

        Raises:
            UnknownName: no such option.
        """
        names = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise UnknownName("option", name, names)
        return dataclasses.replace(self, **changes) if changes else self

    def for_path(self, path: Path) -> EncodeOptions:
        """A copy whose format is that of the suffix, where none was named.

        Raises:
            UnknownName: no format has this suffix.
        """
        if self.format is not None:
            return self
        suffix = path.suffix.lower().lstrip(".")
        if suffix not in SUFFIXES:
            raise UnknownName("sound format", suffix or path.name, SUFFIXES, "give a suffix that sonant writes")
        return self.changed(format=SUFFIXES[suffix])

    def output_rate(self, sample_rate: int) -> int:
        """The rate in Hz that a sound of this rate is written at."""
        rates = FORMATS[self.format or "wav"].rates
        wanted = self.sample_rate or sample_rate
        return wanted if not rates else min((rate for rate in rates if rate >= wanted), default=rates[-1])
