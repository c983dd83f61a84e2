"""Layers that several of Kokoro's templates share; the same rules as ``net_torch_layers``.

Legend: B utterances, C channels, T steps; (B, C, T) unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sonant.models.graph_builder import GraphBuilder

__all__ = ["NORM_EPS", "Layers", "Shapes", "Span"]

NORM_EPS = 1e-5
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Span:
    """Which steps are an utterance's own, at one rate: values of the graph.

    Attributes:
        mask: (B, 1, T), 1 on its own steps and 0 past its end.
        share: (B, 1, 1), one over the number of its own steps.
        steps: (1,) int64, T.
    """

    mask: str
    share: str
    steps: str


class Layers:
    """Adds layers to a graph; every method returns the name of a value."""

    def __init__(self, graph: GraphBuilder) -> None:
        self.graph = graph

    def half(self, style: str, size: int, *, second: bool) -> str:
        """(B, size): the first half of a style row colours the voice, the second the prosody."""
        ends = [size, 2 * size] if second else [0, size]
        one = self.graph.constant([1])
        return self.graph.op("Slice", style, self.graph.constant(ends[:1]), self.graph.constant(ends[1:]), one)

    def times(self, value: str, factor: int, more: int = 0) -> str:
        """An integer value times a factor, plus more."""
        made = self.graph.op("Mul", value, self.graph.constant(factor))
        return self.graph.op("Add", made, self.graph.constant(more)) if more else made

    def mask(self, lengths: str, steps: str) -> str:
        """(B, 1, T) of (B,) lengths."""
        graph = self.graph
        count = graph.op("Squeeze", steps, graph.constant([0]))
        places = graph.op("Range", graph.constant(np.int64(0)), count, graph.constant(np.int64(1)))
        own = graph.op("Less", places, graph.op("Unsqueeze", lengths, graph.constant([1, 2])))
        return graph.op("Cast", own, to=1)

    def span(self, lengths: str, steps: str) -> Span:
        """The mask of (B,) lengths over ``steps`` (1,), and the share of one step."""
        graph = self.graph
        count = graph.op("Cast", graph.op("Unsqueeze", lengths, graph.constant([1, 2])), to=1)
        return Span(self.mask(lengths, steps), graph.op("Reciprocal", count), steps)

    def conv(self, x: str, key: str, kernel: int, *, dilation: int = 1, stride: int = 1, pad: int | None = None) -> str:
        """A convolution with ``key.weight`` and, where the checkpoint has it, ``key.bias``; "same" unless ``pad``."""
        graph = self.graph
        around = (kernel - 1) * dilation // 2 if pad is None else pad
        inputs = [x, graph.weight(f"{key}.weight")]
        if f"{key}.bias" in graph.shapes:
            inputs.append(graph.weight(f"{key}.bias"))
        return graph.op(
            "Conv", *inputs, kernel_shape=[kernel], dilations=[dilation], strides=[stride], pads=[around, around]
        )

    def lstm(self, x: str, key: str, lengths: str, size: int) -> str:
        """A bidirectional layer: (B, T, in) to (B, T, size). Backwards from each utterance's own last step."""
        graph = self.graph
        ahead = self._one_way(graph.op("Transpose", x, perm=[1, 0, 2]), f"{key}.forward", size // 2)
        turned = graph.op("ReverseSequence", x, lengths, batch_axis=0, time_axis=1)
        back = self._one_way(graph.op("Transpose", turned, perm=[1, 0, 2]), f"{key}.backward", size // 2)
        back = graph.op("ReverseSequence", back, lengths, batch_axis=0, time_axis=1)
        return graph.op("Concat", ahead, back, axis=2)

    def _one_way(self, x: str, key: str, size: int) -> str:
        """(T, B, in) to (B, T, size)."""
        graph = self.graph
        parts = [graph.weight(f"{key}.{name}") for name in "WRB"]
        made = graph.op("LSTM", x, *parts, hidden_size=size, direction="forward")  # (T, 1, B, size)
        return graph.op("Transpose", graph.op("Squeeze", made, graph.constant([1])), perm=[1, 0, 2])

    def scale_and_shift(self, key: str, style: str, channels: int, axis: int) -> tuple[str, str]:
        """1 + scale and shift that ``key.fc`` makes of the style, with an axis of one step at ``axis``."""
        graph = self.graph
        both = graph.op("Unsqueeze", graph.linear(style, f"{key}.fc"), graph.constant([axis]))
        along = graph.constant([3 - axis])
        zero, middle, end = (graph.constant([n]) for n in (0, channels, 2 * channels))
        scale = graph.op("Slice", both, zero, middle, along)
        shift = graph.op("Slice", both, middle, end, along)
        return graph.op("Add", scale, graph.constant(1.0)), shift

    def channel_norm(self, x: str, key: str) -> str:
        """LayerNorm over the last axis with ``key.gamma`` and ``key.beta``."""
        graph = self.graph
        parts = graph.weight(f"{key}.gamma"), graph.weight(f"{key}.beta")
        return graph.op("LayerNormalization", x, *parts, axis=-1, epsilon=NORM_EPS)

    def ada_layer_norm(self, x: str, key: str, style: str, channels: int) -> str:
        """(B, T, C): LayerNorm without parameters, then the style's scale and shift."""
        graph = self.graph
        scale, shift = self.scale_and_shift(key, style, channels, 1)
        ones = graph.constant(np.ones(channels, np.float32))
        normed = graph.op("LayerNormalization", x, ones, axis=-1, epsilon=NORM_EPS)
        return graph.op("Add", graph.op("Mul", normed, scale), shift)

    def ada_in(self, x: str, key: str, style: str, span: Span, channels: int) -> str:
        """Instance normalisation over an utterance's own steps, the style's scale and shift; 0 past its end."""
        graph = self.graph
        scale, shift = self.scale_and_shift(key, style, channels, 2)
        along = graph.constant([2])
        mean = graph.op("Mul", graph.op("ReduceSum", graph.op("Mul", x, span.mask), along), span.share)
        centred = graph.op("Mul", graph.op("Sub", x, mean), span.mask)
        variance = graph.op("Mul", graph.op("ReduceSum", graph.op("Mul", centred, centred), along), span.share)
        spread = graph.op("Sqrt", graph.op("Add", variance, graph.constant(NORM_EPS)))
        made = graph.op("Mul", centred, graph.op("Div", scale, spread))
        return graph.op("Add", made, graph.op("Mul", shift, span.mask))

    def res_block(self, x: str, key: str, style: str, span: Span, out: Span, inputs: int, outputs: int) -> str:
        """``ResBlock``: at twice the rate where the checkpoint has ``key.pool``; ``out`` is the span of the output."""
        graph = self.graph
        y = graph.op("LeakyRelu", self.ada_in(x, f"{key}.norm1", style, span, inputs), alpha=0.2)
        if f"{key}.pool.weight" in graph.shapes:
            y = graph.op("Mul", self._double(y, f"{key}.pool", inputs), out.mask)
            x = self.repeat(x, inputs)
        y = self.conv(y, f"{key}.conv1", 3)
        y = graph.op("LeakyRelu", self.ada_in(y, f"{key}.norm2", style, out, outputs), alpha=0.2)
        y = self.conv(y, f"{key}.conv2", 3)
        if f"{key}.conv1x1.weight" in graph.shapes:
            x = self.conv(x, f"{key}.conv1x1", 1)
        return graph.op("Mul", graph.op("Add", y, x), graph.constant(2**-0.5))

    def repeat(self, x: str, channels: int) -> str:
        """Every step twice."""
        graph = self.graph
        wide = graph.op("Unsqueeze", x, graph.constant([3]))
        return graph.reshape(graph.op("Concat", wide, wide, axis=3), [0, channels, -1])

    def _double(self, x: str, key: str, channels: int) -> str:
        """``Doubling``: a depthwise transposed convolution, kernel 3, stride 2."""
        graph = self.graph
        return graph.op(
            "ConvTranspose",
            x,
            graph.weight(f"{key}.weight"),
            graph.weight(f"{key}.bias"),
            kernel_shape=[3],
            strides=[2],
            pads=[1, 1],
            output_padding=[1],
            group=channels,
        )
