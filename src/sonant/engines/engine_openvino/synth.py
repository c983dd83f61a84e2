"""Kokoro in OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openvino as ov
from numpy.typing import NDArray
from onnx import ModelProto

from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino import runtime
from sonant.engines.synth_flow import SynthFlow
from sonant.engines.synth_graph import Part, Run, open_graphs
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["open"]


def open(checkpoint: Checkpoint, options: EngineOptions) -> SynthFlow:  # noqa: A001  the name every engine has
    """Open a Kokoro checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that OpenVINO doesn't have here.
    """
    plan = runtime.plan(options)

    def compile_part(part: Part, template: ModelProto, tensors: Mapping[str, Tensor]) -> Run:
        properties = dict(plan.properties)
        if part != "decoder":  # durations and pitch stay exact: they decide what is said when
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = runtime.compile_model(runtime.read(template, tensors, checkpoint.id), properties)
        outputs = [output.any_name for output in compiled.model.outputs]

        def run(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            request = compiled.model.create_infer_request()
            request.infer(dict(feeds))
            return [request.get_tensor(name).data.copy() for name in outputs]

        return run

    version = ov.__version__.split("-")[0]
    return open_graphs(checkpoint, compile_part, f"openvino {version}, cpu, {plan.dtype} ({plan.reason})")
