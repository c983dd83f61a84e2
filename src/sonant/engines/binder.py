"""Opens a template against a checkpoint where it lies: weights are mapped into memory, never converted or copied.

A template is an ONNX graph whose parameters are float32 initializers without data, named as the checkpoint's keys
(``models.graph_builder``; an exported graph becomes one by ``strip``). Binding has two steps:

1. ``adapt`` says in the graph how the file stores each parameter: float16 and bfloat16 get a Cast, int8 (which
   ``quantize`` wrote beside it) a DequantizeLinear. The result still holds no data.
2. The engine's ``runtime`` hands the mapped arrays over: OpenVINO gets constants over shared memory, ONNX Runtime
   external initializers. Both read the checkpoint's own pages. Paths in the ONNX file (``location``) are not used:
   runtimes refuse those that leave the graph's folder, and nothing may be written beside a user's checkpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from onnx import ModelProto, NodeProto, TensorProto, helper

from sonant.errors import UnsupportedCheckpoint
from sonant.weights.tensors import Tensor

__all__ = ["INT8", "SCALE", "adapt", "parameters", "strip"]

INT8, SCALE = ".int8", ".scale"  # an int8 twin of parameter K lies under K + INT8, one float32 per row under K + SCALE
ONNX_TYPES = {
    "F32": TensorProto.FLOAT,
    "F16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "I8": TensorProto.INT8,
}


def parameters(template: ModelProto) -> dict[str, TensorProto]:
    """The initializers that wait for data, by key."""
    return {row.name: row for row in template.graph.initializer if row.data_location == TensorProto.EXTERNAL}


def strip(graph: ModelProto, keys: Collection[str]) -> None:
    """Make a template of an exported graph, in place: drop the data of the initializers ``keys``."""
    for row in graph.graph.initializer:
        if row.name in keys:
            row.CopyFrom(_bare(row.name, row.data_type, row.dims))


def adapt(template: ModelProto, stored: Mapping[str, Tensor], origin: str) -> ModelProto:
    """The template for one file's storage types; still without data.

    A lookup (Gather of rows) reads the stored type and converts the rows it found, so that no table is ever widened
    whole; where an int8 twin is stored, everything but lookups uses that.

    Args:
        template: float32 parameters.
        stored: the tensors of the file, canonical keys.
        origin: the checkpoint's name, for errors.

    Raises:
        UnsupportedCheckpoint: a parameter is missing, of another shape, or stored in a type that we don't compute with.
    """
    made = ModelProto()
    made.CopyFrom(template)
    kept = [row for row in made.graph.initializer if row.data_location != TensorProto.EXTERNAL]
    renamed: dict[str, str] = {}
    front: list[NodeProto] = []
    lookups = {node.input[0] for node in made.graph.node if _is_lookup(node)}
    others = {name for node in made.graph.node for name in node.input[_is_lookup(node) :]}
    types: dict[str, str] = {}
    for key, row in parameters(made).items():
        tensor = _fitting(key, row.dims, stored, origin)
        types[key] = tensor.dtype
        quantised = key + INT8 in stored
        if key in lookups or not quantised:
            kept.append(_bare(key, ONNX_TYPES[tensor.dtype], row.dims))
        if key in others and quantised:
            scale = _fitting(key + SCALE, row.dims[:1], stored, origin)
            kept += [_bare(key + INT8, TensorProto.INT8, row.dims), _bare(scale.key, TensorProto.FLOAT, scale.shape)]
            front.append(helper.make_node("DequantizeLinear", [key + INT8, scale.key], [f"{key}/float32"], axis=0))
        elif key in others and tensor.dtype != "F32":
            front.append(helper.make_node("Cast", [key], [f"{key}/float32"], to=TensorProto.FLOAT))
        else:
            continue
        front[-1].name = renamed[key] = front[-1].output[0]
    rest = [row for node in made.graph.node for row in _converted(node, renamed, types)]
    del made.graph.node[:], made.graph.initializer[:]
    made.graph.node.extend([*front, *rest])
    made.graph.initializer.extend(kept)
    return made


def _is_lookup(node: NodeProto) -> bool:
    return node.op_type == "Gather" and all(row.i == 0 for row in node.attribute if row.name == "axis")


def _converted(node: NodeProto, renamed: Mapping[str, str], types: Mapping[str, str]) -> list[NodeProto]:
    """The node on the converted parameters; a lookup converts what it found."""
    if _is_lookup(node):
        if types.get(node.input[0], "F32") == "F32":
            return [node]
        (found,) = node.output
        node.output[0] = f"{found}/stored"
        return [
            node,
            helper.make_node("Cast", [node.output[0]], [found], name=f"{found}/float32", to=TensorProto.FLOAT),
        ]
    for index, name in enumerate(node.input):
        node.input[index] = renamed.get(name, name)
    return [node]


def _fitting(key: str, shape: Sequence[int], stored: Mapping[str, Tensor], origin: str) -> Tensor:
    tensor = stored.get(key)
    if tensor is None:
        raise UnsupportedCheckpoint(f"{origin} lacks the parameter {key!r} of its network")
    if tensor.shape != tuple(shape):
        raise UnsupportedCheckpoint(f"{origin}: {key!r} has shape {list(tensor.shape)}, the network {list(shape)}")
    if tensor.dtype not in ONNX_TYPES:
        raise UnsupportedCheckpoint(f"{origin}: {key!r} is stored as {tensor.dtype}; allowed: {', '.join(ONNX_TYPES)}")
    return tensor


def _bare(name: str, data_type: int, shape: Sequence[int]) -> TensorProto:
    return TensorProto(name=name, data_type=data_type, dims=shape, data_location=TensorProto.EXTERNAL)
