"""Kokoro's parts as templates, for the engines that run graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sonant.engines import pages
from sonant.engines.synth_flow import Floats, Halves, Ints, SynthFlow
from sonant.errors import CorruptFile, UnsupportedCheckpoint
from sonant.models.kokoro import fold, names
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.dress import Dressing, dressed_keys
from sonant.models.kokoro.form import Form, Part
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor, to_float32

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Compile", "GraphParts", "HalvedRun", "Run", "Template", "open_graphs", "stored_tensors"]

Run = Callable[[Mapping[str, NDArray[Any]]], list[NDArray[Any]]]
Template = Callable[[], "ModelProto"]  # builds it
Compile = Callable[[Part, Template, Mapping[str, Tensor]], Run]


@runtime_checkable
class HalvedRun(Protocol):
    """A ``Run`` of the decoder whose halves run by themselves, too."""

    def dressed(self, dressing: Floats) -> Halves:
        """The halves with this row of ``dress.Dressing``, (1, channels)."""


class GraphParts:
    """The ``Parts`` protocol over compiled templates, each made when it is first needed."""

    def __init__(self, config: KokoroConfig, runs: Mapping[Part, Run], dressings: Mapping[Part, Dressing]) -> None:
        self.config, self.runs, self.dressings = config, runs, dressings

    def text(self, tokens: Ints, style: Floats, lengths: Ints) -> tuple[Floats, Floats, Floats]:
        """See ``Parts``."""
        durations, prosody, text = self.runs["text"]({"tokens": tokens, "style": style, "lengths": lengths})
        return durations, prosody, text

    def prosody(self, frames: Floats, style: Floats, lengths: Ints) -> tuple[Floats, Floats]:
        """See ``Parts``."""
        dressing = self.dressings["prosody"](style[:, self.config.style :])
        pitch, energy = self.runs["prosody"]({"frames": frames, "dressing": dressing, "lengths": lengths})
        return pitch, energy

    def decode(
        self, text: Floats, pitch: Floats, energy: Floats, source: Floats, style: Floats, lengths: Ints
    ) -> Floats:
        """See ``Parts``."""
        feeds: dict[str, NDArray[Any]] = {
            "text": text,
            "pitch": pitch,
            "energy": energy,
            "source": source,
            "dressing": self.dressings["decoder"](style[:, : self.config.style]),
            "lengths": lengths,
        }
        return self.runs["decoder"](feeds)[0]

    def halves(self, style: Floats) -> Halves | None:
        """See ``Parts``."""
        decoder: object = self.runs["decoder"]
        if not isinstance(decoder, HalvedRun):
            return None
        return decoder.dressed(self.dressings["decoder"](style[None, : self.config.style])[0])


def open_graphs(checkpoint: Checkpoint, compile_part: Compile, form: Form, description: str) -> SynthFlow:
    """Build the templates of a checkpoint and compile them.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
    """
    config = KokoroConfig.from_hexgrad(checkpoint.config)
    stored = stored_tensors(checkpoint)
    shapes = fold.derived_shapes(names.shapes(checkpoint.config))
    tensors = fold.derived(stored, checkpoint.id)
    parts: tuple[Part, ...] = ("text", "prosody", "decoder")
    runs = {part: compile_part(part, partial(_template, part, config, shapes, form), tensors) for part in parts}
    # made while the parts are compiled
    dressings: dict[Part, Dressing] = {
        "prosody": Dressing(stored, list(dressed_keys(shapes, "predictor."))),
        "decoder": Dressing(stored, list(dressed_keys(shapes, "decoder."))),
    }
    merge = fold.source_weights(stored, checkpoint.id)
    return SynthFlow(config, GraphParts(config, runs, dressings), merge, description)


def _template(part: Part, config: KokoroConfig, shapes: Mapping[str, tuple[int, ...]], form: Form) -> ModelProto:
    """The graph of a part."""
    # imported here, because a part that opens from its compiled blob needs no graph and no onnx
    from sonant.models.kokoro import graph_decoder, graph_text

    build = {"text": graph_text.text, "prosody": graph_text.prosody, "decoder": graph_decoder.decoder}
    return build[part](config, shapes, form)


def stored_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The checkpoint's tensors, exactly those that its network has.

    hexgrad/kokoro 0.9.4 saves an affine part of InstanceNorm that does nothing; it is checked and left out, and so is
    what takes no part in speech (``names``).

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape, or an InstanceNorm isn't the identity.
    """
    wanted, found = names.shapes(checkpoint.config), pages.tensors_of(checkpoint.weights)
    for key in [key for key in found if key not in wanted]:
        if names.is_identity_norm(key):
            expected = 1.0 if key.endswith("weight") else 0.0
            if np.any(to_float32(found[key]) != expected):
                raise UnsupportedCheckpoint(f"{checkpoint.id}: {key!r} must be {expected:g} everywhere")
        elif not names.is_unused(key):
            raise UnsupportedCheckpoint(f"{checkpoint.id} holds {key!r}, which its network doesn't have")
        del found[key]
    for key, shape in wanted.items():
        if key not in found:
            raise UnsupportedCheckpoint(f"{checkpoint.id} lacks the parameter {key!r} of its network")
        if found[key].shape != shape:
            given = list(found[key].shape)
            raise UnsupportedCheckpoint(f"{checkpoint.id}: {key!r} has shape {given}, the network {list(shape)}")
        if found[key].dtype not in ("F32", "F16", "BF16"):
            raise CorruptFile(f"{checkpoint.id}: {key!r} is stored as {found[key].dtype}; allowed: F32, F16, BF16")
    return found
