"""A speaker without weights: noise bursts where Kokoro has speech, silence where it has silence."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from sonant.errors import UnknownName
from sonant.records import Voice
from sonant.text.languages import of_voice
from sonant.text.phonemes import SYMBOLS
from sonant.tts.pipeline import Speaker
from sonant.weights.checkpoint import Checkpoint

VOICES = ("af_heart", "af_bella", "af_sky", "am_adam", "bf_emma", "ff_siwis", "jf_alpha")
SPEC = Path(__file__).parents[2] / "spec"
SILENT = [SYMBOLS[mark] for mark in " .,;:!?—…"]


def spec(name):
    return json.loads((SPEC / f"{name}.json").read_text(encoding="utf-8"))


def table(name):
    """A voice whose numbers tell its name and row."""
    rows = np.full((510, 256), VOICES.index(name), np.float32)
    rows[:, 0] = np.arange(510) / 1000
    return Voice(name, rows, of_voice(name) or "a")


def voices(name):
    if name not in VOICES:
        raise UnknownName("voice", name, VOICES)
    return table(name)


class BurstSynth:
    """The ``Synth`` protocol: a sound is 4 frames of noise, a mark 4 and a pad 12 of silence; noise by seed."""

    sample_rate = 24_000
    description = "bursts"

    def __init__(self):
        self.calls = []
        self.gate = None  # a threading.Event that holds every call until it is set
        self.begins, self.share = False, 1 / 4

    def synthesize(self, tokens, styles, speeds, seeds):
        self.calls.append([len(ids) for ids in tokens])
        if self.gate is not None:
            self.gate.wait(5)
        return [self.say(*each) for each in zip(tokens, styles, speeds, seeds, strict=True)]

    def begin(self, ids, style, speed, seed):
        """What is begun is the same sound, in two."""
        if not self.begins:
            return None
        self.calls.append([len(ids)])
        return BegunBurst(*self.say(ids, style, speed, seed), self.share)

    def say(self, ids, style, speed, seed):
        assert 1 <= len(ids) <= 510
        assert round(float(style[0]) * 1000) == len(ids) - 1, "row n - 1 is for n phonemes"
        frames = np.concatenate([[12], np.maximum(1, np.rint(np.full(len(ids), 4) / speed)), [12]]).astype(np.int64)
        loud = np.repeat(np.concatenate([[0], ~np.isin(ids, SILENT), [0]]), frames * 600)
        noise = np.random.default_rng(abs(seed)).standard_normal(len(loud)) * 0.1
        return (noise * loud).astype(np.float32), frames


class BegunBurst:
    """The ``BegunSynth`` protocol over a sound that is there already."""

    def __init__(self, sound, frames, share):
        self.sound, self.frames, self.share, self.end = sound, frames, share, 0

    def opening(self, end):
        self.end = 600 * end
        return self.sound[: self.end]

    def rest(self):
        return self.sound[self.end :]


@pytest.fixture
def synth():
    return BurstSynth()


@pytest.fixture
def speaker(synth):
    return Speaker(synth, Checkpoint("burst", "kokoro", Path(), (), {"vocab": SYMBOLS}), voices)


@pytest.fixture
def no_threads_left():
    """Fails when a thread of ours is alive a second after the test."""
    yield
    for thread in threading.enumerate():
        if thread.name == "sonant-speak":
            thread.join(1)
            assert not thread.is_alive()
