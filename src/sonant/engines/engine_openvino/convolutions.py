"""Weights of convolutions in bfloat16, or with their inputs in int8, whose ranges were measured before.

OpenVINO's low precision transformations make an integer kernel of a convolution whose input passes a FakeQuantize and
whose weights are int8 times a scale; everything between two convolutions stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from sonant.engines.engine_openvino.lean import opset13, ov
from sonant.engines.engine_openvino.runtime import keep_narrow
from sonant.models.kokoro.ranges import LEVELS, Range
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["convolutions", "halve", "narrow"]

Floats = NDArray[np.float32]
WEIGHTS = (".weight_v", ".weight")


def convolutions(model: ov.Model) -> Iterator[tuple[str, ov.Node]]:
    """Each convolution with the key of its weights."""
    for node in model.get_ops():
        if node.get_type_name() == "Convolution":
            weights = node.input_value(1).get_node()
            while weights.get_type_name() != "Constant":  # a half-precision file's are converted
                weights = weights.input_value(0).get_node()
            yield weights.get_friendly_name(), node


def narrow(model: ov.Model, tensors: Mapping[str, Tensor], ranges: Mapping[str, Range]) -> None:
    """Give the convolutions that have a range int8 weights and inputs, in place."""
    for key, node in list(convolutions(model)):
        if key not in ranges:
            continue
        given = ranges[key]
        # divided before the transposition: behind it OpenVINO would lay the input out anew in memory
        turned = node.input_value(0).get_node()
        divided = opset13.multiply(turned.input_value(0), opset13.constant(1 / given.channels[None, None]))
        again = opset13.transpose(divided, turned.input_value(1))
        low, high = (opset13.constant(np.full((1, 1, 1), end, np.float32)) for end in given.levels())
        node.input(0).replace_source_output(opset13.fake_quantize(again, low, high, low, high, LEVELS + 1).output(0))
        whole, scales = rounded(to_float32(tensors[key]) * given.channels[:, None])
        wide = opset13.convert(opset13.constant(whole), "f32")
        node.input(1).replace_source_output(opset13.multiply(wide, opset13.constant(scales)).output(0))
    model.validate_nodes_and_infer_types()


def halve(model: ov.Model) -> None:
    """Give all other convolutions the bfloat16 weights that their kernels round to anyway, in place.

    What is compiled then takes half of the disk.
    """
    for _key, node in list(convolutions(model)):
        weights = node.input_value(1).get_node()
        if weights.get_type_name() == "Constant" and weights.get_element_type() == ov.Type.f32:
            bits = ov.Tensor(to_bfloat16(weights.data), weights.get_output_shape(0), ov.Type.bf16)
            half = opset13.constant(bits, shared_memory=False)
            node.input(1).replace_source_output(opset13.convert(half, "f32").output(0))
            keep_narrow(half)


def to_bfloat16(values: Floats) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, of two that are as near the even one; for numbers that are finite."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def rounded(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Weights (out, in, kernel) as whole numbers up to 127, and (out, 1, 1) what one is worth."""
    scales = np.abs(weights).max(axis=(1, 2), keepdims=True) / 127
    scales[scales == 0] = 1
    return np.rint(weights / scales).astype(np.int8), scales.astype(np.float32)
