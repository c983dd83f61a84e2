"""``sonant languages``: a line a language of a model."""

from __future__ import annotations

from typing import Annotated

import typer

from sonant.cli.ending import guarded
from sonant.cli.table import Json, show

__all__ = ["languages"]


@guarded
def languages(
    model: Annotated[str, typer.Option(help="Id of the catalog, or a folder.", metavar="MODEL")] = "whisper-base",
    json: Json = False,
) -> None:
    """List the languages of a model: code, English name, other spellings: sonant languages --model mms-1b-all."""
    from sonant import api

    rows = api.list_languages(model)
    if json:
        show([{"code": row.code, "name": row.name, "also": list(row.also)} for row in rows], json)
    else:
        show([{"code": row.code, "name": row.name or "-", "also": ", ".join(row.also) or "-"} for row in rows])
