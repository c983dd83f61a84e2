"""``sonant voices``: a line a voice, or a voice to be heard."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from sonant.cli.ending import guarded
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.table import Json, show
from sonant.engines.base import EngineOptions

__all__ = ["SAMPLES", "voices"]

SAMPLES = {  # language: what a voice says of itself
    "a": "Hello! This is how I sound. The kettle is on, and there are 3 cups on the table.",
    "b": "Hello! This is how I sound. The kettle is on, and there are 3 cups on the table.",
    "e": "¡Hola! Así sueno yo. El agua ya hierve y hay 3 tazas en la mesa.",
    "f": "Bonjour ! Voilà ma voix. L'eau bout déjà et il y a 3 tasses sur la table.",
    "h": "नमस्ते! मेरी आवाज़ ऐसी है। मेज़ पर तीन प्याले रखे हैं।",
    "i": "Ciao! Questa è la mia voce. L'acqua bolle e ci sono 3 tazze sul tavolo.",
    "j": "こんにちは。これが私の声です。お湯が沸きました。",
    "p": "Olá! Esta é a minha voz. A água já ferve e há 3 xícaras na mesa.",
    "z": "你好！这是我的声音。水开了，桌上有三个杯子。",
}


@guarded
def voices(
    model: Annotated[str, typer.Option(help="Id of the catalog.", metavar="MODEL")] = "kokoro-82m",
    language: Annotated[str, typer.Option("--lang", "--language", help="Only this language.", metavar="CODE")] = "",
    play: Annotated[
        str | None, typer.Option(help="Let this voice be heard: a name, a blend or a voice file.", metavar="VOICE")
    ] = None,
    json: Json = False,
    engine: Engine = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = 0,
) -> None:
    """List the voices of a synthesiser: name, language, gender, the publisher's grade."""
    from sonant import api
    from sonant.text.languages import canonical

    if play is not None:
        if json or language:
            raise typer.BadParameter("--play lets one voice be heard; leave --json and --lang out")
        _let_speak(play, model, EngineOptions(engine, device, dtype, threads))
        return
    wanted = canonical(language) if language else ""
    rows = [row for row in api.list_voices(model) if wanted in ("", row.language)]
    if json:
        show([dataclasses.asdict(row) for row in rows], json)
    else:
        show([{"name": r.name, "language": r.language, "gender": r.gender, "grade": r.grade or "-"} for r in rows])


def _let_speak(voice: str, model: str, engine: EngineOptions) -> None:
    """A voice says a sentence of its language, aloud."""
    from sonant import api
    from sonant.audio.play import check, open_loudspeaker
    from sonant.cli.playing import Loud
    from sonant.cli.progress import Bars
    from sonant.text.languages import canonical
    from sonant.tts.options import KOKORO_RATE, SpeakOptions

    check(KOKORO_RATE, open_loudspeaker)  # before a model is fetched
    with Bars() as bars:
        tts = api.load_tts(model, **dataclasses.asdict(engine), progress=bars.fetching)
    sample = SAMPLES[canonical(tts.voice(voice).language)]
    Loud(tts, voice, SpeakOptions()).say(sample)
