"""Padding that isn't computed, on real weights and real speech: what the decoder says of it hardly changes."""

from pathlib import Path

import numpy as np
import pytest
from test_seq2seq import error, open_named
from test_seq2seq_real import MODELS, PROMPTS, cached, greedy

from sonant.audio import io
from sonant.audio.features import log_mel, pad_or_trim
from sonant.decode.search import log_softmax
from sonant.models.whisper.padding import sounding

MOST = 3e-4  # nats a token on average; what int16 and int8 are off by from float32 is 9e-4
HEADS = [(0, 0), (3, 5)]


@pytest.mark.weights
@pytest.mark.parametrize("model", MODELS)
def test_what_is_said_of_a_clip(model):
    """On every word of every third clip of all languages (of the English ones), told what the whole window made."""
    samples = Path(next(iter(pytest.importorskip("pytest_audioeval").__path__))) / "samples" / "audio"
    clips = sorted(samples.glob("en/*.wav")) if model.endswith(".en") else sorted(samples.glob("*/*.wav"))[::3]
    engine = open_named(cached(model), "openvino-int16")
    thinning, prompt, apart, heard = engine.encoder.thinning, PROMPTS[model], [], []
    for clip in clips:
        features = pad_or_trim(log_mel(io.read(clip, 16000).samples))[None]
        thinning.fits = False
        whole, thinning.fits = engine.encode(features), True
        thin = engine.encode(features)
        assert thinning.made is not None
        tokens = np.array([greedy(engine, engine.fork(whole, [0]), prompt, prompt[0] - 1)])
        expected, found = (
            log_softmax(engine.step(engine.fork(memory, [0]), tokens, every=True)[0].astype(np.float64))
            for memory in (whole, thin)
        )
        attention = [engine.align(memory, 0, tokens[0], HEADS)[0] for memory in (whole, thin)]
        heard.append(error(*(found[..., : sounding(features[0])] for found in reversed(attention))))
        apart += (np.exp(expected) * (expected - found)).sum(axis=1)[len(prompt) - 1 :].tolist()
    assert len(apart) > 20
    assert np.mean(apart) < MOST
    assert max(heard) < 0.03  # where the sound is, and with it the words' times
