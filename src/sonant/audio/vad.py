"""Who speaks when: Silero's voice activity detector (v6, 16 kHz) in NumPy, and the rules that make spans of it.

The network (https://github.com/snakers4/silero-vad, MIT) hears 32 ms at a time and 4 ms of what came before: a short
Fourier transform as a convolution, four convolutions, an LSTM, one number. Its weights ship with sonant (1.2 MB).
Everything but the LSTM is computed for many frames at once. Against the original ONNX file: within 1e-5.

Legend: N samples, F frames of 512 samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.cores import by_parts
from sonant.errors import BadInput

__all__ = ["FRAME", "SAMPLE_RATE", "StreamingVad", "VadOptions", "spans", "speech_probabilities", "speech_spans"]

SAMPLE_RATE = 16_000  # Hz
FRAME = 512  # samples: 32 ms
CONTEXT = 64  # samples of the frame before that are heard again
MIRROR = 64  # samples of reflection after the frame
FFT, HOP = 256, 128  # samples
BINS = FFT // 2 + 1
UNITS = 128  # of the LSTM
BATCH = 256  # frames at once: their spectra stay in the cache
LEAST_FRAMES = 32  # that a core hears by itself
WEIGHTS = Path(__file__).parent / "data" / "silero_vad.safetensors"
SHORT_PAUSE_MS = 98  # a pause where a span that grew too long may be cut (silero-vad ``utils_vad.py``)


@dataclass(frozen=True, slots=True)
class VadOptions:
    """When a probability counts as speech; names and defaults are those of faster-whisper.

    Attributes:
        threshold: speech begins at this probability.
        neg_threshold: speech may end below this one; None is threshold - 0.15, and 0.01 at least.
        min_speech_duration_ms: shorter spans are dropped.
        max_speech_duration_s: longer spans are cut at their longest pause, or where they are full if there is none.
        min_silence_duration_ms: a pause must last this long to end a span.
        speech_pad_ms: spans are widened by this at both ends; where two would meet, they share what lies between.
    """

    threshold: float = 0.5
    neg_threshold: float | None = None
    min_speech_duration_ms: int = 0
    max_speech_duration_s: float = math.inf
    min_silence_duration_ms: int = 2000
    speech_pad_ms: int = 400

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("threshold", "neg_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise BadInput(f"{name} is {value}; allowed: above 0, up to 1")
        for name in ("min_speech_duration_ms", "min_silence_duration_ms", "speech_pad_ms"):
            if getattr(self, name) < 0:
                raise BadInput(f"{name} is {getattr(self, name)}; allowed: 0 or more milliseconds")
        least_s = 2 * self.speech_pad_ms / 1000 + 2 * FRAME / SAMPLE_RATE
        if self.max_speech_duration_s < least_s:
            raise BadInput(
                f"max_speech_duration_s is {self.max_speech_duration_s}; allowed: {least_s:.3f} or more, "
                "because both pads lie inside it"
            )

    @property
    def silence_threshold(self) -> float:
        """The probability below which speech may end."""
        return max(self.threshold - 0.15, 0.01) if self.neg_threshold is None else self.neg_threshold


def speech_probabilities(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of speech in each frame of a whole sound.

    Args:
        samples: (N,) float32 in [-1, 1], mono, 16 kHz.

    Returns:
        (F,) float32 with F = ceil(N / 512); the last frame is filled with silence.
    """
    detector = StreamingVad()
    return np.concatenate([detector.push(np.asarray(samples, np.float32)), detector.finish()])


def speech_spans(samples: NDArray[np.float32], options: VadOptions | None = None) -> list[tuple[int, int]]:
    """Where somebody speaks: (start, end) in samples, in order, never overlapping, inside the sound.

    Args:
        samples: (N,) float32 in [-1, 1], mono, 16 kHz.
        options: the rules; None for the defaults.
    """
    return spans(speech_probabilities(samples), len(samples), options)


class StreamingVad:
    """The detector for sound that arrives block by block: any block size gives the probabilities of the whole."""

    def __init__(self) -> None:
        """Begin with silence before the sound."""
        self._network = _network()
        self._waiting = np.zeros(0, np.float32)
        self._context = np.zeros(CONTEXT, np.float32)
        self._hidden = np.zeros(UNITS, np.float32)
        self._cell = np.zeros(UNITS, np.float32)

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) float32 samples in; the probabilities of the frames that are complete now, (F,) float32, F >= 0."""
        if samples.ndim != 1:
            raise BadInput(f"samples have shape {samples.shape}; voice activity is found in one channel, shape (N,)")
        samples = np.concatenate([self._waiting, samples.astype(np.float32, copy=False)])
        whole = len(samples) // FRAME
        self._waiting = samples[whole * FRAME :].copy()
        batches = (samples[first * FRAME : min(first + BATCH, whole) * FRAME] for first in range(0, whole, BATCH))
        return np.concatenate([np.zeros(0, np.float32), *map(self._hear, batches)])

    def finish(self) -> NDArray[np.float32]:
        """The probability of a last, incomplete frame filled with silence: (1,), or (0,) if nothing waits."""
        if not len(self._waiting):
            return np.zeros(0, np.float32)
        return self.push(np.zeros(FRAME - len(self._waiting), np.float32))

    def _hear(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (F,) of F * 512 samples."""
        frames = samples.reshape(-1, FRAME)
        contexts = np.concatenate([self._context[None], frames[:-1, -CONTEXT:]])
        self._context = frames[-1, -CONTEXT:].copy()
        mirrored = frames[:, -2 : -2 - MIRROR : -1]
        samples = np.concatenate([contexts, frames, mirrored], axis=1)  # (F, 640)
        features = by_parts(self._network.features, samples, LEAST_FRAMES)  # (F, 128)
        hidden, self._hidden, self._cell = self._network.remember(features, self._hidden, self._cell)
        return self._network.judge(hidden)


def spans(probabilities: NDArray[np.float32], length: int, options: VadOptions | None = None) -> list[tuple[int, int]]:
    """Spans of speech from the probabilities of its frames.

    Args:
        probabilities: (F,) of frames of 512 samples.
        length: of the sound in samples.
        options: the rules; None for the defaults.

    Returns:
        (start, end) in samples, in order, not overlapping, inside [0, length].
    """
    options = options or VadOptions()
    raw = [(a, min(b, length)) for a, b in _raw_spans(probabilities, options)]
    least = SAMPLE_RATE * options.min_speech_duration_ms / 1000
    return _padded([span for span in raw if span[1] - span[0] > least], length, options)


def _raw_spans(probabilities: Sequence[float] | NDArray[np.float32], options: VadOptions) -> Iterator[tuple[int, int]]:
    """Hysteresis, pauses and the longest length: spans before padding, in samples."""
    pad = SAMPLE_RATE * options.speech_pad_ms / 1000
    longest = SAMPLE_RATE * options.max_speech_duration_s - FRAME - 2 * pad
    pause = SAMPLE_RATE * options.min_silence_duration_ms / 1000
    short_pause = SAMPLE_RATE * SHORT_PAUSE_MS / 1000
    begin: int | None = None  # of the span that is open
    quiet: int | None = None  # where the pause that is heard now began
    pauses: list[tuple[int, int]] = []  # in the open span: where it may be cut
    place = 0
    for number, probability in enumerate(np.asarray(probabilities).tolist()):
        place = number * FRAME
        if begin is None:
            if probability >= options.threshold:
                begin = place
            continue
        if probability >= options.threshold and quiet is not None:
            if place - quiet > short_pause:
                pauses.append((quiet, place))
            quiet = None
        elif probability < options.silence_threshold and quiet is None:
            quiet = place
        if place - begin > longest:
            open_pause = [(quiet, place)] if quiet is not None else []
            cut = max(pauses + open_pause, key=lambda found: found[1] - found[0], default=(place, place))
            yield begin, cut[0]
            if cut in open_pause:
                begin, quiet, pauses = None, None, []
            else:
                begin, pauses = cut[1], [found for found in pauses if found[0] > cut[1]]
        elif quiet is not None and place - quiet >= pause and probability < options.silence_threshold:
            yield begin, quiet
            begin, quiet, pauses = None, None, []
    if begin is not None:
        yield begin, place + FRAME


def _padded(raw: list[tuple[int, int]], length: int, options: VadOptions) -> list[tuple[int, int]]:
    """Spans widened at both ends; neighbours share the silence between them in halves where it is short."""
    pad = SAMPLE_RATE * options.speech_pad_ms // 1000
    padded = []
    for number, (begin, end) in enumerate(raw):
        before = begin - raw[number - 1][1] if number else None
        after = raw[number + 1][0] - end if number + 1 < len(raw) else None
        left = pad if before is None or before >= 2 * pad else before - before // 2
        right = pad if after is None or after >= 2 * pad else after // 2
        padded.append((max(0, begin - left), min(length, end + right)))
    return padded


class _Network:
    """The weights, laid out for matrix products."""

    def __init__(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        self.basis = np.ascontiguousarray(tensors["stft.weight"].T)  # (256, 258)
        self.kernels = [  # (out, in, 3) -> (3 * in, out)
            np.ascontiguousarray(tensors[f"encoder.{layer}.weight"].transpose(2, 1, 0).reshape(-1, size))
            for layer, size in enumerate((128, 64, 64, 128))
        ]
        self.biases = [tensors[f"encoder.{layer}.bias"] for layer in range(4)]
        # Gates as input, output, forget, cell; the sigmoid of z is (1 + tanh(z / 2)) / 2, so that one tanh serves all.
        halves = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), UNITS)
        self.from_input = np.ascontiguousarray((tensors["lstm.weight_ih"] * halves[:, None]).T)  # (128, 512)
        self.from_hidden = np.ascontiguousarray(tensors["lstm.weight_hh"] * halves[:, None])  # (512, 128)
        self.gate_bias = tensors["lstm.bias"] * halves
        self.output, self.output_bias = tensors["output.weight"][0], tensors["output.bias"][0]

    @one_core
    def features(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """(F, 640) samples to the (F, 128) input of the LSTM."""
        windows = np.lib.stride_tricks.sliding_window_view(frames, FFT, axis=1)[:, ::HOP]  # (F, 4, 256)
        spectrum = windows.reshape(-1, FFT) @ self.basis  # (4 F, 258)
        power = spectrum[:, :BINS] ** 2 + spectrum[:, BINS:] ** 2
        sound = np.sqrt(power).reshape(len(frames), -1, BINS)  # (F, 4, 129)
        for layer, stride in enumerate((1, 2, 2, 1)):  # 4, 2, 1, 1 places
            sound = self._convolve(sound, layer, stride)
        return sound[:, 0]

    def _convolve(self, sound: NDArray[np.float32], layer: int, stride: int) -> NDArray[np.float32]:
        """(F, places, in) to (F, places / stride, out): three taps, a zero at each end, no negative values."""
        count, places, width = sound.shape
        padded = np.zeros((count, places + 2, width), np.float32)
        padded[:, 1:-1] = sound
        taps = np.concatenate([padded[:, tap : tap + places : stride] for tap in range(3)], axis=2)
        result = taps.reshape(-1, 3 * width) @ self.kernels[layer] + self.biases[layer]
        return np.maximum(result, 0, out=result).reshape(count, taps.shape[1], -1)

    @one_core
    def remember(
        self, features: NDArray[np.float32], hidden: NDArray[np.float32], cell: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """The LSTM over (F, 128): hidden states (F, 128), and the last hidden state and cell, (128,) each."""
        inputs = features @ self.from_input + self.gate_bias  # (F, 512)
        states = np.empty((len(features), UNITS), np.float32)
        cell, fresh = cell.copy(), np.empty(UNITS, np.float32)
        gates = np.empty(4 * UNITS, np.float32)
        sigmoids = gates[: 3 * UNITS]
        enter, leave, keep, new = (gates[k * UNITS : (k + 1) * UNITS] for k in range(4))
        for number in range(len(features)):  # in place: the loop runs 31 times for each second of sound
            np.dot(self.from_hidden, hidden, out=gates)
            np.add(gates, inputs[number], out=gates)
            np.tanh(gates, out=gates)
            np.multiply(sigmoids, 0.5, out=sigmoids)
            np.add(sigmoids, 0.5, out=sigmoids)
            np.multiply(keep, cell, out=cell)
            np.multiply(enter, new, out=fresh)
            np.add(cell, fresh, out=cell)
            hidden = states[number]
            np.tanh(cell, out=hidden)
            np.multiply(hidden, leave, out=hidden)
        return states, hidden.copy(), cell

    @one_core
    def judge(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (F,) of hidden states (F, 128)."""
        score = np.maximum(hidden, 0) @ self.output + self.output_bias
        return (0.5 * np.tanh(0.5 * score) + 0.5).astype(np.float32)


@lru_cache(maxsize=1)
def _network() -> _Network:
    from safetensors.numpy import load_file

    return _Network(load_file(WEIGHTS))
