"""``sonant explain``: how a text would be said."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sonant.cli.ending import guarded
from sonant.cli.fields import changed_by_flags
from sonant.cli.table import Json, as_json
from sonant.tts.options import SpeakOptions

__all__ = ["explain"]


@changed_by_flags(
    "spoken",
    SpeakOptions,
    only=("language", "markup", "ssml", "is_phonemes", "lexicon", "fallback", "target", "limit"),
    types_of={"lexicon": str | None},
    help_of={"lexicon": "File of words with their pronunciation."},
    aliases={"language": ("--lang",)},
)
@guarded
def explain(
    text: Annotated[str, typer.Argument(help="What would be said.")],
    voice: Annotated[str, typer.Option(help="A name or a voice file.", metavar="VOICE")] = "af_heart",
    json: Json = False,
    *,
    spoken: dict[str, Any],
) -> None:
    """Show the pieces a text is said in: what is written, how it is read, and the pauses. No weights are needed."""
    from sonant import api

    rows = []
    for step in api.load_tts(engine="fake").plan(text, voice, options=SpeakOptions().changed(**spoken)):
        if hasattr(step, "duration_s"):
            rows.append({"pause_s": step.duration_s})
        else:
            rows.append({"text": step.graphemes, "phonemes": step.phonemes, "span": step.span})
    if json:
        print(as_json(rows))
        return
    for row in rows:
        print(f"[pause {row['pause_s']:g} s]" if "pause_s" in row else f"{row['text']}\n  {row['phonemes']}")
