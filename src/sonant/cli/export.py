"""``sonant export``: a model as ONNX files that run without sonant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sonant.cli.ending import guarded, warn
from sonant.cli.progress import Bars

__all__ = ["export"]


@guarded
def export(
    model: Annotated[str, typer.Argument(help="Id or alias of the catalog, or a folder.", metavar="MODEL")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into.", metavar="DIR")],
    dtype: Annotated[
        str, typer.Option(help="How numbers are stored: float32, float16 (fp16) or int8.", metavar="DTYPE")
    ] = "float32",
) -> None:
    """Write a Whisper or Kokoro model as self-contained ONNX files, and print their names."""
    from sonant import api
    from sonant.errors import BadInput
    from sonant.export.pack import dtype_named

    dtype = dtype_named(dtype)
    with Bars() as bars:
        checkpoint = api.fetch(model, bars.fetching)
        bars.busy("writing")
        if checkpoint.family == "whisper":
            from sonant.export.whisper import export_whisper

            files = export_whisper(checkpoint, out, dtype)
        elif checkpoint.family == "kokoro":
            from sonant.export.kokoro import export_kokoro

            made = export_kokoro(checkpoint, out, dtype)
            files = list(made.files)
            if made.voices_missing:
                warn([f"voices.npz lacks what can't be had here: {', '.join(made.voices_missing)}"])
        else:
            raise BadInput(f"{checkpoint.id} is of the family {checkpoint.family}; whisper and kokoro can be exported")
    for file in files:
        print(f"{file}  {file.stat().st_size / 1e6:.1f} MB")
