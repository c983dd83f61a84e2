"""docs/cli.md has every flag as the program has it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts/make_cli_docs.py"


def test_the_page_is_fresh():
    spec = importlib.util.spec_from_file_location("make_cli_docs", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = script.PAGE.read_text(encoding="utf-8")
    assert "`--no-speech-threshold`" in text
    assert script.page(text) == text, "run: python scripts/make_cli_docs.py"
