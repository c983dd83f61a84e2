"""``sonant align``: when each word of a known text is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sonant.cli.ending import guarded, warn
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.progress import Bars

__all__ = ["align"]


@guarded
def align(
    audio: Annotated[str, typer.Argument(help="A recording, or - for standard input.", metavar="AUDIO")],
    text: Annotated[str, typer.Argument(help="What is said, or @FILE to read it from a file.", metavar="TEXT")],
    model: Annotated[
        str, typer.Option(help="A CTC model of the catalog, or a folder.", metavar="MODEL")
    ] = "wav2vec2-base-960h",
    language: Annotated[
        str, typer.Option("--lang", "--language", help="Language of the text: writes numbers out.", metavar="CODE")
    ] = "",
    form: Annotated[str, typer.Option("--format", "-f", help="json srt vtt tsv csv.", metavar="NAME")] = "json",
    out: Annotated[Path | None, typer.Option(help="File to write; its suffix is the format.", metavar="FILE")] = None,
    engine: Engine = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = 0,
) -> None:
    """Give each word of a known text its time: sonant align talk.wav @talk.txt --out talk.json."""
    from sonant import api
    from sonant.asr import writers

    said = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    with Bars() as bars:
        found = api.align(
            audio,
            said,
            model=model,
            language=language or None,
            engine=engine,
            device=device,
            dtype=dtype,
            threads=threads,
            progress=bars.fetching,
        )
    warn(found.warnings)
    if out is not None:
        writers.write(out, found)
    else:
        sys.stdout.write(writers.render(found, form))
