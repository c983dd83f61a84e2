"""What the engines compute with NumPy around Kokoro's network, as nodes of a graph.

The same rules as ``models.kokoro.source`` (excitation and its spectrum), ``models.kokoro.spectrum`` (samples) and
``engines.synth_flow`` (durations). One utterance: S half frames, F frames, N spectrum columns.

The noise of the excitation is counted, not drawn: sample i hears a Gaussian made of hashes of i and the seed, so that a
graph without state speaks the same way each time and on every runtime (ONNX's RandomNormal does neither). A negative
seed means no noise, as everywhere in sonant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sonant.models.graph_builder import GraphBuilder
from sonant.models.kokoro.config import HARMONICS, SAMPLE_RATE, GeneratorConfig
from sonant.models.kokoro.source import (
    SILENT_BIN,
    SINE_AMPLITUDE,
    UNVOICED_NOISE,
    VOICED_HZ,
    VOICED_NOISE,
    SourceWeights,
)

__all__ = ["Signal"]

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64
WORD = 1 << 32


class Signal:
    """Adds the nodes to a graph; every method returns the name of a value.

    Args:
        graph: that grows.
        net: the generator's sizes.
        weights: that merge the harmonics.
    """

    def __init__(self, graph: GraphBuilder, net: GeneratorConfig, weights: SourceWeights) -> None:
        self.graph, self.net, self.weights = graph, net, weights

    def durations(self, rates: str, speed: str) -> str:
        """Frames of each symbol, (T,) int64, 1 or more: (1, T) durations at speed 1 over the speed, rounded to even."""
        op, number = self.graph.op, self.graph.constant
        rounded = op("Max", op("Round", op("Div", rates, speed)), number(1.0))
        return op("Squeeze", op("Cast", rounded, to=INT64), number([0]))

    def symbol_of_frame(self, durations: str) -> str:
        """(F,) int64: the symbol that each frame belongs to.

        Every symbol but the first adds one at the frame where it starts; those frames differ, as none lasts 0 frames.
        """
        op, number = self.graph.op, self.graph.constant
        starts = op("Sub", op("CumSum", durations, number(0)), durations)
        frames = op("ReduceSum", durations, number([0]), keepdims=1)
        empty = op("Expand", number(0), frames)
        first, end = number([1]), op("Shape", durations)
        later = op("Slice", starts, first, end, number([0]))
        ones = op("Expand", number(1), op("Shape", later))
        return op("CumSum", op("ScatterElements", empty, later, ones, axis=0), number(0))

    def excitation(self, pitch: str, seed: str) -> str:
        """The source signal: (S,) Hz to (S x samples per half frame,)."""
        op, number, count = self.graph.op, self.graph.constant, self.net.samples_per_half_frame
        samples = op("Mul", op("Shape", pitch), number([count]))
        half = count // 2
        end = op("Add", samples, number([half]))
        sines = op("Slice", op("Reshape", self._harmonics(pitch), number([-1])), number([half]), end, number([0]))
        voiced = op("Unsqueeze", op("Greater", pitch, number(VOICED_HZ)), number([1]))
        loud = op("Where", voiced, number(SINE_AMPLITUDE), number(0.0))
        norm = float(np.linalg.norm(self.weights.harmonics))
        rough = op("Where", voiced, number(VOICED_NOISE * norm), number(UNVOICED_NOISE * norm))
        rows = number([-1, count])
        tone = op("Mul", op("Reshape", sines, rows), loud)
        breath = op("Mul", op("Reshape", self._noise(samples, seed), rows), rough)
        both = op("Add", op("Add", tone, breath), number(self.weights.bias))
        return op("Reshape", op("Tanh", both), number([-1]))

    def _harmonics(self, pitch: str) -> str:
        """(S + 1, samples per half frame): merged sines between the middles of neighbouring half frames."""
        op, number, count = self.graph.op, self.graph.constant, self.net.samples_per_half_frame
        hertz = op("Unsqueeze", op("Cast", pitch, to=DOUBLE), number([1]))
        turns = op("Div", op("Mul", hertz, self._double(np.arange(1.0, HARMONICS + 1))), self._double(SAMPLE_RATE))
        phase = op("Mul", op("CumSum", self._rest(turns), number(0)), self._double(count))  # (S, 9) cycles
        zero, one, end = number([0]), number([1]), number([np.iinfo(np.int64).max])
        first = op("Slice", phase, zero, one, zero)
        start = op("Concat", first, phase, axis=0)
        still = op("Sub", first, first)
        later, sooner = op("Slice", phase, one, end, zero), op("Slice", phase, zero, number([-1]), zero)
        slope = op("Concat", still, op("Sub", later, sooner), still, axis=0)
        whole = op("Cast", self._rest(start), to=FLOAT)
        within = op("Div", self._double(np.arange(count) + 0.5), self._double(count))
        merged = ""
        for h in range(HARMONICS):  # one after the other: all at once would need nine times the memory
            column = number([h])
            walked = op("Mul", op("Gather", slope, column, axis=1), within)
            angle = op("Add", op("Gather", whole, column, axis=1), op("Cast", self._rest(walked), to=FLOAT))
            wave = op("Sin", op("Mul", angle, number(2 * np.pi)))
            part = op("Mul", wave, number(float(self.weights.harmonics[h])))
            merged = op("Add", merged, part) if merged else part
        return merged

    def _noise(self, samples: str, seed: str) -> str:
        """(samples,) standard normal numbers; zeros where the seed is negative.

        Box & Muller 1958 over two uniform numbers a sample, each a hash of its place and the seed.
        """
        op, number = self.graph.op, self.graph.constant
        count = op("Squeeze", samples, number([0]))
        places = op("Mul", op("Range", number(0), count, number(1)), number(2))
        key = self._hash(self._hash(op("Mod", seed, number(WORD))))
        first, second = (
            op("Div", op("Add", op("Cast", self._hash(word), to=FLOAT), number(0.5)), number(float(WORD)))
            for word in (op("BitwiseXor", op("Add", places, number(offset)), key) for offset in (0, 1))
        )
        length = op("Sqrt", op("Mul", op("Log", first), number(-2.0)))
        drawn = op("Mul", length, op("Cos", op("Mul", second, number(2 * np.pi))))
        return op("Where", op("Less", seed, number(0)), number(0.0), drawn)

    def _hash(self, word: str) -> str:
        """A 32-bit word, kept in int64, well mixed: "lowbias32" (C. Wellons, hash-prospector, public domain).

        The second multiplier is written less 2^32, so that no product leaves int64.
        """
        op, number = self.graph.op, self.graph.constant
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - WORD), (16, 0)):
            word = op("BitwiseXor", word, op("Div", word, number(1 << shift)))
            if factor:
                word = op("BitwiseAnd", op("Mul", word, number(factor)), number(WORD - 1))
        return word

    def source_spectrum(self, signal: str) -> str:
        """(samples,) to (1, N, n_fft + 2): magnitudes and angles of its short-time Fourier transform."""
        op, number, (n_fft, hop, bins) = (
            self.graph.op,
            self.graph.constant,
            (self.net.n_fft, self.net.hop, self.net.bins),
        )
        padded = op("Pad", signal, number([n_fft // 2, n_fft // 2]), mode="reflect")
        row = op("Unsqueeze", padded, number([0, 1]))
        basis = number(_forward_basis(n_fft, bins)[:, None])
        parts = op("Conv", row, basis, kernel_shape=[n_fft], strides=[hop])  # (1, bins + bins - 2, N)
        zero, last, end = number([0]), number([bins - 1]), number([bins])
        axis = number([1])
        ends = [op("Slice", parts, zero, axis, axis), op("Slice", parts, last, end, axis)]
        real = op("Slice", parts, axis, last, axis)
        imaginary = op("Slice", parts, end, number([2 * bins - 2]), axis)
        between = op("Sqrt", op("Add", op("Mul", real, real), op("Mul", imaginary, imaginary)))
        magnitudes = op("Concat", op("Abs", ends[0]), between, op("Abs", ends[1]), axis=1)
        none, pi = number(0.0), number(np.pi)
        flat = [op("Where", op("Less", each, none), pi, none) for each in ends]
        real_only = op("Less", op("Abs", imaginary), number(SILENT_BIN))  # rounding must not decide the sign of pi
        imaginary = op("Where", real_only, none, imaginary)
        angles = op("Concat", flat[0], self._angle(imaginary, real), flat[1], axis=1)
        angles = op("Where", op("Less", magnitudes, number(SILENT_BIN)), none, angles)
        return op("Transpose", op("Concat", magnitudes, angles, axis=1), perm=[0, 2, 1])

    def _angle(self, y: str, x: str) -> str:
        """The angle of (x, y), which ONNX has no op for; that of (0, 0) is not used."""
        op, number = self.graph.op, self.graph.constant
        none, pi = number(0.0), number(np.pi)
        steep = op("Equal", x, none)
        slope = op("Atan", op("Div", y, op("Where", steep, number(1e-30), x)))
        turned = op("Where", op("Less", y, none), op("Sub", slope, pi), op("Add", slope, pi))
        return op("Where", op("Less", x, none), turned, slope)

    def waveform(self, spectra: str) -> str:
        """(1, N, n_fft + 2) spectra to ((N - 1) x hop,) samples by overlap-add."""
        op, number, (n_fft, hop, bins) = (
            self.graph.op,
            self.graph.constant,
            (self.net.n_fft, self.net.hop, self.net.bins),
        )
        rows = op("Transpose", spectra, perm=[0, 2, 1])
        zero, middle, end, axis = number([0]), number([bins]), number([2 * bins]), number([1])
        magnitude = op("Exp", op("Slice", rows, zero, middle, axis))
        phase = op("Sin", op("Slice", rows, middle, end, axis))
        parts = op("Concat", op("Mul", magnitude, op("Cos", phase)), op("Mul", magnitude, op("Sin", phase)), axis=1)
        window = _window(n_fft)
        inverse = number((_inverse_basis(n_fft, bins) * window)[:, None])  # (n_fft + 2, 1, n_fft)
        strides: dict[str, Any] = {"kernel_shape": [n_fft], "strides": [hop]}
        total = op("ConvTranspose", parts, inverse, **strides)
        columns = op("Shape", spectra, start=1, end=2)
        ones = op("Expand", number(1.0), op("Concat", number([1, 1]), columns, axis=0))
        weight = op("ConvTranspose", ones, number((window**2)[None, None]), **strides)
        length = op("Mul", op("Sub", columns, axis), number([hop]))
        start = number([n_fft // 2])
        stop = op("Add", length, start)
        kept = [op("Slice", value, start, stop, number([2])) for value in (total, weight)]
        return op("Reshape", op("Div", *kept), number([-1]))

    def _double(self, values: NDArray[np.floating[Any]] | float) -> str:
        """A float64 constant whose values float32 holds exactly."""
        return self.graph.op("Cast", self.graph.constant(np.asarray(values, np.float64)), to=DOUBLE)

    def _rest(self, value: str) -> str:
        """What is left over whole numbers, in [0, 1)."""
        return self.graph.op("Sub", value, self.graph.op("Floor", value))


def _window(n_fft: int) -> NDArray[np.float64]:
    return np.hanning(n_fft + 1)[:n_fft]  # periodic


def _forward_basis(n_fft: int, bins: int) -> NDArray[np.float64]:
    """(2 bins - 2, n_fft): samples to real parts of all bins, then imaginary parts of all but the first and last."""
    turns = 2 * np.pi * np.outer(np.arange(bins), np.arange(n_fft)) / n_fft
    return np.concatenate([np.cos(turns), -np.sin(turns)[1:-1]]) * _window(n_fft)


def _inverse_basis(n_fft: int, bins: int) -> NDArray[np.float64]:
    """(n_fft + 2, n_fft): real, then imaginary parts of the bins to samples; the first and last bin count once."""
    turns = 2 * np.pi * np.outer(np.arange(bins), np.arange(n_fft)) / n_fft
    times = np.full((bins, 1), 2.0)
    times[[0, -1]] = 1.0
    basis = np.concatenate([times * np.cos(turns), -times * np.sin(turns)]) / n_fft
    basis[[bins, -1]] = 0.0
    return basis
