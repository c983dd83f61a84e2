"""What Whisper writes here, beside openai-whisper and faster-whisper on the same weights: errors of words.

    python benchmarks/words.py                     everything that is missing, then the table in RESULTS.md
    python benchmarks/words.py --systems sonant    systems whose name begins so
    python benchmarks/words.py --limit 10          stop after so many files; the next run goes on
    python benchmarks/words.py --differences       each file on which two systems disagree

Heard are the 27 clips of pytest-audioeval (nine languages) and a corpus spoken by Kokoro: the four paragraphs that
``spec/paragraphs.json`` has for each of nine languages, each by itself and the four in a row with pauses, most of
which are longer than a window. Greedy, each package's own gates and temperature ladder, the language given. Errors are
counted after writing out figures and folding case and punctuation: of words, in Japanese and Chinese of characters.
What was heard is kept in ``build/bench/words.json``; ``--again`` forgets the chosen systems first. The peers' weights
come from ``python benchmarks/convert.py build/bench/weights``.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import sonant
from sonant.audio import io
from sonant.records import Audio
from sonant.text.evaluation import edit_distance, fold
from sonant.text.normalize import normalize
from sonant.text.tokens import Spoken
from systems import FasterWhisper, OpenaiWhisper, Sonant, System

RESULTS, BEGIN, END = Path("RESULTS.md"), "<!-- words:begin -->", "<!-- words:end -->"
KEPT, SOUNDS, WEIGHTS = Path("build/bench/words.json"), Path("build/bench/words"), Path("build/bench/weights")
SPOKEN = {  # language of Kokoro: of Whisper, voice
    "a": ("en", "am_michael"),
    "b": ("en", "bf_emma"),
    "e": ("es", "ef_dora"),
    "f": ("fr", "ff_siwis"),
    "h": ("hi", "hf_alpha"),
    "i": ("it", "if_sara"),
    "j": ("ja", "jf_alpha"),
    "p": ("pt", "pf_dora"),
    "z": ("zh", "zf_xiaoxiao"),
}
BY_CHARACTER = ("ja", "zh")
BATCH = 4
MODELS = ("whisper-base", "whisper-tiny.en")


@dataclass(frozen=True)
class Sound:
    """A file of 16 kHz, what is said in it, and its part of the corpus: "clip", "spoken" or "in a row"."""

    path: Path
    text: str
    language: str
    kind: str

    @property
    def name(self) -> str:
        """Of the row in the kept results."""
        return f"{self.kind} {self.language} {self.path.stem}"


@dataclass(frozen=True)
class Contestant:
    """A system as it is opened: adapter, its arguments, windows at once."""

    name: str
    adapter: type
    arguments: dict[str, Any]
    batch: int = 1


def contestants(model: str) -> list[Contestant]:
    """All that hear with these weights."""
    found = []
    for dtype in ("float32", "bfloat16", "int16", "int8", "auto"):
        for batch in (1, BATCH):
            way = "batched" if batch > 1 else "sequential"
            found.append(Contestant(f"sonant {dtype} {way}", Sonant, {"model": model, "dtype": dtype}, batch))
    for dtype in ("float32", "int8"):  # as faster-whisper's batches
        arguments = {"model": model, "dtype": dtype, "timed": False}
        found.append(Contestant(f"sonant {dtype} batched, no time stamps", Sonant, arguments, BATCH))
    found.append(Contestant("openai-whisper float32", OpenaiWhisper, {"weights": str(WEIGHTS / f"{model}.pt")}))
    for dtype in ("float32", "int8"):
        for batch in (1, BATCH):
            way = "batched" if batch > 1 else "sequential"
            arguments = {"weights": str(WEIGHTS / f"{model}.ct2"), "dtype": dtype}
            found.append(Contestant(f"faster-whisper {dtype} {way}", FasterWhisper, arguments, batch))
    return found


def clips() -> list[Sound]:
    """Of pytest-audioeval."""
    import pytest_audioeval

    folder = Path(pytest_audioeval.__path__[0]) / "samples" / "audio"
    return [
        Sound(path, path.with_suffix(".txt").read_text(encoding="utf-8").strip(), path.parent.name, "clip")
        for path in sorted(folder.glob("*/*.wav"))
    ]


def spoken() -> list[Sound]:
    """The corpus, spoken where it isn't yet: 16 kHz."""
    paragraphs = json.loads(Path("spec/paragraphs.json").read_text(encoding="utf-8"))
    SOUNDS.mkdir(parents=True, exist_ok=True)
    speaker = None
    found = []
    pause = np.zeros(24_000, np.float32)
    for code, (language, voice) in SPOKEN.items():
        parts = []
        for number, text in enumerate(paragraphs[code]):
            path = SOUNDS / f"{code}{number}.wav"
            if not path.exists():
                speaker = speaker or sonant.load_tts("kokoro-82m", dtype="float32", threads=2)
                io.write(path, speaker.speak(text, voice, language=code, seed=0).audio, sample_rate=16_000)
            parts.append(Sound(path, text, language, "spoken"))
        row = SOUNDS / f"{code}-row.wav"
        if not row.exists():
            pieces = [piece for one in parts for piece in (io.read(one.path, 16_000).samples, pause)]
            io.write(row, Audio(np.concatenate(pieces), 16_000))
        found += [*parts, Sound(row, " ".join(one.text for one in parts), language, "in a row")]
    return found


def folded(text: str, language: str) -> str:
    """Figures written out where the language has a normaliser here (not Polish); case and punctuation folded."""
    code = {whisper: code for code, (whisper, _) in SPOKEN.items()}.get(language)
    if code:
        text = "".join(piece.text for piece in normalize([Spoken(text, (0, len(text)))], code))
    return fold(text)


def errors(sound: Sound, heard: str) -> tuple[int, int]:
    """Wrong, missing or added words (characters where the script has no spaces), and how many were said."""
    said, heard = folded(sound.text, sound.language), folded(heard, sound.language)
    if sound.language in BY_CHARACTER:
        said, heard = said.replace(" ", ""), heard.replace(" ", "")
        return edit_distance(said, heard), len(said)
    return edit_distance(said.split(), heard.split()), len(said.split())


def hear(model: str, sounds: list[Sound], arguments: argparse.Namespace, kept: dict[str, Any]) -> None:
    """Fill in what is missing."""
    for one in contestants(model):
        if not one.name.startswith(arguments.systems):
            continue
        texts = kept.setdefault(model, {}).setdefault(one.name, {})
        if arguments.again:
            texts.clear()
        missing = [sound for sound in sounds if sound.name not in texts]
        if not missing:
            continue
        system: System = one.adapter(**one.arguments)
        for sound in missing:
            if arguments.limit == 0:
                return
            arguments.limit -= 1
            texts[sound.name] = system.hear(str(sound.path), 1, sound.language, one.batch)
            KEPT.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")


def rate(sounds: list[Sound], texts: dict[str, str]) -> str:
    """Per cent of errors over sounds together, and how many; "" where some weren't heard."""
    if not sounds or any(sound.name not in texts for sound in sounds):
        return ""
    counts = [errors(sound, texts[sound.name]) for sound in sounds]
    wrong, said = sum(one for one, _ in counts), sum(of for _, of in counts)
    return f"{100 * wrong / said:.1f} ({wrong})"


def table(sounds: list[Sound], kept: dict[str, Any]) -> str:
    """A table a model: per cent of errors, the count in brackets."""
    lines = []
    for model in MODELS:
        fitting = [sound for sound in sounds if sound.language == "en" or not model.endswith(".en")]
        codes = sorted({sound.language for sound in fitting})
        columns = [
            *((f"clips {code}", [s for s in fitting if s.kind == "clip" and s.language == code]) for code in codes),
            ("all clips", [s for s in fitting if s.kind == "clip"]),
            ("spoken", [s for s in fitting if s.kind != "clip"]),
            ("of these in a row", [s for s in fitting if s.kind == "in a row"]),
        ]
        lines += [f"\n**{model}**\n", "| system | " + " | ".join(name for name, _ in columns) + " |"]
        lines.append("|---" * (len(columns) + 1) + "|")
        for name, texts in kept.get(model, {}).items():
            lines.append(f"| {name} | " + " | ".join(rate(some, texts) for _, some in columns) + " |")
    return "\n".join(lines)


def differences(sounds: list[Sound], kept: dict[str, Any]) -> str:
    """Files on which systems disagree after folding: what was said, then each text and who wrote it."""
    lines = []
    for model, systems in kept.items():
        for sound in sounds:
            texts: dict[str, list[str]] = {}
            for name, heard in systems.items():
                if sound.name in heard:
                    texts.setdefault(folded(heard[sound.name], sound.language), []).append(name)
            if len(texts) > 1:
                lines.append(f"\n{model}: {sound.name}\n  said: {folded(sound.text, sound.language)}")
                lines += [
                    f"  {errors(sound, text)[0]} wrong: {text}\n      {', '.join(by)}" for text, by in texts.items()
                ]
    return "\n".join(lines)


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", default="")
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--limit", type=int, default=-1)
    parser.add_argument("--clips", action="store_true", help="leave the spoken corpus out")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--differences", action="store_true")
    arguments = parser.parse_args()
    sounds = clips() + ([] if arguments.clips else spoken())
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    if arguments.differences:
        print(differences(sounds, kept))
        return
    for model in arguments.models:
        english = model.endswith(".en")
        hear(model, [one for one in sounds if one.language == "en" or not english], arguments, kept)
    packages = ", ".join(f"{name} {version(name)}" for name in ("openai-whisper", "faster-whisper", "ctranslate2"))
    text = (
        f"{BEGIN}\n`python benchmarks/words.py`, {datetime.now(UTC):%Y-%m-%d}; {packages}. "
        f"Per cent, in brackets how many.\n{table(sounds, kept)}\n{END}"
    )
    old = RESULTS.read_text(encoding="utf-8")  # read late: other tables are written meanwhile
    if BEGIN not in old:
        parser.error(f"{RESULTS} has no place for the table: {BEGIN} and {END}")
    RESULTS.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: text, old, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
