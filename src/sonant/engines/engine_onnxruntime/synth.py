"""Kokoro in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from sonant.engines.base import EngineOptions
from sonant.engines.engine_onnxruntime import runtime
from sonant.engines.synth_flow import SynthFlow
from sonant.engines.synth_graph import Run, Template, open_graphs
from sonant.errors import BadInput
from sonant.models.kokoro.form import Form, Part
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["open"]


def open(checkpoint: Checkpoint, options: EngineOptions) -> SynthFlow:  # noqa: A001  the name every engine has
    """Open a Kokoro checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that this engine doesn't have here.
    """
    plan = runtime.plan(options)
    if plan.dtype != "float32":
        raise BadInput(f"the onnxruntime engine has no {plan.dtype} for speech; allowed: auto, float32")

    def compile_part(_: Part, template: Template, tensors: Mapping[str, Tensor]) -> Run:
        session = runtime.open_session(template(), tensors, checkpoint.id, plan)

        def run(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            return session.run.run(None, dict(feeds))

        return run

    description = f"onnxruntime {ort.__version__}, {plan.device}, {plan.dtype}"
    return open_graphs(checkpoint, compile_part, Form(dressed=True), description)
