"""What a resolved model is: a folder on disk in one known layout, whatever it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Checkpoint"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that lies on disk, canonical keys, nothing parsed yet but its config.

    Attributes:
        id: catalog id, or the folder's name.
        family: "whisper", "kokoro" or "wav2vec2".
        folder: where its files lie (tokenizer, voices, adapters are found here).
        weights: safetensors files (shards in order); Hugging Face keys for whisper and wav2vec2, hexgrad's for kokoro,
            flattened with dots ("bert.embeddings.word_embeddings.weight", "decoder.generator.conv_post.weight_v", ...).
        config: the parsed config.json (Hugging Face's for whisper and wav2vec2, hexgrad's for kokoro).
        licence: SPDX id, or "" where unknown.
        catalog: the catalog row as a dict, empty for a folder that the catalog doesn't know.
    """

    id: str
    family: str
    folder: Path
    weights: tuple[Path, ...]
    config: dict[str, Any]
    licence: str = ""
    catalog: dict[str, Any] = field(default_factory=dict)
