"""What Kokoro's dtypes lose and gain: sound against float32, what a listener hears, seconds of a call.

.venv-dev/bin/python scripts/speech_dtypes.py                                   # minutes
.venv-dev/bin/python scripts/speech_dtypes.py --parts speed --rounds 9

Sound: utterances and distance of ``export_quality``, without noise; "norm" is that of the waveforms' difference over
float32's. Heard: ten paragraphs, word errors of Whisper base. Speed: whole calls for two texts, the dtypes in turn,
medians of wall and CPU time, and the first dtype's over the others'. Without --dtypes: those that this machine has.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

import sonant
from export_quality import TEXTS, VOICES, Said, distance, utterances
from sonant.engines import cpu
from sonant.kernels import best
from sonant.text.evaluation import word_errors
from sonant.weights import store

PARAGRAPHS = json.loads((Path(__file__).parents[1] / "benchmarks" / "paragraphs.json").read_text(encoding="utf-8"))
DTYPES = ("float32", "bfloat16", "int16", "int8")


@cache
def speaker(dtype: str) -> sonant.tts.pipeline.Speaker:
    return sonant.load_tts("kokoro-82m", engine="openvino", dtype=dtype)


def said(dtype: str) -> list[Said]:
    feeds = utterances(store.resolve("kokoro-82m"), list(VOICES), len(TEXTS))
    engine = speaker(dtype).engine
    return [engine.synthesize([row["tokens"][0, 1:-1]], row["style"], row["speed"], [-1])[0] for row in feeds]


def sound(dtypes: Sequence[str]) -> None:
    right = said("float32")
    print("| | durations | log-mel, mean | worst | norm, mean |\n|---|---|---|---|---|")
    for dtype in dtypes:
        pairs = list(zip(right, said(dtype), strict=True))
        equal = all(np.array_equal(one[1], other[1]) for one, other in pairs)
        each = [distance(*pair) for pair in pairs]
        norms = [np.linalg.norm(one[0] - other[0]) / np.linalg.norm(one[0]) for one, other in pairs]
        print(
            f"| {dtype} | {'equal' if equal else 'differ'} | {np.mean(each):.3f} | {max(each):.3f} "
            f"| {np.mean(norms):.3f} |",
            flush=True,
        )


def heard(dtypes: Sequence[str]) -> None:
    listener = sonant.load_asr("whisper-base")
    words = sum(len(text.split()) for text in PARAGRAPHS)
    for dtype in dtypes:
        spoken = [speaker(dtype).speak(text).audio for text in PARAGRAPHS]
        errors = sum(
            word_errors(text, listener.transcribe(audio).text) for text, audio in zip(PARAGRAPHS, spoken, strict=True)
        )
        print(f"{dtype}: {errors} errors in {words} words heard by Whisper base", flush=True)


def here() -> list[str]:
    """Dtypes that this machine multiplies."""
    found = cpu.detect()
    there = {"bfloat16": found.bfloat16, "int16": best.find("int16") is not None, "int8": found.int8}
    return [dtype for dtype in DTYPES if there.get(dtype, True)]


def speed(dtypes: Sequence[str], rounds: int) -> None:
    for name, text in (("a short paragraph", PARAGRAPHS[0]), ("a long paragraph", " ".join(PARAGRAPHS[:2]))):
        taken: dict[str, list[tuple[float, float]]] = {dtype: [] for dtype in dtypes}
        for _ in range(rounds + 1):  # the first compiles
            for dtype, rows in taken.items():
                wall, own = time.perf_counter(), time.process_time()
                length = speaker(dtype).speak(text).audio.duration_s
                rows.append((time.perf_counter() - wall, time.process_time() - own))
        middle = {dtype: np.median(rows[1:], axis=0) for dtype, rows in taken.items()}
        first = middle[dtypes[0]]
        shown = ", ".join(
            f"{dtype} {wall:.2f} s wall ({first[0] / wall:.2f} x), {own:.2f} s CPU ({first[1] / own:.2f} x)"
            for dtype, (wall, own) in middle.items()
        )
        print(f"{name}, {length:.1f} s of sound: {shown}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--parts", choices=("sound", "heard", "speed"), nargs="+", default=("sound", "heard", "speed"))
    options.add_argument("--dtypes", choices=DTYPES, nargs="+", default=here())
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    if "sound" in given.parts:
        sound(given.dtypes)
    if "heard" in given.parts:
        heard(given.dtypes)
    if "speed" in given.parts:
        speed(given.dtypes, given.rounds)


if __name__ == "__main__":
    main()
