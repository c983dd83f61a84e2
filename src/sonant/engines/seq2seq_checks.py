"""What every Seq2Seq engine checks before it computes, and how it reads the spelling of a checkpoint's keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from sonant.engines.base import Memory
from sonant.errors import BadInput, UnsupportedCheckpoint
from sonant.models.whisper.config import WhisperConfig

__all__ = ["align", "canonical", "features", "fork", "reorder", "rewind", "step", "tied_output"]

OUTPUT, EMBEDDING = "proj_out.weight", "model.decoder.embed_tokens.weight"


def canonical(key: str) -> str:
    """The key with the prefix ``model.``, which a bare ``WhisperModel`` is saved without."""
    return key if key.startswith(("model.", "proj_out.")) else f"model.{key}"


def tied_output(config: WhisperConfig, keys: Collection[str], equal: Callable[[str, str], bool]) -> set[str]:
    """Keys of the output projection that only repeat the token embedding, and so need no place in the network.

    Args:
        config: says whether the two are tied.
        keys: the keys of the file.
        equal: whether two tensors of the file are equal.

    Raises:
        UnsupportedCheckpoint: they are said to be tied, but differ.
    """
    if not config.tie_word_embeddings or OUTPUT not in keys:
        return set()
    embedding = next((key for key in keys if canonical(key) == EMBEDDING), None)
    if embedding is None or not equal(OUTPUT, embedding):
        raise UnsupportedCheckpoint(
            f"{OUTPUT} differs from {EMBEDDING}, but config.json ties them; set tie_word_embeddings to false there"
        )
    return {OUTPUT}


def features(given: NDArray[np.float32], config: WhisperConfig) -> None:
    """(B, n_mels, T) float32 with B >= 1, and the mels and frames of this checkpoint."""
    wanted = (config.num_mel_bins, config.frames)
    if given.ndim != 3 or given.shape[1:] != wanted or not given.shape[0]:
        raise BadInput(f"features of shape {given.shape}; this model hears (windows, {wanted[0]}, {wanted[1]})")
    if given.dtype != np.float32:
        raise BadInput(f"features are {given.dtype}; allowed: float32")


def fork(memory: Memory, windows: Sequence[int], beams: int) -> None:
    """At least one window, each of them in the memory; at least one beam."""
    if not len(windows) or min(windows) < 0 or max(windows) >= memory.windows:
        raise BadInput(f"windows {list(windows)} can't be had; the memory holds 0 to {memory.windows - 1}")
    if beams < 1:
        raise BadInput(f"{beams} beams; at least 1 is needed")


def step(memory: Memory, tokens: NDArray[np.int64], config: WhisperConfig) -> None:
    """(R, L) int64 inside the vocabulary, with room left in the positions."""
    rows = memory.windows * memory.beams
    if tokens.ndim != 2 or tokens.shape[0] != rows or not tokens.shape[1]:
        raise BadInput(f"tokens of shape {tokens.shape}; this memory takes ({rows}, at least 1)")
    if memory.length + tokens.shape[1] > config.max_target_positions:
        raise BadInput(f"{memory.length} + {tokens.shape[1]} tokens; the decoder holds {config.max_target_positions}")
    _tokens(tokens, config)


def reorder(memory: Memory, rows: NDArray[np.int64]) -> None:
    """(R,) rows, each inside its own window."""
    count = memory.windows * memory.beams
    if rows.shape != (count,) or not np.issubdtype(rows.dtype, np.integer):
        raise BadInput(f"rows {rows.dtype} {rows.shape}; this memory takes ({count},) integers")
    if (rows < 0).any() or (rows // memory.beams != np.arange(count) // memory.beams).any():
        raise BadInput(f"rows {rows.tolist()} leave their window; {memory.beams} beams a window")


def rewind(memory: Memory, length: int) -> None:
    """Back, or not at all."""
    if not 0 <= length <= memory.length:
        raise BadInput(f"can't rewind to {length} tokens; {memory.length} are decoded")


def align(
    memory: Memory,
    window: int,
    tokens: NDArray[np.int64],
    heads: Sequence[tuple[int, int]],
    config: WhisperConfig,
) -> None:
    """A window of the memory, (L,) tokens that fit, heads that the decoder has."""
    if not 0 <= window < memory.windows:
        raise BadInput(f"window {window}; the memory holds 0 to {memory.windows - 1}")
    if tokens.ndim != 1 or not 1 <= len(tokens) <= config.max_target_positions:
        raise BadInput(f"tokens of shape {tokens.shape}; allowed: (1 to {config.max_target_positions},)")
    _tokens(tokens, config)
    layers, count = config.decoder_layers, config.decoder_attention_heads
    if not heads or any(not (0 <= layer < layers and 0 <= head < count) for layer, head in heads):
        raise BadInput(f"heads {list(heads)}; this decoder has {layers} layers of {count} heads")


def _tokens(tokens: NDArray[np.int64], config: WhisperConfig) -> None:
    if tokens.dtype != np.int64:
        raise BadInput(f"tokens are {tokens.dtype}; allowed: int64")
    ids = tokens.ravel().tolist()  # one a step, mostly
    if min(ids) < 0 or max(ids) >= config.vocab_size:
        raise BadInput(f"token {max(ids)} or {min(ids)} is outside the vocabulary of {config.vocab_size}")
