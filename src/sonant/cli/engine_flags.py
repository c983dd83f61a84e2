"""Flags that every command with a network has: the fields of ``EngineOptions``, checked before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from sonant.engines.choose import DTYPES, ENGINES

__all__ = ["Device", "Dtype", "Engine", "Threads"]

DEVICES = ("auto", "cpu", "cuda", "mps")


def _named(what: str, names: Iterable[str]) -> Any:
    """An option whose value is one of some names."""
    allowed = tuple(names)

    def check(given: str) -> str:
        if given not in allowed:
            raise typer.BadParameter(f"{given!r}; allowed: {', '.join(allowed)}")
        return given

    return typer.Option(help=f"{what}: {', '.join(allowed)}.", metavar="NAME", callback=check)


Engine = Annotated[str, _named("What runs the network", ("auto", *ENGINES))]
Device = Annotated[str, _named("Where", DEVICES)]
Dtype = Annotated[str, _named("Numbers of the weights", DTYPES)]
Threads = Annotated[int, typer.Option(help="CPU threads; 0 lets the runtime choose.", metavar="N", min=0)]
