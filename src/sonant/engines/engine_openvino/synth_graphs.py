"""Kokoro as OpenVINO's graphs: the decoder in static lengths, so that it is compiled into few large kernels.

OpenVINO fuses a chain of elementwise work only where shapes are static, and that work costs as much as the convolutions
otherwise. So the decoder is compiled for a ladder of lengths, each when it is first needed; an utterance is padded to
the next rung, and masks keep the padding out of its sound. The rung depends on the utterance alone, so that equal
requests give equal samples.

Compiling takes most of the time to the first sound, and one core a graph. So text and prosody are opened behind the
caller's back, the decoder from when the durations are known, and what was compiled is kept for the next process: that
opens it in a third of the time, without the graphs, and in less memory, for its weights then lie in a file.
"""

from __future__ import annotations

import queue
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache, partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.engines.engine_openvino import runtime
from sonant.engines.engine_openvino.blobs import Blob
from sonant.engines.engine_openvino.convolutions import halve, narrow
from sonant.engines.engine_openvino.lean import ov
from sonant.engines.synth_graph import Run, Template
from sonant.models.kokoro import ranges
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.form import Part, Ports, ports
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["VERSION", "Graphs", "rung"]

VERSION = ov.__version__.split("-")[0]
SMALLEST_RUNG = 64  # frames: 1.6 s of speech
RUNGS_KEPT = 4  # open at a time; in bfloat16 each holds 100 to 330 MB
BLOBS_KEPT = 8  # in the cache, of a dtype's rungs: 103 MB each
TEXT_GRID, PROSODY_GRID = 16, 64  # symbols, frames: lengths are padded to a multiple
WORKERS = 2  # graphs compiled at a time
MAKERS = (  # decide what a compiled part is, beside this module
    "sonant.engines.binder",
    "sonant.engines.engine_openvino.convolutions",
    "sonant.engines.engine_openvino.runtime",
    "sonant.engines.synth_graph",
    "sonant.models.graph_builder",
    *(f"sonant.models.kokoro.{name}" for name in ("config", "dress", "fold", "form", "ranges")),
    *(f"sonant.models.kokoro.graph_{name}" for name in ("decoder", "layers", "text")),
)

Arrays = Mapping[str, NDArray[Any]]
Sizes = Mapping[Any, int]  # of dimensions by their names


def rung(frames: int) -> int:
    """The length that an utterance of so many frames is padded to: 64, 96, 128, 192, 256, 384, ..."""
    length = SMALLEST_RUNG
    while length < frames:
        length = length * 3 // 2 if length & (length - 1) == 0 else length * 4 // 3
    return length


def _multiple(of: int, length: int) -> int:
    """The next multiple."""
    return -(-length // of) * of


class Graph:
    """A compiled graph that several threads may run; its requests are kept, because their memory is costly to make."""

    def __init__(self, compiled: runtime.Compiled) -> None:
        compiled.sparing = True  # 100 MB of a paragraph's memory, for half a per cent of its time
        self.compiled = compiled
        self.outputs = [output.any_name for output in compiled.model.outputs]
        self.idle: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()

    def __call__(self, feeds: Arrays) -> list[NDArray[Any]]:
        """Outputs in the graph's order."""
        try:
            request = self.idle.get_nowait()
        except queue.Empty:
            request = self.compiled.model.create_infer_request()
        with self.compiled.running():
            request.infer(dict(feeds), share_outputs=True)
        made = [request.get_tensor(name).data.copy() for name in self.outputs]
        self.idle.put(request)
        return made


class Padded:
    """A part at few lengths: inputs are padded to the next of them, outputs cut to what the inputs ask for.

    OpenVINO keeps some 3 MB for every length that a graph has met, so that a book would fill the memory otherwise.
    ``graph`` is asked with the sizes before padding.
    """

    def __init__(self, ports: Ports, up: Callable[[int], int], graph: Callable[[Sizes], Run], columns: int) -> None:
        self.ports, self.up, self.graph, self.columns = ports, up, graph, columns

    def __call__(self, feeds: Arrays) -> list[NDArray[Any]]:
        """The outputs, as long as the inputs ask for."""
        growing = self.ports.inputs
        batch, length = feeds[next(iter(growing))].shape[:2]
        own, padded = _sizes(batch, length, self.columns), _sizes(batch, self.up(length), self.columns)
        fitted = {name: _fit(feeds[name], [padded.get(d, d) for d in dims]) for name, dims in growing.items()}
        made = self.graph(own)({**feeds, **fitted})
        return [
            array[tuple(slice(own.get(d, d)) for d in dims)]
            for array, dims in zip(made, self.ports.outputs.values(), strict=True)
        ]


class Ladder:
    """The decoder's graph open for a rung at a time; the least recently used one goes when there are too many."""

    def __init__(self, make: Callable[[Sizes], Run], pool: Executor, columns: int) -> None:
        self.make, self.pool, self.columns = make, pool, columns
        self.graphs: OrderedDict[tuple[int, int], Future[Run]] = OrderedDict()
        self.lock = Lock()

    def begin(self, sizes: Sizes) -> Future[Run]:
        """The graph for these sizes, on its way at least."""
        with self.lock:
            key = (sizes["B"], rung(sizes["F"]))
            known = self.graphs.get(key)
            if known is None or (known.done() and known.exception()):
                self.graphs[key] = self.pool.submit(self.make, _sizes(*key, self.columns))
                if len(self.graphs) > RUNGS_KEPT:
                    self.graphs.popitem(last=False)
            self.graphs.move_to_end(key)
            return self.graphs[key]

    def __call__(self, sizes: Sizes) -> Run:
        """The graph for these sizes."""
        return self.begin(sizes).result()


def _sizes(batch: int, length: int, columns: int) -> Sizes:
    """What the templates' dimensions come to."""
    return {"B": batch, "T": length, "F": length, "2F": 2 * length, "N": length * columns + 1}


def _fit(array: NDArray[Any], shape: list[Any]) -> NDArray[Any]:
    """Zeros behind, up to a shape."""
    if list(array.shape) == shape:
        return array
    made = np.zeros(shape, array.dtype)
    made[tuple(slice(size) for size in array.shape)] = array
    return made


class Graphs:
    """Opens the parts of a checkpoint, each in the background: from the cache, or compiled and kept there."""

    def __init__(self, checkpoint: Checkpoint, plan: runtime.Plan) -> None:
        self.checkpoint, self.plan = checkpoint, plan
        self.config = KokoroConfig.from_hexgrad(checkpoint.config)
        self.columns = 2 * self.config.generator.columns_per_half_frame
        self.pool = ThreadPoolExecutor(WORKERS, "sonant-compile")
        self.keeper = ThreadPoolExecutor(1, "sonant-keep")
        self.ladder: Ladder | None = None

    def __call__(self, part: Part, template: Template, tensors: Mapping[str, Tensor]) -> Run:
        """The part as open_graphs wants it."""
        own, bind = ports(part, self.config), partial(self._bound, cache(template), tensors)
        if part == "decoder":
            self.ladder = Ladder(self.rungs(tensors, bind), self.pool, self.columns)
            return Padded(own, rung, self.ladder, self.columns)
        # durations and pitch stay exact: they decide what is said when
        exact = self.plan.properties | {"INFERENCE_PRECISION_HINT": "f32"}
        opened = partial(self._opened, f"kokoro-{part}", exact, lambda: runtime.compile_model(bind({}), exact))
        only = self.pool.submit(opened)
        up = self._text_length if part == "text" else partial(_multiple, PROSODY_GRID)
        return Padded(own, up, lambda _: only.result(), self.columns)

    def expect(self, batch: int, frames: int) -> None:
        """There will be so much to decode: its rung is opened while prosody is made."""
        if self.ladder is not None:
            self.ladder.begin({"B": batch, "F": frames})

    def _bound(self, template: Template, tensors: Mapping[str, Tensor], sizes: Sizes) -> runtime.Bound:
        """A part's graph over the checkpoint, static where sizes are given."""
        built = template()
        bound = runtime.read(built, tensors, self.checkpoint.id)
        if sizes:
            dims = {row.name: row.type.tensor_type.shape.dim for row in built.graph.input}
            bound.model.reshape(
                {name: [sizes[d.dim_param] if d.dim_param else d.dim_value for d in row] for name, row in dims.items()}
            )
        return bound

    def _text_length(self, symbols: int) -> int:
        return min(_multiple(TEXT_GRID, symbols), self.config.max_tokens)

    def rungs(self, tensors: Mapping[str, Tensor], bind: Callable[[Sizes], runtime.Bound]) -> Callable[[Sizes], Run]:
        """What opens the decoder for a rung."""
        rounded = ranges.load(tensors, self.checkpoint.id) if self.plan.dtype == "int8" else {}
        name = f"kokoro-decoder-{self.plan.dtype}"

        def make(sizes: Sizes) -> Graph:
            def compiled() -> runtime.Compiled:
                bound = bind(sizes)
                if rounded:
                    narrow(bound.model, tensors, rounded)
                if self.plan.activations == "bfloat16":
                    halve(bound.model)
                return runtime.compile_model(bound, self.plan.properties)

            levels = [(key, one.low, one.high, one.channels.tobytes()) for key, one in sorted(rounded.items())]
            facts = sorted(sizes.items()), levels
            return self._opened(name, self.plan.properties, compiled, facts, BLOBS_KEPT)

        return make

    def _opened(
        self,
        name: str,
        properties: Mapping[str, Any],
        compiled: Callable[[], runtime.Compiled],
        facts: tuple[object, ...] = (),
        kept: int = 0,
    ) -> Graph:
        """A part from the cache, where it has this name; or compiled, and kept there while the caller goes on."""
        facts = (self.checkpoint.config, *facts)
        blob = Blob(name, self.checkpoint.weights, properties, (*MAKERS, __name__), facts, kept)
        found = blob.load()
        if found is None:
            found = compiled()
            self.keeper.submit(blob.keep, found)
        return Graph(found)
