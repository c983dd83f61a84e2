"""Which recordings a command works on, and what their results are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sonant.audio.suffixes import SUFFIXES
from sonant.errors import BadInput

if TYPE_CHECKING:
    from sonant.asr.datasets import Item

__all__ = ["SUFFIXES", "Recording", "recordings"]


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording.

    Attributes:
        source: path, or "-".
        stem: path of its results below the output folder, without suffix.
        item: of a dataset, where it is of one.
    """

    source: str
    stem: Path
    item: Item | None = None

    @property
    def label(self) -> str:
        """What to call it on one line."""
        if self.item is not None:
            return self.item.name
        return "standard input" if self.source == "-" else Path(self.source).name


def recordings(names: Sequence[str], recursive: bool) -> list[Recording]:
    """The recordings of a command line in order; those of a folder keep its shape below the output folder.

    Results of two recordings never have one name: where stems are equal, the old suffix stays ("talk.mp3.txt").

    Raises:
        BadInput: a folder without ``recursive``, or with nothing in it; a recording given twice.
    """
    found = [item for name in names for item in _of(name, recursive)]
    stems = Counter(stem for _, stem in found)
    named = [
        Recording(source, stem if stems[stem] == 1 else stem.with_name(Path(source).name)) for source, stem in found
    ]
    for stem, count in Counter(item.stem for item in named).items():
        if count > 1:
            raise BadInput(f"{count} recordings would write to {stem}; give them in separate runs")
    return named


def _of(name: str, recursive: bool) -> Iterable[tuple[str, Path]]:
    if name == "-":
        return [("-", Path("stdin"))]
    folder = Path(name)
    if not folder.is_dir():
        return [(name, Path(folder.stem))]
    if not recursive:
        raise BadInput(f"{name} is a folder; add --recursive to take all recordings in it")
    inside = sorted(
        path for path in folder.rglob("*") if path.suffix.lower().lstrip(".") in SUFFIXES and path.is_file()
    )
    if not inside:
        raise BadInput(f"{name} holds no recordings")
    return [(str(path), path.relative_to(folder).with_suffix("")) for path in inside]
