"""What eight sentences of Kokoro could gain by being one batch, at the very most.

    python benchmarks/limit.py [--rounds 5]

One sentence has all cores while kernels run, and arithmetic is the same for as many sentences however they are called.
A batch can only do two things: let other cores work while one runs Python, and read the weights once instead of eight
times. So it takes at least

    time in kernels - time to read the weights, for all but one + time outside / cores

where weights are taken to be read at the speed at which all cores read memory and do nothing else.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

import sonant
from material import sentences
from sonant.kernels.convolution import Convolution
from sonant.kernels.product import Product
from sonant.kernels.recurrent import Recurrent
from sonant.kernels.team import Team

ROOM = 2**28  # bytes, more than any cache


def reading_speed(team: Team) -> float:
    """Bytes a second that all threads read together."""
    room, taken = np.ones(ROOM // 8, np.int64), []
    for _ in range(5):
        begin = time.perf_counter()
        team.share(len(room), len(room), lambda _, start, end: room[start:end].sum())
        taken.append(time.perf_counter() - begin)
    return ROOM / min(taken)


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    inside, call = [0.0], Team.call

    def timed(team: Team, *given: Any) -> None:
        begin = time.perf_counter()
        call(team, *given)
        inside[0] += time.perf_counter() - begin

    tts = sonant.load_tts("kokoro-82m")
    (item,) = sentences(Path())

    def speak() -> tuple[float, float]:
        inside[0], begin = 0.0, time.perf_counter()
        for part in item.parts:
            tts.speak(part, is_phonemes=True, seed=0)
        return time.perf_counter() - begin, inside[0]

    speak()
    Team.call = timed  # type: ignore[method-assign]
    walls, kernels = map(statistics.median, zip(*(speak() for _ in range(chosen.rounds)), strict=True))
    parts = [one for one in gc.get_objects() if isinstance(one, Product | Convolution | Recurrent)]
    weights, team = sum(one.weights.nbytes for one in parts), parts[0].team
    reading = weights / reading_speed(team)
    count = len(item.parts)
    least = kernels - (count - 1) * reading + (walls - kernels) / team.size
    print(f"{tts.engine.description}")
    print(f"{count} sentences one by one: {walls:.2f} s, {kernels:.2f} s of them in kernels on {team.size} cores")
    print(f"{walls / count * 1000:.0f} ms each; its {weights / 1e6:.0f} MB of weights read in {reading * 1000:.0f} ms")
    print(f"as one batch at least {least:.2f} s: {walls / least:.2f} times as fast at most")


if __name__ == "__main__":
    main()
