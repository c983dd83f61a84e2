"""Half an hour of sound takes the memory of three minutes, in order and in batches."""

import logging
import sys
from pathlib import Path

import pytest
from openai_reference import checkpoint

pytestmark = [pytest.mark.weights, pytest.mark.exhaustive, pytest.mark.timeout(1200)]

MORE_MB = 160  # 115 are the sound's temporary file, whose mapped pages count until somebody wants the memory


@pytest.mark.parametrize("batch", [1, 4])
def test_memory_does_not_grow_with_the_sound(tmp_path, batch):
    pytest.importorskip("pytest_audioeval")
    checkpoint("whisper-tiny.en")  # skips where it isn't there
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from memory import measure, sound

    short, long = (measure("whisper-tiny.en", sound(minutes, tmp_path), batch=batch) for minutes in (3, 30))
    logging.getLogger(__name__).info("batch %d: %s, %s", batch, short, long)
    assert long.duration_s >= 1800
    assert long.end_s > long.duration_s - 10
    assert long.words > 5 * short.words  # not ten times: where three clips in turn fill a window, the gates see a loop
    assert long.peak_mb - short.peak_mb < MORE_MB
