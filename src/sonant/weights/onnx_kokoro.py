"""Reads every parameter of Kokoro back from kokoro-onnx's files: int8 (dynamically quantised), float16 and float32.

Quantised layers keep their weights as integers: W = (q - zero_point) * scale (ONNX Runtime's dynamic quantisation:
``MatMulInteger``, ``ConvInteger``, ``DynamicQuantizeLSTM``). The node's name says which layer a weight belongs to
(``sonant.models.kokoro.names``). Layouts undone here:

- MatMul and Gemm hold (in, out); torch's Linear (out, in);
- LSTM holds (directions, 4 x hidden, in) with gates i o f c (ONNX) where torch has i f g o; the quantised one holds it
  transposed, and both biases lie in one row;
- weight normalisation is folded: W goes into ``weight_v`` and its norm over all axes but the first into ``weight_g``,
  so that weight_g * weight_v / norm(weight_v) is W again (Salimans and Kingma 2016, eq. 2).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from sonant.errors import CorruptFile
from sonant.weights.tensors import Tensor, of_array

__all__ = ["read"]

Array = NDArray[Any]
_LINEAR = ("MatMul", "MatMulInteger", "Gemm", "FusedMatMul")
_CONV = ("Conv", "ConvInteger", "ConvTranspose")
_LSTM = ("LSTM", "DynamicQuantizeLSTM")
_PLAIN_CONVS = ("noise_convs", "F0_proj", "N_proj")  # convolutions without weight normalisation
_DIRECTIONS = ("", "_reverse")


class Lstm(NamedTuple):
    """ONNX's tensors of one recurrent layer: input (D, 4H, I), recurrent (D, 4H, H), bias (D, 8H); gates i o f c."""

    weight: Array
    recurrence: Array
    bias: Array


@dataclass(frozen=True, slots=True)
class _Graph:
    """The initializers and constants of a graph by name, decoded on demand."""

    constants: dict[str, Any]  # onnx.TensorProto
    path: Path

    def array(self, name: str) -> Array:
        if name not in self.constants:
            raise CorruptFile(f"{self.path}: tensor {name!r} is missing from the graph")
        return numpy_helper.to_array(self.constants[name])

    def weight(self, name: str, zero_point: str = "", channel_axis: int = -1) -> Array:
        """A float32 weight; integers are scaled. ``channel_axis`` is the axis of a scale with several entries."""
        array = self.array(name)
        if array.dtype.kind == "f":
            return array.astype(np.float32)
        base = name.removesuffix("_quantized")
        scale, zero = self.array(base + "_scale").astype(np.float32), np.zeros((), np.int32)
        if zero_point:
            zero = self.array(zero_point).astype(np.int32)
        shape = [1] * array.ndim
        if scale.size > 1:
            shape[channel_axis] = scale.size
            scale = scale.reshape(shape)
        if zero.size > 1:
            shape[channel_axis] = zero.size
            zero = zero.reshape(shape)
        return (array.astype(np.int32) - zero).astype(np.float32) * scale


def read(path: Path) -> Iterator[Tensor]:
    """Give the parameters of a kokoro-onnx file as float32 under canonical keys, each once.

    Raises:
        CorruptFile: no ONNX file, or one that refers to a tensor it doesn't hold.
        UnsupportedCheckpoint: a layer that Kokoro doesn't have.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise CorruptFile(f"{path} can't be read as an ONNX model ({error})") from error
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            constants |= dict.fromkeys(node.output, next((a.t for a in node.attribute if a.name == "value"), None))
    graph = _Graph(constants, path)
    names = importlib.import_module("sonant.models.kokoro.names")  # models stand above weights: named, not imported
    found = {}
    for name in constants:
        if "_quantized" in name or name.endswith(("_scale", "_zero_point")):
            continue
        if key := names.from_onnx_initializer(name):
            found[key] = graph.weight(name)
    gathered = {node.output[0]: node for node in model.graph.node if node.op_type == "Gather"}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in gathered:  # an embedding: rows first, scaled after
            table = gathered[node.input[0]].input[0]
            key = names.from_onnx_initializer(table.removesuffix("_quantized"))
            found[key] = graph.weight(table, node.input[2])
            continue
        for key, array in _layer(graph, node, names.from_onnx_node):
            found.setdefault(key, array)  # a float file may hold g and v under their own names already
    for key, array in found.items():
        yield of_array(key, np.ascontiguousarray(array, np.float32))


def _layer(graph: _Graph, node: Any, module_of: Callable[[str], str]) -> Iterator[tuple[str, Array]]:
    """The parameters that one node holds, none where its weights are no constants."""
    if node.op_type not in _LINEAR + _CONV + _LSTM or len(node.input) < 2 or node.input[1] not in graph.constants:
        return
    if ".stft." in node.input[1] or "/stft/" in node.name:  # the inverse Fourier transform's basis, no parameter
        return
    module = module_of(node.name)
    if node.op_type in _LSTM:
        yield from _torch_lstm(module, _onnx_lstm(graph, node))
    elif node.op_type in _LINEAR:
        zero_point = node.input[3] if node.op_type == "MatMulInteger" and len(node.input) > 3 else ""
        weight = graph.weight(node.input[1], zero_point)
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        yield f"{module}.weight", weight if transposed else weight.T
    else:
        zero_point = node.input[3] if node.op_type == "ConvInteger" and len(node.input) > 3 else ""
        weight = graph.weight(node.input[1], zero_point, channel_axis=0)
        if any(f".{name}" in module for name in _PLAIN_CONVS):
            yield f"{module}.weight", weight
        else:
            norm = np.sqrt(np.square(weight, dtype=np.float64).sum(tuple(range(1, weight.ndim)), keepdims=True))
            # a row that was quantised to zeros has no direction: any does, its length 0 keeps W = 0 without 0 / 0
            yield f"{module}.weight_v", np.where(norm == 0, np.float32(1), weight)
            yield f"{module}.weight_g", norm


def _onnx_lstm(graph: _Graph, node: Any) -> Lstm:
    """The three tensors of an LSTM node in ONNX's float layout."""
    if node.op_type == "LSTM":
        weight, recurrence = graph.weight(node.input[1]), graph.weight(node.input[2])
    else:  # DynamicQuantizeLSTM: X W R B lengths h0 c0 P W_scale W_zero R_scale R_zero; W and R transposed
        weight, recurrence = (
            _directions(graph, node.input[i], node.input[scale], node.input[scale + 1]).transpose(0, 2, 1)
            for i, scale in ((1, 8), (2, 10))
        )
    return Lstm(weight, recurrence, graph.weight(node.input[3]))


def _directions(graph: _Graph, name: str, scale_name: str, zero_name: str) -> Array:
    """Scale (D, in, 4H) integers; scale and zero point are (D,) or (D, 4H)."""
    array, scale, zero = (graph.array(n) for n in (name, scale_name, zero_name))
    scale, zero = (x.reshape(len(array), 1, -1) for x in (scale.astype(np.float32), zero.astype(np.int32)))
    return (array.astype(np.int32) - zero).astype(np.float32) * scale


def _torch_lstm(module: str, lstm: Lstm) -> Iterator[tuple[str, Array]]:
    """Both directions' parameters with torch's names and gate order."""
    for direction, suffix in enumerate(_DIRECTIONS[: len(lstm.weight)]):
        bias_ih, bias_hh = np.split(lstm.bias[direction], 2)
        for name, array in (
            ("weight_ih", lstm.weight[direction]),
            ("weight_hh", lstm.recurrence[direction]),
            ("bias_ih", bias_ih),
            ("bias_hh", bias_hh),
        ):
            i, o, f, c = np.split(array, 4)
            yield f"{module}.{name}_l0{suffix}", np.concatenate((i, f, c, o))
