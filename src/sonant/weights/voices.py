"""Finds a checkpoint's voices: its own files, a pack beside it, or the published ones from the catalog."""

from __future__ import annotations

from pathlib import Path

from sonant.errors import ModelFileMissing, UnknownName
from sonant.records import Voice
from sonant.weights import catalog, fetch
from sonant.weights.cache import Progress
from sonant.weights.catalog import Row
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.voice_files import Styles, pack_names, read_pack, read_voice

__all__ = ["load", "names"]

_SUFFIXES = (".safetensors", ".pt", ".bin")
_LENDER = "kokoro-82m"  # whose voices a Kokoro folder without any speaks with


def names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Every voice that ``load`` knows for a checkpoint, sorted."""
    return tuple(sorted({*_files(checkpoint), *_packed(checkpoint), *(v.name for v in _row(checkpoint).voices)}))


def load(checkpoint: Checkpoint, name: str | Path, progress: Progress | None = None) -> Voice:
    """Read a voice by name, or from a file (.safetensors, .pt, raw .bin).

    A published voice that isn't there yet is fetched.

    Raises:
        UnknownName: no such voice; the nearest are listed.
        ModelFileMissing: it can't be had.
        CorruptFile: its file is damaged.
    """
    path = Path(name)
    if path.suffix.lower() in _SUFFIXES:
        if not path.is_file():
            raise ModelFileMissing(f"there is no voice file {path}")
        return Voice(path.stem, read_voice(path), path.stem[:1])
    return Voice(str(name), _styles(checkpoint, str(name), progress), _language(checkpoint, str(name)))


def _styles(checkpoint: Checkpoint, name: str, progress: Progress | None) -> Styles:
    if name in (own := _files(checkpoint)):
        return read_voice(own[name])
    if name in (packed := _packed(checkpoint)):
        return read_pack(packed[name], name)
    row = _row(checkpoint)
    if name not in {voice.name for voice in row.voices}:
        raise UnknownName("voice", name, names(checkpoint), "`sonant voices` lists all")
    return read_voice(fetch.fetch_voices(row, [name], progress)[name])


def _language(checkpoint: Checkpoint, name: str) -> str:
    """The catalog's letter, else the name's first."""
    known = {voice.name: voice.language for voice in _row(checkpoint).voices}
    return known.get(name) or name[:1]


def _row(checkpoint: Checkpoint) -> Row:
    try:
        row = catalog.find(checkpoint.id)
    except UnknownName:
        row = catalog.find(_LENDER)
    return catalog.find(row.voices_of) if row.voices else catalog.find(_LENDER)


def _files(checkpoint: Checkpoint) -> dict[str, Path]:
    """Files of the checkpoint's own folder "voices", ours before others of the same name."""
    found: dict[str, Path] = {}
    for suffix in reversed(_SUFFIXES):
        found |= {path.stem: path for path in (checkpoint.folder / "voices").glob(f"*{suffix}")}
    return found


def _packed(checkpoint: Checkpoint) -> dict[str, Path]:
    """Voices of packs that lie in the checkpoint's folder."""
    packs = sorted([*checkpoint.folder.glob("voices*.bin"), *checkpoint.folder.glob("voices*.npz")])
    return {name: pack for pack in packs for name in pack_names(pack)}
