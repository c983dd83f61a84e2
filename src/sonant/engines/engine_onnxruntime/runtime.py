"""ONNX Runtime: templates over mapped weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from sonant.engines import binder, pages
from sonant.engines.base import EngineOptions
from sonant.errors import BadInput
from sonant.weights.tensors import Tensor

__all__ = ["Plan", "Session", "open_session", "plan"]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
WARNINGS_FROM = 3  # errors and worse; its warnings tell of fusions that we don't ask for


@dataclass(frozen=True, slots=True)
class Plan:
    """What the options come to here.

    Attributes:
        dtype: "float32" or "int8" (weights).
        reason: why, in words.
        device: "cpu" or "cuda".
        threads: CPU threads.
    """

    dtype: str
    reason: str
    device: str
    threads: int


@dataclass(frozen=True, slots=True)
class Session:
    """A session over a checkpoint's pages; it doesn't own them, so ``arrays`` must live as long as it."""

    run: ort.InferenceSession
    arrays: list[NDArray[Any]]


def plan(options: EngineOptions) -> Plan:
    """Device and dtype for these options.

    Raises:
        BadInput: a device or dtype that this engine doesn't have here.
    """
    device = "cpu" if options.device == "auto" else options.device
    there = [name for name, provider in PROVIDERS.items() if provider in ort.get_available_providers()]
    if device not in there:
        raise BadInput(
            f"device {options.device!r} can't be used by this onnxruntime; allowed: auto, {', '.join(there)}"
        )
    if options.dtype not in ("auto", "float32", "int8"):
        raise BadInput(f"the onnxruntime engine has no {options.dtype}; allowed: auto, float32, int8")
    dtype = "float32" if options.dtype == "auto" else options.dtype
    reason = "what this runtime computes in" if options.dtype == "auto" else "asked for"
    return Plan(dtype, reason, device, options.threads or len(os.sched_getaffinity(0)))


def open_session(template: ModelProto, stored: Mapping[str, Tensor], origin: str, plan: Plan) -> Session:
    """Open a template over the tensors of a checkpoint; no number is copied by us.

    Raises:
        UnsupportedCheckpoint: a parameter is missing, of another shape or type.
    """
    adapted = binder.adapt(template, stored, origin)
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = plan.threads
    settings.log_severity_level = WARNINGS_FROM
    names, values, arrays = [], [], []
    for key, row in binder.parameters(adapted).items():
        # the file name is never opened: the values below take its place
        row.external_data.add(key="location", value="checkpoint")
        arrays.append(pages.array_of(stored[key]))
        names.append(key)
        values.append(_value(arrays[-1], row.data_type))
    settings.add_external_initializers(names, values)
    session = ort.InferenceSession(adapted.SerializeToString(), settings, providers=[PROVIDERS[plan.device]])
    pages.forget_pages(arrays)
    return Session(session, arrays)


def _value(array: NDArray[Any], kind: int) -> ort.OrtValue:
    """A value over the array's memory; bfloat16 comes as its bits."""
    if kind == TensorProto.BFLOAT16:
        return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, kind)
    return ort.OrtValue.ortvalue_from_numpy(array)
