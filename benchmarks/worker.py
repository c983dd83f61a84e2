"""One system in a process of its own: a request a line on stdin, an answer a line on stdout, both JSON.

    python benchmarks/worker.py SYSTEM '{"model": "whisper-base"}'

The first answer says how long opening took; every later one how long the work took, what came of it, and the peak
memory of the process so far.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any


def peak_mb() -> float:
    """Peak resident memory of this process in MB (Linux counts in kB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


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
        started = time.perf_counter()
        if "audio" in request:
            text = system.hear(**request)
            answer(seconds=time.perf_counter() - started, text=text)
        elif "text" in request:
            first_s = None
            for _chunk in system.stream(request["text"]):
                first_s = first_s or time.perf_counter() - started
            answer(seconds=time.perf_counter() - started, first_s=first_s)
        else:
            out = request.pop("out")
            samples = system.speak(**request)
            seconds = time.perf_counter() - started
            import soundfile

            soundfile.write(out, samples, 24000, subtype="FLOAT")
            answer(seconds=seconds, audio=out, duration_s=len(samples) / 24000)


if __name__ == "__main__":
    main()
