"""What the systems hear and speak: clips and texts that install from a package registry, or that sonant speaks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sonant
from sonant.audio import io

__all__ = ["Item", "material"]

PARAGRAPHS = Path(__file__).parent / "paragraphs.json"  # English prose of 100-400 phonemes each, ours
TALK_S, LECTURE_S = 300.0, 1200.0


@dataclass(frozen=True)
class Item:
    """One thing to do: a file to hear, or phonemes to speak; ``text`` is the truth in both cases."""

    name: str
    text: str
    duration_s: float = 0.0
    audio: str = ""
    phonemes: str = ""
    parts: tuple[str, ...] = ()

    def request(self, row: Any, label: str, out: Path) -> dict[str, Any]:
        """What a worker is asked; ``row.request["do"]`` says what is done."""
        asked = dict(row.request)
        if asked["do"] == "hear":
            asked["audio"] = self.audio
        elif asked["do"] == "stream":
            asked["text"] = self.text
        elif asked["do"] in ("speak", "speak_many"):
            asked["phonemes"] = list(self.parts) if asked["do"] == "speak_many" else self.phonemes
            asked["out"] = str(out / f"{row.id}.{label}.{self.name}.wav".replace(" ", "_"))
        return asked


def material(kind: str, out: Path) -> list[Item]:
    """Items of a kind."""
    kinds = {
        "clips": clips,
        "talk": talk,
        "lecture": lecture,
        "paragraphs": paragraphs,
        "sentences": sentences,
        "text": long_text,
        "window": window,
        "noise": noise,
        "long noise": long_noise,
    }
    return kinds[kind](out)


def clips(out: Path) -> list[Item]:
    """The English clips of pytest-audioeval, as every system reads them: 16 kHz, 16 bits."""
    import pytest_audioeval

    folder = Path(pytest_audioeval.__path__[0])
    found = []
    for path in sorted(folder.rglob("en/*.wav")):
        text = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
        plain = out / f"clip.{path.name}"
        io.write(plain, io.read(path, 16000))
        found.append(Item(path.stem, text, io.duration_s(plain), str(plain)))
    if not found:
        raise FileNotFoundError(f"no English clips under {folder}")
    return found


def paragraphs(_out: Path) -> list[Item]:
    """Our paragraphs, as phonemes of our own front-end."""
    from sonant.text import g2p, normalize, phonemes, split
    from sonant.text.tokens import Spoken

    speak = g2p.load("a")
    found = []
    for number, text in enumerate(json.loads(PARAGRAPHS.read_text(encoding="utf-8"))):
        pieces = normalize.normalize([Spoken(text, (0, len(text)))], "a")
        each = tuple(phonemes.join(list(speak(sentence))) for sentence in split.sentences(pieces, "a"))
        found.append(Item(f"p{number}", text, phonemes=" ".join(each), parts=each))
    return found


def sentences(out: Path) -> list[Item]:
    """Eight sentences of like length."""
    every = [(part, item.text) for item in paragraphs(out) for part in item.parts]
    chosen = sorted(every, key=lambda pair: abs(len(pair[0]) - 70))[:8]
    return [Item("eight", "", parts=tuple(part for part, _text in chosen))]


def long_text(_out: Path) -> list[Item]:
    """A text of about 300 characters, to be heard as soon as it can be."""
    text = json.loads(PARAGRAPHS.read_text(encoding="utf-8"))[0]
    return [Item("text", text[: text.rindex(" ", 0, 300)] + ".", duration_s=1.0)]


def window(_out: Path) -> list[Item]:
    """One window of random features."""
    return [Item("window", "", duration_s=30.0)]


def noise(out: Path, name: str = "noise", seconds: int = 20) -> list[Item]:
    """20 s of noise, for networks with random weights."""
    path = out / f"{name}.wav"
    samples = np.random.default_rng(0).standard_normal(seconds * 16000).astype(np.float32) * 0.1
    io.write(path, sonant.Audio(samples, 16000))
    return [Item(name, "", float(seconds), str(path))]


def long_noise(out: Path) -> list[Item]:
    """Ten minutes of it."""
    return noise(out, "long-noise", 600)


def talk(out: Path, name: str = "talk", seconds: float = TALK_S) -> list[Item]:
    """Five minutes spoken by sonant in four voices, with pauses, at 16 kHz."""
    path = out / f"{name}.wav"
    texts = json.loads(PARAGRAPHS.read_text(encoding="utf-8"))
    parts, said, duration_s, number = [], [], 0.0, 0
    tts = sonant.load_tts() if not path.exists() else None
    if tts is None:
        return [Item(name, path.with_suffix(".txt").read_text(encoding="utf-8"), io.duration_s(path), str(path))]
    while duration_s < seconds:
        text = texts[number % len(texts)]
        voice = ("af_heart", "am_michael", "bf_emma", "bm_george")[number % 4]
        speech = tts.speak(text, voice, seed=number).audio
        pause = np.zeros(int(speech.sample_rate * (0.5 + number % 3)), np.float32)
        parts += [speech.samples, pause]
        said.append(text)
        duration_s += speech.duration_s + len(pause) / speech.sample_rate
        number += 1
    io.write(path, sonant.Audio(np.concatenate(parts), 24000), sample_rate=16000)
    path.with_suffix(".txt").write_text(" ".join(said), encoding="utf-8")
    return [Item(name, " ".join(said), io.duration_s(path), str(path))]


def lecture(out: Path) -> list[Item]:
    """Twenty minutes of it."""
    return talk(out, "lecture", LECTURE_S)
