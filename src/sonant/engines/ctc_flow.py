"""The ``Ctc`` protocol over graphs, whatever runs them: picks the graph a call needs, fills its inputs.

Graphs are compiled when they are first needed: with or without padding, with or without languages, for each set of
layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from sonant.engines import binder, quantize
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.models.wav2vec2.adapters import AdapterCache, stack
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.fold import folded_position
from sonant.models.wav2vec2.graph import Form, classifier, position, projected, quantiser, recogniser, shapes
from sonant.models.wav2vec2.names import canonical
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["GraphCtc", "Run", "stored_tensors", "template"]

Run = Callable[[Mapping[str, NDArray[Any]]], list[NDArray[Any]]]
UNUSED = {  # only training reads them
    "wav2vec2.masked_spec_embed",
    "quantizer.codevectors",
    *(f"{layer}.{part}" for layer in ("project_hid", "project_q") for part in ("weight", "bias")),
}
LARGE = 500_000_000  # parameters from which a second packed copy of a network is too much
PIECE_FRAMES = 25  # half a second heard at a time by the feature encoder of a large network
POSITION_FRAMES = 100  # places of the positional convolution made at a time
ROUND_FRAMES = 32  # padded batches have a whole number of these
KIND_OF_HEAD = {"ctc": "log_probs", "classifier": "classes", "pretraining": "states", "none": "states"}


class GraphCtc:
    """Graphs of one checkpoint; ``compile_graph`` makes a callable of a template."""

    def __init__(self, checkpoint: Checkpoint, compile_graph: Callable[[ModelProto], Run], description: str) -> None:
        self.config = Wav2Vec2Config.from_hf(checkpoint.config)
        self.adapters = AdapterCache(checkpoint.folder, self.config) if self.config.adapter_attn_dim else None
        self.compile_graph, self.description = compile_graph, description
        self._graphs: dict[tuple[str, bool, tuple[int, ...] | None], Run] = {}
        self._lock = Lock()

    def log_probs(
        self,
        waveforms: NDArray[np.float32],
        lengths: NDArray[np.int64],
        languages: Sequence[str] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        self.config.need("ctc")
        if self.config.parameters > LARGE and len(lengths) > 1:
            return self._row_by_row(waveforms, lengths, languages)
        feeds, frames = self._feeds(waveforms, lengths)
        own = {} if languages is None else self._language_feeds(languages)
        (found,) = self._run("log_probs" if languages is None else "languages", feeds, own)
        return found[:, : frames.max()], frames

    def classify(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """See ``engines.base.Ctc``."""
        self.config.need("classifier")
        feeds, _ = self._feeds(waveforms, lengths)
        (found,) = self._run("classes", feeds)
        return np.asarray(found)

    def units(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        self.config.need("pretraining")
        feeds, frames = self._feeds(waveforms, lengths)
        (found,) = self._graph("units", "lengths" in feeds)(feeds)
        return found[:, : frames.max()], frames

    def hidden_states(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64], layers: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        wrong = [layer for layer in layers if not 0 <= layer <= self.config.num_hidden_layers]
        if wrong:
            raise BadInput(f"layer {wrong[0]} is out of range; allowed: 0 to {self.config.num_hidden_layers}")
        feeds, frames = self._feeds(waveforms, lengths)
        once = tuple(sorted(set(layers)))
        states = dict(zip(once, self._run("states", feeds, states=once), strict=True))
        return np.stack([states[layer][:, : frames.max()] for layer in layers]), frames

    def _run(
        self,
        kind: str,
        feeds: dict[str, NDArray[Any]],
        own: dict[str, NDArray[Any]] | None = None,
        states: tuple[int, ...] | None = None,
    ) -> list[NDArray[Any]]:
        """Outputs of a kind of graph: of the whole one where there is padding, else of the layers over ``_hidden``."""
        if "lengths" in feeds:
            return self._graph(kind, True, states)(feeds | (own or {}))
        hidden = self._hidden(feeds["waveforms"])
        return self._graph(f"{kind} of hidden", False, states)({"hidden": hidden} | (own or {}))

    def _row_by_row(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64], languages: Sequence[str] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """``log_probs`` of a large network: padding would need a graph of its own, which packs all weights once more, a
        gigabyte for MMS; and one row of it fills the CPU.
        """
        rows = [
            self.log_probs(waveforms[row : row + 1, :length], lengths[row : row + 1], languages and [languages[row]])
            for row, length in enumerate(lengths.tolist())
        ]
        frames = np.concatenate([counts for _, counts in rows])
        symbols = max(found.shape[2] for found, _ in rows)
        joined = np.full((len(rows), int(frames.max()), symbols), -np.inf, np.float32)
        for place, (found, _) in enumerate(rows):
            joined[place, : found.shape[1], : found.shape[2]] = found[0]
        return joined, frames

    def _hidden(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the first layer takes (B, F, D), of samples (B, n): projected features and their positions.

        The positional convolution hears pieces of fixed length, because OpenVINO makes code for every length that it
        sees, 25 MB each time in MMS; it looks ``kernel`` // 2 frames to the left and the rest to the right. In a large
        network the feature encoder hears pieces too, where it doesn't look across time (group norm does): its first
        convolutions hold 15 MB for each second.
        """
        count, front = self.config.frames(samples.shape[1]), self._graph("projected", False)
        whole = self.config.parameters <= LARGE or self.config.feat_extract_norm == "group"
        hidden = front({"waveforms": samples})[0] if whole else self._front_in_pieces(samples, count, front)
        convolve, kernel = self._graph("position", False), self.config.num_conv_pos_embeddings
        surplus = -count % POSITION_FRAMES  # the last piece is filled with zeros
        wide = np.pad(hidden, ((0, 0), (kernel // 2, kernel - 1 - kernel // 2 + surplus), (0, 0)))
        for row, start in itertools.product(range(len(hidden)), range(0, count, POSITION_FRAMES)):
            piece = np.ascontiguousarray(wide[row : row + 1, start : start + POSITION_FRAMES + kernel - 1])
            stop = min(start + POSITION_FRAMES, count)
            hidden[row, start:stop] += convolve({"hidden": piece})[0][0, : stop - start]
        return hidden

    def _front_in_pieces(self, samples: NDArray[np.float32], count: int, front: Run) -> NDArray[np.float32]:
        """Projected features (B, count, D), each frame from its own samples alone."""
        hop, field = self.config.samples_per_frame, self.config.receptive_field
        pieces = []
        for start in range(0, count, PIECE_FRAMES):
            stop = min(start + PIECE_FRAMES, count)
            piece = np.ascontiguousarray(samples[:, start * hop : (stop - 1) * hop + field])
            pieces.append(front({"waveforms": piece})[0])
        return np.concatenate(pieces, 1)

    def _feeds(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        """Inputs, the lengths only where there is padding; and the frames of each row."""
        if waveforms.ndim != 2 or len(waveforms) != len(lengths) or lengths.max(initial=0) > waveforms.shape[1]:
            raise BadInput(f"waveforms {waveforms.shape} and lengths {lengths.tolist()} do not fit together")
        if lengths.min(initial=self.config.receptive_field) < self.config.receptive_field:
            least = self.config.receptive_field
            raise BadInput(f"an utterance of {lengths.min()} samples is shorter than one frame of {least}")
        feeds: dict[str, NDArray[Any]] = {"waveforms": np.ascontiguousarray(waveforms, np.float32)}
        if (lengths != waveforms.shape[1]).any():
            step = ROUND_FRAMES * self.config.samples_per_frame  # few lengths, so that few are made code for
            surplus = -(waveforms.shape[1] - self.config.receptive_field) % step
            feeds["waveforms"] = np.pad(feeds["waveforms"], ((0, 0), (0, surplus)))
            feeds["lengths"] = lengths.astype(np.int64)
        return feeds, np.array([self.config.frames(int(length)) for length in lengths])

    def _language_feeds(self, languages: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Adapters and heads of the rows; narrower heads are filled so that they never win."""
        if self.adapters is None:
            raise BadInput("this checkpoint has no language adapters; leave the language out")
        rows = [self.adapters.get(language) for language in languages]
        feeds = {part.replace(".", "_"): values for part, values in stack(rows).items()}
        symbols = max(len(row.head_bias) for row in rows)
        weight = np.zeros((len(rows), symbols, self.config.hidden_size), np.float32)
        bias = np.full((len(rows), symbols), -np.inf, np.float32)
        for index, row in enumerate(rows):
            weight[index, : len(row.head_bias)], bias[index, : len(row.head_bias)] = row.head_weight, row.head_bias
        return feeds | {"head_weight": weight, "head_bias": bias}

    def _graph(self, kind: str, padded: bool, states: tuple[int, ...] | None = None) -> Run:
        """The compiled graph of a kind, made the first time."""
        with self._lock:
            key = (kind, padded, states)
            if key not in self._graphs:
                self._graphs[key] = self.compile_graph(template(self.config, kind, padded, states))
            return self._graphs[key]


def template(
    config: Wav2Vec2Config, kind: str, padded: bool = False, states: tuple[int, ...] | None = None
) -> ModelProto:
    """The graph of a kind: "log_probs", "languages", "states", "classes" (all also "... of hidden"), "units" ..."""
    if kind == "units":
        return quantiser(config, padded=padded)
    if kind == "projected":
        return projected(config)
    if kind == "position":
        return position(config, POSITION_FRAMES)
    form = Form(padded, folded=True, front=not kind.endswith(" of hidden"))
    if kind.startswith("classes"):
        return classifier(config, form=form)
    return recogniser(config, form=form, languages=kind.startswith("languages"), states=states)


def stored_tensors(checkpoint: Checkpoint, dtype: str) -> dict[str, Tensor]:
    """A checkpoint's tensors by canonical key, int8 twins of the matrices among them where ``dtype`` asks for them.

    Raises:
        UnsupportedCheckpoint: a key is missing, or one that the network doesn't have; names it.
    """
    stored = binder.tensors_of(checkpoint.weights, canonical)
    config = Wav2Vec2Config.from_hf(checkpoint.config)
    wanted = shapes(config).keys()
    if missing := wanted - stored.keys():
        raise UnsupportedCheckpoint(f"{checkpoint.id} lacks {len(missing)} parameters of its network: {min(missing)!r}")
    if surplus := stored.keys() - wanted - UNUSED:
        raise UnsupportedCheckpoint(f"{checkpoint.id} has a parameter that its network lacks: {min(surplus)!r}")
    stored |= {tensor.key: tensor for tensor in [folded_position(stored)]}
    if dtype != "int8":
        return stored
    last = (config.num_hidden_layers,) if KIND_OF_HEAD[config.head] == "states" else None
    graph = template(config, KIND_OF_HEAD[config.head], states=last)
    return quantize.with_int8(stored, quantize.matrices([graph]), checkpoint.weights)
