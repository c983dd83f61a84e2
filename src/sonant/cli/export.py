"""``sonant export``: a model as ONNX files that run without sonant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sonant.cli.ending import guarded
from sonant.cli.progress import Bars

__all__ = ["export"]


@guarded
def export(
    model: Annotated[str, typer.Argument(help="Id or alias of the catalog, or a folder.", metavar="MODEL")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into.", metavar="DIR")],
    dtype: Annotated[
        str, typer.Option(help="How numbers are stored: float32, float16 or int8.", metavar="DTYPE")
    ] = "float32",
) -> None:
    """Write a model as self-contained ONNX files, and print their names."""
    from sonant import api
    from sonant.errors import BadInput
    from sonant.export.pack import dtype_named
    from sonant.export.whisper import export_whisper

    dtype = dtype_named(dtype)
    with Bars() as bars:
        checkpoint = api.fetch(model, bars.fetching)
    if checkpoint.family != "whisper":
        raise BadInput(f"{checkpoint.id} is of the family {checkpoint.family}; whisper can be exported")
    for file in export_whisper(checkpoint, out, dtype):
        print(f"{file}  {file.stat().st_size / 1e6:.1f} MB")
