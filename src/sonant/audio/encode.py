"""Sound as a file or a stream of bytes: wav and raw PCM by our own code, flac mp3 opus aac through FFmpeg's libraries.

The sink needs only ``write``: a pipe, a socket, a list. Where it can also seek, headers are completed at the end.

Nothing is clipped. Samples beyond full scale go through a look-ahead limiter (``loudness.Limiter``) that leaves all
others as they are. Floats become 16-bit integers by rounding ``32768 x`` to the nearest, and 16-bit sound that is read
and written again stays the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.audio.formats import FORMATS, SUFFIXES, EncodeOptions
from sonant.audio.loudness import Limiter
from sonant.audio.resample import Resampler
from sonant.errors import OutputError

__all__ = ["FORMATS", "SUFFIXES", "EncodeOptions", "Encoder", "Sink", "encoded"]

FULL_SCALE = 32768.0
WAV_LIMIT = 0xFFFFFFFF - 64  # bytes of sound that a RIFF header can count
UNKNOWN_SIZE = 0xFFFFFFFF  # what readers know as "until the end": the header of a wav that goes down a pipe


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> Any:
        """Take all of them."""


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
