"""``sonant speak``: text in, sound out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sonant.audio.formats import EncodeOptions
from sonant.cli.ending import fail, guarded, warn
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.fields import changed_by_flags
from sonant.cli.progress import Bars
from sonant.errors import BadInput
from sonant.tts.options import SpeakOptions

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
        Path, typer.Option("--out", "-o", help="Sound file to write; - is standard output (wav).", metavar="FILE")
    ] = Path("speech.wav"),
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

    if (text is None) == (file is None):
        raise typer.BadParameter("give a text, - for standard input, or --file FILE; one of them")
    if srt and str(out) == "-":
        raise typer.BadParameter("--srt writes beside a file; give --out a file name")
    options = EncodeOptions().changed(**encoded)
    options = options if str(out) == "-" else options.for_path(out)  # a wrong suffix is told before the work
    settings = SpeakOptions().changed(**spoken)
    with Bars() as bars:
        words = file if file is not None and str(file) != "-" else _standard_input() if text in (None, "-") else text
        tts = api.load_tts(model, engine=engine, device=device, dtype=dtype, threads=threads, progress=bars.fetching)
        if str(out) == "-":
            _to_standard_output(tts.stream(words, voice, options=settings), options)
            return
        bars.busy("speaking")
        speech = tts.speak(words, voice, options=settings)
        speech.audio.save(out, options=options)
        if srt:
            speech.save(out.with_suffix(".srt"))
    warn(speech.warnings)
    if sys.stderr.isatty():
        fail(f"{out}: {speech.audio.duration_s:.1f} s")


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input is no UTF-8 text: {error.reason} at byte {error.start}") from error


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
