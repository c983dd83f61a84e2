"""wav2vec 2.0 in OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openvino as ov
from numpy.typing import NDArray
from onnx import ModelProto

from sonant.engines import pages
from sonant.engines.base import EngineOptions
from sonant.engines.ctc_flow import GraphCtc, Run, stored_tensors
from sonant.engines.engine_openvino import runtime
from sonant.weights.checkpoint import Checkpoint

__all__ = ["open"]


def open(checkpoint: Checkpoint, options: EngineOptions) -> GraphCtc:  # noqa: A001  the name every engine has
    """Open a wav2vec 2.0 checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that OpenVINO doesn't have here.
    """
    plan = runtime.plan(options)
    stored = stored_tensors(checkpoint, plan.dtype)

    def compile_graph(template: ModelProto) -> Run:
        bound = runtime.read(template, stored, checkpoint.id)
        with pages.forgetting(bound.arrays):
            compiled = runtime.compile_model(bound, plan.properties)
        outputs = [output.any_name for output in compiled.model.outputs]

        def run(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            request = compiled.model.create_infer_request()
            with compiled.running():
                request.infer(dict(feeds), share_inputs=True)  # adapters are 9 MB
            return [request.get_tensor(name).data.copy() for name in outputs]

        return run

    described = f"openvino {ov.__version__.split('-')[0]}, cpu, {plan.dtype} ({plan.reason})"
    return GraphCtc(checkpoint, stored, compile_graph, described)
