"""``sonant features``: hidden states of a wav2vec 2.0 model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonant.cli.ending import guarded
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.progress import Bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    units: Annotated[
        bool, typer.Option("--units", help="Write discrete units instead, of a pretraining model: values, entries.")
    ] = False,
    pool: Annotated[bool, typer.Option("--pool", help="Write the mean over time alone.")] = False,
    engine: Engine = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = 0,
) -> None:
    """Write what a network makes of a recording: sonant features talk.wav --layer 9 --out talk.npz."""
    import numpy as np

    from sonant import api
    from sonant.asr.ctc_features import Units
    from sonant.files import whole_file

    if units and (layer or pool):
        raise typer.BadParameter("units are of no layer and have no mean; leave --layer and --pool out")
    opening: dict[str, Any] = {"engine": engine, "device": device, "dtype": dtype, "threads": threads}
    with Bars() as bars:
        opening |= {"model": model, "progress": bars.fetching}
        found = api.units(audio, **opening) if units else api.features(audio, layer or [-1], **opening)
    values: NDArray[Any] = found.values
    facts: dict[str, Any]
    if isinstance(found, Units):
        facts = {"entries": found.entries}
    else:
        values = found.pooled() if pool else values
        facts = {"layers": np.array(found.layers)}
    with whole_file(out) as file:
        np.savez(file, values=values, rate_hz=found.rate_hz, **facts)
    print(f"{out}: {' x '.join(map(str, values.shape))}, {found.rate_hz:g} frames a second")
