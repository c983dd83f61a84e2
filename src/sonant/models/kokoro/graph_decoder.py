"""Kokoro's voice side as an ONNX template built from a config; the same rules as ``net_torch_decoder``.

Legend: B utterances, C channels, F frames, N spectrum columns (120 F + 1 in Kokoro-82M).
"""

from __future__ import annotations

import math

import onnx

from sonant.models.graph_builder import GraphBuilder
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.dress import dressed_keys
from sonant.models.kokoro.form import Form, ports
from sonant.models.kokoro.graph_layers import Layers, Shapes, Span

__all__ = ["decoder"]

NOISE_DILATIONS = (1, 3, 5)


def decoder(config: KokoroConfig, shapes: Shapes, form: Form) -> onnx.ModelProto:
    """Features and excitation to spectra.

    Inputs: ``text`` (B, F, hidden), ``pitch`` and ``energy`` (B, 2 F), ``source`` (B, N, n_fft + 2), ``dressing`` or
    ``style``, ``lengths`` (B,) int64 frames where the form is masked. Output: ``spectra`` (B, N, n_fft + 2).
    """
    graph = GraphBuilder("kokoro_decoder", shapes)
    layers, sizes = Layers(graph, form), ports("decoder", config)
    text, *curves, source = (graph.input(name, "float32", dims) for name, dims in sizes.inputs.items())
    source = layers.from_steps(source)
    layers.dress(dressed_keys(shapes, "decoder."), config.style, second=False)
    lengths = graph.input("lengths", "int64", ("B",)) if form.masked else ""
    steps = graph.op("Shape", text, start=1, end=2)
    x = _features(layers, text, curves, (lengths, steps))
    x = _generator(layers, config, x, source, (layers.times(lengths, 2), layers.times(steps, 2)))
    graph.output("spectra", layers.from_steps(x), "float32", sizes.outputs["spectra"])
    return graph.build()


def _features(layers: Layers, text: str, curves: list[str], rate: tuple[str, str]) -> str:
    """The decoder before the generator, at twice the rate; ``rate`` is (lengths, steps) of the text."""
    graph, (lengths, steps) = layers.graph, rate
    span = layers.span(lengths, steps)
    double = layers.span(layers.times(lengths, 2), layers.times(steps, 2))
    text = layers.from_steps(text)
    one_channel = graph.constant([layers.across])
    halved = [
        layers.conv(graph.op("Unsqueeze", curve, one_channel), f"decoder.{name}_conv", stride=2)
        for curve, name in zip(curves, ("F0", "N"), strict=True)
    ]
    kept = [layers.conv(text, "decoder.asr_res.0"), *halved]
    x = layers.res_block(layers.concat([text, *halved]), "decoder.encode", span, span)
    for i in range(4):
        out = span if i < 3 else double
        x = layers.res_block(layers.concat([x, *kept]), f"decoder.decode.{i}", span, out)
    return x


def _generator(layers: Layers, config: KokoroConfig, x: str, source: str, rate: tuple[str, str]) -> str:
    """Spectra from features at twice the frame rate; ``rate`` is their (lengths, steps)."""
    graph, net, prefix = layers.graph, config.generator, "decoder.generator."
    lengths, steps = rate
    channels, blocks = net.upsample_initial_channel, len(net.resblock_kernel_sizes)
    span = layers.span(lengths, steps)
    for i, factor in enumerate(net.upsample_rates):
        last = i + 1 == len(net.upsample_rates)
        channels //= 2
        x = layers.kept(graph.op("LeakyRelu", x, alpha=0.1), span)
        x = layers.upsample(x, f"{prefix}ups.{i}", factor, channels)
        if last:  # reflection pad on the left: one more column than hops
            one, two, along = (graph.constant([n]) for n in (1, 2, layers.along))
            x = graph.op("Concat", graph.op("Slice", x, one, two, along), x, axis=layers.along)
        lengths, steps = layers.times(lengths, factor, int(last)), layers.times(steps, factor, int(last))
        span = layers.span(lengths, steps)
        heard = _listen(layers, source, f"{prefix}noise_convs.{i}", math.prod(net.upsample_rates[i + 1 :]), last=last)
        heard = layers.kept(heard, span)  # the convolution's only reader, as in ``Layers.ada_in``
        x = graph.op(
            "Add", layers.kept(x, span), _snake_block(layers, heard, f"{prefix}noise_res.{i}", NOISE_DILATIONS, span)
        )
        made = [
            _snake_block(layers, x, f"{prefix}resblocks.{i * blocks + j}", dilations, span)
            for j, dilations in enumerate(net.resblock_dilation_sizes)
        ]
        x = made[0]
        for other in made[1:]:
            x = graph.op("Add", x, other)
        x = graph.op("Mul", x, graph.constant(1.0 / blocks))
    x = layers.kept(graph.op("LeakyRelu", x, alpha=0.01), span)
    return layers.conv(x, f"{prefix}conv_post")


def _listen(layers: Layers, source: str, key: str, rest: int, *, last: bool) -> str:
    """The excitation at a stage's rate; ``rest`` columns make one step of it."""
    if last:
        return layers.conv(source, key)
    return layers.conv(source, key, stride=rest, pad=(rest + 1) // 2)


def _snake_block(layers: Layers, x: str, key: str, dilations: tuple[int, ...], span: Span) -> str:
    """``SnakeBlock``: pairs of dilated convolutions with AdaIN and snake before each; x is 0 past its end."""
    for i, dilation in enumerate(dilations):
        y = layers.snake(layers.ada_in(x, f"{key}.adain1.{i}", span, clean=True), f"{key}.alpha1.{i}")
        y = layers.conv(y, f"{key}.convs1.{i}", dilation=dilation, bare=True)
        y = layers.snake(layers.ada_in(y, f"{key}.adain2.{i}", span), f"{key}.alpha2.{i}")
        x = layers.kept(layers.graph.op("Add", x, layers.conv(y, f"{key}.convs2.{i}")), span)
    return x
