"""What the graph engines of Whisper share: the tensors of a checkpoint, the graphs for a dtype, lookups, masks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonant.engines import pages
from sonant.engines.seq2seq_checks import EMBEDDING, canonical, tied_output
from sonant.models.whisper.config import WhisperConfig
from sonant.models.whisper.names import shapes
from sonant.weights import importers
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Embedder", "Source", "causal_mask", "cross_shapes", "names", "stored"]

POSITIONS = "model.decoder.embed_positions.weight"


class Embedder:
    """Token and position embeddings from the checkpoint's own pages: few rows of 50,000, so no runtime holds them."""

    def __init__(self, stored: Mapping[str, Tensor], config: WhisperConfig) -> None:
        tables = [stored[EMBEDDING], stored[POSITIONS]]
        self.kinds = [table.dtype for table in tables]
        # as plain arrays: a memory map makes a new one of itself for every look
        self.tokens, self.positions = (np.asarray(table.read()) for table in tables)
        self.scale = np.float32(math.sqrt(config.d_model) if config.scale_embedding else 1)

    def __call__(self, tokens: NDArray[np.int64], past: int) -> NDArray[np.float32]:
        """(R, L) tokens after ``past`` others -> (R, L, D)."""
        words = _float32(np.take(self.tokens, tokens, axis=0), self.kinds[0])
        if self.scale != 1:
            words *= self.scale
        words += _float32(self.positions[past : past + tokens.shape[1]], self.kinds[1])
        return words


class Source:
    """A checkpoint, checked, from which a runtime takes what it needs.

    Args:
        checkpoint: of a Whisper.
        cross_dtype: dtype of the cross-attention keys and values, "float32" or "bfloat16".

    Attributes:
        config: sizes.
        embed: looks tokens up.

    Raises:
        ModelFileMissing: a file isn't there.
        CorruptFile: a header is wrong.
        UnsupportedCheckpoint: a key is missing, surplus or of another shape.
    """

    def __init__(self, checkpoint: Checkpoint, cross_dtype: str) -> None:
        self.config = WhisperConfig.from_hf(checkpoint.config)
        self.id, self.files, self.cross_dtype = checkpoint.id, checkpoint.weights, cross_dtype
        self.tensors = stored(checkpoint, self.config)
        self.embed = Embedder(self.tensors, self.config)

    def template(self, part: str, head_groups: int = 0) -> ModelProto:
        """The graph of the "encoder" (see there for ``head_groups``) or "decoder"."""
        # imported here and below, because a model that opens from its compiled blob needs no graphs and no onnx
        from sonant.models.whisper import graph

        if part == "encoder":
            return graph.encoder(self.config, 1, self.cross_dtype, head_groups)
        return graph.decoder(self.config, "B", self.cross_dtype)

    def with_int8(self, template: ModelProto) -> dict[str, Tensor]:
        """The tensors, those that the template multiplies with as int8 too."""
        from sonant.engines import quantize

        return quantize.with_int8(self.tensors, quantize.matrices([template]), self.files)

    def forget_int8(self, template: ModelProto) -> None:
        """Remove the int8 twins from the cache, once a runtime has kept them in its own form."""
        from sonant.engines import quantize

        quantize.forget(quantize.matrices([template]), self.files)


def stored(checkpoint: Checkpoint, config: WhisperConfig) -> dict[str, Tensor]:
    """The tensors of a Whisper checkpoint by canonical key, checked to be those of the network, no more and no less.

    Raises:
        ModelFileMissing: a file isn't there.
        CorruptFile: a header is wrong.
        UnsupportedCheckpoint: a key is missing, surplus or of another shape.
    """
    found = pages.tensors_of(checkpoint.weights, canonical)
    for key in tied_output(config, found, lambda a, b: np.array_equal(found[canonical(a)].read(), found[b].read())):
        del found[key]
    importers.check({key: tensor.shape for key, tensor in found.items()}, shapes(asdict(config)), checkpoint.id)
    return found


def cross_shapes(config: WhisperConfig, windows: int) -> list[tuple[int, ...]]:
    """Shapes of what the encoder graph gives: keys and values (B, H, F, E) of each layer in turn."""
    shape = (windows, config.decoder_attention_heads, config.max_source_positions, config.head_size)
    return [shape] * (2 * config.decoder_layers)


def causal_mask(past: int, length: int) -> NDArray[np.float32]:
    """(L, P + L): 0 where a token may look, -inf after it."""
    mask = np.zeros((length, past + length), np.float32)
    if length > 1:
        mask[:, past:][np.triu_indices(length, 1)] = -np.inf
    return mask


def names(what: str, config: WhisperConfig) -> list[str]:
    """``what``_key_0, ``what``_value_0, ``what``_key_1, ..."""
    return [f"{what}_{kind}_{layer}" for layer in range(config.decoder_layers) for kind in ("key", "value")]


def _float32(rows: NDArray[Any], kind: str) -> NDArray[np.float32]:
    """Rows of a stored table as float32; bfloat16 comes as its bits, the upper halves of float32."""
    if kind == "BF16":
        return (rows.astype(np.uint32) << 16).view(np.float32)
    return rows.astype(np.float32, copy=False)
