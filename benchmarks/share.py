"""What the work around the network takes of hearing a file: resampling, log-mel, voice detection, DTW; and decoding.

    python benchmarks/share.py [--model whisper-base] [--minutes 5] [--rounds 3]

English clips of pytest-audioeval in turn, with pauses, at 44.1 kHz, so that there is something to resample. All of this
work is done in the calling thread, where ``cProfile`` watches it; watching makes Python slower and the network not, so
the shares are upper bounds.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
from pathlib import Path
from typing import Any

import sonant
from memory import sound
from sonant.audio import io

RATE = 44_100
OPENING = ("asr/source.py", "open_sound")  # decodes and resamples
PARTS = {  # (file, function), none of which calls another of the list
    "resampling": (("audio/resample.py", "push"),),
    "log-mel": (("audio/features.py", "mel_peak"), ("audio/features.py", "mel_window")),
    "voice detection": (("asr/voice.py", "probabilities"),),
    "DTW": (("decode/dtw.py", "warp"), ("decode/dtw.py", "median_filter")),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "in order": {},
    "in order, word times": {"word_timestamps": True},
    "batches of 8": {"batch_size": 8},
    "batches of 8, word times": {"batch_size": 8, "word_timestamps": True},
}


def material(minutes: float) -> Path:
    """The sound at 44.1 kHz."""
    source = sound(minutes)
    path = source.with_name(f"{minutes:g}-{RATE}.flac")
    return path if path.exists() else io.write(path, io.read(source, RATE))


def shares(asr: Any, path: Path, options: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """Seconds of one hearing, and the share of each part in them."""
    profile = cProfile.Profile()
    profile.runcall(asr.transcribe, path, language="en", **options)
    watched = pstats.Stats(profile)
    total: float = watched.total_tt  # type: ignore[attr-defined]
    taken = {
        (Path(file).parent.name + "/" + Path(file).name, name): cumulative
        for (file, _, name), (_, _, _, cumulative, _) in watched.stats.items()  # type: ignore[attr-defined]
    }
    found = {part: sum(taken[key] for key in keys if key in taken) / total for part, keys in PARTS.items()}
    return total, found | {"decoding": taken[OPENING] / total - found["resampling"]}


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    path, asr = material(chosen.minutes), sonant.load_asr(chosen.model)
    print(f"| {chosen.model}, {chosen.minutes:g} minutes | s |", " | ".join(PARTS), "| together | decoding |")
    print("|---" * (len(PARTS) + 4) + "|")
    for name, options in SETTINGS.items():
        runs = [shares(asr, path, options) for _ in range(chosen.rounds)]
        found = [statistics.median(run[1][part] for run in runs) for part in (*PARTS, "decoding")]
        cells = [f"{100 * share:.1f} %" for share in (*found[:-1], sum(found[:-1]), found[-1])]
        print(f"| {name} | {statistics.median(run[0] for run in runs):.1f} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
