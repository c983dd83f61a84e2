"""OpenVINO: templates over mapped weights, compiled in the dtype that the options or the CPU ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from sonant.engines import cpu, pages
from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino.lean import opset13, ov
from sonant.engines.engine_openvino.machine import check_device, has_bfloat16
from sonant.errors import BadInput
from sonant.weights.tensors import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = [
    "Bound",
    "Compiled",
    "Plan",
    "check_device",
    "compile_model",
    "core",
    "has_bfloat16",
    "keep_narrow",
    "plan",
    "read",
]

DECOMPRESSION = "decompression_0"  # OpenVINO's mark (ov::mark_as_decompression): name and version of the attribute
LARGE = 500_000_000  # bytes; an inference over so many takes seconds
TYPES = {"F32": ov.Type.f32, "F16": ov.Type.f16, "BF16": ov.Type.bf16, "I8": ov.Type.i8}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the options come to on this machine.

    Attributes:
        dtype: "float32", "bfloat16" or "int8" (weights; activations are then bfloat16 where the CPU has it).
        reason: why, in words.
        properties: OpenVINO's compile properties.
    """

    dtype: str
    reason: str
    properties: dict[str, Any]

    @property
    def activations(self) -> str:
        """The dtype that is computed in, "float32" or "bfloat16"."""
        return {"f32": "float32", "bf16": "bfloat16"}[self.properties["INFERENCE_PRECISION_HINT"]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A model over a checkpoint's pages; it doesn't own them, so ``arrays`` must live as long as it."""

    model: ov.Model
    arrays: list[NDArray[Any]]


@dataclass(slots=True)
class Compiled:
    """A compiled model, and the pages that it may still read (tables, unpacked weights).

    Attributes:
        model: what runs.
        arrays: the pages.
        sparing: give pages back at every inference, as a large model does.
        settled: inferences leave the pages alone.
    """

    model: ov.CompiledModel
    arrays: list[NDArray[Any]]
    sparing: bool = False
    settled: bool = False

    @contextmanager
    def running(self, brief: bool = False) -> Iterator[None]:
        """Around every inference. In the first one a model packs its weights: the pages go back meanwhile.

        Later ones read small constants here and there, and the system may map 2 MB for each: of a large or ``sparing``
        model these go back, too, unless inferences are ``brief``.
        """
        if self.settled:
            yield
            return
        with pages.forgetting(self.arrays):
            yield
        self.settled = brief or not (self.large or self.sparing)

    @property
    def large(self) -> bool:
        """Whether memory counts more than the time that it takes to give some back."""
        return sum(array.nbytes for array in self.arrays) > LARGE

    def release(self) -> None:
        """Give back what lies between the layers, until the next inference: states stay, outputs must be copied."""
        self.model.release_memory()
        pages.trim()


@cache
def core() -> ov.Core:
    """The one OpenVINO core of this process."""
    return ov.Core()


def plan(options: EngineOptions, group: int = 0) -> Plan:
    """Dtype and compile properties for these options.

    Args:
        options: "auto" is bfloat16 where the CPU has it, else float32.
        group: for int8, how many activations share a scale when they are quantised on the fly, 0 for OpenVINO's choice
            (32). It must divide every matrix's inputs.

    Raises:
        BadInput: a device or dtype that this engine doesn't have.
    """
    check_device(options)
    dtype, reason = options.dtype, "asked for"
    if dtype == "auto":
        dtype, reason = cpu.auto_dtype(has_bfloat16())
    if dtype not in ("float32", "bfloat16", "int8"):
        raise BadInput(f"the openvino engine has no {dtype}; allowed: auto, float32, bfloat16, int8")
    if dtype == "bfloat16" and not has_bfloat16():
        raise BadInput("this CPU has no bfloat16 arithmetic; allowed here: auto, float32, int8")
    narrow = dtype == "bfloat16" or (dtype == "int8" and has_bfloat16())
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if narrow else "f32",
        "KV_CACHE_PRECISION": "bf16" if narrow else "f32",  # its own choice, 8 bits, costs 0.3 % error even in float32
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
    }
    if dtype == "int8" and cpu.detect().known:
        # without VNNI its own choice would fail: it looks past the limit that oneDNN is under
        properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = group or 32 if cpu.detect().int8 else 0
    if options.threads:
        properties["INFERENCE_NUM_THREADS"] = options.threads
    return Plan(dtype, reason, properties)


def read(template: ModelProto, stored: Mapping[str, Tensor], origin: str) -> Bound:
    """Open a template over the tensors of a checkpoint; no number is copied.

    Raises:
        UnsupportedCheckpoint: a parameter is missing, of another shape or type.
    """
    from onnx import helper  # here, because a model that opens from its compiled blob needs none of it

    from sonant.engines import binder

    adapted = binder.adapt(template, stored, origin)
    waiting = binder.parameters(adapted)
    rest = [row for row in adapted.graph.initializer if row.name not in waiting]
    del adapted.graph.initializer[:]
    adapted.graph.initializer.extend(rest)
    # the parameters enter as inputs, which are then replaced: OpenVINO's own reader takes weights only by relative path
    adapted.graph.input.extend(
        helper.make_tensor_value_info(key, row.data_type, row.dims) for key, row in waiting.items()
    )
    model = core().read_model(adapted.SerializeToString())
    arrays = []
    for parameter in model.get_parameters():
        key = parameter.get_friendly_name()
        if key in waiting:
            arrays.append(pages.array_of(stored[key]))
            shared = ov.Tensor(arrays[-1], ov.Shape(stored[key].shape), TYPES[stored[key].dtype])
            constant = opset13.constant(shared, shared_memory=True)
            constant.set_friendly_name(key)
            parameter.output(0).replace(constant.output(0))
            model.remove_parameter(parameter)
            if stored[key].dtype in ("F16", "BF16"):  # int8 is kept as it is, and grows threefold if it is marked
                keep_narrow(constant)
    model.validate_nodes_and_infer_types()
    return Bound(model, arrays)


def keep_narrow(constant: ov.Node) -> None:
    """Mark what widens a stored matrix, so that the kernel packs it from the file's pages.

    Unmarked, OpenVINO keeps a float32 copy of each float16 matrix beside the packed one, as long as the model lives.
    """
    for reader in constant.output(0).get_target_inputs():
        if reader.get_node().get_type_name() == "Convert":
            reader.get_node().get_rt_info()[DECOMPRESSION] = True


def compile_model(bound: Bound, properties: Mapping[str, Any]) -> Compiled:
    """Compile for the CPU; the checkpoint's pages, packed by now, are given back to the system."""
    compiled = core().compile_model(bound.model, "CPU", dict(properties))
    pages.forget_pages(bound.arrays)
    return Compiled(compiled, bound.arrays)
