"""``sonant speak``: text in, sound out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from sonant.audio.formats import EncodeOptions
from sonant.audio.play import check, open_loudspeaker
from sonant.cli.ending import fail, guarded, warn
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.fields import changed_by_flags
from sonant.cli.playing import HISTORY, Loud, converse, standard_input
from sonant.cli.progress import Bars
from sonant.errors import BadInput
from sonant.records import SpeechChunk
from sonant.tts.options import KOKORO_RATE, SpeakOptions
from sonant.tts.reader import Text
from sonant.tts.save import save
from sonant.weights import cache

__all__ = ["speak"]


@changed_by_flags(
    "spoken",
    SpeakOptions,
    skip=("verify",),
    types_of={"lexicon": Path | None, "speed": float},
    help_of={"speed": "0.5 to 2.0, larger is faster.", "lexicon": "File of words with their pronunciation."},
    aliases={"language": ("--lang",)},
)
@changed_by_flags("encoded", EncodeOptions, skip=("sample_rate", "limit"))
@guarded
def speak(
    text: Annotated[str | None, typer.Argument(help="What to say; - reads standard input.")] = None,
    file: Annotated[Path | None, typer.Option(help="Read the text from a file.", metavar="FILE")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Sound file to write; - is standard output (wav). speech.wav, where nothing is played.",
            metavar="FILE",
        ),
    ] = None,
    play: Annotated[bool, typer.Option("--play", help="Play it, as it is spoken; Ctrl-C ends it at once.")] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Ask for lines and play each; with a history.")
    ] = False,
    loudspeaker: Annotated[
        str | None, typer.Option(help="Name or number of the loudspeaker; the system's by default.", metavar="NAME")
    ] = None,
    srt: Annotated[bool, typer.Option("--srt", help="Write captions beside the sound file too.")] = False,
    voice: Annotated[
        str, typer.Option(help="A name, a blend as af_bella(2)+af_sky(1), or a voice file.", metavar="VOICE")
    ] = "af_heart",
    model: Annotated[str, typer.Option(help="Id of the catalog, or a folder.", metavar="MODEL")] = "kokoro-82m",
    engine: Engine = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = 0,
    *,
    spoken: dict[str, Any],
    encoded: dict[str, Any],
) -> None:
    """Say a text: sonant speak "Hello." --out hello.wav."""
    from sonant import api

    play = play or interactive
    _check_use(text, file, out, srt, play, interactive)
    out = out if out is not None or play else Path("speech.wav")
    options = EncodeOptions().changed(**encoded)
    if out is not None and str(out) != "-":
        options = options.for_path(out)  # a wrong suffix is told before the work
    settings = SpeakOptions().changed(**spoken)
    output = partial(open_loudspeaker, device=loudspeaker)
    if play:
        check(settings.sample_rate or KOKORO_RATE, output)
    with Bars() as bars:
        tts = api.load_tts(model, engine=engine, device=device, dtype=dtype, threads=threads, progress=bars.fetching)
        loud = Loud(tts, voice, settings, output)
        words = _words(text, file)
        if out is None:
            bars.hide()
            converse(loud, cache.folder() / HISTORY) if interactive else loud.say(words)
        elif str(out) == "-":
            _to_standard_output(tts.stream(words, voice, options=settings), options)
        else:
            bars.busy("speaking")
            _to_file(loud.spoken(words) if play else tts.chunks(words, voice, options=settings), out, options, srt)


def _check_use(text: str | None, file: Path | None, out: Path | None, srt: bool, play: bool, interactive: bool) -> None:
    """Refuse flags that contradict each other."""
    if interactive:
        if text is not None or file is not None or out is not None:
            raise typer.BadParameter("--interactive asks for the text itself; leave TEXT, --file and --out out")
    elif (text is None) == (file is None):
        raise typer.BadParameter("give a text, - for standard input, or --file FILE; one of them")
    if srt and (str(out) == "-" or (play and out is None)):
        raise typer.BadParameter("--srt writes beside a file; give --out a file name")
    if play and str(out) == "-":
        raise typer.BadParameter("--play plays what --out - would write; leave one of them out")


def _words(text: str | None, file: Path | None) -> Text:
    """What to say: read from where it lies as it is spoken."""
    if file is not None and str(file) != "-":
        return file
    return standard_input() if text in (None, "-") else text


def _to_file(chunks: Iterator[SpeechChunk], out: Path, options: EncodeOptions, srt: bool) -> None:
    """Each chunk as soon as it is spoken; memory holds one."""
    saved = save(chunks, out, options)
    if srt:
        saved.transcript.save(out.with_suffix(".srt"))
    warn(saved.warnings)
    if sys.stderr.isatty():
        fail(f"{out}: {saved.duration_s:.1f} s")


def _to_standard_output(chunks: Any, options: EncodeOptions) -> None:
    """Each chunk as soon as it is spoken."""
    if options.loudness_lufs is not None:
        raise BadInput("loudness needs the whole sound before its first sample; give --out a file name")
    from sonant.audio.encode import Encoder

    encoder: Encoder | None = None
    for chunk in chunks:
        encoder = encoder or Encoder(_Flushing(), chunk.audio.sample_rate, options)
        encoder.write(chunk.audio.samples)
        warn(chunk.warnings)
    if encoder is not None:
        encoder.close()


class _Flushing:
    """Standard output that hands on what it gets at once."""

    def write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
