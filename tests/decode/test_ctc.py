"""CTC search and alignment on planted paths, and against every path counted by hand on small cases."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.decode.ctc import BeamOptions, beam, greedy
from sonant.decode.ctc_align import STAR, align
from sonant.decode.ngram import estimate
from sonant.errors import BadInput
from sonant.text.vocab import CtcVocabulary

LETTERS = CtcVocabulary(("<pad>", "|", "a", "b", "c"))


def normalised(scores):
    return (scores - np.log(np.exp(scores).sum(1, keepdims=True))).astype(np.float32)


def planted(random, count, symbols=12, noise=1.0):
    """Log-probabilities with a clear path through ``count`` random symbols: (log_probs, targets, path)."""
    targets = random.integers(1, symbols, count)
    path = []
    for target in targets:
        path += [0] * random.integers(1, 4) + [target] * random.integers(1, 4)
    path = np.array([*path, 0])
    scores = random.normal(size=(len(path), symbols)) * noise
    scores[np.arange(len(path)), path] += 8
    return normalised(scores), targets, path


def collapse(path):
    return tuple(symbol for symbol, _run in itertools.groupby(path) if symbol != 0)


def every_text(log_probs):
    """Probability of every text, summed over all its paths: the definition of CTC."""
    frames, symbols = log_probs.shape
    total = {}
    for path in itertools.product(range(symbols), repeat=frames):
        score = math.exp(sum(log_probs[frame, symbol] for frame, symbol in enumerate(path)))
        text = collapse(path)
        total[text] = total.get(text, 0.0) + score
    return total


@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_alignment_finds_a_planted_path(seed, count):
    log_probs, targets, path = planted(np.random.default_rng(seed), count)
    spans = align(log_probs, targets)
    assert [len(set(path[span.start : span.end])) for span in spans] == [1] * count
    assert [path[span.start] for span in spans] == targets.tolist()
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(0 < span.confidence <= 1 for span in spans)


def test_a_narrow_band_finds_the_same_path():
    log_probs, targets, _path = planted(np.random.default_rng(1), 2000)
    assert align(log_probs, targets, band=200) == align(log_probs, targets)


def test_a_band_that_loses_the_path_is_widened():
    # All symbols crowd at the end of a long silence: a band that walks at an even pace would miss them.
    random = np.random.default_rng(2)
    log_probs, targets, path = planted(random, 300)
    silence = normalised(np.where(np.arange(12) == 0, 8.0, 0.0)[None].repeat(2000, 0))
    spans = align(np.concatenate([silence, log_probs]), targets, band=32)
    assert [path[span.start - 2000] for span in spans] == targets.tolist()


def test_a_star_takes_what_the_text_does_not_know():
    log_probs, targets, path = planted(np.random.default_rng(3), 9)
    spans = align(log_probs, [*targets[:4], STAR, *targets[5:]])
    assert path[spans[4].start] == targets[4]


def test_too_short_audio_says_both_counts():
    log_probs, _, _ = planted(np.random.default_rng(4), 5)
    with pytest.raises(BadInput, match=r"3 symbols \(2 doubled\).*4 frames"):
        align(log_probs[:4], [1, 1, 1])
    assert align(log_probs, []) == []


@given(st.integers(0, 10_000), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_greedy_reads_a_planted_path(seed, count):
    log_probs, targets, path = planted(np.random.default_rng(seed), count)
    found = greedy(log_probs)
    assert found.ids == tuple(targets)
    assert all(
        (path[span.start : span.end] == symbol).all() for symbol, span in zip(found.ids, found.spans, strict=True)
    )


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_wide_beam_sums_every_path(seed):
    log_probs = normalised(np.random.default_rng(seed).normal(size=(5, 4)) * 2)
    expected = every_text(log_probs)
    options = BeamOptions(width=100_000, symbol_floor=-math.inf, margin=math.inf)
    vocabulary = CtcVocabulary(("<pad>", "a", "b", "c"))
    found = beam(log_probs, vocabulary, options=options, best=10)
    wanted = sorted(expected.values(), reverse=True)[:10]
    assert [hypothesis.score for hypothesis in found] == pytest.approx([math.log(p) for p in wanted], abs=1e-4)
    assert found[0].score == pytest.approx(math.log(expected[found[0].ids]), abs=1e-4)


def test_a_language_model_decides_between_equal_sounds():
    scores = np.full((6, 5), -4.0)
    for frame, symbols in enumerate([(2,), (3, 4), (1,), (3,), (2,), (0,)]):  # "ab ba" or "ac ba"
        scores[frame, list(symbols)] = 4.0
    log_probs = normalised(scores)
    model = estimate([["ac", "ba"], ["ac", "b"], ["ba", "ac"]], 2)
    assert LETTERS.text(beam(log_probs, LETTERS, model)[0].ids) == "ac ba"
    other = estimate([["ab", "ba"], ["ab", "b"], ["ba", "ab"]], 2)
    assert LETTERS.text(beam(log_probs, LETTERS, other)[0].ids) == "ab ba"


def test_hotwords_decide_too_and_only_when_whole():
    scores = np.full((3, 5), -6.0)
    scores[0, 2] = scores[2, 0] = 4.0
    scores[1, 3], scores[1, 4] = 4.0, 3.0  # "ab" a little likelier than "ac"
    log_probs = normalised(scores)
    assert LETTERS.text(beam(log_probs, LETTERS)[0].ids) == "ab"
    hot = BeamOptions(hotwords=("AC",))
    assert LETTERS.text(beam(log_probs, LETTERS, options=hot)[0].ids) == "ac"
    longer = BeamOptions(hotwords=("acbbbb",))
    assert LETTERS.text(beam(log_probs, LETTERS, options=longer)[0].ids) == "ab"
