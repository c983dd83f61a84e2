"""One system in a process of its own: a request a line on stdin, an answer a line on stdout, both JSON.

    python benchmarks/worker.py SYSTEM '{"model": "whisper-base"}'

The first answer says how long opening took; every later one how long the work took, what came of it, and the peak
memory of the process so far.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def peak_mb() -> float:
    """Peak resident memory of this process in MB; the system's other count takes in what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000


def main() -> None:
    """Serve requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print goes to stderr
    started = time.perf_counter()
    from systems import SYSTEMS

    system = SYSTEMS[sys.argv[1]](**json.loads(sys.argv[2]))

    def answer(**fields: Any) -> None:
        answers.write(json.dumps({**fields, "peak_mb": peak_mb()}) + "\n")
        answers.flush()

    answer(seconds=time.perf_counter() - started)
    for line in sys.stdin:
        request = json.loads(line)
        work = request.pop("do")
        if work == "force":
            rng = np.random.default_rng(0)
            request["features"] = rng.standard_normal((1, request.pop("mels"), 3000)).astype(np.float32)
        out = request.pop("out", None)
        started = time.perf_counter()
        if work == "stream":
            next(chunks := system.stream(**request))
            seconds = time.perf_counter() - started
            for _rest in chunks:
                pass
            answer(seconds=seconds)
            continue
        made = getattr(system, work)(**request)
        seconds = time.perf_counter() - started
        if work == "hear":
            answer(seconds=seconds, text=made)
        elif work == "force":
            if made != request["tokens"]:
                raise RuntimeError(f"{made} tokens instead of {request['tokens']}")
            answer(seconds=seconds)
        else:
            import soundfile

            soundfile.write(out, made, 24000, subtype="FLOAT")
            answer(seconds=seconds, audio=out, duration_s=len(made) / 24000)


if __name__ == "__main__":
    main()
