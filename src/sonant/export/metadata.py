"""What an exported graph says about itself, and how it is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, helper

import sonant
from sonant.errors import BadInput, OutputError
from sonant.files import whole_file
from sonant.weights.checkpoint import Checkpoint

__all__ = ["LARGEST_FILE_BYTES", "copy_beside", "describe", "folder_for", "save"]

LARGEST_FILE_BYTES = 2_000_000_000  # protobuf ends at 2 GiB, names and nodes want some of it
PLACE_FOR_NODES_BYTES = 16_000_000


def describe(model: ModelProto, checkpoint: Checkpoint, dtype: str, facts: Mapping[str, Any]) -> None:
    """Fill ``metadata_props``: what the graph is, where it comes from and what its user must know.

    Strings stay strings; everything else becomes JSON.

    Args:
        model: changed in place.
        checkpoint: what was exported.
        dtype: how its parameters are stored.
        facts: of the family and the graph ("part", "symbols", "sample_rate", ...).
    """
    opset = next(row.version for row in model.opset_import if row.domain in ("", "ai.onnx"))
    config = {key: value for key, value in checkpoint.config.items() if key != "vocab"}
    rows: dict[str, Any] = {
        "family": checkpoint.family,
        "model": checkpoint.id,
        "licence": checkpoint.licence or "unknown",
        "dtype": dtype,
        "opset": opset,
        "sonant_version": sonant.__version__,
        "config": config,
        **facts,
    }
    model.producer_name, model.producer_version = "sonant", sonant.__version__
    helper.set_model_props(model, {key: _text(value) for key, value in rows.items()})


def folder_for(out: str | Path) -> Path:
    """The folder to write into, made where it isn't there.

    Raises:
        BadInput: something else has that name.
        OutputError: it can't be made.
    """
    folder = Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is no folder; give another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be made: {error.strerror}") from error
    return folder


def save(model: ModelProto, path: Path, largest_bytes: int = LARGEST_FILE_BYTES) -> list[Path]:
    """Write a graph; where it would outgrow one file, its numbers go into ``path`` + ".data" beside it.

    Returns:
        The files written, the graph first.

    Raises:
        OutputError: the disk is full or the folder can't be written.
        onnx.checker.ValidationError: the graph is no valid ONNX (a fault of ours).
    """
    numbers = sum(len(row.raw_data) for row in model.graph.initializer)
    beside = path.with_name(path.name + ".data")
    if numbers + PLACE_FOR_NODES_BYTES <= largest_bytes:
        onnx.checker.check_model(model)
        with whole_file(path) as file:
            file.write(model.SerializeToString())
        beside.unlink(missing_ok=True)  # of an earlier export that was larger
        return [path]
    with whole_file(beside) as file:
        for row in model.graph.initializer:
            if len(row.raw_data) > 1024:
                _move_out(row, file, beside.name)
    with whole_file(path) as file:
        file.write(model.SerializeToString())
    onnx.checker.check_model(str(path))
    return [path, beside]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _move_out(row: onnx.TensorProto, file: Any, name: str) -> None:
    """Append a tensor's numbers to a file, on a page of its own so that they can be mapped."""
    file.write(b"\0" * (-file.tell() % 4096))
    data = row.raw_data
    places = {"location": name, "offset": str(file.tell()), "length": str(len(data))}
    file.write(data)
    row.ClearField("raw_data")
    row.data_location = onnx.TensorProto.EXTERNAL
    for key, value in places.items():
        row.external_data.add(key=key, value=value)


def copy_beside(folder: Path, source: Path, names: list[str]) -> list[Path]:
    """Copy those of the checkpoint's small files that it has; the copies."""
    made = []
    for name in names:
        if (source / name).is_file() and not _same(source / name, folder / name):
            with (source / name).open("rb") as there, whole_file(folder / name) as here:
                shutil.copyfileobj(there, here)
            made.append(folder / name)
    return made


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
