"""Any container becomes blocks of mono float32 at its own rate.

libsndfile first, because it is fast: wav, flac, ogg (vorbis, opus), aiff, au, caf ... FFmpeg's libraries (PyAV) for the
rest: m4a, mp4, webm, aac, amr, video; mp3, because libsndfile's decoder writes to standard error; and all that has more
than two channels, because they know where each channel stands. No ffmpeg program is run. Nothing is opened but the
given source: playlists that name other files or addresses are refused.

A source that ends early or holds damaged packets gives what can be read of it, and a warning line says what was lost;
one that gives nothing at all is an ``UnreadableAudio``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.audio.mixdown import mix
from sonant.audio.opening import Source, binary, direct, looks_like_text, peek, seekable
from sonant.errors import UnreadableAudio
from sonant.records import Audio

__all__ = ["Decoder", "Mixer", "Source", "Warn", "open_decoder"]

Warn = Callable[[str], None]
Mixer = Callable[[NDArray[np.float32], Sequence[str]], NDArray[np.float32]]  # (N, C) and channel names to (N,)

BLOCK_FRAMES = 1 << 16  # frames read at once by libsndfile
UNKNOWN_FRAMES = 1 << 60
# Bare packets without a table of contents: FFmpeg guesses their length by the first bit rate.
GUESSED_LENGTH = {"aac", "ac3", "amr", "amrnb", "amrwb", "dts", "eac3", "latm", "loas", "mp3", "truehd"}
EARLY_S = 0.5  # a shorter difference between promised and found length is rounding of the container
READABLE = "sonant reads wav flac mp3 ogg opus m4a mp4 webm aac amr and other sound and video files"

logger = logging.getLogger(__name__)


class Decoder(Protocol):
    """An opened source of sound."""

    duration_s: float | None  # what the container promises; None where it doesn't say
    mixer: Mixer  # makes one channel of all

    def blocks(self) -> Iterator[Audio]:
        """Blocks of any size; the sample rate may change between blocks (joined files)."""


@contextmanager
def open_decoder(source: Source, warn: Warn | None = None, mixer: Mixer = mix) -> Iterator[Decoder]:
    """Open a path, "-" (standard input), bytes or binary file; closed at the end of the block if it was opened here.

    Args:
        source: a seekable file is read from its start, a pipe as it comes.
        warn: called with one line for each thing that was lost; None logs it.
        mixer: makes one channel of all.

    Raises:
        UnreadableAudio: missing, empty, not sound, or a video without sound.
    """
    with ExitStack() as stack:
        file, name = binary(source, stack)
        head, file = peek(file, name, stack)
        decoder = _choose(file, name, head, warn or (lambda line: logger.warning("%s", line)), stack)
        decoder.mixer = mixer
        yield decoder


def _choose(file: BinaryIO, name: str, head: bytes, warn: Warn, stack: ExitStack) -> Decoder:
    """The first library that opens it."""
    import soundfile

    if seekable(file):
        try:
            sound = stack.enter_context(soundfile.SoundFile(direct(file)))
            known = 0 < sound.frames < UNKNOWN_FRAMES  # streamed flac has about 2 ** 63, and can't be read
            if known and sound.channels <= 2 and sound.format not in ("MP3", "MPEG"):
                return _SoundFileDecoder(sound, name, warn)
        except (soundfile.SoundFileError, TypeError):  # TypeError: a name that ends in .raw
            pass
        file.seek(0)
    return _AvDecoder(file, name, head, warn, stack)


class _SoundFileDecoder:
    """libsndfile: one or two channels, mixed to their mean."""

    def __init__(self, sound: Any, name: str, warn: Warn) -> None:
        self.sound, self.name, self.warn = sound, name, warn
        self.duration_s: float | None = sound.frames / sound.samplerate
        self.mixer: Mixer = mix
        self.first = self._read()

    def blocks(self) -> Iterator[Audio]:
        """As ``Decoder``."""
        import soundfile

        found, rate = 0, self.sound.samplerate
        frames, self.first = self.first, np.zeros((0, 1), np.float32)
        while len(frames):
            found += len(frames)
            yield Audio(self.mixer(frames, ()), rate)
            try:
                frames = self._read()
            except soundfile.SoundFileError as error:
                self.warn(f"{self.name}: damaged after {found / rate:.2f} s; the rest is not heard ({error})")
                return
        self._tell_loss(found / rate)

    def _read(self) -> NDArray[np.float32]:
        frames: NDArray[np.float32] = self.sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        return frames

    def _tell_loss(self, found_s: float) -> None:
        promised_s = self.duration_s or 0.0
        cut = re.search(r"^data : (\d+) \(should be (\d+)\)", self.sound.extra_info, re.MULTILINE)
        if cut and 0 < int(cut[1]) < 0x7FFFF000 and int(cut[2]):  # larger ones are written by programs that pipe
            promised_s = found_s * int(cut[1]) / int(cut[2])
        if found_s and promised_s - found_s > EARLY_S:
            self.warn(_early(self.name, promised_s, found_s))


class _AvDecoder:
    """FFmpeg's libraries through PyAV: every other container, any number of channels."""

    def __init__(self, file: BinaryIO, name: str, head: bytes, warn: Warn, stack: ExitStack) -> None:
        import av

        self.name, self.warn, self.head = name, warn, head
        try:
            target = direct(file) if seekable(file) else file
            options = {"protocol_whitelist": "file"}
            self.container = stack.enter_context(av.open(target, mode="r", options=options, metadata_errors="replace"))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise UnreadableAudio(_nothing(name, head)) from error
        tracks = self.container.streams.audio
        if not tracks:
            kind = "a picture or video without sound" if self.container.streams.video else "no sound"
            raise UnreadableAudio(
                f"{name}: {kind}; give a file with a sound track" if not looks_like_text(head) else _text(name)
            )
        self.track = tracks[0]
        if len(tracks) > 1:
            warn(f"{name}: has {len(tracks)} sound tracks; only the first is heard")
        self.duration_s = self._promised(file)
        self.mixer: Mixer = mix

    def _promised(self, file: BinaryIO) -> float | None:
        """The length that the container tells."""
        guessed = self.container.format.name in GUESSED_LENGTH
        if guessed and not (self.container.format.name == "mp3" and seekable(file) and _mp3_tells_length(file)):
            return None
        length, unit = self.track.duration, self.track.time_base
        return float(length * unit) if length and unit and length > 0 else None

    def blocks(self) -> Iterator[Audio]:
        """As ``Decoder``."""
        found_s, damaged, good = 0.0, 0, 0
        for frame in self._frames():
            if frame is None:
                damaged += 1
                continue
            good += 1
            names = [channel.name for channel in frame.layout.channels]
            sound = Audio(self.mixer(_floats(frame), names), frame.sample_rate)
            found_s += sound.duration_s
            yield sound
        if damaged > good:
            raise UnreadableAudio(_nothing(self.name, self.head))
        if damaged:
            self.warn(f"{self.name}: {damaged} damaged packets were skipped; {found_s:.2f} s could be read")
        elif self.duration_s is not None and self.duration_s - found_s > EARLY_S and found_s:
            self.warn(_early(self.name, self.duration_s, found_s))

    def _frames(self) -> Iterator[Any]:
        """Decoded frames, None for a damaged packet."""
        import av

        packets = self.container.demux(self.track)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError):
                yield None
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                yield None


def _mp3_tells_length(file: BinaryIO) -> bool:
    """Whether the first frame after the tags (ID3v2: its size in 4 times 7 bits) is one that counts the others."""
    place = file.tell()
    file.seek(0)
    head = file.read(10)
    if head[:3] == b"ID3":
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(10 + size)
        head = b""
    head += file.read(256)
    file.seek(place)
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))


def _floats(frame: Any) -> NDArray[np.float32]:
    """(N, C) float32 in [-1, 1] of a decoded frame of any sample format."""
    count = len(frame.layout.channels)
    raw = frame.to_ndarray()
    grid = raw.T if frame.format.is_planar else raw.reshape(-1, count)  # (N, C)
    if grid.dtype == np.uint8:
        return (grid.astype(np.float32) - 128) / 128
    if grid.dtype.kind == "i":
        return (grid / float(np.iinfo(grid.dtype).max + 1)).astype(np.float32)
    return grid.astype(np.float32)


def _text(name: str) -> str:
    return f"{name}: holds text, not sound; {READABLE}"


def _nothing(name: str, head: bytes) -> str:
    """The line for a source that no library can read."""
    return (
        _text(name)
        if looks_like_text(head)
        else f"{name}: no sound found in it: cut off, damaged or not audio; {READABLE}"
    )


def _early(name: str, promised_s: float, found_s: float) -> str:
    return f"{name}: ends early: {promised_s:.2f} s are promised, {found_s:.2f} s are there"
