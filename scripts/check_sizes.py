"""Fail when a file is over 600 lines (one file, one stage), or when two test files share a name (pytest takes one)."""

import sys
from collections import Counter
from pathlib import Path

LIMIT = 600
long = {
    path: lines
    for folder in ("src", "js", "tests", "scripts", "benchmarks", "examples")
    for path in Path(folder).rglob("*")
    if path.suffix in (".py", ".ts", ".js", ".c", ".h") and "node_modules" not in path.parts
    if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LIMIT
}
for path, lines in long.items():
    print(f"{path}: {lines} lines, over {LIMIT}")
names = Counter(path.name for path in Path("tests").rglob("test_*.py"))
twice = [name for name, count in names.items() if count > 1]
for name in twice:
    print(f"tests/**/{name}: two files of this name")
sys.exit(bool(long or twice))
