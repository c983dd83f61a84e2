"""Kokoro's voice side as an ONNX template built from a config; the same rules as ``net_torch_decoder``.

Legend: B utterances, C channels, F frames, N spectrum columns (120 F + 1 in Kokoro-82M).
"""

from __future__ import annotations

import math

import onnx

from sonant.models.graph_builder import GraphBuilder
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.graph_layers import Layers, Shapes, Span

__all__ = ["decoder"]

NOISE_KERNELS = (7, 11)  # of the residual block behind a source convolution: all stages but the last, the last
NOISE_DILATIONS = (1, 3, 5)


def decoder(config: KokoroConfig, shapes: Shapes) -> onnx.ModelProto:
    """Features and excitation to spectra.

    Inputs: ``text`` (B, F, hidden), ``pitch`` and ``energy`` (B, 2 F), ``source`` (B, n_fft + 2, N), ``style``
    (B, 2 x style), ``lengths`` (B,) int64 frames. Output: ``spectra`` (B, n_fft + 2, N).
    """
    graph = GraphBuilder("kokoro_decoder", shapes)
    layers = Layers(graph)
    bins = config.generator.n_fft + 2
    text = graph.input("text", "float32", ("B", "F", config.hidden))
    curves = [graph.input(name, "float32", ("B", "2F")) for name in ("pitch", "energy")]
    source = graph.input("source", "float32", ("B", bins, "N"))
    style = layers.half(graph.input("style", "float32", ("B", 2 * config.style)), config.style, second=False)
    lengths = graph.input("lengths", "int64", ("B",))
    steps = graph.op("Shape", text, start=1, end=2)
    x = _features(graph, layers, config, text, curves, style, lengths, steps)
    x = _generator(graph, layers, config, x, source, style, (layers.times(lengths, 2), layers.times(steps, 2)))
    graph.output("spectra", x, "float32", ("B", bins, "N"))
    return graph.build()


def _features(
    graph: GraphBuilder,
    layers: Layers,
    config: KokoroConfig,
    text: str,
    curves: list[str],
    style: str,
    lengths: str,
    steps: str,
) -> str:
    """The decoder before the generator: (B, hidden, 2 F)."""
    span = layers.span(lengths, steps)
    double = layers.span(layers.times(lengths, 2), layers.times(steps, 2))
    text = graph.op("Transpose", text, perm=[0, 2, 1])
    wide, beside = 2 * config.hidden, config.hidden // 8
    one = graph.constant([1])
    halved = [
        layers.conv(graph.op("Unsqueeze", curve, one), f"decoder.{name}_conv", 3, stride=2)
        for curve, name in zip(curves, ("F0", "N"), strict=True)
    ]
    kept = [layers.conv(text, "decoder.asr_res.0", 1), *halved]
    x = graph.op("Concat", text, *halved, axis=1)
    x = layers.res_block(x, "decoder.encode", style, span, span, config.hidden + 2, wide)
    for i in range(4):
        x = graph.op("Concat", x, *kept, axis=1)
        out, size = (span, wide) if i < 3 else (double, config.hidden)
        x = layers.res_block(x, f"decoder.decode.{i}", style, span, out, wide + beside + 2, size)
    return x


def _generator(
    graph: GraphBuilder,
    layers: Layers,
    config: KokoroConfig,
    x: str,
    source: str,
    style: str,
    rate: tuple[str, str],
) -> str:
    """(B, hidden, 2 F) to (B, n_fft + 2, N); ``rate`` is (lengths, steps) of x."""
    net, prefix = config.generator, "decoder.generator."
    lengths, steps = rate
    channels, blocks = net.upsample_initial_channel, len(net.resblock_kernel_sizes)
    span = layers.span(lengths, steps)
    for i, factor in enumerate(net.upsample_rates):
        last = i + 1 == len(net.upsample_rates)
        x = graph.op("Mul", graph.op("LeakyRelu", x, alpha=0.1), span.mask)
        x = _upsample(graph, x, f"{prefix}ups.{i}", factor)
        channels //= 2
        if last:  # reflection pad on the left: one more column than hops
            first = graph.op("Slice", x, graph.constant([1]), graph.constant([2]), graph.constant([2]))
            x = graph.op("Concat", first, x, axis=2)
        lengths, steps = layers.times(lengths, factor, int(last)), layers.times(steps, factor, int(last))
        span = layers.span(lengths, steps)
        heard = _listen(layers, source, f"{prefix}noise_convs.{i}", math.prod(net.upsample_rates[i + 1 :]), last=last)
        dressed = (style, span, channels)
        x = graph.op("Add", x, _snake_block(graph, layers, heard, f"{prefix}noise_res.{i}", NOISE_DILATIONS, dressed))
        made = [
            _snake_block(graph, layers, x, f"{prefix}resblocks.{i * blocks + j}", dilations, dressed)
            for j, dilations in enumerate(net.resblock_dilation_sizes)
        ]
        x = made[0]
        for other in made[1:]:
            x = graph.op("Add", x, other)
        x = graph.op("Mul", x, graph.constant(1.0 / blocks))
    x = graph.op("Mul", graph.op("LeakyRelu", x, alpha=0.01), span.mask)
    return layers.conv(x, f"{prefix}conv_post", 7)


def _listen(layers: Layers, source: str, key: str, rest: int, *, last: bool) -> str:
    """The excitation at a stage's rate; ``rest`` columns make one step of it."""
    if last:
        return layers.conv(source, key, 1)
    return layers.conv(source, key, 2 * rest, stride=rest, pad=(rest + 1) // 2)


def _upsample(graph: GraphBuilder, x: str, key: str, rate: int) -> str:
    """A transposed convolution, kernel 2 x rate."""
    pads = [rate // 2, rate // 2]
    parts = graph.weight(f"{key}.weight"), graph.weight(f"{key}.bias")
    return graph.op("ConvTranspose", x, *parts, kernel_shape=[2 * rate], strides=[rate], pads=pads)


def _snake_block(
    graph: GraphBuilder, layers: Layers, x: str, key: str, dilations: tuple[int, ...], dressed: tuple[str, Span, int]
) -> str:
    """``SnakeBlock``: pairs of dilated convolutions with AdaIN and snake before each."""
    style, span, channels = dressed
    kernel = graph.shapes[f"{key}.convs1.0.weight"][2]
    for i, dilation in enumerate(dilations):
        y = layers.ada_in(x, f"{key}.adain1.{i}", style, span, channels)
        y = layers.conv(_snake(graph, y, f"{key}.alpha1.{i}"), f"{key}.convs1.{i}", kernel, dilation=dilation)
        y = layers.ada_in(y, f"{key}.adain2.{i}", style, span, channels)
        y = layers.conv(_snake(graph, y, f"{key}.alpha2.{i}"), f"{key}.convs2.{i}", kernel)
        x = graph.op("Add", x, y)
    return x


def _snake(graph: GraphBuilder, x: str, key: str) -> str:
    """The activation x + sin(alpha x)^2 / alpha; 0 stays 0."""
    alpha = graph.weight(key)
    wave = graph.op("Sin", graph.op("Mul", x, alpha))
    return graph.op("Add", x, graph.op("Div", graph.op("Mul", wave, wave), alpha))
