"""Playing, with an output that only remembers."""

import numpy as np
import pytest

from sonant.audio.play import Player


class Remembered:
    """What ``sounddevice.OutputStream`` would be told."""

    def __init__(self, interrupt_after=None):
        self.told, self.blocks, self.interrupt_after = [], [], interrupt_after

    def start(self):
        self.told.append("start")

    def write(self, samples):
        assert samples.dtype == np.float32
        assert samples.ndim == 2
        assert samples.shape[1] == 1
        if len(self.blocks) == self.interrupt_after:
            raise KeyboardInterrupt
        self.blocks.append(samples.copy())

    def stop(self):
        self.told.append("stop")
        if self.interrupt_after == "stop":
            raise KeyboardInterrupt

    def abort(self):
        self.told.append("abort")

    def close(self):
        self.told.append("close")

    @property
    def heard(self):
        return np.concatenate(self.blocks)[:, 0]


def test_every_sample_is_played_in_small_blocks():
    sound = np.random.default_rng(0).uniform(-0.9, 0.9, 50_000).astype(np.float32)
    output = Remembered()
    with Player(24_000, lambda rate: output) as player:
        for start in range(0, len(sound), 9_999):
            player.play(sound[start : start + 9_999])
    np.testing.assert_array_equal(output.heard, sound)
    assert max(map(len, output.blocks)) <= 1200  # 50 ms: Ctrl-C is heard between two of them
    assert output.told == ["start", "stop", "close"]


def test_peaks_are_turned_down_and_not_clipped():
    output = Remembered()
    with Player(24_000, lambda rate: output) as player:
        player.play(np.sin(np.arange(24_000) / 20).astype(np.float32) * 3)
    assert np.abs(output.heard).max() <= 1
    assert (np.abs(output.heard) > 0.999).mean() < 0.1


@pytest.mark.parametrize("moment", [0, 3, "stop"])
def test_an_interrupt_ends_the_sound_at_once(moment):
    output = Remembered(moment)
    with pytest.raises(KeyboardInterrupt), Player(24_000, lambda rate: output) as player:
        player.play(np.zeros(24_000, np.float32))
    assert output.told[-2:] == ["abort", "close"]
