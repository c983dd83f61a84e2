"""Foreign weight files into one canonical safetensors file: chosen by content, checked key by key and shape by shape.

Every source ends as the same thing: a list of tensors under canonical keys, a config, and the check that the
network these describe has exactly these keys. Float types stay as they are; integers become float32.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonant.errors import UnsupportedCheckpoint
from sonant.weights import ctranslate2_file, torch_archive
from sonant.weights.tensors import Tensor, read_file, to_float32

__all__ = [
    "TIED_OUTPUT",
    "Imported",
    "check",
    "huggingface_bin",
    "kokoro_onnx",
    "kokoro_pth",
    "kokoro_safetensors",
    "names",
    "whisper_ctranslate2",
    "whisper_openai",
]

TIED_OUTPUT = "proj_out.weight"  # Whisper's output projection is its token embedding; some files hold it twice

_FAMILIES = ("kokoro", "whisper", "wav2vec2")
_IDENTITY_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Imported:
    """A checkpoint in canonical spelling, its numbers not yet read.

    Attributes:
        family: "kokoro", "whisper" or "wav2vec2".
        tensors: under canonical keys.
        config: what goes into config.json.
    """

    family: str
    tensors: tuple[Tensor, ...]
    config: dict[str, Any]


def names(family: str) -> Any:
    """The key tables of a family. Models stand above weights, so the module is named, not imported."""
    if family not in _FAMILIES:
        raise UnsupportedCheckpoint(f"family {family!r} is none of {', '.join(_FAMILIES)}")
    return importlib.import_module(f"sonant.models.{family}.names")


def check(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], origin: str) -> None:
    """Compare keys and shapes of a checkpoint with what its network has.

    Raises:
        UnsupportedCheckpoint: names the first key or shape that differs, and how many do.
    """
    if missing := sorted(set(expected) - set(found)):
        raise UnsupportedCheckpoint(f"{origin} lacks {len(missing)} tensor(s) of the network, first {missing[0]!r}")
    if extra := sorted(set(found) - set(expected)):
        raise UnsupportedCheckpoint(f"{origin} has {len(extra)} tensor(s) that the network lacks, first {extra[0]!r}")
    if wrong := sorted(key for key in expected if tuple(found[key]) != tuple(expected[key])):
        key = wrong[0]
        raise UnsupportedCheckpoint(
            f"{origin}: {key!r} has shape {list(found[key])}, the network {list(expected[key])} ({len(wrong)} differ)"
        )


def whisper_ctranslate2(path: Path) -> Imported:
    """Read a CTranslate2 ``model.bin`` of Whisper.

    Raises:
        UnsupportedCheckpoint: another model, or a variable that Whisper doesn't have.
        CorruptFile: the file is damaged.
    """
    table = names("whisper")
    model = ctranslate2_file.read(path)
    if model.spec != "WhisperSpec":
        raise UnsupportedCheckpoint(f"{path} holds a {model.spec}; of CTranslate2's models sonant reads Whisper")
    tensors: list[Tensor] = []
    for name, tensor in ctranslate2_file.dequantised(model.tensors).items():
        for part in table.from_ctranslate2(name):
            rows, rest = divmod(tensor.shape[0] if tensor.shape else 0, part.count)
            if rest or not rows:
                raise UnsupportedCheckpoint(f"{path}: {name!r} {list(tensor.shape)} doesn't hold {part.count} blocks")
            piece = tensor.rows(part.key, part.index * rows, (part.index + 1) * rows)
            if part.key:
                tensors.append(piece)
            elif np.any(piece.read()):
                raise UnsupportedCheckpoint(f"{path}: {name!r} has a key bias other than zero; Whisper's key has none")
    return whisper(tensors, str(path))


def whisper(tensors: Iterable[Tensor], origin: str, config: dict[str, Any] | None = None) -> Imported:
    """Check Whisper's tensors; the config is read off their shapes where the source has none."""
    table, rows = names("whisper"), tuple(tensors)
    shapes = {tensor.key: tensor.shape for tensor in rows}
    settings = config or table.config(shapes)
    check(shapes, table.shapes(settings), origin)
    return Imported("whisper", rows, settings)


def kokoro_onnx(path: Path, config: dict[str, Any]) -> Imported:
    """Read a kokoro-onnx file (int8, float16 or float32); ``config`` is hexgrad's, which ONNX files don't carry."""
    from sonant.weights import onnx_kokoro  # loads onnx: only where such a file is read

    return kokoro(onnx_kokoro.read(path), config, str(path))


def kokoro(tensors: Iterable[Tensor], config: dict[str, Any], origin: str) -> Imported:
    """Check Kokoro's tensors; drop what takes no part in speech, refusing an InstanceNorm that isn't the identity."""
    table, rows = names("kokoro"), []
    for tensor in tensors:
        if table.is_identity_norm(tensor.key):
            _need_identity(tensor, origin)
        elif not table.is_unused(tensor.key):
            rows.append(tensor)
    check({tensor.key: tensor.shape for tensor in rows}, table.shapes(config), origin)
    return Imported("kokoro", tuple(rows), config)


def _need_identity(tensor: Tensor, origin: str) -> None:
    target = 1.0 if tensor.key.endswith(".weight") else 0.0
    if np.abs(to_float32(tensor) - target).max() > _IDENTITY_TOLERANCE:
        raise UnsupportedCheckpoint(f"{origin}: {tensor.key!r} is not {target}; Kokoro's norms have no affine part")


def whisper_openai(path: Path) -> Imported:
    """Read an OpenAI ``.pt``: {"dims": sizes, "model_state_dict": tensors}, or such a state dict alone."""
    table, tree = names("whisper"), torch_archive.load(path)
    if not isinstance(tree, dict):
        raise UnsupportedCheckpoint(f"{path} holds a {type(tree).__name__}, no state dict")
    tensors = [t.renamed(table.from_openai(t.key)) for t in torch_archive.flatten(tree.get("model_state_dict", tree))]
    shapes = {tensor.key: tensor.shape for tensor in tensors}
    config = table.openai_config(tree["dims"], shapes) if "dims" in tree else table.config(shapes)
    return whisper(tensors, str(path), config)


def kokoro_pth(path: Path, config: dict[str, Any]) -> Imported:
    """Read hexgrad's nested ``.pth``: a state dict a part of the network."""
    table, tree = names("kokoro"), torch_archive.load(path)
    if not isinstance(tree, dict):
        raise UnsupportedCheckpoint(f"{path} holds a {type(tree).__name__}, no state dicts")
    tensors = [
        tensor.renamed(table.canonical(str(part), tensor.key))
        for part, state in tree.items()
        for tensor in torch_archive.flatten(state)
    ]
    return kokoro(tensors, config, str(path))


def kokoro_safetensors(path: Path, config: dict[str, Any]) -> Imported:
    """Read Kokoro's safetensors in canonical or MLX spelling; convolutions that MLX turned around are turned back.

    MLX keeps a convolution (out, kernel, in) where torch has (out, in, kernel).
    """
    table = names("kokoro")
    expected = table.shapes(config)
    tensors = [tensor.renamed(table.from_mlx(tensor.key)) for tensor in read_file(path)]
    kernels = [t for t in tensors if len(t.shape) == 3 and t.key.endswith((".weight_v", ".weight"))]
    turned = {t.key for t in kernels if t.shape != expected.get(t.key, t.shape)}
    if turned:  # as many inputs as taps look the same both ways: such a kernel is turned where the others are
        turned |= {t.key for t in kernels if t.key.endswith(".weight_v") and t.shape[1] == t.shape[2]}
    return kokoro([_turned(t) if t.key in turned else t for t in tensors], config, str(path))


def _turned(tensor: Tensor) -> Tensor:
    a, b, c = tensor.shape
    return Tensor(tensor.key, tensor.dtype, (a, c, b), lambda: tensor.read().transpose(0, 2, 1))


def huggingface_bin(path: Path, config: dict[str, Any]) -> Imported:
    """Read a ``pytorch_model.bin`` in Hugging Face spelling (Whisper or wav2vec 2.0)."""
    tensors = list(torch_archive.flatten(torch_archive.load(path)))
    if config.get("model_type") == "whisper":
        return whisper([t for t in tensors if t.key != TIED_OUTPUT], str(path), config)
    return Imported("wav2vec2", tuple(tensors), config)
