"""int8 twins of a checkpoint's matrices: made once, kept in the cache, mapped like the checkpoint itself.

Symmetric, one scale per output row: w ~ int8 * scale with scale = max|row| / 127 (weights only; activations keep their
type). Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"
(2018), section 2.1, without a zero point.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from sonant.engines.binder import INT8, SCALE, parameters
from sonant.errors import OutputError
from sonant.weights import cache
from sonant.weights.tensors import Tensor, of_array, read_file, to_float32, write_file

__all__ = ["forget", "matrices", "rows_to_int8", "with_int8"]

log = logging.getLogger(__name__)

METHOD = "rows-symmetric-1"  # part of the cache key: another method makes another file
LARGEST = 127
FILE = "int8.safetensors"


def matrices(templates: Iterable[ModelProto]) -> list[str]:
    """Keys of the parameters that are only ever transposed and multiplied, so that int8 pays."""
    keys: set[str] = set()
    for template in templates:
        waiting = parameters(template)
        keys |= {
            node.input[0] for node in template.graph.node if node.op_type == "Transpose" and node.input[0] in waiting
        }
    return sorted(keys)


def with_int8(stored: Mapping[str, Tensor], keys: Iterable[str], files: Iterable[Path]) -> dict[str, Tensor]:
    """The tensors of a checkpoint and the int8 twins of the matrices ``keys``.

    Args:
        stored: canonical keys.
        keys: matrices (out, in) to quantise.
        files: the checkpoint's files; path, size and time of change are the name of the twin in the cache.
    """
    wanted = sorted(keys)
    name = _digest(files, wanted)
    folder = cache.folder() / "int8" / name
    made: Iterable[Tensor]
    try:
        with cache.locked(f"int8-{name}"):
            if not (folder / FILE).is_file():
                with cache.published(folder) as staging:
                    write_file(staging / FILE, _twins(stored, wanted))
        made = read_file(folder / FILE)
    except OutputError as error:
        log.warning("int8 weights can't be cached, so they are made anew each time: %s", error)
        made = [of_array(tensor.key, tensor.read()) for tensor in _twins(stored, wanted)]
    return {**stored, **{tensor.key: tensor for tensor in made}}


def forget(keys: Iterable[str], files: Iterable[Path]) -> None:
    """Remove what ``with_int8`` cached for these matrices and files; a process that has it mapped keeps its pages."""
    name = _digest(files, sorted(keys))
    with cache.locked(f"int8-{name}"):
        shutil.rmtree(cache.folder() / "int8" / name, ignore_errors=True)


def rows_to_int8(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(out, in) float32 -> int8 of that shape, and the scale of each row (out,); a row of zeros has scale 1."""
    scale = np.abs(matrix).max(1) / LARGEST
    scale[scale == 0] = 1
    return np.rint(matrix / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def _twins(stored: Mapping[str, Tensor], keys: list[str]) -> Iterator[Tensor]:
    """Tensors that compute themselves when they are read."""
    for key in keys:
        source = stored[key]

        def numbers(part: int, source: Tensor = source) -> NDArray[Any]:
            return rows_to_int8(to_float32(source))[part]

        yield Tensor(key + INT8, "I8", source.shape, lambda numbers=numbers: numbers(0))  # type: ignore[misc]
        yield Tensor(key + SCALE, "F32", source.shape[:1], lambda numbers=numbers: numbers(1))  # type: ignore[misc]


def _digest(files: Iterable[Path], keys: list[str]) -> str:
    """Name of the twin: changes when the method, the keys or a file change."""
    facts: list[Any] = [METHOD, keys]
    for file in files:
        state = file.stat()
        facts.append([str(file.resolve()), state.st_size, state.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
