"""The rows of the benchmark: what is done, on what, by whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["ROWS", "Entry", "Row"]


@dataclass(frozen=True)
class Entry:
    """One system in a row: its name in ``systems.SYSTEMS``, what opens it, and how the table calls it."""

    label: str
    system: str
    opened_with: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        id: name on the command line.
        title: name in the table.
        material: names of the items (see ``material``).
        request: what every request carries beside its item.
        entries: the systems; the first is ours.
        repeats: rounds; each round runs every system once on every item.
    """

    id: str
    title: str
    material: str
    entries: tuple[Entry, ...]
    request: dict[str, Any] = field(default_factory=dict)
    repeats: int = 5


def heard(model: str, weights: Path) -> tuple[Entry, ...]:
    """Ours and the peers on one Whisper model."""
    return (
        Entry("sonant", "sonant", {"model": model}),
        Entry("faster-whisper int8", "faster-whisper", {"weights": str(weights / f"{model}.ct2"), "dtype": "int8"}),
        Entry(
            "faster-whisper float32", "faster-whisper", {"weights": str(weights / f"{model}.ct2"), "dtype": "float32"}
        ),
        Entry("whisper.cpp f16", "whisper.cpp", {"weights": str(weights / f"{model}.ggml.bin")}),
        Entry("openai-whisper float32", "openai-whisper", {"weights": str(weights / f"{model}.pt")}),
    )


def spoken(weights: Path) -> tuple[Entry, ...]:
    """Ours and the peers on Kokoro."""
    voice = str(weights / "kokoro" / "voices.npz")
    return (
        Entry("sonant", "sonant", {"model": "kokoro-82m"}),
        Entry("kokoro (torch float32)", "kokoro", {"weights": str(weights / "kokoro")}),
        Entry("kokoro-onnx int8", "kokoro-onnx", {"weights": str(weights / "kokoro-int8.onnx"), "voices": voice}),
    )


def rows(weights: Path) -> tuple[Row, ...]:
    """All rows, with the peers' weights in ``weights``."""
    english = {"language": "en", "batch": 1}
    base, tiny = heard("whisper-base", weights), heard("whisper-tiny.en", weights)
    ours, ct2 = base[0], base[1]
    return (
        Row("base-greedy", "Whisper base, short clips, greedy", "clips", base, english | {"beam": 1}),
        Row("base-beam", "Whisper base, short clips, beam 5", "clips", base, english | {"beam": 5}, 3),
        Row("tiny-greedy", "Whisper tiny.en, short clips, greedy", "clips", tiny, english | {"beam": 1}),
        Row("base-long", "Whisper base, 5 minutes, sequential, greedy", "talk", base, english | {"beam": 1}, 3),
        Row(
            "base-batch",
            "Whisper base, 5 minutes, batches of 8",
            "talk",
            (ours, ct2),
            {"language": "en", "batch": 8, "beam": 1},
            3,
        ),
        Row("kokoro", "Kokoro, paragraphs of 100-400 phonemes", "paragraphs", spoken(weights)),
    )


ROWS = ("base-greedy", "base-beam", "tiny-greedy", "base-long", "base-batch", "kokoro")
