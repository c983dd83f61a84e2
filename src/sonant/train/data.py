"""Speech with its text, for training: manifests, batches of like length, and what makes them harder.

A manifest is a JSONL file, an utterance a line: ``{"audio": path, "text": ..., "duration_s": ...}`` and optionally
``"words": [[text, start_s, end_s], ...]`` and ``"phones": [[symbol, start_s, end_s], ...]``; paths are relative to the
manifest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.audio import io
from sonant.errors import BadInput, CorruptFile

__all__ = [
    "DRY",
    "GRID_S",
    "Augment",
    "Stringing",
    "Utterance",
    "batches",
    "read_manifest",
    "rounds",
    "row",
    "write_manifest",
]

SAMPLE_RATE = 16_000
GRID_S = 0.5  # lengths of batches are multiples of it
Timed = tuple[str, float, float]
"""What is said, from when to when in seconds."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a manifest; times are known of speech that was made, or aligned."""

    audio: Path
    text: str
    duration_s: float
    words: tuple[Timed, ...] = ()
    voice: str = ""
    phones: tuple[Timed, ...] = ()


def read_manifest(path: Path) -> list[Utterance]:
    """All utterances of a manifest.

    Raises:
        CorruptFile: a line is no utterance; says which.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            read = json.loads(line)
            words, phones = (
                tuple((str(text), float(start), float(end)) for text, start, end in read.get(name, ()))
                for name in ("words", "phones")
            )
            audio, duration_s = path.parent / read["audio"], float(read["duration_s"])
            found.append(Utterance(audio, read["text"], duration_s, words, read.get("voice", ""), phones))
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"{path}, line {number}: no utterance ({error!r})") from error
    if not found:
        raise BadInput(f"{path} holds no utterance")
    return found


def row(utterance: Utterance, folder: Path) -> dict[str, object]:
    """An utterance as a line of a manifest that lies in ``folder``."""
    return {
        "audio": utterance.audio.relative_to(folder).as_posix(),
        "text": utterance.text,
        "duration_s": round(utterance.duration_s, 3),
        "words": [[text, round(start, 3), round(end, 3)] for text, start, end in utterance.words],
        "voice": utterance.voice,
        "phones": [[symbol, round(start, 3), round(end, 3)] for symbol, start, end in utterance.phones],
    }


def write_manifest(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write a manifest beside its audio."""
    lines = (json.dumps(row(utterance, path.parent)) + "\n" for utterance in utterances)
    path.write_text("".join(lines), encoding="utf-8")


def batches(durations_s: Sequence[float], seconds: float, random: np.random.Generator) -> list[list[int]]:
    """Indices grouped to ``seconds`` of sound a batch, in random order.

    Batches have few shapes, because a shape costs the time to make kernels for it: sounds that share one are padded to
    the same multiple of ``GRID_S``, and there are as many as fit, but for the last batch of each length.
    """
    cells: dict[int, list[int]] = {}
    for index in random.permutation(len(durations_s)).tolist():
        cells.setdefault(math.ceil(durations_s[index] / GRID_S), []).append(index)
    groups = []
    for cell, members in sorted(cells.items()):
        size = max(1, int(seconds / (max(cell, 1) * GRID_S)))
        groups += [members[first : first + size] for first in range(0, len(members), size)]
    random.shuffle(groups)
    return groups


def rounds(
    parts: Sequence[list[int]], durations_s: Sequence[float], workers: int, random: np.random.Generator
) -> list[list[list[int]]]:
    """Parts for ``workers`` that wait for one another: those of a round take about as long, rounds are in any order."""
    order = sorted(range(len(parts)), key=lambda i: len(parts[i]) * max(durations_s[j] for j in parts[i]))
    found = [[parts[i] for i in order[first : first + workers]] for first in range(0, len(order), workers)]
    random.shuffle(found)
    return found


@dataclass(frozen=True, slots=True)
class Stringing:
    """How utterances are strung together, so that the network also meets long sound, pauses and changes of voice.

    Attributes:
        share: of the utterances that go on with another one.
        longest_s: of a string.
        gap_s: (shortest, longest) pause before, between and behind.
        cut_share: share of the utterances of which only some neighbouring words are taken, so that words meet new
            neighbours and sentences can't be learned by heart.
    """

    share: float = 0.5
    longest_s: float = 5.0
    gap_s: tuple[float, float] = (0.0, 0.4)
    cut_share: float = 0.5

    def plan(self, durations_s: Sequence[float], random: np.random.Generator) -> list[tuple[int, ...]]:
        """Every utterance once, in strings of one or more, in random order."""
        strings: list[tuple[int, ...]] = []
        for index in random.permutation(len(durations_s)).tolist():
            last = strings[-1] if strings else ()
            long = sum(durations_s[i] + self.gap_s[1] for i in (*last, index)) > self.longest_s
            if last and not long and random.random() < self.share:
                strings[-1] = (*last, index)
            else:
                strings.append((index,))
        return strings

    def join(
        self, utterances: Sequence[Utterance], sounds: Sequence[NDArray[np.float32]], random: np.random.Generator
    ) -> tuple[Utterance, NDArray[np.float32]]:
        """One utterance of several, with its times, and its samples; without times where one of them has none."""
        parts: list[NDArray[np.float32]] = []
        words: list[Timed] = []
        phones: list[Timed] = []
        at_s = 0.0
        cut = [self._cut(*both, random) for both in zip(utterances, sounds, strict=True)]
        for utterance, samples in cut:
            gap = np.zeros(int(random.uniform(*self.gap_s) * SAMPLE_RATE), np.float32)
            at_s += len(gap) / SAMPLE_RATE
            words += [(text, start + at_s, end + at_s) for text, start, end in utterance.words]
            phones += [(symbol, start + at_s, end + at_s) for symbol, start, end in utterance.phones]
            at_s += len(samples) / SAMPLE_RATE
            parts += [gap, samples]
        parts.append(np.zeros(int(random.uniform(*self.gap_s) * SAMPLE_RATE), np.float32))
        samples = np.concatenate(parts)
        timed = tuple(words) if all(utterance.words for utterance, _ in cut) else ()
        sounded = tuple(phones) if all(utterance.phones for utterance, _ in cut) else ()
        text = " ".join(utterance.text for utterance, _ in cut)
        return Utterance(utterances[0].audio, text, len(samples) / SAMPLE_RATE, timed, phones=sounded), samples

    def _cut(
        self, utterance: Utterance, samples: NDArray[np.float32], random: np.random.Generator
    ) -> tuple[Utterance, NDArray[np.float32]]:
        """A run of its words by chance, else the whole."""
        count = len(utterance.words)
        if count < 2 or random.random() >= self.cut_share:
            return utterance, samples
        first = int(random.integers(0, count))
        last = int(random.integers(first, count))
        start, end = round(utterance.words[first][1] * SAMPLE_RATE), round(utterance.words[last][2] * SAMPLE_RATE)
        start_s, end_s = start / SAMPLE_RATE, end / SAMPLE_RATE

        def inside(timed: Sequence[Timed]) -> tuple[Timed, ...]:
            kept = ((said, max(begin, start_s), min(stop, end_s)) for said, begin, stop in timed)
            return tuple((said, begin - start_s, stop - start_s) for said, begin, stop in kept if stop > begin)

        words, phones = inside(utterance.words[first : last + 1]), inside(utterance.phones)
        text = " ".join(word for word, _, _ in words)
        return Utterance(utterance.audio, text, end_s - start_s, words, utterance.voice, phones), samples[start:end]


@dataclass(frozen=True, slots=True)
class Augment:
    """What makes clean speech harder, each drawn anew for every utterance.

    Attributes:
        speed: largest change of speed (and pitch), a share.
        gain_db: largest change of level.
        noise_db: (worst, best) signal-to-noise ratio of added coloured noise.
        noise_share: share of utterances that get noise.
        room_share: share that is put into a room.
        room_s: (shortest, longest) reverberation time.
        tone_db: largest gain or loss of a band, as of other microphones and throats; octave bands, a smooth curve.
        holes: most stretches of the spectrum that are taken out (the masks over frequency of Park et al. 2019).
        hole_hz: widest of them.
    """

    speed: float = 0.15
    gain_db: float = 6.0
    noise_db: tuple[float, float] = (8.0, 35.0)
    noise_share: float = 0.3
    room_share: float = 0.2
    room_s: tuple[float, float] = (0.08, 0.5)
    tone_db: float = 6.0
    holes: int = 2
    hole_hz: float = 700.0

    def __call__(self, samples: NDArray[np.float32], random: np.random.Generator) -> tuple[NDArray[np.float32], float]:
        """Harder samples, and by what factor they became longer."""
        stretch = 1 + self.speed * random.uniform(-1, 1)
        places = np.linspace(0, len(samples) - 1, int(len(samples) * stretch))
        out = np.interp(places, np.arange(len(samples)), samples)
        out = self._toned(out, random)
        if random.random() < self.room_share:
            out = self._room(out, random)
        if random.random() < self.noise_share:
            out = self._noise(out, random)
        out = out * 10 ** (random.uniform(-self.gain_db, self.gain_db) / 20)
        return out.astype(np.float32), stretch

    def _toned(self, samples: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Another colour of sound, with holes."""
        if not self.tone_db and not self.holes:
            return samples
        size = -(-len(samples) // 4096) * 4096
        spectrum = np.fft.rfft(samples, size)
        hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
        octaves = np.log2(np.maximum(hertz, 62.5) / 62.5)
        gains_db = random.uniform(-self.tone_db, self.tone_db, 8)
        spectrum *= 10 ** (np.interp(octaves, np.arange(8), gains_db) / 20)
        for _ in range(random.integers(0, self.holes + 1)):
            low, width = random.uniform(0, SAMPLE_RATE / 2), random.uniform(0, self.hole_hz)
            spectrum[(hertz >= low) & (hertz < low + width)] = 0
        return np.fft.irfft(spectrum, size)[: len(samples)]

    def _room(self, samples: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Convolve with exponentially decaying noise behind a direct path: a crude but varied room."""
        decay_s = random.uniform(*self.room_s)
        count = int(decay_s * SAMPLE_RATE)
        tail = random.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
        tail *= random.uniform(0.1, 0.5) / np.sqrt((tail**2).sum())
        tail[0] = 1.0
        size = -(-(len(samples) + count) // 4096) * 4096  # a length that the transform likes
        return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]

    def _noise(self, samples: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Add noise whose spectrum falls by a random power of the frequency."""
        size = -(-len(samples) // 4096) * 4096
        spectrum = np.fft.rfft(random.standard_normal(size, np.float32))
        spectrum *= np.maximum(np.arange(len(spectrum), dtype=np.float32), 1.0) ** -np.float32(random.uniform(0, 1))
        noise = np.fft.irfft(spectrum, size)[: len(samples)]
        ratio_db = random.uniform(*self.noise_db)
        scale = np.sqrt((samples**2).mean() / (noise**2).mean()) * 10 ** (-ratio_db / 20)
        return samples + scale * noise


DRY = Augment(speed=0.0, gain_db=0.0, noise_share=0.0, room_share=0.0, tone_db=0.0, holes=0)
"""Changes nothing."""


def load(utterances: Sequence[Utterance]) -> Iterator[NDArray[np.float32]]:
    """Samples of each utterance at 16 kHz."""
    for utterance in utterances:
        yield io.read(utterance.audio, SAMPLE_RATE).samples
