"""Language adapters of MMS: one small file a language, kept in a cache of the last used.

Pratap et al., "Scaling Speech Technology to 1,000+ Languages" (2023), section 4.3. A file ``adapter.LANG.safetensors``
holds, for every layer, the norm and the two linear maps of the bottleneck, and the language's own CTC head.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from sonant.errors import BadInput, CorruptFile, UnknownName, UnsupportedCheckpoint
from sonant.models.wav2vec2.config import Wav2Vec2Config

__all__ = ["Adapter", "AdapterCache", "languages", "read_adapter", "stack"]

PARTS = ("norm.weight", "norm.bias", "linear_1.weight", "linear_1.bias", "linear_2.weight", "linear_2.bias")


@dataclass(frozen=True)
class Adapter:
    """One language. Legend: L layers, A bottleneck width, D hidden size, V symbols; all float32.

    Attributes:
        language: its code.
        parts: by name in ``PARTS``, stacked over layers: (L, D), (L, D), (L, A, D), (L, A), (L, D, A), (L, D); or
            what ``fold.folded_adapter`` makes of them.
        head_weight: (V, D).
        head_bias: (V,).
    """

    language: str
    parts: dict[str, NDArray[np.float32]]
    head_weight: NDArray[np.float32]
    head_bias: NDArray[np.float32]


def languages(folder: Path) -> list[str]:
    """Codes of the adapters that lie in a checkpoint's folder."""
    return sorted(path.name[len("adapter.") : -len(".safetensors")] for path in folder.glob("adapter.*.safetensors"))


def read_adapter(path: Path, config: Wav2Vec2Config) -> Adapter:
    """Read one language's file.

    Raises:
        CorruptFile: it is no safetensors file.
        UnsupportedCheckpoint: it belongs to another model; names the key and both shapes.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  safe_open isn't iterable
    except SafetensorError as error:
        raise CorruptFile(f"{path} is no safetensors file: {error}") from error
    width, hidden, layers = config.adapter_attn_dim, config.hidden_size, config.num_hidden_layers
    shapes = dict(
        zip(PARTS, [(hidden,), (hidden,), (width, hidden), (width,), (hidden, width), (hidden,)], strict=True)
    )
    wanted = {
        f"wav2vec2.encoder.layers.{layer}.adapter_layer.{part}": shape
        for layer in range(layers)
        for part, shape in shapes.items()
    }
    for key, shape in wanted.items():
        found = tensors[key].shape if key in tensors else None
        if found != shape:
            raise UnsupportedCheckpoint(f"{path.name} is an adapter of another model: {key} is {found}, wanted {shape}")
    surplus = tensors.keys() - wanted.keys() - {"lm_head.weight", "lm_head.bias"}
    head = tensors.get("lm_head.weight")
    if surplus or head is None or head.ndim != 2 or head.shape[1] != hidden or "lm_head.bias" not in tensors:
        raise UnsupportedCheckpoint(
            f"{path.name} is an adapter of another model: "
            + (
                f"unknown key {min(surplus)}"
                if surplus
                else f"lm_head.weight is {None if head is None else head.shape}"
            )
        )
    parts = {
        part: np.stack(
            [tensors[f"wav2vec2.encoder.layers.{layer}.adapter_layer.{part}"] for layer in range(layers)]
        ).astype(np.float32)
        for part in PARTS
    }
    name = path.name[len("adapter.") : -len(".safetensors")]
    return Adapter(name, parts, head.astype(np.float32), tensors["lm_head.bias"].astype(np.float32))


class AdapterCache:
    """The last used adapters of a checkpoint; safe to use from several threads."""

    def __init__(
        self, folder: Path, config: Wav2Vec2Config, prepare: Callable[[Adapter], Adapter], size: int = 8
    ) -> None:
        """``size`` adapters are kept as ``prepare`` makes them; one of mms-1b-all takes about 9 MB."""
        if size < 1:
            raise BadInput(f"adapter cache of size {size}; it must hold at least 1")
        self.folder, self.config, self.prepare, self.size = folder, config, prepare, size
        self._kept: OrderedDict[str, Adapter] = OrderedDict()
        self._lock = Lock()

    def get(self, language: str) -> Adapter:
        """The adapter of a language, from memory or its file.

        Raises:
            UnknownName: the checkpoint has none; names the nearest.
        """
        with self._lock:
            if language in self._kept:
                self._kept.move_to_end(language)
                return self._kept[language]
            path = self.folder / f"adapter.{language}.safetensors"
            if not path.is_file():
                raise UnknownName("language", language, languages(self.folder), "`sonant languages` lists all")
            adapter = self.prepare(read_adapter(path, self.config))
            self._kept[language] = adapter
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
            return adapter


def stack(adapters: Sequence[Adapter]) -> dict[str, NDArray[np.float32]]:
    """Parts of several rows' adapters, (L, B, ...) each, in the order of ``PARTS``; those of one row aren't copied."""
    if len(adapters) == 1:
        return {part: adapters[0].parts[part][:, None] for part in PARTS}
    return {part: np.stack([adapter.parts[part] for adapter in adapters], 1) for part in PARTS}
