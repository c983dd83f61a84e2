"""How much an exported Kokoro loses in float16 and int8 against float32.

.venv-dev/bin/python scripts/export_quality.py > quality.md                  # minutes
.venv-dev/bin/python scripts/export_quality.py --only int8 --voices af_heart --texts 1

Every text is spoken by every voice, without noise. Durations: symbols that last as many frames as in float32. Log-mel:
mean absolute difference of 80 bands in nepers, each symbol's columns stretched to the length that it has in float32.
The row "another seed" is float32 with two noises, against which the others may be judged.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sonant.engines.engine_fake.synth import FakeSynth
from sonant.export.kokoro import export_kokoro
from sonant.tts.pipeline import Speaker
from sonant.tts.plan import Utterance
from sonant.weights import store, voices
from sonant.weights.checkpoint import Checkpoint

VOICES = ("af_heart", "bm_george")
TEXTS = (
    "The kettle is on, and there are three cups on the table.",
    "Did she really sell sea shells by the sea shore?",
    "In 1984, twenty-two engineers measured the valley's rainfall for the first time.",
)
COLUMNS = 4  # of the log-mel in a frame of 600 samples
HOP, WINDOW = 600 // COLUMNS, 1024

Said = tuple[NDArray[np.float32], NDArray[np.int64]]  # samples, frames of each symbol


def utterances(checkpoint: Checkpoint, names: list[str], texts: int) -> list[dict[str, NDArray[Any]]]:
    """What the graph is fed, one for each voice and text."""
    speaker = Speaker(FakeSynth(), checkpoint, partial(voices.load, checkpoint))
    feeds = []
    for voice in names:
        styles = speaker.voice(voice).styles
        for text in TEXTS[:texts]:
            for step in speaker.plan(text, voice):
                if isinstance(step, Utterance):
                    ids = np.array([speaker.vocab[symbol] for symbol in step.phonemes], np.int64)
                    style = styles[len(ids) - 1][None]
                    feeds.append({"tokens": np.pad(ids, 1)[None], "style": style, "speed": np.ones(1, np.float32)})
    return feeds


def speak(path: Path, feeds: list[dict[str, NDArray[Any]]], seed: int) -> list[Said]:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # it warns that the seed may be given
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    return [session.run(["audio", "durations"], {**each, "seed": np.array([seed])}) for each in feeds]


def log_mel(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """(columns, 80): bands up to 12 kHz, natural logarithm of the magnitude, floor 1e-5."""
    padded = np.pad(sound, WINDOW // 2)
    rows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    size = np.abs(np.fft.rfft(rows)) / (WINDOW / 2)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 12000 / 700), 82) / 2595) - 1)
    hertz = np.linspace(0, 12000, WINDOW // 2 + 1)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bands = np.clip(np.minimum((hertz - low) / (mid - low), (high - hertz) / (high - mid)), 0, None)
    return np.log(np.maximum(size @ bands.T, 1e-5))


def distance(one: Said, other: Said) -> float:
    """Mean difference of the log-mels, the second's symbols stretched to the first's lengths."""
    places, start = [], 0
    for wanted, given in zip(COLUMNS * one[1], COLUMNS * other[1], strict=True):
        places.append(start + (np.arange(wanted) * given // wanted))
        start += given
    right = log_mel(one[0])[: COLUMNS * one[1].sum()]
    return float(np.abs(right - log_mel(other[0])[np.concatenate(places)]).mean())


def row(name: str, size: str, right: list[Said], made: list[Said]) -> str:
    pairs = list(zip(right, made, strict=True))
    kept = np.concatenate([one[1] == other[1] for one, other in pairs])
    farthest = max(int(np.abs(one[1] - other[1]).max()) for one, other in pairs)
    length = sum(other[1].sum() for _, other in pairs) / sum(one[1].sum() for one, _ in pairs) - 1
    each = [distance(*pair) for pair in pairs]
    return (
        f"| {name} | {size} | {kept.mean():.2%} | {farthest} | {length:+.3%} | {np.mean(each):.3f} | {max(each):.3f} |"
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--only", choices=("seed", "float16", "int8"), nargs="+", default=("seed", "float16", "int8"))
    options.add_argument("--voices", nargs="+", default=VOICES)
    options.add_argument("--texts", type=int, default=len(TEXTS), help="the first so many")
    given = options.parse_args()
    checkpoint = store.resolve("kokoro-82m")
    feeds = utterances(checkpoint, given.voices, given.texts)
    print(f"{len(feeds)} utterances, onnxruntime {onnxruntime.__version__}\n")
    print("| | MB | symbols as long | frames apart, most | whole length | log-mel, mean | log-mel, worst utterance |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = export_kokoro(checkpoint, Path(folder) / "float32").files[0]
        if "seed" in given.only:
            pair = [speak(path, feeds, seed) for seed in (0, 1)]
            print(row("float32, another seed", f"{path.stat().st_size / 1e6:.0f}", *pair), flush=True)
        right = speak(path, feeds, -1) if set(given.only) - {"seed"} else []
        for dtype in ("float16", "int8"):
            if dtype in given.only:
                path = export_kokoro(checkpoint, Path(folder) / dtype, dtype).files[0]
                print(row(dtype, f"{path.stat().st_size / 1e6:.0f}", right, speak(path, feeds, -1)), flush=True)


if __name__ == "__main__":
    main()
