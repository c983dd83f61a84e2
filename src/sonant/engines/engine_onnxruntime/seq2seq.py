"""Whisper in ONNX Runtime: caches are values that stay bound to the device from step to step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.engines import seq2seq_checks as checks
from sonant.engines import seq2seq_graph
from sonant.engines.base import EngineOptions
from sonant.engines.engine_onnxruntime import runtime
from sonant.engines.seq2seq_graph import Source, names
from sonant.weights.checkpoint import Checkpoint

__all__ = ["OnnxruntimeMemory", "OnnxruntimeSeq2Seq", "open"]


class OnnxruntimeMemory:
    """The ``Memory`` protocol: cross keys and values, and the caches that the last step left on the device.

    Attributes:
        cross: keys and values (B, H, F, E) of each layer in turn.
        past: (R, H, P, E) values, in the same order.
        rows: the row that each row continues from, applied at the next step.
        last: outputs of the last step by name.
    """

    def __init__(self, cross: list[NDArray[np.float32]], past: list[ort.OrtValue], beams: int) -> None:
        self.cross, self.past = cross, past
        self.windows, self.beams, self.length = cross[0].shape[0], beams, 0
        self.rows = np.arange(self.windows * beams, dtype=np.int32)
        self.last: dict[str, ort.OrtValue] = {}


class OnnxruntimeSeq2Seq:
    """The ``Seq2Seq`` protocol over two sessions."""

    def __init__(self, source: Source, encoder: runtime.Session, decoder: runtime.Session, plan: runtime.Plan) -> None:
        self.config, self.embed = source.config, source.embed
        self.encoder, self.decoder, self.plan = encoder, decoder, plan
        self.description = f"onnxruntime {ort.__version__}, {plan.device}, {plan.dtype} ({plan.reason})"

    def encode(self, features: NDArray[np.float32]) -> OnnxruntimeMemory:
        """See ``engines.base.Seq2Seq``."""
        checks.features(features, self.config)
        config = self.config
        cross = [np.empty(shape, np.float32) for shape in seq2seq_graph.cross_shapes(config, len(features))]
        outputs = names("cross", config)
        for window in range(len(features)):
            feed = {"features": np.ascontiguousarray(features[window : window + 1])}
            for array, made in zip(cross, self.encoder.run.run(outputs, feed), strict=True):
                array[window] = made[0]
        return self._memory(cross, 1)

    def fork(self, memory: OnnxruntimeMemory, windows: Sequence[int], beams: int = 1) -> OnnxruntimeMemory:
        """See ``engines.base.Seq2Seq``; a run of windows is shared, picked ones are copied."""
        checks.fork(memory, windows, beams)
        first, count = windows[0], len(windows)
        run = list(windows) == list(range(first, first + count))
        picked: slice | list[int] = slice(first, first + count) if run else list(windows)
        return self._memory([array[picked] for array in memory.cross], beams)

    def step(self, memory: OnnxruntimeMemory, tokens: NDArray[np.int64], every: bool = False) -> NDArray[np.float32]:
        """See ``engines.base.Seq2Seq``."""
        checks.step(memory, tokens, self.config)
        length = tokens.shape[1]
        binding = self.decoder.run.io_binding()
        feeds: dict[str, NDArray[Any]] = {
            "embedded": self.embed(tokens, memory.length),
            "mask": seq2seq_graph.causal_mask(memory.length, length),
            "beams": memory.rows,
            "wanted": np.arange(length) if every else np.array([length - 1]),
            **dict(zip(names("cross", self.config), memory.cross, strict=True)),
        }
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        for name, value in zip(names("past", self.config), memory.past, strict=True):
            binding.bind_ortvalue_input(name, value)
        outputs = [output.name for output in self.decoder.run.get_outputs()]
        for name in outputs:
            binding.bind_output(name, "cpu" if name == "logits" else self.plan.device)
        self.decoder.run.run_with_iobinding(binding)
        memory.last = dict(zip(outputs, binding.get_outputs(), strict=True))
        memory.past = [memory.last[name] for name in names("present", self.config)]
        memory.length += length
        memory.rows = np.arange(len(memory.rows), dtype=np.int32)
        logits: NDArray[np.float32] = memory.last["logits"].numpy()
        return logits if every else logits[:, 0]

    def reorder(self, memory: OnnxruntimeMemory, rows: NDArray[np.int64]) -> None:
        """See ``engines.base.Seq2Seq``; the cache is gathered inside the next step."""
        checks.reorder(memory, rows)
        memory.rows = memory.rows[rows]

    def rewind(self, memory: OnnxruntimeMemory, length: int) -> None:
        """See ``engines.base.Seq2Seq``."""
        checks.rewind(memory, length)
        if length < memory.length:
            memory.past = [self._value(value.numpy()[:, :, :length]) for value in memory.past]
            memory.length = length

    def align(
        self, memory: OnnxruntimeMemory, window: int, tokens: NDArray[np.int64], heads: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See ``engines.base.Seq2Seq``."""
        checks.align(memory, window, tokens, heads, self.config)
        fresh = self.fork(memory, [window])
        logits = self.step(fresh, tokens[None], every=True)[0]
        scores = np.empty((len(heads), len(tokens), self.config.max_source_positions), np.float32)
        for row, (layer, head) in enumerate(heads):
            query = fresh.last[f"query_{layer}"].numpy()[0, head]  # (L, E)
            with one_core:
                np.matmul(query, fresh.cross[2 * layer][0, head].T, out=scores[row])
        scores /= math.sqrt(self.config.head_size)
        return scores, logits

    def _memory(self, cross: list[NDArray[np.float32]], beams: int) -> OnnxruntimeMemory:
        empty = np.empty((len(cross[0]) * beams, self.config.decoder_attention_heads, 0, self.config.head_size), "f4")
        return OnnxruntimeMemory(cross, [self._value(empty) for _ in cross], beams)

    def _value(self, array: NDArray[np.float32]) -> ort.OrtValue:
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self.plan.device)


def open(checkpoint: Checkpoint, options: EngineOptions) -> OnnxruntimeSeq2Seq:  # noqa: A001  the name every engine has
    """Open a Whisper checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that ONNX Runtime doesn't have here.
    """
    plan = runtime.plan(options)
    source = Source(checkpoint, "float32")
    sessions = []
    for part in ("encoder", "decoder"):
        template = source.template(part)
        tensors = source.with_int8(template) if plan.dtype == "int8" else source.tensors
        sessions.append(runtime.open_session(template, tensors, checkpoint.id, plan))
    return OnnxruntimeSeq2Seq(source, sessions[0], sessions[1], plan)
