"""The temperature ladder and the silence gate, each rule by itself, and in a batch."""

from dataclasses import replace

import pytest

from sonant.decode.fallback import decode_with_fallback, doubts, is_silence
from sonant.decode.options import TranscribeOptions
from sonant.decode.search import Hypothesis, Request

GOOD = Hypothesis((1,), "good", -0.2, 0.0, 1.0, 0.0, "en")
DOUBTFUL = replace(GOOD, avg_logprob=-1.5)
REPETITIVE = replace(GOOD, compression_ratio=5.0)
SILENT = replace(GOOD, avg_logprob=-1.5, no_speech_prob=0.9)
SURE_OF_SILENCE = replace(GOOD, no_speech_prob=0.9)
DEFAULT = TranscribeOptions()


@pytest.mark.parametrize(
    ("hypothesis", "changes", "word"),
    [
        (GOOD, {}, ""),
        (DOUBTFUL, {}, "doubtful"),
        (REPETITIVE, {}, "repetitive"),
        (SILENT, {}, ""),  # silence isn't tried again
        (replace(SILENT, compression_ratio=5.0), {}, ""),  # not even where it repeats itself
        (replace(REPETITIVE, no_speech_prob=0.9), {}, "repetitive"),
        (DOUBTFUL, {"logprob_threshold": None}, ""),
        (REPETITIVE, {"compression_ratio_threshold": None}, ""),
        (SILENT, {"no_speech_threshold": None}, "doubtful"),
        (replace(GOOD, avg_logprob=float("nan")), {}, "NaN"),
        (replace(GOOD, avg_logprob=-1.0), {}, ""),  # at the threshold, not below
        (replace(GOOD, compression_ratio=2.4), {}, ""),
    ],
)
def test_what_is_tried_again(hypothesis, changes, word):
    reason = doubts(hypothesis, DEFAULT.changed(**changes))
    assert bool(reason) == bool(word)
    assert word in reason


@pytest.mark.parametrize(
    ("hypothesis", "changes", "skipped"),
    [
        (GOOD, {}, False),
        (SILENT, {}, True),
        (SURE_OF_SILENCE, {}, False),  # sure of its words
        (SURE_OF_SILENCE, {"logprob_threshold": None}, True),
        (SILENT, {"no_speech_threshold": None}, False),
        (replace(SILENT, no_speech_prob=0.6), {}, False),
    ],
)
def test_what_counts_as_silence(hypothesis, changes, skipped):
    assert bool(is_silence(hypothesis, DEFAULT.changed(**changes))) == skipped


class ScriptedSearch:
    """Gives each window the next of its results; notes which windows each temperature decoded."""

    def __init__(self, results, **options):
        self.results = {window: list(them) for window, them in results.items()}
        self.options = TranscribeOptions(**options)
        self.rounds = []

    def decode(self, memory, requests, temperature):
        self.rounds.append((temperature, [request.window for request in requests]))
        return [replace(self.results[request.window].pop(0), temperature=temperature) for request in requests]


def run(results, **options):
    search = ScriptedSearch(results, **options)
    return search, decode_with_fallback(search, None, [Request(window, (1,), "en") for window in results])


def test_windows_that_fail_go_on_together():
    search, outcomes = run({0: [GOOD], 1: [DOUBTFUL, GOOD], 2: [REPETITIVE, DOUBTFUL, GOOD], 3: [SILENT]})
    assert search.rounds == [(0.0, [0, 1, 2, 3]), (0.2, [1, 2]), (0.4, [2])]
    assert [outcome.last_temperature for outcome in outcomes] == [0.0, 0.2, 0.4, 0.0]
    assert [len(outcome.attempts) for outcome in outcomes] == [1, 2, 3, 1]
    assert [bool(outcome.silence) for outcome in outcomes] == [False, False, False, True]
    assert "repetitive" in outcomes[2].attempts[0].reason
    assert outcomes[2].attempts[2].reason == ""


def test_where_all_fail_the_last_or_the_best_is_kept():
    tries = [
        replace(DOUBTFUL, avg_logprob=-1.2, text="best"),
        replace(REPETITIVE, avg_logprob=-0.1, text="repeats"),
        replace(DOUBTFUL, avg_logprob=-3.0, text="last"),
    ]
    ladder = (0.0, 0.5, 1.0)
    assert run({0: tries}, temperature=ladder, keep="last")[1][0].hypothesis.text == "last"
    best = run({0: tries}, temperature=ladder)[1][0]
    assert best.hypothesis.text == "best"
    assert best.last_temperature == 1.0  # decides whether the text becomes context
    only_repeats = [replace(one, compression_ratio=9.0) for one in tries]
    assert run({0: only_repeats}, temperature=ladder)[1][0].hypothesis.text == "repeats"


def test_one_temperature_has_no_ladder():
    search, outcomes = run({0: [DOUBTFUL]}, temperature=0.0)
    assert len(search.rounds) == 1
    assert outcomes[0].hypothesis.avg_logprob == -1.5


def test_nan_is_tried_again_and_never_preferred():
    broken = replace(GOOD, avg_logprob=float("nan"), text="")
    search, outcomes = run({0: [broken, DOUBTFUL, broken]}, temperature=(0.0, 0.5, 1.0))
    assert [windows for _, windows in search.rounds] == [[0], [0], [0]]
    assert outcomes[0].hypothesis.avg_logprob == -1.5
    assert all("NaN" in attempt.reason for attempt in outcomes[0].attempts[::2])
