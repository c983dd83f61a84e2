"""Speech with its text, for training: manifests, batches of like length, and what makes them harder.

A manifest is a JSONL file, an utterance a line: ``{"audio": path, "text": ..., "duration_s": ...}`` and optionally
``"words": [[text, start_s, end_s], ...]``; paths are relative to the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.audio import io
from sonant.errors import BadInput, CorruptFile

__all__ = ["Augment", "Utterance", "batches", "read_manifest", "write_manifest"]

SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a manifest; ``words`` are (text, start_s, end_s)."""

    audio: Path
    text: str
    duration_s: float
    words: tuple[tuple[str, float, float], ...] = ()
    voice: str = ""


def read_manifest(path: Path) -> list[Utterance]:
    """All utterances of a manifest.

    Raises:
        CorruptFile: a line is no utterance; says which.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            words = tuple((str(text), float(start), float(end)) for text, start, end in row.get("words", ()))
            found.append(
                Utterance(
                    path.parent / row["audio"], row["text"], float(row["duration_s"]), words, row.get("voice", "")
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"{path}, line {number}: no utterance ({error!r})") from error
    if not found:
        raise BadInput(f"{path} holds no utterance")
    return found


def write_manifest(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write a manifest beside its audio."""
    rows = (
        {
            "audio": utterance.audio.relative_to(path.parent).as_posix(),
            "text": utterance.text,
            "duration_s": round(utterance.duration_s, 3),
            "words": [[text, round(start, 3), round(end, 3)] for text, start, end in utterance.words],
            "voice": utterance.voice,
        }
        for utterance in utterances
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def batches(utterances: Sequence[Utterance], seconds: float, random: np.random.Generator) -> list[list[int]]:
    """Indices grouped to about ``seconds`` of sound a batch, of like length, in random order."""
    jitter = 1 + 0.05 * random.standard_normal(len(utterances))
    order = np.argsort([utterance.duration_s * j for utterance, j in zip(utterances, jitter, strict=True)])
    groups: list[list[int]] = [[]]
    longest = 0.0
    for index in order.tolist():
        longest = max(longest, utterances[index].duration_s)
        if groups[-1] and longest * (len(groups[-1]) + 1) > seconds:
            groups.append([])
            longest = utterances[index].duration_s
        groups[-1].append(index)
    random.shuffle(groups)
    return groups


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
    """

    speed: float = 0.12
    gain_db: float = 6.0
    noise_db: tuple[float, float] = (8.0, 35.0)
    noise_share: float = 0.7
    room_share: float = 0.4
    room_s: tuple[float, float] = (0.08, 0.5)

    def __call__(self, samples: NDArray[np.float32], random: np.random.Generator) -> tuple[NDArray[np.float32], float]:
        """Harder samples, and by what factor they became longer."""
        stretch = 1 + self.speed * random.uniform(-1, 1)
        places = np.linspace(0, len(samples) - 1, int(len(samples) * stretch))
        out = np.interp(places, np.arange(len(samples)), samples)
        if random.random() < self.room_share:
            out = self._room(out, random)
        if random.random() < self.noise_share:
            out = self._noise(out, random)
        out = out * 10 ** (random.uniform(-self.gain_db, self.gain_db) / 20)
        return out.astype(np.float32), stretch

    def _room(self, samples: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Convolve with exponentially decaying noise behind a direct path: a crude but varied room."""
        decay_s = random.uniform(*self.room_s)
        count = int(decay_s * SAMPLE_RATE)
        tail = random.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
        tail *= random.uniform(0.1, 0.5) / np.sqrt((tail**2).sum())
        tail[0] = 1.0
        size = len(samples) + count - 1
        return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]

    def _noise(self, samples: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Add noise whose spectrum falls by a random power of the frequency."""
        spectrum = np.fft.rfft(random.standard_normal(len(samples)))
        spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** -random.uniform(0, 1)
        noise = np.fft.irfft(spectrum, len(samples))
        ratio_db = random.uniform(*self.noise_db)
        scale = np.sqrt((samples**2).mean() / (noise**2).mean()) * 10 ** (-ratio_db / 20)
        return samples + scale * noise


def load(utterances: Sequence[Utterance]) -> Iterator[NDArray[np.float32]]:
    """Samples of each utterance at 16 kHz."""
    for utterance in utterances:
        yield io.read(utterance.audio, SAMPLE_RATE).samples
