"""Puts a checkpoint's numbers into a template, so that one ONNX file needs nothing beside it.

What is stored is narrow, what is computed is float32: float16 is half the size and int8 a quarter, and every runtime
has the kernels. A lookup (Gather of rows) widens the rows that it found; everything else reads the widened parameter.

int8 is symmetric with one scale per output channel, no zero point: w ~ int8 * scale with scale = max|channel| / 127
(Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018,
section 2.1). Only parameters of two or more dimensions and at least ``SMALLEST_INT8`` numbers are stored so: the rest
weighs nothing and biases are added to sums of products.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from sonant.engines import binder
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["DTYPES", "dtype_named", "fill"]

DTYPES = ("float32", "float16", "int8")
ALIASES = {"fp32": "float32", "fp16": "float16"}
SMALLEST_INT8 = 4096
LARGEST_INT8 = 127
EPSILON = ".eps"  # added to variances: 1e-5 is below float16's normal numbers, and 1e12 of a dead channel above them
CHANNEL_AXIS = {"ConvTranspose": 1, "LSTM": 1}  # where output channels lie; 0 for all others


def dtype_named(name: str) -> str:
    """The name in ``DTYPES`` of a dtype or one of its short names (fp32, fp16).

    Raises:
        BadInput: no such dtype.
    """
    found = ALIASES.get(name, name)
    if found not in DTYPES:
        raise BadInput(f"dtype {name!r} can't be exported; allowed: {', '.join((*DTYPES, *ALIASES))}")
    return found


def fill(template: ModelProto, stored: Mapping[str, Tensor], dtype: str, origin: str) -> ModelProto:
    """The template with its parameters inside; the template itself stays as it is.

    Args:
        template: float32 parameters without data (``models.graph_builder``).
        stored: the checkpoint's tensors, canonical keys.
        dtype: how they are stored, one of ``DTYPES``.
        origin: the checkpoint's name, for errors.

    Raises:
        UnsupportedCheckpoint: a parameter is missing, of another shape, or too large for float16; names it.
    """
    made = ModelProto()
    made.CopyFrom(template)
    waiting = binder.parameters(made)
    users: dict[str, list[NodeProto]] = {key: [] for key in waiting}
    for node in made.graph.node:
        for name in dict.fromkeys(node.input):
            if name in users:
                users[name].append(node)
    kept = [row for row in made.graph.initializer if row.data_location != TensorProto.EXTERNAL]
    filling = _Filling(dtype, origin)
    for key, row in waiting.items():
        filling.add(key, _numbers(key, tuple(row.dims), stored, origin), users[key])
    nodes = [filling.placed(node) for node in made.graph.node]
    del made.graph.node[:], made.graph.initializer[:]
    made.graph.node.extend([*filling.front, *(each for group in nodes for each in group)])
    made.graph.initializer.extend([*kept, *filling.rows])
    return made


class _Filling:
    """Initializers and the nodes that widen them, while they are collected."""

    def __init__(self, dtype: str, origin: str) -> None:
        self.dtype, self.origin = dtype, origin
        self.rows: list[TensorProto] = []
        self.front: list[NodeProto] = []
        self.renamed: dict[str, str] = {}  # parameter -> its widened value
        self.tables: dict[str, str] = {}  # parameter that is looked up -> how it is stored

    def add(self, key: str, numbers: NDArray[np.float32], users: list[NodeProto]) -> None:
        """Store one parameter."""
        looked_up = any(_looks_up(node, key) for node in users)
        whole = any(not _looks_up(node, key) for node in users)
        if self.dtype == "float16" and not key.endswith(EPSILON):
            self._float16(key, numbers, whole)
        elif self.dtype == "int8" and numbers.ndim > 1 and numbers.size >= SMALLEST_INT8:
            self._int8(key, numbers, users, whole)
        else:
            self.rows.append(numpy_helper.from_array(numbers, key))
            return
        if looked_up:
            self.tables[key] = self.dtype

    def placed(self, node: NodeProto) -> list[NodeProto]:
        """The node on widened parameters, with what widens the rows it looks up."""
        table = self.tables.get(node.input[0], "") if node.input else ""
        if not table or not _looks_up(node, node.input[0]):
            for index, name in enumerate(node.input):
                node.input[index] = self.renamed.get(name, name)
            return [node]
        (found,) = node.output
        node.name = node.output[0] = narrow = f"{found}/stored"
        if table == "float16":
            return [node, _node("Cast", [narrow], found, to=TensorProto.FLOAT)]
        key, places = node.input
        node.input[0] = key + binder.INT8
        return [
            node,
            _node("Cast", [narrow], f"{found}/wide", to=TensorProto.FLOAT),
            _node("Gather", [f"{key}/column", places], f"{found}/scale", axis=0),
            _node("Mul", [f"{found}/wide", f"{found}/scale"], found),
        ]

    def _float16(self, key: str, numbers: NDArray[np.float32], whole: bool) -> None:
        if np.abs(numbers).max(initial=0) > np.finfo(np.float16).max:
            raise UnsupportedCheckpoint(f"{self.origin}: {key!r} holds numbers beyond float16; export float32 or int8")
        self.rows.append(numpy_helper.from_array(numbers.astype(np.float16), key))
        if whole:
            self._widened(key, _node("Cast", [key], f"{key}/float32", to=TensorProto.FLOAT))

    def _int8(self, key: str, numbers: NDArray[np.float32], users: list[NodeProto], whole: bool) -> None:
        axes = {CHANNEL_AXIS.get(node.op_type, 0) for node in users}
        if len(axes) > 1:
            raise UnsupportedCheckpoint(f"{self.origin}: {key!r} is read along two axes and has no int8 form")
        axis = axes.pop()
        values, scale = _channels_to_int8(numbers, axis)
        self.rows.append(numpy_helper.from_array(values, key + binder.INT8))
        if whole:
            self.rows.append(numpy_helper.from_array(scale, key + binder.SCALE))
            named = [key + binder.INT8, key + binder.SCALE]
            self._widened(key, _node("DequantizeLinear", named, f"{key}/float32", axis=axis))
        if any(_looks_up(node, key) for node in users):
            self.rows.append(numpy_helper.from_array(scale[:, None], f"{key}/column"))

    def _widened(self, key: str, node: NodeProto) -> None:
        self.front.append(node)
        self.renamed[key] = node.output[0]


def _channels_to_int8(numbers: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The numbers as int8 and one scale a channel of ``axis``; a channel of zeros has scale 1."""
    others = tuple(i for i in range(numbers.ndim) if i != axis)
    scale = np.abs(numbers).max(others, keepdims=True) / np.float32(LARGEST_INT8)
    scale[scale == 0] = 1
    return np.rint(numbers / scale).astype(np.int8), scale.reshape(-1).astype(np.float32)


def _looks_up(node: NodeProto, key: str) -> bool:
    """Whether a node picks rows of a parameter."""
    axis = next((row.i for row in node.attribute if row.name == "axis"), 0)
    return node.op_type == "Gather" and node.input[0] == key and axis == 0


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs, [output], name=output, **attributes)


def _numbers(key: str, shape: tuple[int, ...], stored: Mapping[str, Tensor], origin: str) -> NDArray[np.float32]:
    if key not in stored:
        raise UnsupportedCheckpoint(f"{origin} lacks the parameter {key!r} of its network")
    if stored[key].shape != shape:
        given = list(stored[key].shape)
        raise UnsupportedCheckpoint(f"{origin}: {key!r} has shape {given}, the network {list(shape)}")
    return np.ascontiguousarray(to_float32(stored[key]))
