"""Speech made to train on: Kokoro says sentences in many voices, blends and speeds; a broken run goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonant.audio import io
from sonant.records import Audio, Speech, SpeechChunk
from sonant.text.g2p.english_stress import PRIMARY, SECONDARY
from sonant.train.data import SAMPLE_RATE, Timed, Utterance, read_manifest, row
from sonant.tts.pipeline import Speaker
from sonant.tts.timing import symbol_times

__all__ = ["Casting", "plan", "speak"]

log = logging.getLogger(__name__)
BATCH = 8  # sentences spoken in one call of the network
SORTED = 8 * BATCH  # sentences that are ordered by length, so that a batch is padded little
LEXICON = {"a": "/ˈA/", "A": "/ˈA/"}  # a lone A of this domain is the letter, never the article
MANIFEST = "manifest.jsonl"
MARGIN_S = (0.05, 0.1)  # kept before the first word and after the last


@dataclass(frozen=True, slots=True)
class Casting:
    """Who speaks, and how fast.

    Attributes:
        voices: names of English voices; each keeps its accent (the first letter of a name).
        guests: voices of other languages, who speak either accent.
        guest_share: share of sentences spoken by a guest.
        blended: share of sentences spoken by a blend with another voice or guest of the accent.
        speed: (slowest, fastest), drawn for each batch.
        seed: of all draws.
    """

    voices: tuple[str, ...]
    guests: tuple[str, ...] = ()
    guest_share: float = 0.35
    blended: float = 0.0
    speed: tuple[float, float] = (0.8, 1.25)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the synthesiser: texts and their voices, one accent, one speed."""

    texts: tuple[str, ...]
    voices: tuple[str, ...]
    accent: str
    speed: float


def plan(texts: Sequence[str], casting: Casting) -> list[Call]:
    """All calls that speak these texts once, the same for the same arguments."""
    random = np.random.default_rng(casting.seed)
    calls = []
    for first in range(0, len(texts), SORTED):
        near = sorted(texts[first : first + SORTED], key=len)
        for start in range(0, len(near), BATCH):
            batch = tuple(near[start : start + BATCH])
            accent = str(random.choice(casting.voices))[0]  # as often as voices have it
            voices = tuple(_voice(casting, accent, random) for _ in batch)
            calls.append(Call(batch, voices, accent, round(float(random.uniform(*casting.speed)), 3)))
    return calls


def _voice(casting: Casting, accent: str, random: np.random.Generator) -> str:
    """A voice or guest, or a blend of two."""
    own = [name for name in casting.voices if name[0] == accent]
    cast = casting.guests if casting.guests and random.random() < casting.guest_share else own
    name = str(random.choice(cast))
    fellows = [other for other in (*own, *casting.guests) if other != name]
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
        language=call.accent,
        speed=call.speed,
        seed=number,
        sample_rate=SAMPLE_RATE,
        lexicon=LEXICON,
        trim=False,  # so that the symbols' times hold; the silence is cut below
    )
    found = []
    for place, (text, voice, speech) in enumerate(zip(call.texts, call.voices, spoken, strict=True)):
        path = folder / f"{number:05}-{place}.flac"
        audio, words, phones = _cut(speech)
        io.write(path, audio)
        whole = " ".join(word for word, _, _ in words) == text  # else the synthesiser's words are not the text's
        found.append(Utterance(path, text, audio.duration_s, words if whole else (), voice, phones))
    return found


def _cut(speech: Speech) -> tuple[Audio, tuple[Timed, ...], tuple[Timed, ...]]:
    """The sound from its first word to its last with a margin around them, the words, and the phones."""
    samples, rate = speech.audio.samples, speech.audio.sample_rate
    first = max(0, round((speech.words[0].start_s - MARGIN_S[0]) * rate))
    last = min(len(samples), round((speech.words[-1].end_s + MARGIN_S[1]) * rate))
    begins_s, lasts_s = first / rate, (last - first) / rate

    def moved(said: str, start_s: float, end_s: float) -> Timed:
        return said, min(max(start_s - begins_s, 0.0), lasts_s), min(max(end_s - begins_s, 0.0), lasts_s)

    words = tuple(moved(word.text.strip(".").upper(), word.start_s, word.end_s) for word in speech.words)
    (chunk,) = speech.chunks  # a sentence of the domain is one utterance
    return Audio(samples[first:last], rate), words, tuple(moved(*phone) for phone in _phones(chunk))


def _phones(chunk: SpeechChunk) -> list[Timed]:
    """What is sounded and when: a stress mark's time belongs to the symbol after it, a length mark's to the one before.

    Spaces and punctuation are no phones.
    """
    found: list[Timed] = []
    stressed_s: float | None = None
    for symbol, (start_s, end_s) in zip(chunk.phonemes, symbol_times(chunk.frames).tolist(), strict=True):
        if symbol in (PRIMARY, SECONDARY):
            stressed_s = start_s
        elif symbol == "ː" and found:
            found[-1] = (found[-1][0], found[-1][1], end_s)
        elif symbol.isalpha():
            found.append((symbol, start_s if stressed_s is None else stressed_s, end_s))
            stressed_s = None
    return found
