"""The ``Ctc`` protocol over graphs, whatever runs them: picks the graph a call needs, fills its inputs.

Rows of a batch are heard one by one: a few seconds of sound fill a CPU already, padding costs its time and would need
graphs of its own that pack all weights once more, and a row says what it says alone, whatever else is in the batch.
What a row goes through:

1. the feature encoder, in pieces of fixed length;
2. the positional convolution, in pieces of fixed length;
3. the layers and a head, over all of its frames. These graphs are compiled when they are first needed: with or without
   languages, for each set of layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from sonant.engines import pages, quantize
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.models.wav2vec2.adapters import AdapterCache
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.fold import FirstNorm, folded_adapter, folded_position
from sonant.models.wav2vec2.graph import classifier, front, position, recogniser, shapes
from sonant.models.wav2vec2.names import canonical
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["GraphCtc", "Run", "stored_tensors", "template"]

Run = Callable[[Mapping[str, NDArray[Any]]], list[NDArray[Any]]]
Make = Callable[[str, tuple[int, ...] | None], Run]
UNUSED = {  # only training reads them
    "wav2vec2.masked_spec_embed",
    "quantizer.codevectors",
    *(f"{layer}.{part}" for layer in ("project_hid", "project_q") for part in ("weight", "bias")),
}
PIECE_FRAMES = 50  # a second heard at a time by the feature encoder
POSITION_FRAMES = 100  # places of the positional convolution made at a time
KIND_OF_HEAD = {"ctc": "log_probs", "classifier": "classes", "pretraining": "states", "none": "states"}


class GraphCtc:
    """Parts of one checkpoint; ``make`` makes a callable of a kind of graph (``template``) over ``stored``.

    Args:
        checkpoint: of a wav2vec 2.0.
        stored: its tensors.
        make: from a kind, and the layers whose states it gives, to what runs it.
        description: engine, device and dtype.
        whole: give the positional convolution an utterance at a time, because nothing is compiled for a length.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        stored: Mapping[str, Tensor],
        make: Make,
        description: str,
        *,
        whole: bool = False,
    ) -> None:
        self.config = Wav2Vec2Config.from_hf(checkpoint.config)
        self.adapters = (
            AdapterCache(checkpoint.folder, self.config, folded_adapter) if self.config.adapter_attn_dim else None
        )
        self.first_norm = FirstNorm(self.config, stored) if self.config.feat_extract_norm == "group" else None
        self.make, self.description, self.whole = make, description, whole
        self._graphs: dict[tuple[str, tuple[int, ...] | None], Run] = {}
        self._lock = Lock()

    def log_probs(
        self,
        waveforms: NDArray[np.float32],
        lengths: NDArray[np.int64],
        languages: Sequence[str] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        self.config.need("ctc")
        rows = []
        for place, samples in enumerate(self._rows(waveforms, lengths)):
            own = {} if languages is None else self._language_feeds(languages[place])
            kind = "log_probs" if languages is None else "languages"
            rows.append(self._graph(kind)({"hidden": self._hidden(samples)} | own)[0])
        return _joined(rows, -np.inf)

    def classify(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """See ``engines.base.Ctc``."""
        self.config.need("classifier")
        rows = self._rows(waveforms, lengths)
        return np.concatenate([self._graph("classes")({"hidden": self._hidden(samples)})[0] for samples in rows])

    def units(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        self.config.need("pretraining")
        return _joined([self._front(samples)[1] for samples in self._rows(waveforms, lengths)], 0)

    def hidden_states(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64], layers: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``."""
        wrong = [layer for layer in layers if not 0 <= layer <= self.config.num_hidden_layers]
        if wrong:
            raise BadInput(f"layer {wrong[0]} is out of range; allowed: 0 to {self.config.num_hidden_layers}")
        once = tuple(sorted(set(layers)))
        rows = [
            dict(zip(once, self._graph("states", once)({"hidden": self._hidden(samples)}), strict=True))
            for samples in self._rows(waveforms, lengths)
        ]
        joined = [_joined([row[layer] for row in rows], 0.0) for layer in layers]
        return np.stack([states for states, _ in joined]), joined[0][1]

    def _rows(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """(n,) samples of each row, without its padding."""
        if waveforms.ndim != 2 or len(waveforms) != len(lengths) or lengths.max(initial=0) > waveforms.shape[1]:
            raise BadInput(f"waveforms {waveforms.shape} and lengths {lengths.tolist()} do not fit together")
        if lengths.min(initial=self.config.receptive_field) < self.config.receptive_field:
            least = self.config.receptive_field
            raise BadInput(f"an utterance of {lengths.min()} samples is shorter than one frame of {least}")
        for samples, length in zip(waveforms, lengths.tolist(), strict=True):
            yield samples[:length]

    def _hidden(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the first layer takes (1, F, D), of (n,) samples: projected features and their positions.

        The positional convolution hears pieces of fixed length, because OpenVINO makes code for every length that it
        sees, 25 MB each time in MMS; it looks ``kernel`` // 2 frames to the left and the rest to the right.
        """
        hidden = self._front(samples)[0]
        convolve, kernel, count = self._graph("position"), self.config.num_conv_pos_embeddings, hidden.shape[1]
        length = count if self.whole else POSITION_FRAMES
        surplus = -count % length  # the last piece is filled with zeros
        wide = np.pad(hidden, ((0, 0), (kernel // 2, kernel - 1 - kernel // 2 + surplus), (0, 0)))
        for start in range(0, count, length):
            piece = np.ascontiguousarray(wide[:, start : start + length + kernel - 1])
            stop = min(start + length, count)
            hidden[:, start:stop] += convolve({"hidden": piece})[0][:, : stop - start]
        return hidden

    def _front(self, samples: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Outputs of the feature encoder's graph for (n,) samples; its pieces joined along the frames."""
        hop, field = self.config.samples_per_frame, self.config.receptive_field
        own = self.first_norm.of(samples) if self.first_norm else {}
        count, run, pieces = self.config.frames(len(samples)), self._graph("front"), []
        for start in range(0, count, PIECE_FRAMES):
            piece = np.zeros((1, (PIECE_FRAMES - 1) * hop + field), np.float32)
            heard = samples[start * hop :][: piece.shape[1]]
            piece[0, : len(heard)] = heard
            pieces.append([made[:, : count - start] for made in run({"waveforms": piece} | own)])
        return [np.concatenate(parts, 1) for parts in zip(*pieces, strict=True)]

    def _language_feeds(self, language: str) -> dict[str, NDArray[Any]]:
        """Adapter and head of a language."""
        if self.adapters is None:
            raise BadInput("this checkpoint has no language adapters; leave the language out")
        adapter = self.adapters.get(language)
        return adapter.parts | {"head_weight": adapter.head_weight, "head_bias": adapter.head_bias}

    def _graph(self, kind: str, states: tuple[int, ...] | None = None) -> Run:
        """The compiled graph of a kind, made the first time."""
        with self._lock:
            if (kind, states) not in self._graphs:
                self._graphs[kind, states] = self.make(kind, states)
            return self._graphs[kind, states]


def template(config: Wav2Vec2Config, kind: str, states: tuple[int, ...] | None = None) -> ModelProto:
    """The graph of a kind: "front", "position"; over their sum "log_probs", "languages", "states", "classes"."""
    if kind == "front":
        return front(config, PIECE_FRAMES)
    if kind == "position":
        return position(config, POSITION_FRAMES)
    if kind == "classes":
        return classifier(config)
    return recogniser(config, languages=kind == "languages", states=states)


def _joined(rows: Sequence[NDArray[Any]], filler: float) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Rows (1, f, v) in one array (B, F, V), and the frames of each."""
    frames = np.array([row.shape[1] for row in rows])
    joined = np.full((len(rows), frames.max(), max(row.shape[2] for row in rows)), filler, rows[0].dtype)
    for place, row in enumerate(rows):
        joined[place, : row.shape[1], : row.shape[2]] = row[0]
    return joined, frames


def stored_tensors(checkpoint: Checkpoint, dtype: str) -> dict[str, Tensor]:
    """A checkpoint's tensors by canonical key, int8 twins of the matrices among them where ``dtype`` asks for them.

    Raises:
        UnsupportedCheckpoint: a key is missing, or one that the network doesn't have; names it.
    """
    stored = pages.tensors_of(checkpoint.weights, canonical)
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
    graphs = [template(config, "front"), template(config, KIND_OF_HEAD[config.head], last)]
    matrices = [key for key in quantize.matrices(graphs) if not key.startswith("quantizer.")]  # its units stay exact
    return quantize.with_int8(stored, matrices, checkpoint.weights)
