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

import ctypes
import mmap
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from sonant.errors import CorruptFile, ModelFileMissing, UnsupportedCheckpoint
from sonant.weights.tensors import Tensor, read_file

__all__ = ["INT8", "SCALE", "adapt", "array_of", "forget_pages", "forgetting", "parameters", "strip", "tensors_of"]

INT8, SCALE = ".int8", ".scale"  # an int8 twin of parameter K lies under K + INT8, one float32 per row under K + SCALE
ONNX_TYPES = {
    "F32": TensorProto.FLOAT,
    "F16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "I8": TensorProto.INT8,
}


def tensors_of(files: Iterable[Path], spelling: Callable[[str], str] = str) -> dict[str, Tensor]:
    """The tensors of a checkpoint's files by key; headers are read, numbers stay on disk.

    Args:
        files: safetensors files.
        spelling: from the key in the file to the canonical one.

    Raises:
        ModelFileMissing: a file isn't there.
        CorruptFile: a header is wrong, or a key occurs twice.
    """
    found: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise ModelFileMissing(f"{file} is missing; fetch the model again or give another folder")
        for tensor in read_file(file):
            key = spelling(tensor.key)
            if key in found:
                raise CorruptFile(f"{file}: tensor {key!r} occurs twice in this checkpoint")
            found[key] = tensor.renamed(key)
    return found


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


def array_of(tensor: Tensor) -> NDArray[Any]:
    """The tensor's numbers over the file's pages (BF16 as uint16 bits); copied only where the file misaligns them."""
    return np.require(tensor.read(), requirements=["A", "C"])


def forget_pages(arrays: Iterable[NDArray[Any]]) -> None:
    """Give mapped pages back to the system; they are read from the file again when they are needed.

    A runtime packs matrices into its own layout when it compiles; without this the file's pages would count twice.
    """
    advice = getattr(mmap, "MADV_DONTNEED", None)  # absent on Windows, which trims mapped pages by itself
    if advice is not None:
        for mapping in {_mapping(array) for array in arrays} - {None}:
            mapping.madvise(advice)


def _mapping(array: Any) -> Any:
    """The file mapping that an array lies in, None for one that lies in none; a checkpoint's arrays share it."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return getattr(array, "_mmap", None)


@contextmanager
def forgetting(arrays: Sequence[NDArray[Any]], every_s: float = 0.01) -> Iterator[None]:
    """Give mapped pages back again and again while the block runs, and at its end.

    For a runtime that packs a large model's matrices one after the other: without this the file's pages and the packed
    copies are in memory together at the peak. A page that goes too early is read from the file once more.
    """
    done = threading.Event()

    def sweep() -> None:
        while not done.wait(every_s):
            forget_pages(arrays)

    sweeper = threading.Thread(target=sweep, daemon=True)
    sweeper.start()
    try:
        yield
    finally:
        done.set()
        sweeper.join()
        forget_pages(arrays)
        _trim()


def _trim() -> None:
    """Let glibc give freed memory back: compiling leaves tens of megabytes in small pieces. Nothing elsewhere."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


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
