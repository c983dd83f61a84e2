"""Matrices in int8 on both sides: what a matrix multiplies is rounded row by row, each row to its own range.

OpenVINO's low precision transformations make an integer kernel of a product whose input passes a FakeQuantize of a
constant range and whose weights are int8 times a scale. So each row is divided by its largest number first, and the
product multiplied with it again. OpenVINO's own quantisation on the fly does the same inside the product, at about half
of the speed.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from sonant.engines.engine_openvino.lean import opset13, ov

__all__ = ["narrow_rows"]

LEVELS = 256
LARGEST = 127  # of whole numbers on both sides of zero
TINY, HUGE = 1e-6, 3e38  # a row of zeros is divided by the first; there is no upper bound
LEAST_GELU = 0.17  # no smaller number comes out of GELU than minus this: few of its levels are spent below zero
BELOW = 32
ABOVE = LEVELS - 1 - BELOW


def narrow_rows(model: ov.Model) -> None:
    """Give every product with an int8 matrix (out, in) whole numbers as its other side, in place."""
    readers = defaultdict(list)
    for node in model.get_ops():
        if node.get_type_name() == "MatMul" and (weights := _int8(node.input_value(1).get_node())):
            source = node.input_value(0)
            readers[source.get_node().get_name(), source.get_index()].append((node, weights))
    for nodes in readers.values():
        whole, scale = _rounded(nodes[0][0].input_value(0))
        for node, weights in nodes:
            product = opset13.matmul(whole, weights, transpose_a=False, transpose_b=True)
            node.output(0).replace(opset13.multiply(product, scale).output(0))
    model.validate_nodes_and_infer_types()


def _int8(node: ov.Node) -> ov.Node | None:
    """The int8 matrix (out, in), widened and times its rows' scales, whose transpose this is; or several joined."""
    if node.get_type_name() == "Concat":
        parts = [node.input_value(part).get_node() for part in range(node.get_input_size())]
        if not all(_int8(part) for part in parts):
            return None
        scaled = [part.input_value(0).get_node() for part in parts]
        whole = opset13.concat([one.input_value(0).get_node().input_value(0) for one in scaled], 0)
        return opset13.multiply(
            opset13.convert(whole, "f32"), opset13.concat([one.input_value(1) for one in scaled], 0)
        )
    stored = node
    kinds: list[str] = []
    while stored.get_type_name() != "Constant" and len(kinds) < 3:
        kinds.append(stored.get_type_name())
        stored = stored.input_value(0).get_node()
    found = kinds == ["Transpose", "Multiply", "Convert"] and stored.get_element_type() == ov.Type.i8
    return node.input_value(0).get_node() if found else None


def _rounded(values: ov.Output) -> tuple[ov.Node, ov.Node]:
    """Rows (N, L, D) between -1 and 1 in steps that an int8 counts, and what each was divided by (N, L, 1)."""
    if values.get_node().get_type_name() == "Gelu":
        largest, least, low = values, LEAST_GELU * ABOVE / BELOW, -BELOW / ABOVE
    else:
        largest, least, low = opset13.abs(values), TINY, -(LARGEST + 1) / LARGEST
    # a Clamp because that becomes part of the reduction, which Maximum doesn't
    scale = opset13.clamp(opset13.reduce_max(largest, _number([-1], np.int64), keep_dims=True), least, HUGE)
    ends = _number(low), _number(1)
    return opset13.fake_quantize(opset13.divide(values, scale), *ends, *ends, LEVELS), scale


def _number(value: object, dtype: type = np.float32) -> ov.Node:
    return opset13.constant(np.asarray(value, dtype))
