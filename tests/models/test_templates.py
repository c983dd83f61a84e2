"""spec/graphs.json says what the graphs of every catalog size are made of; run ``make templates`` after a change."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_templates.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_templates", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_frozen_shapes_are_fresh(script):
    frozen = json.loads(script.SPEC.read_text(encoding="utf-8"))
    built = {name: script.shape_of(model) for name, model in script.templates()}
    assert built.keys() == frozen.keys()
    stale = [name for name in built if built[name] != frozen[name]]
    assert not stale, f"{stale}: run `make templates` and look at the difference"


def test_a_layer_costs_the_same_in_every_size(script):
    frozen = json.loads(script.SPEC.read_text(encoding="utf-8"))
    small, large = (sum(frozen[f"whisper-{size}.encoder"]["nodes"].values()) for size in ("base", "large-v2"))
    # base has 6 encoder and 6 decoder layers, large 32 and 32; both graphs share their head and tail
    per_layer = (large - small) / 26
    assert per_layer == int(per_layer)
    assert per_layer <= 42
