"""Results on standard output: columns for people, JSON for programs."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

__all__ = ["Json", "as_json", "show"]

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def show(rows: Sequence[Mapping[str, Any]], json: bool = False) -> None:
    """Print rows: the keys of the first are the columns, each as wide as its widest entry."""
    if json:
        print(as_json(rows))
        return
    cells = [[*rows[0]], *([str(value) for value in row.values()] for row in rows)] if rows else []
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))] if cells else []
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def as_json(value: Any) -> str:
    """Indented JSON; what JSON has no form for (paths) becomes its text."""
    return json_module.dumps(value, ensure_ascii=False, indent=2, default=str)
