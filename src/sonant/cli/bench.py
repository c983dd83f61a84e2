"""``sonant bench``: this machine, your file, about a minute; the dtypes take turns, so that noise is shared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sonant.cli.ending import guarded
from sonant.cli.engine_flags import Engine, Threads
from sonant.cli.progress import Bars
from sonant.cli.table import Json, show
from sonant.errors import BadInput

if TYPE_CHECKING:
    from sonant.asr.ctc import CtcRecognizer
    from sonant.asr.pipeline import Recognizer
    from sonant.records import Audio
    from sonant.tts.pipeline import Speaker

__all__ = ["bench"]

TEXT = (
    "The harbor was quiet when the first boats came home. Along the wall, a dozen people waited with baskets, talking "
    "about the weather and the price of bread. By noon the fog had lifted, and every window on the hill was open."
)


@dataclass
class Contest:
    """One way of doing one piece of work, and the seconds of each run."""

    work: str
    dtype: str
    opened_s: float
    run: Callable[[], float]  # does the work once, gives the seconds of sound
    sound_s: float = 0.0
    first_s: float = 0.0
    seconds: list[float] = field(default_factory=list)


@guarded
def bench(
    file: Annotated[Path | None, typer.Argument(help="Recording to hear; none: sonant's own speech.")] = None,
    model: Annotated[str, typer.Option(help="What hears.", metavar="NAME")] = "whisper-base",
    speaker: Annotated[str, typer.Option(help="What speaks.", metavar="NAME")] = "kokoro-82m",
    voice: Annotated[str, typer.Option(help="Voice that speaks.", metavar="NAME")] = "af_heart",
    dtypes: Annotated[str, typer.Option(help="Dtypes to compare, with commas.", metavar="NAMES")] = "auto,float32",
    rounds: Annotated[int, typer.Option(help="Counted runs of each.", min=1)] = 3,
    engine: Engine = "auto",
    threads: Threads = 0,
    json: Json = False,
) -> None:
    """Measure how fast sonant speaks and hears on this machine; the first run warms up and is shown apart."""
    from sonant import api

    chosen = [dtype.strip() for dtype in dtypes.split(",") if dtype.strip()]
    if not chosen:
        raise BadInput("no dtype was given; write for example --dtypes auto,float32")
    if file is not None and not file.is_file():
        raise BadInput(f"{file} is no file")
    contests: list[Contest] = []
    spoken: list[Audio] = []
    with Bars() as bars:
        for dtype in chosen:
            began = time.perf_counter()
            tts = api.load_tts(speaker, engine=engine, dtype=dtype, threads=threads, progress=bars.fetching)
            opened_s = time.perf_counter() - began
            contests.append(Contest(f"{speaker} speaks", dtype, opened_s, partial(_speak, tts, voice)))
            _once(contests[-1])
            spoken.append(tts.speak(TEXT, voice).audio)
        for dtype in chosen:
            began = time.perf_counter()
            asr = api.load_asr(model, engine=engine, dtype=dtype, threads=threads, progress=bars.fetching)
            opened_s = time.perf_counter() - began
            contests.append(Contest(f"{model} hears", dtype, opened_s, partial(_hear, asr, file or spoken[0])))
            _once(contests[-1])
    for _round in range(rounds):
        for contest in contests:
            _once(contest)
    show([_row(contest, json) for contest in contests], json)


def _speak(tts: Speaker, voice: str) -> float:
    return tts.speak(TEXT, voice).audio.duration_s


def _hear(asr: Recognizer | CtcRecognizer, recording: Path | Audio) -> float:
    return asr.transcribe(recording).duration_s


def _once(contest: Contest) -> None:
    """Run once; the first run of all is kept apart."""
    began = time.perf_counter()
    contest.sound_s = contest.run()
    seconds = time.perf_counter() - began
    if contest.first_s:
        contest.seconds.append(seconds)
    else:
        contest.first_s = seconds


def _row(contest: Contest, exact: bool) -> dict[str, object]:
    median = statistics.median(contest.seconds)
    numbers = {
        "sound_s": contest.sound_s,
        "open_s": contest.opened_s,
        "first_s": contest.first_s,
        "median_s": median,
        "times_real_time": contest.sound_s / median,
    }
    return {"work": contest.work, "dtype": contest.dtype} | {
        name: value if exact else f"{value:.2f}" for name, value in numbers.items()
    }
