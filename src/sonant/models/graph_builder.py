"""Builds ONNX graphs by hand, so that a template is a function of a checkpoint's config and of nothing else.

A *template* is a graph without weights: its float32 initializers are named exactly as the checkpoint's keys and hold
no data (``engines.binder`` points them at the checkpoint's own file). Nothing is traced, no torch is needed, and every
op is one that we chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sonant.errors import UnsupportedCheckpoint

__all__ = ["OPSET", "GraphBuilder"]

OPSET = 23  # the first with the Attention op
DTYPES = {
    "float32": TensorProto.FLOAT,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bfloat16": TensorProto.BFLOAT16,
}

Shape = Sequence[int | str]


class GraphBuilder:
    """Collects nodes; every method that adds one returns the name of its output.

    Args:
        name: of the graph.
        shapes: canonical keys and shapes of the parameters that may be asked for.
    """

    def __init__(self, name: str, shapes: Mapping[str, Sequence[int]]) -> None:
        self.name, self.shapes = name, shapes
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.weights: dict[str, TensorProto] = {}
        self.constants: dict[tuple[str, bytes, tuple[int, ...]], TensorProto] = {}
        self.made: dict[tuple[object, ...], str] = {}
        self.scope = ""

    def input(self, name: str, dtype: str, shape: Shape) -> str:
        """An input; dimensions given as words are dynamic."""
        self.inputs.append(helper.make_tensor_value_info(name, DTYPES[dtype], shape))
        return name

    def output(self, name: str, value: str, dtype: str, shape: Shape) -> None:
        """Give a value out under a name of ours."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"out/{name}"))
        self.outputs.append(helper.make_tensor_value_info(name, DTYPES[dtype], shape))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One node with one output; "" leaves an optional input out. The same node asked for twice is made once."""
        signature = (kind, inputs, tuple(sorted((key, repr(value)) for key, value in attributes.items())))
        if signature not in self.made:
            name = f"{self.scope}{kind}_{len(self.nodes)}"
            self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
            self.made[signature] = name
        return self.made[signature]

    def split(self, value: str, count: int, axis: int = 0) -> list[str]:
        """``count`` equal parts along an axis, which ``count`` divides."""
        name = f"{self.scope}Split_{len(self.nodes)}"
        parts = [f"{name}_{part}" for part in range(count)]
        self.nodes.append(helper.make_node("Split", [value], parts, name=name, axis=axis, num_outputs=count))
        return parts

    def constant(self, values: NDArray[Any] | Sequence[int] | float) -> str:
        """A small constant kept in the graph; integers become int64, floats float32."""
        array = np.asarray(values)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        key = (array.dtype.str, array.tobytes(), array.shape)
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, f"const_{len(self.constants)}")
        return self.constants[key].name

    def weight(self, key: str) -> str:
        """A float32 parameter of the checkpoint, without its data.

        Raises:
            UnsupportedCheckpoint: the family has no such key.
        """
        if key not in self.weights:
            if key not in self.shapes:
                raise UnsupportedCheckpoint(f"{self.name}: the checkpoint has no parameter {key!r}")
            tensor = TensorProto(name=key, data_type=TensorProto.FLOAT, dims=self.shapes[key])
            tensor.data_location = TensorProto.EXTERNAL
            self.weights[key] = tensor
        return key

    def linear(self, value: str, key: str, bias: bool = True) -> str:
        """(..., in) -> (..., out) with the parameters ``key.weight`` (out, in) and ``key.bias``."""
        made = self.matmul(value, f"{key}.weight")
        return self.op("Add", made, self.weight(f"{key}.bias")) if bias else made

    def matmul(self, value: str, key: str) -> str:
        """(..., in) times the transpose of the parameter (out, in)."""
        return self.op("MatMul", value, self.op("Transpose", self.weight(key), perm=[1, 0]))

    def layer_norm(self, value: str, key: str, epsilon: float) -> str:
        """Layer norm over the last axis."""
        return self.op(
            "LayerNormalization",
            value,
            self.weight(f"{key}.weight"),
            self.weight(f"{key}.bias"),
            axis=-1,
            epsilon=epsilon,
        )

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """0 keeps a dimension, -1 takes what is left."""
        return self.op("Reshape", value, self.constant(list(shape)))

    def build(self) -> onnx.ModelProto:
        """The template.

        Raises:
            onnx.checker.ValidationError: the graph is no valid ONNX (a fault of ours).
        """
        graph = helper.make_graph(
            self.nodes,
            self.name,
            self.inputs,
            self.outputs,
            [*self.weights.values(), *self.constants.values()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
