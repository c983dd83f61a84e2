"""Sound in and out: read any container, read hours block by block, write by suffix.

audio = read("talk.m4a", sample_rate=16000)
for block in stream("day.webm", 16000): ...
write("hello.mp3", audio)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.audio.decode import Mixer, Source, Warn, open_decoder
from sonant.audio.encode import EncodeOptions, Encoder
from sonant.audio.loudness import normalised
from sonant.audio.mixdown import mix, pick
from sonant.audio.resample import Resampler, resample
from sonant.errors import BadInput, UnreadableAudio
from sonant.files import whole_file
from sonant.records import Audio

__all__ = ["as_samples", "duration_s", "from_pcm16", "read", "stream", "write"]


def read(source: Source, sample_rate: int | None = None, warn: Warn | None = None, channel: int | None = None) -> Audio:
    """The whole sound of a source, mixed to one channel, or one of its channels.

    Args:
        source: path, "-" for standard input, bytes, or a file opened with "rb".
        sample_rate: Hz to resample to; None keeps the source's own.
        warn: called with a line for each thing that was lost (source ends early, damaged packets, further tracks);
            None logs it.
        channel: from 0; None mixes all. A source of one channel gives it for any number.

    Returns:
        samples (N,) float32, N > 0; in [-1, 1] unless a float file goes beyond.

    Raises:
        UnreadableAudio: missing, empty, not sound, no samples, samples that are not numbers.
        BadInput: no such channel.
    """
    blocks = list(_resampled(source, sample_rate, warn, mix if channel is None else partial(pick, channel)))
    return Audio(np.concatenate([block.samples for block in blocks]), blocks[0].sample_rate)


def stream(
    source: Source, sample_rate: int, block_s: float = 30.0, warn: Warn | None = None
) -> Iterator[NDArray[np.float32]]:
    """The sound of a source block by block, in bounded memory; joined, the blocks are what ``read`` gives.

    A pipe is decoded as it comes. Arguments and errors are those of ``read``.

    Yields:
        (block_s * sample_rate,) float32; the last may be shorter.
    """
    size = round(block_s * sample_rate)
    if size < 1:
        raise BadInput(f"block_s is {block_s}; a block holds one sample or more")
    return _fixed(_resampled(source, sample_rate, warn), size)


def duration_s(source: Source) -> float:
    """Length of a sound in seconds; decoded through where the container doesn't say.

    Raises:
        UnreadableAudio: as ``read``.
    """
    with open_decoder(source) as decoder:
        if decoder.duration_s is not None:
            return decoder.duration_s
        return sum(block.duration_s for block in decoder.blocks())


def as_samples(audio: Audio | NDArray, sample_rate: int) -> NDArray[np.float32]:
    """Sound in memory as (N,) float32 at a rate.

    Args:
        audio: a record, resampled where needed; or an array at that rate already: (N,) or (N, channels), float or a
            signed integer type, whose full scale becomes 1.
        sample_rate: in Hz.

    Raises:
        UnreadableAudio: no samples, more than two dimensions, samples that are not numbers.
    """
    samples = audio.samples if isinstance(audio, Audio) else np.asarray(audio)
    if samples.ndim not in (1, 2) or not samples.size:
        raise UnreadableAudio(f"samples have shape {samples.shape}; give (N,) or (N, channels) with N > 0")
    if samples.dtype.kind == "i":
        samples = samples / float(np.iinfo(samples.dtype).max + 1)
    elif samples.dtype.kind != "f":
        raise UnreadableAudio(f"samples are {samples.dtype}; give float32 in [-1, 1] or signed integers")
    samples = np.ascontiguousarray(samples, np.float32)
    if samples.ndim == 2:
        samples = mix(samples)
    _check_numbers(samples, 0, sample_rate, "the given samples")
    return resample(samples, audio.sample_rate, sample_rate) if isinstance(audio, Audio) else samples


def from_pcm16(data: bytes, sample_rate: int) -> Audio:
    """Headerless sound: signed 16-bit little-endian, one channel.

    Raises:
        UnreadableAudio: no sample, or half of one at the end.
    """
    if not data or len(data) % 2:
        raise UnreadableAudio(f"{len(data)} bytes are not 16-bit samples; give two bytes a sample, one sample or more")
    return Audio(np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768), sample_rate)


def write(path: str | Path, audio: Audio, options: EncodeOptions | None = None, **changes: object) -> Path:
    """Write a sound whole or not at all; the suffix chooses the format. Returns the path.

    Args:
        path: wav flac mp3 opus ogg m4a mp4 aac webm pcm.
        audio: peaks above full scale are limited, not clipped (see ``sonant.audio.encode``).
        options: how it is written.
        **changes: fields of ``EncodeOptions`` by name: ``write("a.mp3", audio, bit_rate=96000)``.

    Raises:
        BadInput: no such format, rate or option.
        OutputError: no such folder, disk full; what was there before is still there.
    """
    path = Path(path)
    options = (options or EncodeOptions()).changed(**changes).for_path(path)
    samples = as_samples(audio, audio.sample_rate)
    if options.loudness_lufs is not None:
        samples = normalised(samples, audio.sample_rate, options.loudness_lufs)
    with whole_file(path) as file, Encoder(file, audio.sample_rate, options) as encoder:
        for start in range(0, len(samples), 1 << 16):
            encoder.write(samples[start : start + (1 << 16)])
    return path


def _resampled(source: Source, sample_rate: int | None, warn: Warn | None, mixer: Mixer = mix) -> Iterator[Audio]:
    """Blocks at one rate, checked: never empty as a whole, never NaN."""
    name = str(source) if isinstance(source, str | Path) else "the given audio"
    resampler: Resampler | None = None
    heard = given = 0
    with open_decoder(source, warn, mixer) as decoder:
        for block in decoder.blocks():
            _check_numbers(block.samples, heard, block.sample_rate, name)
            heard += len(block.samples)
            if resampler is None or resampler.rate_from != block.sample_rate:  # joined files may change their rate
                rate = sample_rate or (resampler.rate_to if resampler else block.sample_rate)
                tail = resampler.push(np.zeros(0, np.float32), last=True) if resampler else np.zeros(0, np.float32)
                resampler = Resampler(block.sample_rate, rate)
                samples = np.concatenate([tail, resampler.push(block.samples)])
            else:
                samples = resampler.push(block.samples)
            given += len(samples)
            if len(samples):
                yield Audio(samples, resampler.rate_to)
    if resampler is not None:
        tail = resampler.push(np.zeros(0, np.float32), last=True)
        given += len(tail)
        if len(tail):
            yield Audio(tail, resampler.rate_to)
    if not given:
        raise UnreadableAudio(f"{name}: holds no samples (zero length)")


def _fixed(blocks: Iterator[Audio], size: int) -> Iterator[NDArray[np.float32]]:
    """The same samples in blocks of one size."""
    kept: list[NDArray[np.float32]] = []
    count = 0
    for block in blocks:
        kept.append(block.samples)
        count += len(block.samples)
        if count < size:
            continue
        joined = np.concatenate(kept)
        whole = count // size * size
        yield from joined[:whole].reshape(-1, size)
        kept, count = [joined[whole:].copy()], count - whole
    if count:
        yield np.concatenate(kept)


def _check_numbers(samples: NDArray[np.float32], offset: int, sample_rate: int, name: str) -> None:
    finite = np.isfinite(samples)
    if not finite.all():
        place_s = (offset + int(np.argmin(finite))) / sample_rate
        raise UnreadableAudio(f"{name}: a sample is NaN or infinite at {place_s:.3f} s; write the file again")
