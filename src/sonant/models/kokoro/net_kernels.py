"""Kokoro's voice side over our own kernels: the same rules as ``net_torch_decoder``, one utterance at a time.

Nine tenths of the arithmetic are the generator's long convolutions, which the kernels do at a quarter of their taps;
norm and snake before them, bias, residual and statistics behind them are part of the same pass. What is left runs at 40
to 80 steps a second, and is NumPy. No length is compiled, and nothing is padded.

Legend: C channels, F frames, N spectrum columns; activations are (steps, channels).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sonant.kernels.convolution import Convolution, Moments, add, moments
from sonant.kernels.library import Floats, wide
from sonant.kernels.product import Dress, Product, frame
from sonant.kernels.team import Team
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.dress import dressed_keys
from sonant.models.kokoro.layers_kernels import Dressing, Parameters, ResBlock, dressed_by
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["Decoder"]

NOISE_DILATIONS = (1, 3, 5)
UP_LEAKY, LAST_LEAKY = Dress(activation="leaky", slope=0.1), Dress(activation="leaky", slope=0.01)


class Decoder:
    """Features and excitation to spectra; ``graph_decoder`` has the same inputs and output.

    Args:
        config: of the network.
        shapes: of the parameters, derived ones too (``fold.derived_shapes``).
        tensors: the parameters.
        team: the kernels and their threads.
    """

    def __init__(
        self, config: KokoroConfig, shapes: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor], team: Team
    ) -> None:
        self.config, self.team, self.keys = config, team, dressed_keys(shapes, "decoder.")
        read = Parameters(team, tensors)
        self.curves = [read.product(f"decoder.{name}_conv") for name in ("F0", "N")]
        self.kept = read.product("decoder.asr_res.0")
        self.blocks = [ResBlock(read, key) for key in ("decoder.encode", *(f"decoder.decode.{i}" for i in range(4)))]
        self.generator = _Generator(config, read)

    def __call__(self, text: Floats, pitch: Floats, energy: Floats, source: Floats, dressing: Floats) -> Floats:
        """Spectra (N, n_fft + 2).

        Args:
            text: (F, hidden) features of each frame.
            pitch: (2 F,) in Hz.
            energy: (2 F,).
            source: (N, n_fft + 2) spectrum of the excitation.
            dressing: (1, channels) of ``dress.Dressing``.
        """
        return self.generate(self.features(text, pitch, energy, dressing), source, dressing)

    def features(self, text: Floats, pitch: Floats, energy: Floats, dressing: Floats) -> Floats:
        """What the generator speaks, (2 F, hidden): a twentieth of the work."""
        dressed, curves = dressed_by(dressing[0], self.keys), (pitch, energy)
        halved = [
            conv(curve[:, None], stride=2, pad=(1, 0))[:, :1] for conv, curve in zip(self.curves, curves, strict=True)
        ]
        kept = [self.kept(text)[:, : self.kept.outputs], *halved]
        x = self.blocks[0](np.concatenate([text, *halved], axis=1), dressed)
        for block in self.blocks[1:]:
            x = block(np.concatenate([x, *kept], axis=1), dressed)
        return x

    def generate(self, features: Floats, source: Floats, dressing: Floats) -> Floats:
        """Spectra (N, n_fft + 2) of features (2 F, hidden)."""
        return self.generator(features, source, dressed_by(dressing[0], self.keys))


class _Generator:
    """``graph_decoder._generator``."""

    def __init__(self, config: KokoroConfig, read: Parameters) -> None:
        net, prefix = config.generator, "decoder.generator."
        self.rates, count = net.upsample_rates, len(net.resblock_kernel_sizes)
        self.stages, share = [], 1 / count  # a stage gives the sum of its blocks; the mean is the next one's to make
        for i, rate in enumerate(self.rates):
            blocks = [
                _SnakeBlock(read, f"{prefix}resblocks.{i * count + j}", dilations)
                for j, dilations in enumerate(net.resblock_dilation_sizes)
            ]
            self.stages.append(
                _Stage(
                    _Upsampling(read, f"{prefix}ups.{i}", rate, share if i else 1.0),
                    read.product(f"{prefix}noise_convs.{i}"),
                    math.prod(self.rates[i + 1 :]),
                    _SnakeBlock(read, f"{prefix}noise_res.{i}", NOISE_DILATIONS),
                    blocks,
                )
            )
        self.last = read.product(f"{prefix}conv_post", share=share)
        self.slots = _Slots()

    def __call__(self, x: Floats, source: Floats, dressed: Dressing) -> Floats:
        """(2 F, hidden) and (N, n_fft + 2) to (N, n_fft + 2)."""
        for i, stage in enumerate(self.stages):
            x = stage(x, source, dressed, self.slots, last=i + 1 == len(self.stages))
        return self.last(x[:, : self.last.inputs], dress=LAST_LEAKY)[:, : self.last.outputs]


class _Slots:
    """Memory for the activations of a stage, kept for the next utterance: to get it anew takes longer than a norm."""

    COUNT = 4  # what a stage holds at a time

    def __init__(self) -> None:
        self.held = [np.empty(0, np.float32) for _ in range(self.COUNT)]

    def __call__(self, rows: int, channels: int) -> list[Floats]:
        """Arrays (rows, channels) with anything in them; what other shapes were handed out is overwritten."""
        size = rows * channels
        if len(self.held[0]) < size:
            self.held = [np.empty(size, np.float32) for _ in range(self.COUNT)]
        return [slot[:size].reshape(rows, channels) for slot in self.held]


class _Stage:
    """One upsampling of the generator, the excitation at its rate, and the sum of its residual blocks."""

    def __init__(
        self, up: _Upsampling, listen: Product, rest: int, hear: _SnakeBlock, blocks: list[_SnakeBlock]
    ) -> None:
        self.up, self.listen, self.rest, self.hear, self.blocks = up, listen, rest, hear, blocks

    def __call__(self, x: Floats, source: Floats, dressed: Dressing, slots: _Slots, *, last: bool) -> Floats:
        """(T, C) to (T x rate, C / 2), or one step more in the last stage: ``rest`` columns make one step.

        What is returned lies in a slot, and is a copy where ``last`` doesn't say that nobody needs the slots again.
        """
        more = int(last)
        up, heard, total, between = slots(len(x) * self.up.rate + more, self.up.width)
        self.up(x, up[more:])
        if last:  # reflection pad on the left: one more column than hops
            up[0] = up[2]
        pad = (0, 0) if last else ((self.rest + 1) // 2,) * 2
        self.listen(source, 1 if last else self.rest, pad, heard)
        found = self.hear(heard, moments(self.hear.team, heard), dressed, (total, between), also=up)
        free, made = [heard, up], None
        for block in self.blocks:
            out = free.pop()
            block(total, found, dressed, (out, between), also=made)
            if made is not None:
                free.append(made)
            made = out
        assert made is not None
        return made if last else made.copy()


class _Upsampling:
    """A transposed convolution as two products: the first half of the new steps hears the step before too, the second
    the step after (``fold._phases``). A leaky ReLU stands before them; what it hears is to be taken times ``share``.
    """

    def __init__(self, read: Parameters, key: str, rate: int, share: float) -> None:
        taps = to_float32(read.tensors[f"{key}.weight_v"])  # (inputs, outputs, 2 rate)
        factors = (read.vector(f"{key}.scale") * np.float32(share))[:, None, None]
        inputs, outputs, half = *taps.shape[:2], rate // 2
        self.rate, self.width = rate, wide(outputs, read.team.library.panel)
        bias = np.zeros((rate, self.width), np.float32)
        bias[:, :outputs] = read.vector(f"{key}.bias")
        self.halves = []
        for steps, firsts in ((slice(half), (rate + half, half)), (slice(half, rate), (rate, 0))):
            weights = np.zeros((2, inputs, half, self.width), np.float32)
            for place, first in zip(weights, firsts, strict=True):
                np.multiply(taps[..., first : first + half].transpose(0, 2, 1), factors, place[..., :outputs])
            self.halves.append(Product(read.team, weights.reshape(2, inputs, -1), bias[steps].reshape(-1)))

    def __call__(self, x: Floats, out: Floats) -> None:
        """(T, C) to (T x rate, width)."""
        rows, team = out.reshape(len(x), 2, -1), self.halves[0].team
        steps = frame(team, x[:, : self.halves[0].inputs], UP_LEAKY, (1, 1))
        for half, product in enumerate(self.halves):
            product(steps.part(half, len(x) + 1 + half), out=rows[:, half])


class _SnakeBlock:
    """``graph_decoder._snake_block``: pairs of dilated convolutions with AdaIN and snake before each."""

    def __init__(self, read: Parameters, key: str, dilations: tuple[int, ...]) -> None:
        self.team, self.layers = read.team, []
        for i, dilation in enumerate(dilations):
            self.layers.append(
                [
                    _SnakeConvolution(read, f"{key}.adain{n}.{i}", f"{key}.alpha{n}.{i}", conv)
                    for n, conv in (
                        (1, read.convolution(f"{key}.convs1.{i}", dilation, bare=True)),
                        (2, read.convolution(f"{key}.convs2.{i}")),
                    )
                ]
            )

    def __call__(
        self, x: Floats, found: Moments, dressed: Dressing, out: tuple[Floats, Floats], also: Floats | None = None
    ) -> Moments:
        """The block's sum, and ``also`` added to it, in ``out[0]``; ``out[1]`` is overwritten. Moments of the sum."""
        total, between = out
        for i, (first, second) in enumerate(self.layers):
            inner = first(x, found, dressed, between)
            residual = x
            if also is not None and i + 1 == len(self.layers):
                add(self.team, x, also, total)
                residual = total
            found = second(between, inner, dressed, total, residual)
            x = total
        return found


class _SnakeConvolution:
    """AdaIN, snake and convolution: one pass of the kernels."""

    def __init__(self, read: Parameters, norm: str, alpha: str, convolution: Convolution) -> None:
        self.norm, self.eps, self.convolution = norm, read.norm_eps(norm), convolution
        numbers = read.vector(alpha)
        self.dress = np.zeros((4, convolution.inputs), np.float32)
        self.dress[2, : len(numbers)] = numbers / np.float32(np.pi)
        self.dress[3, : len(numbers)] = 1 / numbers

    def __call__(
        self, x: Floats, found: Moments, dressed: Dressing, out: Floats, residual: Floats | None = None
    ) -> Moments:
        """See ``Convolution``; ``found`` are the moments of x."""
        dress = self.dress.copy()
        found.norm(self.convolution.team, self.eps, *dressed[self.norm], dress)
        return self.convolution(x, dress, out, residual)
