"""wav2vec 2.0 in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from sonant.engines.base import EngineOptions
from sonant.engines.ctc_flow import GraphCtc, Run, stored_tensors, template
from sonant.engines.engine_onnxruntime import runtime
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.weights.checkpoint import Checkpoint

__all__ = ["open"]


def open(checkpoint: Checkpoint, options: EngineOptions) -> GraphCtc:  # noqa: A001  the name every engine has
    """Open a wav2vec 2.0 checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that ONNX Runtime doesn't have here.
    """
    plan = runtime.plan(options)
    stored = stored_tensors(checkpoint, plan.dtype)

    config = Wav2Vec2Config.from_hf(checkpoint.config)

    def compiled(kind: str, states: tuple[int, ...] | None) -> Run:
        session = runtime.open_session(template(config, kind, states), stored, checkpoint.id, plan)

        def run(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            found: list[NDArray[Any]] = session.run.run(None, dict(feeds))
            return found

        return run

    described = f"onnxruntime {ort.__version__}, {plan.device}, {plan.dtype} ({plan.reason})"
    return GraphCtc(checkpoint, stored, compiled, described)
