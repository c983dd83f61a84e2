"""Silero's voice activity detector (v6, 16 kHz): https://github.com/snakers4/silero-vad, MIT.

A short Fourier transform, four convolutions, an LSTM, one number. Its weights ship with sonant
(1.2 MB). Everything but the LSTM is computed for many frames at once, in NumPy; the LSTM by the kernels where there are
some, else in NumPy too. Against the original ONNX file: within 1e-5.

Legend: F frames of 512 samples.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.kernels import best
from sonant.kernels.recurrent import Direction, Recurrent
from sonant.kernels.team import Team

__all__ = ["CONTEXT", "FRAME", "MIRROR", "SAMPLE_RATE", "Network", "load"]

SAMPLE_RATE = 16_000  # Hz
FRAME = 512  # samples: 32 ms
CONTEXT = 64  # samples of the frame before that are heard again
MIRROR = 64  # samples of reflection after the frame
FFT, HOP = 256, 128  # samples
BINS = FFT // 2 + 1
UNITS = 128  # of the LSTM, whose gates the file has as input, output, forget, cell
WEIGHTS = Path(__file__).parent / "data" / "silero_vad.safetensors"

Floats = NDArray[np.float32]


class Network:
    """The weights, laid out for matrix products.

    Attributes:
        memory: the LSTM.
    """

    def __init__(self, tensors: dict[str, Floats]) -> None:
        # (258, 1, 256): cosines, then negative sines, under a Hann window, the same from both sides of its middle
        sines = tensors["stft.weight"].reshape(2, BINS, FFT)[:, :, : FFT // 2 + 1]
        self.cosines = np.ascontiguousarray(sines[0].T)  # (129, 129)
        self.sines = np.ascontiguousarray(sines[1, 1:-1, 1:-1].T)  # (127, 127): the others are 0
        self.layers = [
            (_by_places(tensors[f"encoder.{layer}.weight"], places, stride), tensors[f"encoder.{layer}.bias"])
            for layer, (places, stride) in enumerate(((4, 1), (4, 2), (2, 2), (1, 1)))
        ]
        given = (tensors[f"lstm.{name}"] for name in ("weight_ih", "weight_hh", "bias"))
        team = best.find("float32", 1)  # a frame waits for the one before, so there is nothing to share
        self.memory = Memory(*given) if team is None else KernelMemory(_recurrent(team, *given))
        self.output, self.output_bias = tensors["output.weight"][0], tensors["output.bias"][0]

    @one_core
    def features(self, frames: Floats) -> Floats:
        """(F, 640) samples to the (F, 128) input of the LSTM."""
        windows = np.lib.stride_tricks.sliding_window_view(frames, FFT, axis=1)[:, ::HOP]  # (F, 4, 256)
        windows = windows.reshape(-1, FFT)
        middle = FFT // 2
        rising, falling = windows[:, 1:middle], windows[:, :middle:-1]
        even = windows[:, : middle + 1].copy()
        even[:, 1:-1] += falling
        power = np.square(even @ self.cosines)
        power[:, 1:-1] += np.square((rising - falling) @ self.sines)
        sound = np.sqrt(power, out=power).reshape(len(frames), -1)  # (F, 4 x 129)
        for places, bias in self.layers:
            sound = np.concatenate([sound[:, heard] @ weights + bias for heard, weights in places], axis=1)
            np.maximum(sound, 0, out=sound)
        return sound

    @one_core
    def judge(self, hidden: Floats) -> Floats:
        """Probabilities (F,) of hidden states (F, 128)."""
        score = np.maximum(hidden, 0) @ self.output + self.output_bias
        return (0.5 * np.tanh(0.5 * score) + 0.5).astype(np.float32)


def _by_places(kernel: Floats, places: int, stride: int) -> list[tuple[slice, Floats]]:
    """A convolution (out, in, 3) over few places, a zero at each end: what each new place hears, and its weights."""
    taps = kernel.transpose(2, 1, 0)  # (3, in, out)
    width, made = taps.shape[1], []
    for place in range(0, places, stride):
        first, last = max(place - 1, 0), min(place + 2, places)
        weights = taps[first - place + 1 : last - place + 1].reshape(-1, taps.shape[2])
        made.append((slice(first * width, last * width), np.ascontiguousarray(weights)))
    return made


class Memory:
    """The LSTM in NumPy."""

    def __init__(self, inputs: Floats, hidden: Floats, bias: Floats) -> None:
        # The sigmoid of z is (1 + tanh(z / 2)) / 2, so that one tanh serves all gates.
        halves = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), UNITS)
        self.from_input = np.ascontiguousarray((inputs * halves[:, None]).T)  # (128, 512)
        self.from_hidden = np.ascontiguousarray(hidden * halves[:, None])  # (512, 128)
        self.bias = bias * halves

    def begin(self) -> Floats:
        """The state before the first frame: hidden numbers and cells, (2, 128)."""
        return np.zeros((2, UNITS), np.float32)

    @one_core
    def __call__(self, features: Floats, state: Floats) -> Floats:
        """(F, 128) to hidden states (F, 128); the state is that behind them then."""
        inputs = features @ self.from_input + self.bias  # (F, 512)
        states = np.empty((len(features), UNITS), np.float32)
        hidden, cell = state
        fresh, gates = np.empty(UNITS, np.float32), np.empty(4 * UNITS, np.float32)
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
        state[0] = hidden
        return states


class KernelMemory:
    """The same by the kernels, in a tenth of the time."""

    def __init__(self, recurrent: Recurrent) -> None:
        self.recurrent = recurrent

    def begin(self) -> Floats:
        """The state before the first frame."""
        return self.recurrent.begin()

    def __call__(self, features: Floats, state: Floats) -> Floats:
        """See ``Memory``."""
        return self.recurrent(features, state=state)


def _recurrent(team: Team, inputs: Floats, hidden: Floats, bias: Floats) -> Recurrent:
    """The LSTM with its gates in the kernels' order."""
    order = np.concatenate([np.arange(gate * UNITS, (gate + 1) * UNITS) for gate in (0, 2, 3, 1)])
    return Recurrent(team, [Direction(inputs[order], hidden[order], bias[order])])


@lru_cache(maxsize=1)
def load() -> Network:
    """The network, read once."""
    from safetensors.numpy import load_file

    return Network(load_file(WEIGHTS))
