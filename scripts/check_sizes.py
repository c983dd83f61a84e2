"""Fail when a source file is over 600 lines: one file, one stage."""

import sys
from pathlib import Path

LIMIT = 600
long = {
    path: lines
    for folder in ("src", "js", "tests", "scripts", "benchmarks", "examples")
    for path in Path(folder).rglob("*")
    if path.suffix in (".py", ".ts", ".js") and "node_modules" not in path.parts
    if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LIMIT
}
for path, lines in long.items():
    print(f"{path}: {lines} lines, over {LIMIT}")
sys.exit(bool(long))
