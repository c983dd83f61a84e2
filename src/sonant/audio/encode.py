"""Sound as a file or a stream of bytes: wav and raw PCM by our own code, flac mp3 opus aac through FFmpeg's libraries.

The sink needs only ``write``: a pipe, a socket, a list. Where it can also seek, headers are completed at the end.

Nothing is clipped. Samples beyond full scale go through a look-ahead limiter (``loudness.Limiter``) that leaves all
others as they are. Floats become 16-bit integers by rounding ``32768 x`` to the nearest, and 16-bit sound that is read
and written again stays the same.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.audio.loudness import Limiter
from sonant.audio.resample import HIGHEST_HZ, LOWEST_HZ, Resampler
from sonant.errors import BadInput, OutputError, UnknownName

__all__ = ["FORMATS", "EncodeOptions", "Encoder", "Sink", "encoded"]

FULL_SCALE = 32768.0
WAV_LIMIT = 0xFFFFFFFF - 64  # bytes of sound that a RIFF header can count
UNKNOWN_SIZE = 0xFFFFFFFF  # what readers know as "until the end": the header of a wav that goes down a pipe


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> Any:
        """Take all of them."""


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


class Encoder:
    """Writes sound to a sink piece by piece; a context manager that finishes the stream, unless an error ended it."""

    def __init__(self, sink: Sink, sample_rate: int, options: EncodeOptions | None = None) -> None:
        """``sample_rate`` is that of the samples to come; format wav where the options name none."""
        self.options = options or EncodeOptions()
        self.format = self.options.format or "wav"
        rate = self.options.output_rate(sample_rate)
        self._resampler = Resampler(sample_rate, rate)
        self._limiter = Limiter(rate) if self.options.limit and self.options.bits == 16 else None
        make = {"wav": _Wav, "pcm": _Pcm}.get(self.format, _Av)
        self._format = make(sink, rate, self.options)

    @property
    def media_type(self) -> str:
        """For HTTP's content type."""
        return FORMATS[self.format].media_type

    def write(self, samples: NDArray[np.float32]) -> None:
        """Take (N,) float32 samples.

        Raises:
            OutputError: the sink didn't take the bytes.
        """
        self._write(self._resampler.push(samples), last=False)

    def close(self) -> None:
        """Write what still waits, and complete the header where the sink can seek."""
        self._write(self._resampler.push(np.zeros(0, np.float32), last=True), last=True)
        self._format.finish()

    def _write(self, samples: NDArray[np.float32], last: bool) -> None:
        if self._limiter is not None:
            samples = self._limiter.push(samples, last)
        if len(samples):
            self._format.add(samples)

    def __enter__(self) -> Encoder:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the stream, or abandon it after an error."""
        if kind is None:
            self.close()
        else:
            self._format.abandon()


def encoded(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int, options: EncodeOptions | None = None
) -> Iterator[bytes]:
    """Blocks of (N,) float32 samples as the bytes of a format, as soon as each is ready: for servers."""
    pile = _Pile()
    with Encoder(pile, sample_rate, options) as encoder:
        if start := pile.taken():
            yield start
        for block in blocks:
            encoder.write(block)
            if data := pile.taken():
                yield data
    if end := pile.taken():
        yield end


class _Pile:
    """A sink that keeps bytes until they are taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def taken(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


def pcm16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Floats as 16-bit integers: rounded to the nearest, held inside the range."""
    return np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype("<i2")


class _Pcm:
    """Samples and nothing else."""

    def __init__(self, sink: Sink, rate: int, options: EncodeOptions) -> None:
        self.sink, self.rate, self.float32 = sink, rate, options.bits == 32

    def add(self, samples: NDArray[np.float32]) -> None:
        data = samples.astype("<f4") if self.float32 else pcm16(samples)
        self.sink.write(data.tobytes())

    def finish(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class _Wav(_Pcm):
    """RIFF: a header of 44 bytes (58 for float), then samples."""

    def __init__(self, sink: Sink, rate: int, options: EncodeOptions) -> None:
        super().__init__(sink, rate, options)
        self.count = 0
        self.start = _position(sink)
        sink.write(self._header(None))

    def add(self, samples: NDArray[np.float32]) -> None:
        self.count += len(samples)
        if self._bytes() > WAV_LIMIT and self.start is not None:
            raise OutputError("a wav file holds at most 4 GB; write flac instead")
        super().add(samples)

    def finish(self) -> None:
        if self.start is None:
            return
        sink: Any = self.sink
        end = sink.tell()
        sink.seek(self.start)
        sink.write(self._header(self._bytes()))
        sink.seek(end)

    def _bytes(self) -> int:
        return self.count * (4 if self.float32 else 2)

    def _header(self, size: int | None) -> bytes:
        """RIFF/WAVE header; size None for "until the end"."""
        width = 4 if self.float32 else 2
        kind = 3 if self.float32 else 1  # WAVE_FORMAT_IEEE_FLOAT, WAVE_FORMAT_PCM
        form = struct.pack("<HHIIHH", kind, 1, self.rate, self.rate * width, width, 8 * width)
        chunks = b"fmt " + struct.pack("<I", len(form)) + form
        if self.float32:  # every format but plain PCM tells its length in frames
            form += b"\0\0"
            frames = 0 if size is None else size // width
            chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"fact" + struct.pack("<II", 4, frames)
        counted = UNKNOWN_SIZE if size is None else size
        riff = UNKNOWN_SIZE if size is None else 4 + len(chunks) + 8 + size
        return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + chunks + b"data" + struct.pack("<I", counted)


class _Av:
    """FFmpeg's muxers and encoders."""

    def __init__(self, sink: Sink, rate: int, options: EncodeOptions) -> None:
        import av

        codec = FORMATS[options.format or ""]
        seekable = _position(sink) is not None
        target = sink if seekable else _WriteOnly(sink)
        options_of_muxer = _muxer_options(codec.container, seekable)
        self.container: Any = av.open(target, "w", format=codec.container, options=options_of_muxer)
        stream: Any = self.container.add_stream(codec.name, rate=rate)
        stream.layout = "mono"
        if codec.bit_rate:
            stream.bit_rate = options.bit_rate or codec.bit_rate
        self.stream = stream
        self.rate, self.sent = rate, 0
        self.container.start_encoding()

    def add(self, samples: NDArray[np.float32]) -> None:
        import av

        frame: Any = av.AudioFrame.from_ndarray(pcm16(samples).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = self.rate, self.sent
        self.sent += len(samples)
        self._mux(frame)

    def finish(self) -> None:
        self._mux(None)
        self.container.close()

    def abandon(self) -> None:
        self.container = None  # its file vanishes or its pipe breaks: there is nothing to complete

    def _mux(self, frame: Any) -> None:
        for packet in self.stream.encode(frame):
            self.container.mux(packet)


class _WriteOnly:
    """Hides that a sink seems to seek."""

    def __init__(self, sink: Sink) -> None:
        self.write = sink.write


def _muxer_options(container: str, seekable: bool) -> dict[str, str]:
    """Low latency down a pipe; complete tables in a file."""
    if seekable:
        return {}
    flush = {"flush_packets": "1"}
    return flush | {
        "ogg": {"page_duration": "20000"},  # microseconds: a page a packet
        "webm": {"live": "1", "cluster_time_limit": "200"},
        "mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "200000"},
    }.get(container, {})


def _position(sink: Sink) -> int | None:
    """Where a seekable sink stands; None for one that can't go back."""
    if not getattr(sink, "seekable", lambda: False)():
        return None
    place: Any = sink
    return int(place.tell())
