"""Layers that several of Kokoro's templates share; the same rules as ``net_torch_layers``.

Legend: B utterances, C channels, T steps. A ``Form`` says which of two equal graphs is built:

- channels first, (B, C, T): what ONNX's convolutions take, few nodes. For ONNX Runtime.
- channels last, (B, T, C), everything fusable: convolutions stand between transpositions, which OpenVINO takes as
  names for the same memory, so that no layout changes between a convolution and the elementwise work around it;
  transposed convolutions are convolutions whose output channels become steps, a reshape here; the snake's sine is a
  polynomial, so that OpenVINO (with static shapes) makes one kernel of a whole chain.

``dressed`` graphs take what the style makes of every AdaIN as an input (``dress.Dressing``); others take the style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import helper

from sonant.models.graph_builder import GraphBuilder
from sonant.models.kokoro.dress import convolution_before
from sonant.models.kokoro.fold import NORM_EPS
from sonant.models.kokoro.form import Form

__all__ = ["Layers", "Shapes", "Span"]

Shapes = Mapping[str, Sequence[int]]

# sin(pi f)^2 = w (c0 + c1 w + ...) with w = f^2, f in [-1/2, 1/2]; least maximal error by reweighted least squares
# (``tests/models/test_kokoro_graph.py`` checks it): 5e-7
SINE_SQUARED = (9.869524808477726, -32.4651393691662, 42.643424072481686, -29.426264427835253, 10.581284043494835)


@dataclass(frozen=True, slots=True)
class Span:
    """Which steps are an utterance's own, at one rate: values of the graph.

    Attributes:
        mask: 1 on its own steps and 0 past its end, (B, 1, T) or (B, T, 1).
        share: (B, 1, 1), one over the number of its own steps.
    """

    mask: str
    share: str


class Layers:
    """Adds layers to a graph; every method returns the name of a value."""

    def __init__(self, graph: GraphBuilder, form: Form) -> None:
        self.graph, self.form = graph, form
        self.last, self.masked = form.channels_last, form.masked
        self.along = 1 if form.channels_last else 2  # the axis of time
        self.across = 3 - self.along  # the axis of channels
        self.dressing: dict[str, tuple[str, str]] = {}  # scale and shift of each AdaIN

    # lengths and masks

    def times(self, value: str, factor: int, more: int = 0) -> str:
        """An integer value times a factor, plus more."""
        if not self.masked:
            return ""
        made = self.graph.op("Mul", value, self.graph.constant(factor))
        return self.graph.op("Add", made, self.graph.constant(more)) if more else made

    def mask(self, lengths: str, steps: str, *, last: bool | None = None) -> str:
        """1 on the steps that (B,) lengths reach, 0 past them; ``steps`` is (1,)."""
        graph, last = self.graph, self.last if last is None else last
        count = graph.op("Squeeze", steps, graph.constant([0]))
        places = graph.op("Range", graph.constant(0), count, graph.constant(1))
        places = graph.op("Unsqueeze", places, graph.constant([1])) if last else places
        own = graph.op("Less", places, graph.op("Unsqueeze", lengths, graph.constant([1, 2])))
        return graph.op("Cast", own, to=1)

    def span(self, lengths: str, steps: str) -> Span:
        """The mask of (B,) lengths over ``steps`` (1,), and the share of one step."""
        graph = self.graph
        if not self.masked:
            return Span("", "")
        count = graph.op("Cast", graph.op("Unsqueeze", lengths, graph.constant([1, 2])), to=1)
        return Span(self.mask(lengths, steps), graph.op("Reciprocal", count))

    def kept(self, x: str, span: Span) -> str:
        """0 past the end."""
        return self.graph.op("Mul", x, span.mask) if span.mask else x

    # layout

    def turned(self, x: str) -> str:
        """(B, T, C) to (B, C, T) and back."""
        return self.graph.op("Transpose", x, perm=[0, 2, 1])

    def from_steps(self, x: str) -> str:
        """(B, T, C) in the layout of this form."""
        return x if self.last else self.turned(x)

    def concat(self, parts: Sequence[str]) -> str:
        """Channels of several values, one behind the other."""
        return self.graph.op("Concat", *parts, axis=self.across)

    # convolutions

    def conv(
        self, x: str, key: str, *, dilation: int = 1, stride: int = 1, pad: int | None = None, bare: bool = False
    ) -> str:
        """A convolution; "same" unless ``pad``.

        Weight-normalised where the checkpoint has ``key.weight_v``; ``bare`` leaves out its scale and bias, for an
        instance normalisation behind it (``fold``).
        """
        normed = f"{key}.weight_v" in self.graph.shapes
        weight = f"{key}.weight_v" if normed else f"{key}.weight"
        kernel = self.graph.shapes[weight][2]
        around = (kernel - 1) * dilation // 2 if pad is None else pad
        made = self._conv(x, weight, "" if normed else f"{key}.bias", [kernel, dilation, stride, around])
        if bare or not normed:
            return made
        made = self.graph.op("Mul", made, self.vector(f"{key}.scale"))
        has_bias = f"{key}.bias" in self.graph.shapes
        return self.graph.op("Add", made, self.vector(f"{key}.bias")) if has_bias else made

    def vector(self, key: str) -> str:
        """A parameter with one number a channel, to broadcast over steps."""
        return self.graph.reshape(self.graph.weight(key), [1, 1, -1] if self.last else [1, -1, 1])

    def _conv(self, x: str, weight: str, bias: str, numbers: Sequence[int]) -> str:
        graph, (kernel, dilation, stride, around) = self.graph, numbers
        parts = [graph.weight(key) for key in (weight, bias) if key]
        made = graph.op(
            "Conv",
            self.turned(x) if self.last else x,
            *parts,
            kernel_shape=[kernel],
            dilations=[dilation],
            strides=[stride],
            pads=[around, around],
        )
        return self.turned(made) if self.last else made

    def upsample(self, x: str, key: str, rate: int, outputs: int) -> str:
        """A transposed convolution, kernel 2 x rate: T steps become T x rate."""
        graph = self.graph
        x = graph.op("Mul", x, self.vector(f"{key}.scale"))
        if self.last:
            made = self._conv(x, f"{key}.phases", f"{key}.phases_bias", [3, 1, 1, 1])  # (B, T, rate x outputs)
            return graph.reshape(made, [0, -1, outputs])
        parts = graph.weight(f"{key}.weight_v"), graph.weight(f"{key}.bias")
        pads = [rate // 2, rate // 2]
        return graph.op("ConvTranspose", x, *parts, kernel_shape=[2 * rate], strides=[rate], pads=pads)

    def repeat(self, x: str, channels: int) -> str:
        """Every step twice."""
        graph = self.graph
        wide = graph.op("Unsqueeze", x, graph.constant([self.along + 1]))
        twice = graph.op("Concat", wide, wide, axis=self.along + 1)
        return graph.reshape(twice, [0, -1, channels] if self.last else [0, channels, -1])

    def double(self, x: str, key: str, channels: int) -> str:
        """``Doubling``: a depthwise transposed convolution, kernel 3, stride 2; x is 0 past its end."""
        graph = self.graph
        weight, bias = graph.weight(f"{key}.weight_v"), graph.weight(f"{key}.bias")
        x = graph.op("Mul", x, self.vector(f"{key}.scale"))
        if not self.last:
            sizes = {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "output_padding": [1], "group": channels}
            return graph.op("ConvTranspose", x, weight, bias, **sizes)
        taps = [graph.reshape(graph.op("Gather", weight, graph.constant(i), axis=2), [1, 1, -1]) for i in range(3)]
        later = graph.op("Pad", x, graph.constant([0, -1, 0, 0, 1, 0]))  # the next step
        even = graph.op("Add", graph.op("Mul", x, taps[1]), bias)
        odd = graph.op("Add", graph.op("Add", graph.op("Mul", x, taps[2]), graph.op("Mul", later, taps[0])), bias)
        both = [graph.op("Unsqueeze", each, graph.constant([2])) for each in (even, odd)]
        return graph.reshape(graph.op("Concat", *both, axis=2), [0, -1, channels])

    # recurrent layers, over (B, T, C) in both forms

    def lstm(self, x: str, key: str, lengths: str) -> str:
        """A bidirectional layer: (B, T, in) to (B, T, out). Backwards from each utterance's own last step."""
        graph = self.graph
        ahead = self._one_way(x, f"{key}.forward")
        back = self._one_way(graph.op("ReverseSequence", x, lengths, batch_axis=0, time_axis=1), f"{key}.backward")
        back = graph.op("ReverseSequence", back, lengths, batch_axis=0, time_axis=1)
        return graph.op("Concat", ahead, back, axis=2)

    def _one_way(self, x: str, key: str) -> str:
        """(B, T, in) to (B, T, out)."""
        graph = self.graph
        parts = [graph.weight(f"{key}.{name}") for name in "WRB"]
        size = graph.shapes[f"{key}.R"][2]
        made = graph.op("LSTM", graph.op("Transpose", x, perm=[1, 0, 2]), *parts, hidden_size=size)  # (T, 1, B, size)
        return graph.op("Transpose", graph.op("Squeeze", made, graph.constant([1])), perm=[1, 0, 2])

    # norms and activations

    def half(self, size: int, *, second: bool) -> str:
        """Half of the input ``style`` (B, 2 x size): the first colours the voice, the second the prosody."""
        graph = self.graph
        start, end = (size, 2 * size) if second else (0, size)
        style = graph.input("style", "float32", ("B", 2 * size))
        return graph.op("Slice", style, graph.constant([start]), graph.constant([end]), graph.constant([1]))

    def dress(self, keys: Mapping[str, int], size: int, *, second: bool) -> None:
        """Take the scales and shifts of all AdaINs: the input ``dressing`` (B, 1, 2 x all channels), or ``style``."""
        graph = self.graph
        if not self.form.dressed:
            style = self.half(size, second=second)
            self.dressing = {name: self._dressed(style, name, channels) for name, channels in keys.items()}
            return
        total = 2 * sum(keys.values())
        given = self.from_steps(graph.input("dressing", "float32", ("B", 1, total)))
        sizes = [size for channels in keys.values() for size in (channels, channels)]
        pieces = [f"{name}/{kind}" for name in keys for kind in ("scale", "shift")]
        graph.nodes.append(
            helper.make_node("Split", [given, graph.constant(sizes)], pieces, name="dressing/split", axis=self.across)
        )
        self.dressing = {name: (f"{name}/scale", f"{name}/shift") for name in keys}

    def _dressed(self, style: str, name: str, channels: int) -> tuple[str, str]:
        """Scale and shift of one AdaIN, to broadcast over steps."""
        scale, shift = self._scale_and_shift(style, name, channels, self.along)
        before = convolution_before(name)
        return (self.graph.op("Mul", scale, self.vector(f"{before}.sign")) if before else scale), shift

    def _scale_and_shift(self, style: str, name: str, channels: int, axis: int) -> tuple[str, str]:
        """1 + scale and shift that ``name.fc`` makes of (B, size), with an axis of one step."""
        graph = self.graph
        both = graph.op("Unsqueeze", graph.linear(style, f"{name}.fc"), graph.constant([axis]))
        across = graph.constant([3 - axis])
        zero, middle, end = (graph.constant([n]) for n in (0, channels, 2 * channels))
        scale = graph.op("Slice", both, zero, middle, across)
        return graph.op("Add", scale, graph.constant(1.0)), graph.op("Slice", both, middle, end, across)

    def channel_norm(self, x: str, key: str) -> str:
        """LayerNorm over the channels with ``key.gamma`` and ``key.beta``."""
        graph = self.graph
        parts = graph.weight(f"{key}.gamma"), graph.weight(f"{key}.beta")
        made = graph.op("LayerNormalization", x if self.last else self.turned(x), *parts, axis=-1, epsilon=NORM_EPS)
        return made if self.last else self.turned(made)

    def ada_layer_norm(self, x: str, key: str, style: str) -> str:
        """(B, T, C): LayerNorm without parameters, then the style's scale and shift."""
        graph = self.graph
        channels = graph.shapes[f"{key}.fc.bias"][0] // 2
        scale, shift = self._scale_and_shift(style, key, channels, 1)
        ones = graph.constant(np.ones(channels, np.float32))
        normed = graph.op("LayerNormalization", x, ones, axis=-1, epsilon=NORM_EPS)
        return graph.op("Add", graph.op("Mul", normed, scale), shift)

    def ada_in(self, x: str, key: str, span: Span, *, clean: bool = False) -> str:
        """Instance normalisation over an utterance's own steps, the style's scale and shift; 0 past its end.

        ``clean`` says that x is 0 past its end already.
        """
        graph = self.graph
        scale, shift = self.dressing[key]
        before = convolution_before(key)
        eps = self.vector(f"{before}.eps") if before else graph.constant(NORM_EPS)
        along = graph.constant([self.along])
        if not span.mask:
            centred = graph.op("Sub", x, graph.op("ReduceMean", x, along))
            variance = graph.op("ReduceMean", graph.op("Mul", centred, centred), along)
            spread = graph.op("Sqrt", graph.op("Add", variance, eps))
            return graph.op("Add", graph.op("Mul", centred, graph.op("Div", scale, spread)), shift)
        own = (
            x if clean else graph.op("Mul", x, span.mask)
        )  # the only reader of x: else OpenVINO copies a convolution's layout
        mean = graph.op("Mul", graph.op("ReduceSum", own, along), span.share)
        centred = graph.op("Sub", own, graph.op("Mul", mean, span.mask))
        variance = graph.op("Mul", graph.op("ReduceSum", graph.op("Mul", centred, centred), along), span.share)
        spread = graph.op("Sqrt", graph.op("Add", variance, eps))
        made = graph.op("Mul", centred, graph.op("Div", scale, spread))
        return graph.op("Add", made, graph.op("Mul", shift, span.mask))

    def snake(self, x: str, key: str) -> str:
        """The activation x + sin(alpha x)^2 / alpha with one alpha ``key`` a channel; 0 stays 0."""
        graph = self.graph
        alpha = graph.weight(key)
        if not self.last:
            wave = graph.op("Sin", graph.op("Mul", x, alpha))
            return graph.op("Add", x, graph.op("Div", graph.op("Mul", wave, wave), alpha))
        alpha = graph.reshape(alpha, [1, 1, -1])
        turns = graph.op("Mul", x, graph.op("Mul", alpha, graph.constant(1 / np.pi)))
        rest = graph.op("Sub", turns, graph.op("Round", turns))  # sin^2 has period pi
        square = graph.op("Mul", rest, rest)
        made = graph.constant(SINE_SQUARED[-1])
        for factor in SINE_SQUARED[-2::-1]:
            made = graph.op("Add", graph.op("Mul", made, square), graph.constant(factor))
        return graph.op("Add", x, graph.op("Mul", graph.op("Mul", made, square), graph.op("Reciprocal", alpha)))

    def res_block(self, x: str, key: str, span: Span, out: Span) -> str:
        """``ResBlock``: at twice the rate where the checkpoint has ``key.pool``; ``out`` is the span of the output."""
        graph = self.graph
        inputs = graph.shapes[f"{key}.norm1.fc.bias"][0] // 2
        y = graph.op("LeakyRelu", self.ada_in(x, f"{key}.norm1", span), alpha=0.2)
        if f"{key}.pool.weight_v" in graph.shapes:
            y = self.kept(self.double(y, f"{key}.pool", inputs), out)
            x = self.repeat(x, inputs)
        y = self.conv(y, f"{key}.conv1", bare=True)
        y = graph.op("LeakyRelu", self.ada_in(y, f"{key}.norm2", out), alpha=0.2)
        y = self.conv(y, f"{key}.conv2")
        if f"{key}.conv1x1.weight_v" in graph.shapes:
            x = self.conv(x, f"{key}.conv1x1")
        return graph.op("Mul", graph.op("Add", y, x), graph.constant(2**-0.5))
