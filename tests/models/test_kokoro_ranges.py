"""Ranges of the vocoder's convolutions: zero stays zero, loud channels don't drown quiet ones, the file is whole."""

import json
from pathlib import Path

import numpy as np
import pytest

from sonant.engines.engine_openvino import convolutions
from sonant.errors import BadInput
from sonant.models.kokoro import ranges
from sonant.models.kokoro.ranges import LEVELS, Range
from sonant.weights.tensors import of_array


def rounded(given, values):
    low, high = given.levels()
    step = (high - low) / LEVELS
    return (
        np.clip(np.rint((values / given.channels[:, None] - low) / step) * step + low, low, high)
        * given.channels[:, None]
    )


@pytest.mark.parametrize("ends", [(-1, 1), (-0.3, 2), (-5, 0.001), (-0.001, 5)])
def test_zero_is_a_level(ends):
    low, high = Range(*ends, np.ones(1, np.float32)).levels()
    assert low <= ends[0]
    assert high >= ends[1]
    assert low / ((high - low) / LEVELS) == pytest.approx(round(low / ((high - low) / LEVELS)), abs=1e-9)


def test_the_fit_beats_the_widest_range():
    random = np.random.default_rng(0)
    values = random.standard_t(4, (6, 5000)).astype(np.float32) * np.float32([[1], [30], [1], [0.1], [2], [1]])
    lowest, highest = values.min(1), values.max(1)
    fitted = ranges.fit(values, lowest, highest)
    widest = Range(float(lowest.min()), float(highest.max()), np.ones(6, np.float32))
    errors = [np.square(rounded(each, values) - values).mean(1) for each in (fitted, widest)]
    quiet = [0, 2, 3, 4, 5]
    assert (errors[0][quiet] < errors[1][quiet] / 50).all()
    assert errors[0][1] < 2 * errors[1][1]  # the loud one pays little


def test_a_silent_channel_leaves_the_weights_finite():
    values = np.stack([np.zeros(50), np.linspace(-1, 2, 50)]).astype(np.float32)
    given = ranges.fit(values, values.min(1), values.max(1))
    assert given.channels.min() > 0
    whole, scales = convolutions.rounded(np.zeros((2, 2, 3), np.float32))
    assert not whole.any()
    assert np.isfinite(scales).all()


def test_a_file_holds_what_was_written_and_knows_its_weights(tmp_path, monkeypatch):
    weights = {"decoder.x.weight_g": np.float32([1, 2]), "decoder.x.weight_v": np.ones((2, 3, 5), np.float32)}
    stored = {key: of_array(key, values) for key, values in weights.items()}
    found = {"decoder.x.weight_v": Range(-0.5, 0.75, np.float32([0.5, 4]))}
    (tmp_path / ranges.FILE).write_text(ranges.dumps(stored, found))
    monkeypatch.setattr(ranges.resources, "files", lambda _: tmp_path)
    made = ranges.load(stored, "tiny")["decoder.x.weight_v"]
    assert (made.low, made.high) == (-0.5, 0.75)
    np.testing.assert_allclose(made.channels, [0.5, 4], rtol=1e-6)
    for key, values in weights.items():
        other = stored | {key: of_array(key, values * 1.01)}
        with pytest.raises(BadInput, match="and tiny has other weights"):
            ranges.load(other, "tiny")


def test_every_residual_block_has_its_range():
    rows = json.loads(Path(ranges.__file__).with_name(ranges.FILE).read_text(encoding="utf-8"))
    del rows["fingerprint"]
    assert len(rows) == 8 * 6  # 6 residual and 2 noise blocks of 3 pairs of convolutions
    for row in rows.values():
        assert row["low"] < 0 < row["high"]
        assert len(row["channels"]) in (128, 256)
        assert min(row["channels"]) > 0
