"""The benchmark: interleaved runs of sonant and its peers on the same weights, one table, one plot, RESULTS.md.

    make bench                 all rows but the long ones
    make bench ROWS="kokoro"   some; the results of the others stay

Every system lives in its own process; a round runs every system once (A B C, A B C, ...), so that what else the machine
does falls on all of them alike. Ratios are medians of the rounds' ratios. The first round warms up and does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from material import Item, material
from report import write_report
from rows import Entry, Row, rows
from sonant.doctor import examine
from sonant.text.evaluation import word_error_rate

HERE = Path(__file__).parent


class Worker:
    """A system in a process of its own."""

    def __init__(self, entry: Entry, environment: dict[str, str]) -> None:
        command = [sys.executable, str(HERE / "worker.py"), entry.system, json.dumps(entry.opened_with)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=os.environ | environment, **pipes)
        self.entry = entry
        self.open_s = self._answer()["seconds"]

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request; the worker's answer."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.entry.label} died with status {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def measure(row: Row, out: Path) -> list[dict[str, Any]]:
    """Run one row; a result for each system, ours first."""
    items = material(row.material, out)[: row.items]
    workers = [Worker(entry, row.environment) for entry in row.entries]
    seconds: list[list[float]] = [[] for _ in workers]
    last: list[list[dict[str, Any]]] = [[] for _ in workers]
    colds: list[float] = []  # seconds of the very first item of each
    for round_number in range(row.repeats + 1):
        for place, worker in enumerate(workers):
            answers = [worker.ask(**item.request(row, worker.entry.label, out)) for item in items]
            last[place] = answers
            if not round_number:
                colds.append(answers[0]["seconds"])
            else:
                seconds[place].append(sum(answer["seconds"] for answer in answers))
        print(f"{row.id}: round {round_number} of {row.repeats}", file=sys.stderr)
    for worker in workers:
        worker.close()
    ours = seconds[0]
    return [
        {
            "row": row.id,
            "title": row.title,
            "label": worker.entry.label,
            "seconds": statistics.median(own),
            "real_time": sum(duration(item, answer) for item, answer in zip(items, answers, strict=True))
            / statistics.median(own),
            "ratio": statistics.median(theirs / us for theirs, us in zip(own, ours, strict=True)),
            "open_s": worker.open_s,
            "cold_s": worker.open_s + colds[place],
            "peak_mb": max(answer["peak_mb"] for answer in answers),
            "quality": quality(items, answers),
        }
        for place, (worker, own, answers) in enumerate(zip(workers, seconds, last, strict=True))
    ]


def duration(item: Item, answer: dict[str, Any]) -> float:
    """Seconds of sound heard or spoken."""
    return answer.get("duration_s") or item.duration_s


def quality(items: list[Item], answers: list[dict[str, Any]]) -> str:
    """Word error rate of what was heard, or of what Whisper base hears in what was spoken; empty without a truth."""
    if not all(item.text for item in items) or not answers[0].keys() & {"text", "audio"}:
        return ""
    if "text" in answers[0]:
        heard = " ".join(answer["text"] for answer in answers)
    else:
        import sonant

        listener = sonant.load_asr("whisper-base", dtype="float32")
        heard = " ".join(listener.transcribe(answer["audio"], language="en").text for answer in answers)
    return f"WER {100 * word_error_rate(' '.join(item.text for item in items), heard):.1f} %"


def machine() -> dict[str, str]:
    """Where and when this was measured."""
    found = examine()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.strip(),
        "cpu": f"{found.cpu_count} cores, {platform.machine()}, {' '.join(found.cpu_flags)}",
        "python": found.python,
        "packages": ", ".join(f"{package.name} {package.version}" for package in found.packages if package.version),
    }


def main() -> None:
    """Measure the chosen rows and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="ids; all but the long ones when none is given")
    parser.add_argument("--weights", type=Path, default=Path("build/bench/weights"))
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--items", type=int, default=1000, help="at most so many clips or paragraphs a row")
    parser.add_argument("--repeats", type=int, default=1000, help="at most so many counted rounds a row")
    chosen = parser.parse_args()
    known = {row.id: row for row in rows(chosen.weights)}
    unknown = [name for name in chosen.rows if name not in known]
    if unknown:
        parser.error(f"unknown rows {', '.join(unknown)}; known: {', '.join(known)}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    written, order = chosen.out / "results.json", list(known)
    for name in chosen.rows or [name for name, row in known.items() if not row.asked]:
        row = min(chosen.items, known[name].items), min(chosen.repeats, known[name].repeats)
        measured = measure(replace(known[name], items=row[0], repeats=row[1]), chosen.out)
        before = json.loads(written.read_text())["results"] if written.exists() else []
        results = [*(result for result in before if result["row"] != name), *measured]
        results.sort(key=lambda result: order.index(result["row"]) if result["row"] in order else len(order))
        written.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))
    write_report(written, chosen.out / "results.png")


if __name__ == "__main__":
    main()
