"""wav2vec 2.0 in OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from sonant.engines import pages
from sonant.engines.base import EngineOptions
from sonant.engines.ctc_flow import GraphCtc, Run, stored_tensors, template
from sonant.engines.engine_openvino import runtime
from sonant.engines.engine_openvino.lean import ov
from sonant.engines.kernel_parts import ctc as kernels
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.weights.checkpoint import Checkpoint

__all__ = ["open"]

# OpenVINO 2026.4 convolves groups of 12 channels wrongly in bfloat16 on AMX; published networks have 48, 64 or 80
WIDTH, EXACT = 16, {"INFERENCE_PRECISION_HINT": "f32"}


def open(checkpoint: Checkpoint, options: EngineOptions) -> GraphCtc:  # noqa: A001  the name every engine has
    """Open a wav2vec 2.0 checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that OpenVINO doesn't have here.
    """
    config, version = Wav2Vec2Config.from_hf(checkpoint.config), ov.__version__.split("-")[0]
    dtype, reason = kernels.dtype_of(config, options.dtype, runtime.has_bfloat16())
    runtime.check_device(options)
    if (team := kernels.team_for(config, dtype, options.threads)) is not None:
        make = kernels.open_network(config, stored := stored_tensors(checkpoint, "float32"), team)
        return GraphCtc(checkpoint, stored, make, f"sonant's kernels, cpu, {dtype} ({reason})", whole=True)
    plan = runtime.plan(options)
    stored = stored_tensors(checkpoint, plan.dtype)

    def exact(kind: str) -> bool:
        return kind == "position" and config.hidden_size // config.num_conv_pos_embedding_groups % WIDTH != 0

    def compiled(kind: str, states: tuple[int, ...] | None) -> Run:
        bound = runtime.read(template(config, kind, states), stored, checkpoint.id)
        with pages.forgetting(bound.arrays):
            made = runtime.compile_model(bound, plan.properties | (EXACT if exact(kind) else {}))
        outputs = [output.any_name for output in made.model.outputs]

        def run(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            request = made.model.create_infer_request()
            with made.running():
                request.infer(dict(feeds), share_inputs=True)  # adapters are 9 MB
            return [request.get_tensor(name).data.copy() for name in outputs]

        return run

    return GraphCtc(checkpoint, stored, compiled, f"openvino {version}, cpu, {plan.dtype} ({plan.reason})")
