"""Speech made to train on: Kokoro says sentences in many voices, blends and speeds; a broken run goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonant.audio import io
from sonant.errors import BadInput
from sonant.records import Audio, SpeechChunk
from sonant.text.g2p.english_stress import PRIMARY, SECONDARY
from sonant.train.data import SAMPLE_RATE, Timed, Utterance, read_manifest, row
from sonant.tts.pipeline import Speaker
from sonant.tts.timing import symbol_times

__all__ = ["Casting", "plan", "speak"]

log = logging.getLogger(__name__)
TOGETHER = 5  # sentences said in one breath: each alone costs twice as much, for its silence and short matrices
LEXICON = {"a": "/ˈA/", "A": "/ˈA/"}  # a lone A of this domain is the letter, never the article
MANIFEST = "manifest.jsonl"
MARGIN_S = (0.05, 0.1)  # kept before the first word and after the last


@dataclass(frozen=True, slots=True)
class Casting:
    """Who speaks, and how fast.

    Attributes:
        voices: names of English voices; each keeps its accent (the first letter of a name). Accents speak equally
            often, and so do the voices of an accent.
        guests: voices of other languages, who speak either accent.
        guest_share: share of calls spoken by a guest.
        blended: share of calls spoken by a blend with another voice or guest of the accent.
        speed: (slowest, fastest), drawn for each call.
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
    """One call of the synthesiser: sentences that a voice says one after the other, its accent, its speed."""

    texts: tuple[str, ...]
    voice: str
    accent: str
    speed: float


def plan(texts: Sequence[str], casting: Casting) -> list[Call]:
    """All calls that speak these texts once, the same for the same arguments.

    The long come first, those of a length together: the synthesiser makes kernels for every length that it meets anew.
    """
    random = np.random.default_rng(casting.seed)
    turns = _turns(casting.voices, random)
    calls = []
    for first in range(0, len(texts), TOGETHER):
        voice, accent = _voice(casting, next(turns), random)
        speed = round(float(random.uniform(*casting.speed)), 3)
        calls.append(Call(tuple(texts[first : first + TOGETHER]), voice, accent, speed))
    return sorted(calls, key=lambda call: -sum(map(len, call.texts)) / call.speed)


def _turns(voices: Sequence[str], random: np.random.Generator) -> Iterator[str]:
    """The accents in turn, and of each all its voices, in a new order each time round."""
    queues: dict[str, list[str]] = {voice[0]: [] for voice in voices}
    while True:
        for accent, queue in queues.items():
            if not queue:
                own = [voice for voice in voices if voice[0] == accent]
                queue.extend(own[i] for i in random.permutation(len(own)))
            yield queue.pop()


def _voice(casting: Casting, turn: str, random: np.random.Generator) -> tuple[str, str]:
    """Who speaks where it is this voice's turn, itself, a guest or a blend of two, and in what accent."""
    accent = turn[0]
    name = turn
    if casting.guests and random.random() < casting.guest_share:
        name = str(random.choice(casting.guests))
    own = (other for other in casting.voices if other[0] == accent)
    fellows = [other for other in (*own, *casting.guests) if other != name]
    if not fellows or random.random() >= casting.blended:
        return name, accent
    share = round(float(random.uniform(0.2, 0.8)), 2)
    return f"{name}({share})+{random.choice(fellows)}({round(1 - share, 2)})", accent


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
    """Speak one call and write the sound of each of its sentences."""
    speech = speaker.speak(
        " ".join(text.lower() + "." for text in call.texts),
        call.voice,
        language=call.accent,
        speed=call.speed,
        seed=number,
        sample_rate=SAMPLE_RATE,
        lexicon=LEXICON,
        trim=False,  # so that the symbols' times hold; the silence is cut below
    )
    said = [(word.text.strip(".").upper(), word.start_s, word.end_s) for word in speech.words]
    if [word for word, _, _ in said] != " ".join(call.texts).split() or len(speech.chunks) != 1:
        raise BadInput(f"{call.texts}: {TOGETHER} texts must be words in capitals that make one utterance together")
    ends = np.cumsum([len(text.split()) for text in call.texts])
    bounds = _bounds([said[end - 1][2] for end in ends], [said[end][1] for end in (0, *ends[:-1])], speech.audio)
    phones = _phones(speech.chunks[0])
    found = []
    for place, (text, bound) in enumerate(zip(call.texts, bounds, strict=True)):
        path = io.write(folder / f"{number:05}-{place}.flac", _part(speech.audio, bound))
        parts = (_within(said, bound), _within(phones, bound))
        found.append(Utterance(path, text, bound[1] - bound[0], parts[0], call.voice, parts[1]))
    return found


def _bounds(ends_s: Sequence[float], starts_s: Sequence[float], audio: Audio) -> list[tuple[float, float]]:
    """From when to when each sentence is kept: its words with a margin around them, at most half of the pause."""
    middles = [(end + start) / 2 for end, start in zip(ends_s[:-1], starts_s[1:], strict=True)]
    befores, behinds = [0.0, *middles], [*middles, audio.duration_s]
    return [
        (max(before, start - MARGIN_S[0]), min(behind, end + MARGIN_S[1]))
        for before, start, end, behind in zip(befores, starts_s, ends_s, behinds, strict=True)
    ]


def _part(audio: Audio, bound: tuple[float, float]) -> Audio:
    """The sound from when to when."""
    first, last = (round(second * audio.sample_rate) for second in bound)
    return Audio(audio.samples[first:last], audio.sample_rate)


def _within(timed: Sequence[Timed], bound: tuple[float, float]) -> tuple[Timed, ...]:
    """What is said between two times, from the first of them on."""
    first, last = bound
    inside = ((said, max(start, first), min(end, last)) for said, start, end in timed)
    return tuple((said, start - first, end - first) for said, start, end in inside if end > start)


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
