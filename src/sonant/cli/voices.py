"""``sonant voices``: a line a voice."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from sonant.cli.ending import guarded
from sonant.cli.table import Json, show

__all__ = ["voices"]


@guarded
def voices(
    model: Annotated[str, typer.Option(help="Id of the catalog.", metavar="MODEL")] = "kokoro-82m",
    language: Annotated[str, typer.Option("--lang", "--language", help="Only this language.", metavar="CODE")] = "",
    json: Json = False,
) -> None:
    """List the voices of a synthesiser: name, language, gender, the publisher's grade."""
    from sonant import api
    from sonant.text.languages import canonical

    wanted = canonical(language) if language else ""
    rows = [row for row in api.list_voices(model) if wanted in ("", row.language)]
    if json:
        show([dataclasses.asdict(row) for row in rows], json)
    else:
        show([{"name": r.name, "language": r.language, "gender": r.gender, "grade": r.grade or "-"} for r in rows])
