"""The most memory that hearing takes, in a process of its own.

    python benchmarks/memory.py whisper-tiny.en --minutes 3 30 --batch 1 4
    python benchmarks/memory.py build/bench/weights/distil-large-v3 --dtype int8 --minutes 0.5

Heard are the English clips of pytest-audioeval in turn, with pauses. A network with random weights (the second line;
``python benchmarks/convert.py`` makes its folder) writes nonsense, so windows are decoded once, without a ladder.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sonant.audio import io
from sonant.records import Audio

RATE = 16_000
SOUNDS = Path("build/bench/long")


@dataclass(frozen=True)
class Use:
    """What a process came to: megabytes (10^6) resident when the model was open and at most, and what it wrote."""

    opened_mb: float
    peak_mb: float
    duration_s: float
    end_s: float
    words: int


def sound(minutes: float, folder: Path = SOUNDS) -> Path:
    """A file of so many minutes at least."""
    import pytest_audioeval

    path = folder / f"{minutes:g}.flac"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    clips = sorted(Path(pytest_audioeval.__path__[0]).glob("samples/audio/en/*.wav"))
    pause = np.zeros(3 * RATE // 4, np.float32)
    pieces, size = [], 0
    for clip in itertools.cycle([np.concatenate([io.read(clip, RATE).samples, pause]) for clip in clips]):
        if size >= minutes * 60 * RATE:
            break
        pieces.append(clip)
        size += len(clip)
    return io.write(path, Audio(np.concatenate(pieces), RATE))


def measure(model: str, path: Path, dtype: str = "auto", batch: int = 1, ladder: bool = True) -> Use:
    """Hear a file in a fresh process."""
    given = json.dumps([model, str(path), dtype, batch, ladder])
    done = subprocess.run([sys.executable, __file__, "--child", given], capture_output=True, text=True, check=True)
    return Use(**json.loads(done.stdout))


def child(model: str, path: str, dtype: str, batch: int, ladder: bool) -> Use:
    """What the process does."""
    import sonant

    def peak_mb() -> float:
        # of this program alone; getrusage would count the parent's before the exec too
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024 / 1e6  # type: ignore[index]

    asr = sonant.load_asr(model, dtype=dtype, threads=2)
    opened = peak_mb()
    options = {} if ladder else {"temperature": 0.0, "language": "en", "voice_gate": False}
    # text that repeats, as here, is no context to go on from
    found = asr.transcribe(path, batch_size=batch, condition_on_previous_text=False, **options)
    end_s = found.segments[-1].end_s if found.segments else 0.0
    return Use(opened, peak_mb(), found.duration_s, end_s, len(found.text.split()))


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="whisper-tiny.en")
    parser.add_argument("--minutes", type=float, nargs="+", default=[3.0, 30.0])
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(asdict(child(*json.loads(arguments.child)))))
        return
    random = Path(arguments.model).is_dir()
    for minutes, batch in itertools.product(arguments.minutes, arguments.batch):
        print(minutes, batch, measure(arguments.model, sound(minutes), arguments.dtype, batch, not random), flush=True)


if __name__ == "__main__":
    main()
