"""From a name or a path to a checkpoint on disk. Building a network comes after: nothing is parsed here but configs.

resolve("whisper-base")            catalog id or alias: fetched into the cache once
resolve("./my-whisper-finetune")   a folder of a known family: opened where it lies
resolve("./base.pt")               one foreign file: imported into the cache once, found again by its content
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sonant.errors import CorruptFile, ModelFileMissing, SonantError, UnsupportedCheckpoint
from sonant.weights import cache, catalog, fetch, importers
from sonant.weights.cache import Lock, Progress
from sonant.weights.catalog import Row
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.importers import Imported
from sonant.weights.tensors import read_file

__all__ = ["cache_folder", "cached", "looks_like_path", "offline", "resolve", "verify"]

cache_folder = cache.folder
offline = cache.offline

_INDEX = "model.safetensors.index.json"
_FOREIGN = ("pytorch_model.bin", "model.bin", "*.pth", "*.pt", "*.onnx")  # in folders, in this order
_FAMILY_OF_MODEL_TYPE = {"whisper": "whisper", "wav2vec2": "wav2vec2"}


def resolve(name: str | Path, *, offline: bool | None = None, progress: Progress | None = None) -> Checkpoint:
    """Find a checkpoint, bringing it into the cache where that is needed.

    Args:
        name: catalog id or alias; a folder with config.json of a known family; or one weight file (CTranslate2
            model.bin, OpenAI .pt, hexgrad .pth, kokoro-onnx .onnx, Kokoro .safetensors).
        offline: True never touches the network; None asks ``SONANT_OFFLINE``.
        progress: called with (label, bytes done, bytes in all).

    Raises:
        UnknownName: neither a name nor a path.
        ModelFileMissing: its files can't be had.
        CorruptFile: a file is damaged (says which).
        UnsupportedCheckpoint: a key, shape or model_type that no family of ours has.
    """
    path = Path(name).expanduser()
    if isinstance(name, Path) or path.exists() or looks_like_path(str(name)):
        return _resolve_path(path, progress)
    row = catalog.find(str(name))
    if offline and cache.read_lock(cache.folder() / "models" / row.id) is None:
        raise ModelFileMissing(f"{row.id} has not been fetched; run: sonant models fetch {row.id}")
    folder = fetch.fetch(row, progress)
    return _open_folder(folder, row)


def verify(name: str) -> None:
    """Hash a cached model's files again and compare with its lock file.

    Raises:
        CorruptFile: a file differs or is missing; names it.
        ModelFileMissing: the model isn't cached.
        UnknownName: no such model.
    """
    row = catalog.find(name)
    folder = cache.folder() / "models" / row.id
    lock = cache.read_lock(folder)
    if lock is None:
        raise ModelFileMissing(f"{row.id} has not been fetched; run: sonant models fetch {row.id}")
    for file, expected in lock.files.items():
        path = folder / file
        if not path.is_file():
            raise CorruptFile(f"{path} is missing; remove {folder} and fetch {row.id} again")
        found = cache.sum_of(path)
        if found != expected:
            raise CorruptFile(
                f"{path} has sha256 {found.sha256}, the lock file says {expected.sha256}; "
                f"remove {folder} and fetch {row.id} again"
            )


def cached() -> tuple[str, ...]:
    """Ids of the models that are in the cache and ready."""
    folders = (cache.folder() / "models").glob(f"*/{cache.LOCK_NAME}")
    return tuple(sorted(path.parent.name for path in folders))


def looks_like_path(name: str) -> bool:
    """Whether a name is meant as a path, there or not."""
    known_suffix = Path(name).suffix.lower() in (".pt", ".pth", ".onnx", ".bin", ".safetensors")
    return known_suffix or name.startswith((".", "~", "/")) or (os.sep in name and name.count("/") != 1)


def _resolve_path(path: Path, progress: Progress | None) -> Checkpoint:
    if path.is_dir():
        return _open_folder(path, None, progress)
    if path.is_file():
        return _import_file(path, progress)
    raise ModelFileMissing(
        f"there is no file or folder {path}; give a folder with config.json, a weight file, "
        "or a name that `sonant models list` shows"
    )


def _open_folder(folder: Path, row: Row | None, progress: Progress | None = None) -> Checkpoint:
    """Open a folder where it lies; its foreign weights, where it has only those, go through the cache."""
    config = _config(folder)
    if row is None and "model_type" not in config and (folder / "model.bin").is_file():  # as faster-whisper keeps it
        return _import_file(folder / "model.bin", progress)
    family = _family(config, folder)
    weights = _safetensors(folder)
    if row is None and (not weights or (family == "kokoro" and not _is_canonical_kokoro(weights, config))):
        return _import_from_folder(folder, family, config, weights, progress)
    if not weights:
        raise CorruptFile(f"{folder} has no safetensors file; remove it and fetch the model again")
    if row is None and family == "whisper":
        shapes = {t.key: t.shape for path in weights for t in read_file(path) if t.key != importers.TIED_OUTPUT}
        importers.check(shapes, importers.names("whisper").shapes(config), str(folder))
    return Checkpoint(
        id=row.id if row else folder.resolve().name,
        family=family,
        folder=folder,
        weights=weights,
        config=config,
        licence=row.licence if row else "",
        catalog=dict(row.raw) if row else {},
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnsupportedCheckpoint(f"{folder} has no config.json, so it is no checkpoint folder") from None
    except ValueError as error:
        raise CorruptFile(f"{path} is not JSON ({error})") from error
    if not isinstance(config, dict):
        raise CorruptFile(f"{path} is not a JSON object")
    return config


def _family(config: dict[str, Any], origin: Path) -> str:
    if "istftnet" in config and "plbert" in config:
        return "kokoro"
    model_type = config.get("model_type")
    if model_type in _FAMILY_OF_MODEL_TYPE:
        return _FAMILY_OF_MODEL_TYPE[model_type]
    raise UnsupportedCheckpoint(
        f"{origin} is of model_type {model_type!r}; sonant runs whisper, wav2vec2, and Kokoro (istftnet with plbert)"
    )


def _safetensors(folder: Path) -> tuple[Path, ...]:
    """The weight files of a folder: model.safetensors, an index's shards, or the only safetensors there is."""
    whole = folder / "model.safetensors"
    if whole.is_file():
        return (whole,)
    if (folder / _INDEX).is_file():
        shards = tuple(folder / name for name in fetch.shards_of(folder / _INDEX))
        if missing := [shard.name for shard in shards if not shard.is_file()]:
            raise ModelFileMissing(f"{folder} lacks {missing[0]}, which {_INDEX} names")
        return shards
    others = [path for path in sorted(folder.glob("*.safetensors")) if not path.name.startswith("adapter")]
    return tuple(others) if len(others) == 1 else ()


def _is_canonical_kokoro(weights: tuple[Path, ...], config: dict[str, Any]) -> bool:
    found = {tensor.key: tensor.shape for path in weights for tensor in read_file(path)}
    return found == importers.names("kokoro").shapes(config)


def _import_from_folder(
    folder: Path, family: str, config: dict[str, Any], weights: tuple[Path, ...], progress: Progress | None
) -> Checkpoint:
    found = weights or tuple(path for pattern in _FOREIGN for path in sorted(folder.glob(pattern)))
    if not found:
        raise UnsupportedCheckpoint(f"{folder} has config.json but no weights that sonant reads")
    path = found[0]
    if path.name == "pytorch_model.bin":
        made = _imported(path, lambda: importers.huggingface_bin(path, config), folder.resolve().name, progress)
    elif family == "kokoro":
        made = _imported(path, lambda: _kokoro_reader(path)(path, config), folder.resolve().name, progress)
    else:
        return _import_file(path, progress)
    # tokenizer, vocabulary and voices are found beside the weights' own folder
    return Checkpoint(made.id, made.family, folder, made.weights, made.config, made.licence, made.catalog)


def _kokoro_reader(path: Path) -> Callable[[Path, dict[str, Any]], Imported]:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return importers.kokoro_onnx
    return importers.kokoro_safetensors if suffix == ".safetensors" else importers.kokoro_pth


def _import_file(path: Path, progress: Progress | None) -> Checkpoint:
    """One foreign file: what it is, is told by its name's end and its content."""
    suffix, name = path.suffix.lower(), path.stem
    if suffix == ".bin":
        return _imported(path, lambda: importers.whisper_ctranslate2(path), name, progress)
    if suffix == ".pt":
        return _imported(path, lambda: importers.whisper_openai(path), name, progress)
    if suffix in (".pth", ".onnx", ".safetensors"):
        beside = path.parent / "config.json"
        config = _config(path.parent) if beside.is_file() else catalog.config("kokoro-82m.json")
        if _family(config, path) != "kokoro":
            raise UnsupportedCheckpoint(f"{path} stands beside the config of another model; give the folder instead")
        return _imported(path, lambda: _kokoro_reader(path)(path, config), name, progress)
    raise UnsupportedCheckpoint(f"{path}: sonant imports .bin (CTranslate2), .pt, .pth, .onnx and .safetensors")


def _imported(path: Path, read: Callable[[], Imported], name: str, progress: Progress | None) -> Checkpoint:
    """The import of a file, made once and found again by content."""
    sha256 = _content_of(path, progress)
    row = next((row for row in catalog.rows() if row.raw.get("original_sha256") == sha256), None)
    target = cache.folder() / "imports" / sha256[:32]
    if cache.read_lock(target) is None:
        with cache.locked(f"import-{sha256[:32]}"):
            if cache.read_lock(target) is None:
                imported = read()
                with cache.published(target) as staging:
                    fetch.write_folder(imported, staging, progress)
                    if imported.family == "whisper":
                        fetch.write_generation_config(_alignment_heads(path, row), staging)
                    files = {file.name: cache.sum_of(file) for file in staging.iterdir()}
                    origin = {path.name: cache.FileSum(sha256, path.stat().st_size)}
                    cache.write_lock(staging, Lock(name, imported.family, f"file {path.name}", files, origin))
    lock = cache.read_lock(target)
    if lock is None:
        raise CorruptFile(f"{target} vanished while it was imported")
    return Checkpoint(
        id=row.id if row else name,
        family=lock.family,
        folder=target,
        weights=_safetensors(target),
        config=_config(target),
        licence=row.licence if row else "",
        catalog=dict(row.raw) if row else {},
    )


def _alignment_heads(path: Path, row: Row | None) -> list[list[int]] | None:
    """(layer, head) pairs: the catalog's for a known file, else what CTranslate2's config beside it says."""
    if row is not None:
        return row.raw.get("alignment_heads")
    beside = path.parent / "config.json"
    found = _config(path.parent).get("alignment_heads") if beside.is_file() else None
    is_pairs = isinstance(found, list) and all(isinstance(p, list) and len(p) == 2 for p in found)
    return found if is_pairs else None


def _content_of(path: Path, progress: Progress | None) -> str:
    """The sha256 of a file, remembered for as long as its size, time and inode stay: hashing 3 GB takes seconds."""
    state = path.stat()
    mark = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}|{state.st_ino}"
    note = cache.folder() / "imports" / ".seen" / hashlib.sha256(mark.encode()).hexdigest()[:32]
    if note.is_file():
        return note.read_text(encoding="ascii").strip()
    label = f"hash {path.name}"
    sha256 = cache.sha256_of(path, (lambda done: progress(label, done, state.st_size)) if progress else None)
    with contextlib.suppress(SonantError), cache.writing(note):  # a note that can't be kept only costs time
        note.parent.mkdir(parents=True, exist_ok=True)
        temporary = note.with_suffix(f".{os.getpid()}")
        temporary.write_text(sha256, encoding="ascii")
        temporary.replace(note)
    return sha256
