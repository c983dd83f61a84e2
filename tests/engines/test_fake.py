"""The engines without weights keep the promises of the protocols."""

from pathlib import Path

import numpy as np
import pytest

from sonant.engines.base import EngineOptions
from sonant.engines.choose import open_engine
from sonant.engines.engine_fake.ctc import FakeCtc
from sonant.engines.engine_fake.seq2seq import FakeSeq2Seq
from sonant.errors import BadInput
from sonant.weights.checkpoint import Checkpoint

START, ENGLISH, TRANSCRIBE, NO_SPEECH, NO_TIMESTAMPS, ZERO, END = 50258, 50259, 50359, 50362, 50363, 50364, 50257


def fake(family, **config):
    return open_engine(Checkpoint("fake", family, Path(), (), config), EngineOptions("fake"))


def greedy(engine, memory, prompt, limit=20):
    tokens = [int(engine.step(memory, np.array([prompt])).argmax(1)[0])]
    while tokens[-1] != END and len(tokens) < limit:
        tokens.append(int(engine.step(memory, np.array([tokens[-1:]])).argmax(1)[0]))
    return tokens


def noise(windows=1):
    return np.random.default_rng(0).normal(size=(windows, 80, 3000)).astype(np.float32)


def test_it_says_its_script_with_and_without_timestamps():
    engine = fake("whisper")
    memory = engine.encode(noise())
    assert greedy(engine, engine.fork(memory, [0]), [START, ENGLISH, TRANSCRIBE]) == [
        ZERO,
        2425,
        1002,
        13,
        ZERO + 100,
        END,
    ]
    plain = greedy(engine, memory, [START, ENGLISH, TRANSCRIBE, NO_TIMESTAMPS])
    assert plain == [2425, 1002, 13, END]


def test_each_window_has_its_own_script():
    engine = fake("whisper", fake_scripts=[[ZERO, 5], [ZERO, 6, 7]])
    memory = engine.encode(noise(3))
    said = [greedy(engine, engine.fork(memory, [window]), [START, ENGLISH, TRANSCRIBE]) for window in range(3)]
    assert said == [[ZERO, 5, END], [ZERO, 6, 7, END], [ZERO, 5, END]]


def test_language_and_silence():
    engine = fake("whisper")
    assert engine.step(engine.encode(noise()), np.array([[START]])).argmax() == ENGLISH
    silent = engine.encode(np.zeros((1, 80, 3000), np.float32))
    assert engine.step(engine.fork(silent, [0]), np.array([[START]])).argmax() == NO_SPEECH


def test_beams_reorder_and_rewind_follow_their_rows():
    engine = FakeSeq2Seq([[1, 2, 3, 4]])
    memory = engine.fork(engine.encode(noise()), [0], 2)
    engine.step(memory, np.array([[START, ENGLISH, TRANSCRIBE, 1], [START, ENGLISH, TRANSCRIBE, TRANSCRIBE]]))
    assert engine.step(memory, np.array([[2], [1]])).argmax(1).tolist() == [3, 2]
    engine.reorder(memory, np.array([1, 1]))
    assert engine.step(memory, np.array([[2], [2]])).argmax(1).tolist() == [3, 3]
    engine.rewind(memory, 4)
    assert memory.length == 4
    assert engine.step(memory, np.array([[1], [1]]), every=True).shape == (2, 1, 51865)


def test_alignment_runs_along_the_window():
    engine = FakeSeq2Seq()
    scores, logits = engine.align(
        engine.encode(noise()), 0, np.array([START, ENGLISH, TRANSCRIBE, 5]), [(0, 0), (5, 7)]
    )
    assert scores.shape == (2, 4, 1500)
    assert scores[1].argmax(1).tolist() == pytest.approx([187, 562, 937, 1312], abs=1)
    assert logits.shape == (4, 51865)


def test_the_voice_is_as_long_as_it_says():
    engine = fake("kokoro")
    styles = np.zeros((2, 256), np.float32)
    (slow, slow_frames), (fast, fast_frames) = engine.synthesize(
        [np.arange(5), np.arange(9)], styles, np.array([0.5, 2.0], np.float32), [0, -1]
    )
    assert (len(slow_frames), len(fast_frames)) == (7, 11)
    assert len(slow) == slow_frames.sum() * 600
    assert len(fast) == fast_frames.sum() * 600
    assert slow_frames[0] == 4 * fast_frames[0]
    assert 0.2 < np.abs(fast).max() < 0.4
    with pytest.raises(BadInput, match="2 utterances"):
        engine.synthesize([np.arange(5)] * 2, styles[:1], np.ones(2, np.float32), [0, 0])


def test_ctc_spells_its_script():
    engine = fake("wav2vec2")
    sounds = np.random.default_rng(0).normal(size=(2, 16000)).astype(np.float32)
    sounds[1] = 0
    log_probs, frames = engine.log_probs(sounds, np.array([16000, 8000]))
    for row, count in enumerate(frames):
        np.testing.assert_allclose(np.exp(log_probs[row, :count]).sum(1), 1, rtol=1e-5)
    best = log_probs[0].argmax(1)
    assert best[best != 0].tolist() == list(FakeCtc().script)
    assert (log_probs[1, : frames[1]].argmax(1) == 0).all()
    states, _ = engine.hidden_states(sounds, np.array([16000, 8000]), [0, 12])
    assert states.shape == (2, 2, frames[0], 768)


def test_what_does_not_fit_is_refused():
    engine = FakeSeq2Seq()
    memory = engine.encode(noise())
    with pytest.raises(BadInput, match=r"\(windows, 80, 3000\)"):
        engine.encode(np.zeros((1, 128, 3000), np.float32))
    with pytest.raises(BadInput, match="0 to 0"):
        engine.fork(memory, [1])
    with pytest.raises(BadInput, match="vocabulary"):
        engine.step(memory, np.array([[99999]]))
    with pytest.raises(BadInput, match="448"):
        engine.step(memory, np.ones((1, 449), np.int64))
    with pytest.raises(BadInput, match="can't rewind"):
        engine.rewind(memory, 1)
    with pytest.raises(BadInput, match="leave their window"):
        engine.reorder(memory, np.array([1]))
    with pytest.raises(BadInput, match="6 layers of 8 heads"):
        engine.align(memory, 0, np.array([START]), [(6, 0)])
