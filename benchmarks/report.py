"""Results as a Markdown table inside RESULTS.md, and as a plot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

__all__ = ["write_report"]

RESULTS = Path("RESULTS.md")
LEVELS = {"amx_bf16": "amx", "avx512f": "avx512"}  # flag of the CPU: what its table is called; else "avx2"


def table(results: list[dict[str, Any]]) -> str:
    """A table with a section a row of the benchmark."""
    lines = []
    for title in dict.fromkeys(result["title"] for result in results):
        lines += [
            f"\n**{title}**\n",
            "| system | seconds | x real time | sonant is faster by | start to first result | peak memory | quality |",
        ]
        lines.append("|---|---|---|---|---|---|---|")
        for result in results:
            if result["title"] == title:
                numbers = f"{result['seconds']:.2f} | {result['real_time']:.1f} | {result['ratio']:.2f} x"
                rest = f"{result['cold_s']:.1f} s | {result['peak_mb']:.0f} MB | {result['quality']}"
                lines.append(f"| {result['label']} | {numbers} | {rest} |")
    return "\n".join(lines)


def write_report(results: Path, plot: Path) -> None:
    """Put the table between the marks that RESULTS.md has for such CPUs, and draw the ratios."""
    data = json.loads(results.read_text())
    where = data["machine"]
    level = next((name for flag, name in LEVELS.items() if flag in where["cpu"]), "avx2")
    begin, end = (f"<!-- bench-{level}:{part} -->" for part in ("begin", "end"))
    text = (
        f"{begin}\n`make bench`, commit {where['commit']}, {where['date']}; {where['cpu']}; Python {where['python']}; "
        f"{where['packages']}.\n{table(data['results'])}\n{end}"
    )
    old = RESULTS.read_text(encoding="utf-8")
    RESULTS.write_text(re.sub(f"{begin}.*{end}", lambda _: text, old, flags=re.DOTALL), encoding="utf-8")
    draw(data["results"], plot)


def draw(results: list[dict[str, Any]], plot: Path) -> None:
    """Bars of times real time, a panel a row."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    titles = list(dict.fromkeys(result["title"] for result in results))
    bars = [sum(result["title"] == title for result in results) for title in titles]
    figure, axes = plt.subplots(
        *(len(titles), 1),
        figsize=(8, 0.2 * sum(bars) + 1.1 * len(titles)),
        height_ratios=[count + 1 for count in bars],
        squeeze=False,
    )
    for axis, title in zip(axes[:, 0], titles, strict=True):
        rows = [result for result in results if result["title"] == title][::-1]
        colours = ["#c0392b" if row["label"].startswith("sonant") else "#95a5a6" for row in rows]
        axis.barh([row["label"] for row in rows], [row["real_time"] for row in rows], color=colours)
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_xlabel("times real time", fontsize=8)
        axis.tick_params(labelsize=8)
    figure.tight_layout()
    figure.savefig(plot, dpi=110)
