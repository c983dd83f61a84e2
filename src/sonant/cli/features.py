"""``sonant features``: hidden states of a wav2vec 2.0 model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sonant.cli.ending import guarded
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.progress import Bars

__all__ = ["features"]


@guarded
def features(
    audio: Annotated[str, typer.Argument(help="A recording, or - for standard input.", metavar="AUDIO")],
    out: Annotated[Path, typer.Option(help="File to write (.npz): values, rate_hz, layers.", metavar="FILE")],
    layer: Annotated[
        list[int] | None, typer.Option(help="Transformer layer; given several times, their mean. -1 is the last.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A wav2vec 2.0 model of the catalog, or a folder.", metavar="MODEL")
    ] = "wav2vec2-base-960h",
    pool: Annotated[bool, typer.Option("--pool", help="Write the mean over time alone.")] = False,
    engine: Engine = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = 0,
) -> None:
    """Write what a network makes of a recording: sonant features talk.wav --layer 9 --out talk.npz."""
    import numpy as np

    from sonant import api
    from sonant.files import whole_file

    with Bars() as bars:
        found = api.features(
            audio,
            layer or [-1],
            model=model,
            engine=engine,
            device=device,
            dtype=dtype,
            threads=threads,
            progress=bars.fetching,
        )
    values = found.pooled() if pool else found.values
    with whole_file(out) as file:
        np.savez(file, values=values, rate_hz=found.rate_hz, layers=np.array(found.layers))
    print(f"{out}: {' x '.join(map(str, values.shape))}, {found.rate_hz:g} frames a second")
