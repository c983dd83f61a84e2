"""Speech made to train on: Kokoro says sentences in many voices, blends and speeds; a broken run goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonant.audio import io
from sonant.records import Speech
from sonant.train.data import SAMPLE_RATE, Utterance, read_manifest, row
from sonant.tts.pipeline import Speaker

__all__ = ["Casting", "plan", "speak"]

log = logging.getLogger(__name__)
BATCH = 8  # sentences spoken in one call of the network
SORTED = 8 * BATCH  # sentences that are ordered by length, so that a batch is padded little
LEXICON = {"a": "/ˈA/", "A": "/ˈA/"}  # a lone A of this domain is the letter, never the article
MANIFEST = "manifest.jsonl"


@dataclass(frozen=True, slots=True)
class Casting:
    """Who speaks, and how fast.

    Attributes:
        voices: names; two of the same accent may be blended.
        blended: share of sentences spoken by a blend.
        speed: (slowest, fastest), drawn for each batch.
        seed: of all draws.
    """

    voices: tuple[str, ...]
    blended: float = 0.0
    speed: tuple[float, float] = (0.85, 1.35)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the synthesiser: texts and their voices, one speed."""

    texts: tuple[str, ...]
    voices: tuple[str, ...]
    speed: float


def plan(texts: Sequence[str], casting: Casting) -> list[Call]:
    """All calls that speak these texts once, the same for the same arguments."""
    random = np.random.default_rng(casting.seed)
    calls = []
    for first in range(0, len(texts), SORTED):
        near = sorted(texts[first : first + SORTED], key=len)
        for start in range(0, len(near), BATCH):
            batch = tuple(near[start : start + BATCH])
            voices = tuple(_voice(casting, random) for _ in batch)
            calls.append(Call(batch, voices, round(float(random.uniform(*casting.speed)), 3)))
    return calls


def _voice(casting: Casting, random: np.random.Generator) -> str:
    """A voice, or a blend of two that share their accent (the first letter of a name)."""
    name = str(random.choice(casting.voices))
    fellows = [other for other in casting.voices if other[0] == name[0] and other != name]
    if not fellows or random.random() >= casting.blended:
        return name
    share = round(float(random.uniform(0.2, 0.8)), 2)
    return f"{name}({share})+{random.choice(fellows)}({round(1 - share, 2)})"


def speak(
    calls: Sequence[Call],
    speaker: Callable[[], Speaker],
    folder: Path,
    report: Callable[[int], None] | None = None,
) -> list[Utterance]:
    """Make the speech of all calls in a folder; what is there already is kept.

    Args:
        calls: from ``plan``.
        speaker: opens the synthesiser; called only when something is missing.
        folder: receives FLAC files at 16 kHz and ``manifest.jsonl``, which grows with every call.
        report: called with the number of sentences that are done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    done = _whole_calls(manifest, calls)
    opened: Speaker | None = None
    for number, call in enumerate(calls):
        if number >= done:
            opened = opened or speaker()
            _append(manifest, _said(opened, call, number, folder))
        if report:
            report(sum(len(earlier.texts) for earlier in calls[: number + 1]))
    wanted = sum(len(call.texts) for call in calls)
    return read_manifest(manifest)[:wanted]


def _whole_calls(manifest: Path, calls: Sequence[Call]) -> int:
    """How many calls are in the manifest already; a line cut short by a kill is dropped, and its call done again."""
    if not manifest.exists():
        return 0
    lines = manifest.read_bytes().split(b"\n")[:-1]  # what follows the last line end was cut short
    sizes = np.cumsum([len(call.texts) for call in calls])
    whole = int(np.searchsorted(sizes, len(lines), side="right"))
    texts = [text for call in calls[:whole] for text in call.texts]
    kept = lines[: len(texts)] if whole < len(calls) else lines
    if [json.loads(line)["text"] for line in kept[: len(texts)]] != texts:
        log.warning("%s holds other sentences than these; it is made anew", manifest)
        kept, whole = [], 0
    content = b"".join(line + b"\n" for line in kept)
    if content != manifest.read_bytes():
        manifest.write_bytes(content)
    return whole


def _append(manifest: Path, utterances: Sequence[Utterance]) -> None:
    """Add lines at once, after their audio is on the disk."""
    with manifest.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row(utterance, manifest.parent)) + "\n" for utterance in utterances))


def _said(speaker: Speaker, call: Call, number: int, folder: Path) -> list[Utterance]:
    """Speak one call and write its audio."""
    spoken = speaker.speak_batch(
        [text.lower() + "." for text in call.texts],
        list(call.voices),
        speed=call.speed,
        seed=number,
        sample_rate=SAMPLE_RATE,
        lexicon=LEXICON,
    )
    found = []
    for place, (text, voice, speech) in enumerate(zip(call.texts, call.voices, spoken, strict=True)):
        path = folder / f"{number:05}-{place}.flac"
        io.write(path, speech.audio)
        found.append(Utterance(path, text, speech.audio.duration_s, _words(text, speech), voice))
    return found


def _words(text: str, speech: Speech) -> tuple[tuple[str, float, float], ...]:
    """Times of the words where the synthesiser's words are the text's; nothing where they differ."""
    words = tuple((word.text.strip(".").upper(), word.start_s, word.end_s) for word in speech.words)
    return words if " ".join(word for word, _, _ in words) == text else ()
