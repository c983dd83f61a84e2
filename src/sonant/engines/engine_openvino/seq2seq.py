"""Whisper in OpenVINO: a static encoder, and a decoder that keeps its cache inside the runtime.

Where they were compiled, our own kernels encode in int16, and in bfloat16 with AMX, and decode in int8
(``kernel_parts.seq2seq``).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonant.blas import one_core
from sonant.engines import cpu, own_kernels, pages, seq2seq_graph
from sonant.engines import seq2seq_checks as checks
from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino import runtime
from sonant.engines.engine_openvino.blobs import Blob
from sonant.engines.engine_openvino.lean import opset13, ov, passes
from sonant.engines.engine_openvino.rowwise import narrow_rows
from sonant.engines.kernel_parts.seq2seq import Hear, KernelEncoder, KernelSeq2Seq, open_decoder, open_encoder, widened
from sonant.engines.seq2seq_graph import Source, names
from sonant.errors import BadInput
from sonant.kernels import best
from sonant.kernels.product import halves
from sonant.kernels.team import Team
from sonant.models.whisper.config import WhisperConfig
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["OpenvinoMemory", "OpenvinoSeq2Seq", "open"]

HEADS_AT_ONCE = 4  # of a large encoder: scores of 18 MB, no more than its feed-forward layers take
GROUP = 256  # inputs of the decoder's matrices that share a scale: as fast as whole rows, and more exact
MAKERS = (  # decide what an int8 model is, beside this module
    "sonant.engines.binder",
    "sonant.engines.quantize",
    "sonant.engines.engine_openvino.rowwise",
    "sonant.engines.engine_openvino.runtime",
    "sonant.models.graph_builder",
    "sonant.models.whisper.graph",
)
STORED = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(np.uint16)}  # NumPy has no bfloat16: its bits


class OpenvinoMemory:
    """The ``Memory`` protocol: cross keys and values as arrays, and an infer request that holds the cache.

    Attributes:
        cross: keys and values (B, H, F, E) of each layer in turn.
        rows: the row that each row continues from, applied at the next step.
    """

    def __init__(self, engine: OpenvinoSeq2Seq, cross: list[NDArray[Any]], beams: int = 1) -> None:
        self.engine, self.cross = engine, cross
        self.windows, self.beams, self.length = cross[0].shape[0], beams, 0
        self.rows = np.arange(self.windows * beams, dtype=np.int32)
        self.request: ov.InferRequest | None = None

    def __del__(self) -> None:
        if self.request is not None:
            self.engine.idle.append(self.request)


class OpenvinoSeq2Seq:
    """The ``Seq2Seq`` protocol over two compiled graphs, or our kernels in place of the first."""

    def __init__(
        self, source: Source, encoder: runtime.Compiled | KernelEncoder, decoder: runtime.Compiled, description: str
    ) -> None:
        self.config, self.embed, self.description = source.config, source.embed, description
        self.encoder, self.decoder = encoder, decoder
        self.cross_dtype = STORED[source.cross_dtype]
        self.idle: list[ov.InferRequest] = []
        self.hearing = encoder.model.create_infer_request() if isinstance(encoder, runtime.Compiled) else None

    def encode(self, features: NDArray[np.float32]) -> OpenvinoMemory:
        """See ``engines.base.Seq2Seq``."""
        checks.features(features, self.config)
        large = isinstance(self.encoder, runtime.Compiled) and self.encoder.large
        if large:  # what the steps of the window before touched
            pages.forget_pages(self.decoder.arrays)
            self.decoder.release()
        cross = [np.empty(shape, self.cross_dtype) for shape in seq2seq_graph.cross_shapes(self.config, len(features))]
        if isinstance(self.encoder, runtime.Compiled):
            self._hear(self.encoder, features, cross)
        else:
            self._heard(self.encoder, features, cross)
        return OpenvinoMemory(self, cross)

    def _heard(self, encoder: KernelEncoder, features: NDArray[np.float32], cross: list[NDArray[Any]]) -> None:
        """The same by our kernels."""
        team = encoder.encoder.team
        for window, heard in enumerate(features):
            for array, made in zip(cross, encoder(heard), strict=True):
                if array.dtype == np.float32:
                    array[window] = made
                else:  # bfloat16's bits
                    frames = made.transpose(1, 0, 2)
                    bits = halves(team, frames.reshape(len(frames), -1))
                    array[window] = bits.reshape(frames.shape).transpose(1, 0, 2)

    def _hear(self, encoder: runtime.Compiled, features: NDArray[np.float32], cross: list[NDArray[Any]]) -> None:
        """Encode window by window into ``cross``."""
        assert self.hearing is not None
        for window in range(len(features)):
            self.hearing.set_tensor("features", ov.Tensor(np.ascontiguousarray(features[window : window + 1])))
            for name, array in zip(names("cross", self.config), cross, strict=True):
                self.hearing.set_tensor(name, self._tensor(array[window : window + 1]))
            with encoder.running():
                self.hearing.infer(share_outputs=True)  # else Python copies them, 15 MB of a large model
        if encoder.large:
            encoder.release()  # 30 MB that decoding has no use for

    def fork(self, memory: OpenvinoMemory, windows: Sequence[int], beams: int = 1) -> OpenvinoMemory:
        """See ``engines.base.Seq2Seq``; a run of windows is shared, picked ones are copied."""
        checks.fork(memory, windows, beams)
        first, count = windows[0], len(windows)
        run = list(windows) == list(range(first, first + count))
        picked: slice | list[int] = slice(first, first + count) if run else list(windows)
        return OpenvinoMemory(self, [array[picked] for array in memory.cross], beams)

    def step(self, memory: OpenvinoMemory, tokens: NDArray[np.int64], every: bool = False) -> NDArray[np.float32]:
        """See ``engines.base.Seq2Seq``."""
        checks.step(memory, tokens, self.config)
        request = self._request(memory)
        length = tokens.shape[1]
        wanted = np.arange(length) if every else np.array([length - 1])
        request.set_tensor("embedded", ov.Tensor(self.embed(tokens, memory.length)))
        request.set_tensor("beams", ov.Tensor(memory.rows))
        request.set_tensor("wanted", ov.Tensor(wanted))
        with self.decoder.running(brief=True):
            request.infer(share_outputs=True)
        memory.length += length
        memory.rows = np.arange(len(memory.rows), dtype=np.int32)
        logits: NDArray[np.float32] = request.get_tensor("logits").data.copy()
        return logits if every else logits[:, 0]

    def reorder(self, memory: OpenvinoMemory, rows: NDArray[np.int64]) -> None:
        """See ``engines.base.Seq2Seq``; the cache is gathered inside the next step."""
        checks.reorder(memory, rows)
        memory.rows = memory.rows[rows]

    def rewind(self, memory: OpenvinoMemory, length: int) -> None:
        """See ``engines.base.Seq2Seq``."""
        checks.rewind(memory, length)
        if length == memory.length:
            return
        assert memory.request is not None  # tokens were decoded, so there is a request
        if length == 0:
            memory.request.reset_state()
            memory.rows = np.arange(len(memory.rows), dtype=np.int32)
        else:
            for state in memory.request.query_state():
                state.state = ov.Tensor(np.ascontiguousarray(state.state.data[:, :, :length]))
        memory.length = length

    def align(
        self, memory: OpenvinoMemory, window: int, tokens: NDArray[np.int64], heads: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See ``engines.base.Seq2Seq``."""
        checks.align(memory, window, tokens, heads, self.config)
        fresh = self.fork(memory, [window])
        logits = self.step(fresh, tokens[None], every=True)[0]
        assert fresh.request is not None
        scores = np.empty((len(heads), len(tokens), self.config.max_source_positions), np.float32)
        for row, (layer, head) in enumerate(heads):
            query = fresh.request.get_tensor(f"query_{layer}").data[0, head]  # (L, E)
            with one_core:
                np.matmul(query, widened(fresh.cross[2 * layer][0, head]).T, out=scores[row])
        scores /= math.sqrt(self.config.head_size)
        return scores, logits

    def _request(self, memory: OpenvinoMemory) -> ov.InferRequest:
        """The request of a memory, bound to its windows the first time."""
        if memory.request is None:
            memory.request = self.idle.pop() if self.idle else self.decoder.model.create_infer_request()
            memory.request.reset_state()
            for name, array in zip(names("cross", self.config), memory.cross, strict=True):
                memory.request.set_tensor(name, self._tensor(array))
        return memory.request

    def _tensor(self, array: NDArray[Any]) -> ov.Tensor:
        """A tensor over the array's memory."""
        kind = ov.Type.f32 if array.dtype == np.float32 else ov.Type.bf16
        return ov.Tensor(array, ov.Shape(array.shape), kind)


class OpenvinoEncoder:
    """An encoder in OpenVINO for a decoder of our kernels (``Hear``)."""

    def __init__(self, config: WhisperConfig, encoder: runtime.Compiled) -> None:
        self.encoder, self.lock, self.names = encoder, Lock(), names("cross", config)
        self.request = encoder.model.create_infer_request()

    def __call__(self, features: NDArray[np.float32]) -> Generator[NDArray[np.float32], None, None]:
        """See ``Hear``."""
        with self.lock:
            self.request.set_tensor("features", ov.Tensor(np.ascontiguousarray(features[None])))
            with self.encoder.running():
                self.request.infer(share_outputs=True)
            try:
                for name in self.names:
                    yield self.request.get_tensor(name).data[0]
            finally:  # the caller stops at the last one
                if self.encoder.large:
                    self.encoder.release()


def stateful(model: ov.Model, config: WhisperConfig) -> None:
    """Keep the caches inside the model: pairs of past and present become states, empty at first."""
    pairs = dict(zip(names("past", config), names("present", config), strict=True))
    manager = passes.Manager()
    manager.register_pass(passes.MakeStateful(pairs))
    manager.run_passes(model)
    _causal(model)
    rows = opset13.gather(opset13.shape_of(model.input("embedded")), opset13.constant([0]), opset13.constant(0))
    for read in model.get_ops():
        if read.get_type_name() == "ReadValue":
            _, heads, _, size = (dim.get_min_length() for dim in read.get_output_partial_shape(0))
            shape = opset13.concat([rows, opset13.constant([heads, 0, size])], 0)
            read.set_arguments([opset13.broadcast(opset13.constant(np.float32(0)), shape)])
    model.validate_nodes_and_infer_types()


def _causal(model: ov.Model) -> None:
    """Put the causal flag in place of the mask, in self-attention.

    OpenVINO counts it from the last key, so it is right with a cache. Its fused bfloat16 attention reads a mask that is
    shared by several rows past its end (2026.4; the parity suite shows it as soon as the mask is back).
    """
    mask = model.input("mask").get_node()
    for attention in model.get_ops():
        if attention.get_type_name() == "ScaledDotProductAttention":
            assert attention.input_value(3).get_node() == mask
            flagged = opset13.scaled_dot_product_attention(*(attention.input_value(i) for i in range(3)), causal=True)
            # the reader guards masked attention against rows without any key: Select(IsNaN(x), 0, x)
            (guard,) = (
                target.get_node()
                for target in attention.output(0).get_target_inputs()
                if target.get_node().get_type_name() == "Select"
            )
            guard.output(0).replace(flagged.output(0))
    model.remove_parameter(mask)


def open(checkpoint: Checkpoint, options: EngineOptions) -> OpenvinoSeq2Seq | KernelSeq2Seq:  # noqa: A001  the name every engine has
    """Open a Whisper checkpoint where it lies.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus or of another shape; names it.
        BadInput: a device or dtype that OpenVINO doesn't have here.
    """
    config = WhisperConfig.from_hf(checkpoint.config)
    encoder_plan, decoder_plan, words = _plans(options, config)
    source = seq2seq_graph.Source(checkpoint, "float32" if isinstance(decoder_plan, Team) else decoder_plan.activations)
    # the decoder first: what packing takes is gone when the larger encoder comes
    own = open_decoder(source, decoder_plan) if isinstance(decoder_plan, Team) else None
    if isinstance(encoder_plan, Team):
        encoder: runtime.Compiled | KernelEncoder = open_encoder(config, source.tensors, encoder_plan, source.files)
    else:
        encoder = _compiled(source, "encoder", encoder_plan)
    if own is not None:
        hear: Hear = OpenvinoEncoder(config, encoder) if isinstance(encoder, runtime.Compiled) else encoder
        return KernelSeq2Seq(source, hear, own, f"sonant's kernels, cpu, {words}")
    assert isinstance(decoder_plan, runtime.Plan)
    decoder = _compiled(source, "decoder", decoder_plan)
    return OpenvinoSeq2Seq(source, encoder, decoder, f"openvino {ov.__version__.split('-')[0]}, cpu, {words}")


def _compiled(source: Source, part: str, plan: runtime.Plan) -> runtime.Compiled:
    """The encoder or decoder; int8 ones come from the cache from the second time on."""
    if plan.dtype != "int8":
        return _compile(source, part, source.template(part), source.tensors, plan)
    groups = _head_groups(source) if part == "encoder" else 0
    if groups:
        plan = replace(plan, properties={**plan.properties, "SNIPPETS_MODE": "DISABLE"})  # else it fuses them again
    facts = asdict(source.config), source.cross_dtype, groups
    blob = Blob(part, source.files, plan.properties, (*MAKERS, __name__), facts)
    compiled = blob.load()
    if compiled is None:
        template = source.template(part, groups)
        compiled = _compile(source, part, template, source.with_int8(template), plan)
        if blob.keep(compiled):
            source.forget_int8(template)
    return compiled


def _head_groups(source: Source) -> int:
    """Groups of heads for an encoder so large that memory counts: OpenVINO's fused attention takes 1 MB a layer.

    None where the joined int8 matrices of the groups can't be multiplied as they are.
    """
    if not cpu.detect().int8:
        return 0
    encoder = sum(math.prod(one.shape) for key, one in source.tensors.items() if key.startswith("model.encoder."))
    heads = source.config.encoder_attention_heads
    return heads // HEADS_AT_ONCE if encoder > runtime.LARGE and heads % HEADS_AT_ONCE == 0 else 0


def _compile(
    source: Source, part: str, template: ModelProto, tensors: Mapping[str, Tensor], plan: runtime.Plan
) -> runtime.Compiled:
    bound = runtime.read(template, tensors, source.id)
    if part == "decoder":
        stateful(bound.model, source.config)
    elif plan.dtype == "int8" and cpu.detect().int8:
        narrow_rows(bound.model)
    return runtime.compile_model(bound, plan.properties)


def _plans(options: EngineOptions, config: WhisperConfig) -> tuple[runtime.Plan | Team, runtime.Plan | Team, str]:
    """How encoder and decoder are compiled, or what runs them in place of OpenVINO, and that in words."""
    group = math.gcd(GROUP, config.d_model)
    if options.dtype == "auto":
        chosen = own_kernels.whisper_dtypes(config.d_model)
    elif options.dtype == "int16":  # OpenVINO has none
        chosen = cpu.Dtypes("int16", "float32", "asked for")
    else:
        plan = runtime.plan(options, group)
        chosen = cpu.Dtypes(plan.dtype, plan.dtype, plan.reason)
    runtime.check_device(options)
    encoder: runtime.Plan | Team | None
    decoder: runtime.Plan | Team | None
    encoder = None if chosen.encoder == "float32" else best.find(chosen.encoder, options.threads)
    if encoder is None and chosen.encoder == "int16":
        raise BadInput(f"int16 needs sonant's kernels: {best.missing()}; allowed here: auto, float32, int8")
    encoder = encoder or runtime.plan(replace(options, dtype=chosen.encoder), group)
    decoder = best.find("int16", options.threads) if chosen.decoder == "int8" else None  # rows, not weights
    decoder = decoder or runtime.plan(replace(options, dtype=chosen.decoder), group)
    both = chosen.encoder == chosen.decoder
    words = chosen.encoder if both else f"{chosen.encoder} encoder, {chosen.decoder} decoder"
    return encoder, decoder, f"{words} ({chosen.reason})"
