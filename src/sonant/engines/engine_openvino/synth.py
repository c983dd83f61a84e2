"""Kokoro on the CPU: by our own kernels where they were compiled, else as OpenVINO's graphs.

The kernels are several times as fast, need nothing compiled, and take any length. They have the voice in float32 and
int16, and in bfloat16 with AMX; text and prosody decide what is said when, and are float32 in every dtype, or where the
voice is bfloat16 the text nearly so, in three products. OpenVINO is imported only where a part is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from sonant.engines import cpu, own_kernels
from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino.machine import check_device, has_bfloat16
from sonant.engines.kernel_parts.synth import Packing
from sonant.engines.synth_flow import SynthFlow
from sonant.engines.synth_graph import Run, Template, open_graphs
from sonant.errors import BadInput
from sonant.kernels import best
from sonant.kernels.team import Team
from sonant.models.kokoro.form import Form, Part
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

if TYPE_CHECKING:
    from sonant.engines.engine_openvino.synth_graphs import Graphs

__all__ = ["open"]


def open(checkpoint: Checkpoint, options: EngineOptions) -> SynthFlow:  # noqa: A001  the name every engine has
    """Open a Kokoro checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that can't be had here, or int8 for weights that it isn't measured for.
    """
    check_device(options)
    dtype, reason = options.dtype, "asked for"
    if dtype == "auto":
        dtype, reason = own_kernels.speech_dtype(has_bfloat16())
    voice = None if dtype == "int8" else best.find(dtype, options.threads)  # theirs are for products alone
    exact = voice.of("float32") if voice else best.find("float32", options.threads)
    if dtype == "int16" and voice is None:
        raise BadInput(f"int16 for speech needs sonant's kernels: {best.missing()}; allowed here: auto, float32")
    if dtype == "int8" and not cpu.detect().int8:
        raise BadInput("int8 for speech needs a CPU with VNNI; allowed here: auto, float32, int16")
    opening = _Opening(checkpoint, replace(options, dtype=dtype), exact, voice)
    form = Form(channels_last=True, dressed=True)
    return open_graphs(checkpoint, opening, form, opening.described(dtype, reason))


class _Opening:
    """Opens each part of a checkpoint by what has it."""

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions, exact: Team | None, voice: Team | None) -> None:
        if voice is not None and voice.dtype == "bfloat16":
            exact = voice.of("bfloat16x3")  # as exact as float32
        teams: dict[Part, Team | None] = {"text": exact, "prosody": exact, "decoder": voice}
        self.packing = Packing(checkpoint, {part: team for part, team in teams.items() if team is not None})
        self.graphs: Graphs | None = None
        if voice is None:
            from sonant.engines.engine_openvino import runtime, synth_graphs

            self.graphs = synth_graphs.Graphs(checkpoint, runtime.plan(options))

    def __call__(self, part: Part, template: Template, tensors: Mapping[str, Tensor]) -> Run:
        """The part as open_graphs wants it."""
        graphs = self.graphs
        if part in self.packing.teams:
            run = self.packing(part, tensors)
        else:
            assert graphs is not None
            run = graphs(part, template, tensors)
        if part != "prosody" or graphs is None:
            return run

        def begun(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            batch, frames = feeds["frames"].shape[:2]
            graphs.expect(batch, frames)
            return run(feeds)

        return begun

    def described(self, dtype: str, reason: str) -> str:
        """Which part is by what, in which dtype."""
        others = "" if dtype == "float32" else "; text and prosody in float32"
        if "text" in self.packing.teams and self.packing.teams["text"].dtype == "bfloat16x3":
            others = "; text and prosody in three products of bfloat16"
        level = next((team.library.level for team in self.packing.teams.values()), None)
        if self.graphs is None:
            return f"sonant's kernels ({level}), cpu, {dtype} ({reason}{others})"
        from sonant.engines.engine_openvino.synth_graphs import VERSION

        if level is not None:
            others = f"; text and prosody by sonant's kernels ({level}) in float32"
        return f"openvino {VERSION}, cpu, {dtype} ({reason}{others})"
