"""``sonant models``: list, fetch, verify, path."""

from __future__ import annotations

from typing import Annotated

import typer

from sonant.cli.ending import guarded
from sonant.cli.progress import Bars
from sonant.cli.table import Json, show

__all__ = ["models"]

models = typer.Typer(invoke_without_command=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(help="Id or alias of the catalog.", metavar="ID")]


@models.callback()
def main(context: typer.Context) -> None:
    """List, fetch, verify and find models; `sonant models` alone lists them."""
    if context.invoked_subcommand is None:
        list_()


@models.command("list")
@guarded
def list_(json: Json = False) -> None:
    """List the models of the catalog: id, family, size, licence, whether it is in the cache."""
    from sonant import api

    cached = api.doctor().cached
    rows = [
        {
            "id": row.id,
            "family": row.family,
            "parameters": f"{row.parameters / 1e6:.0f} M" if row.parameters and not json else row.parameters or "-",
            "licence": row.licence,
            "cached": row.id in cached if json else "yes" if row.id in cached else "-",
            "aliases": list(row.aliases) if json else ", ".join(row.aliases),
        }
        for row in api.list_models()
    ]
    show(rows, json)


@models.command()
@guarded
def fetch(name: Id) -> None:
    """Bring a model into the cache and print its folder."""
    from sonant import api

    with Bars() as bars:
        folder = api.fetch(name, bars.fetching).folder
    print(folder)


@models.command()
@guarded
def verify(name: Id) -> None:
    """Hash the files of a cached model again; a damaged one is named."""
    from sonant import api

    api.verify(name)
    print(f"{name}: all files are as they were fetched")


@models.command()
@guarded
def path(name: Id) -> None:
    """Print the folder of a cached model."""
    from sonant import api

    print(api.path(name))
