"""Rules on tokens: what they forbid, and openai-whisper's filters on random histories."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.decode.options import TranscribeOptions
from sonant.decode.rules import NoRepeat, RepetitionPenalty, SuppressBlank, TimestampRules, rules_of
from sonant.errors import BadInput
from sonant.text.bpe import tokenizer

WORDS = tokenizer(True, 99)
BEGIN, EOT, SIZE = WORDS.timestamp_begin, WORDS.eot, WORDS.size
TIMES = TimestampRules(BEGIN, EOT, WORDS.no_timestamps, 50)


def allowed(rule, *written, logits=None):
    logits = np.zeros((1, SIZE), np.float32) if logits is None else logits
    rule(logits, np.array([written], np.int64).reshape(1, -1))
    return np.flatnonzero(np.isfinite(logits[0]))


def test_first_token_is_an_early_time():
    assert allowed(TIMES).tolist() == list(range(BEGIN, BEGIN + 51))
    unbounded = TimestampRules(BEGIN, EOT, WORDS.no_timestamps, None)
    assert allowed(unbounded).tolist() == list(range(BEGIN, SIZE))


def text_is_likely():
    logits = np.zeros((1, SIZE), np.float32)
    logits[:, :EOT] = 20
    return logits


def test_after_a_start_comes_text():
    assert allowed(TIMES, BEGIN, logits=text_is_likely()).max() < BEGIN


def test_after_an_end_comes_a_start_no_earlier_or_the_end():
    got = allowed(TIMES, BEGIN, 440, BEGIN + 30)
    assert got.min() >= BEGIN  # all times together are likelier than the end token here
    assert got.tolist() == list(range(BEGIN + 30, SIZE))
    sure = np.zeros((1, SIZE), np.float32)
    sure[:, EOT] = 30
    got = allowed(TIMES, BEGIN, 440, BEGIN + 30, logits=sure)
    assert EOT in got
    assert got[got < EOT].size == 0


def test_times_never_go_back_and_no_segment_is_empty():
    got = allowed(TIMES, BEGIN, 440, logits=text_is_likely())
    assert BEGIN not in got
    assert {440, BEGIN + 1, EOT} <= set(got)
    got = allowed(TIMES, BEGIN + 7, 440, BEGIN + 30, BEGIN + 30, 441, logits=text_is_likely())
    assert BEGIN + 30 not in got
    assert BEGIN + 31 in got


def test_a_time_is_written_where_all_times_together_are_likelier_than_any_word():
    logits = np.zeros((1, SIZE), np.float32)
    logits[0, 440] = 7.0  # exp(7) = 1097 < 1500 times
    assert allowed(TIMES, BEGIN, 440, logits=logits).min() >= BEGIN
    logits = np.zeros((1, SIZE), np.float32)
    logits[0, 440] = 7.4  # exp(7.4) = 1636
    assert 440 in allowed(TIMES, BEGIN, 440, logits=logits)


def test_blank_only_forbids_the_first_token():
    rule = SuppressBlank((*WORDS.blank, EOT))
    assert not {220, EOT} & set(allowed(rule))
    assert {220, EOT} <= set(allowed(rule, 440))


def test_repetition_penalty_counts_a_token_once():
    logits = np.array([[2.0, -2.0, 1.0]], np.float32)
    RepetitionPenalty(2.0)(logits, np.array([[0, 0, 1]]))
    assert logits.tolist() == [[1.0, -4.0, 1.0]]


@pytest.mark.parametrize(
    ("size", "written", "forbidden"),
    [(1, [5, 6], {5, 6}), (2, [5, 6, 5], {6}), (3, [1, 2, 3, 4, 1, 2], {3}), (3, [1, 2], set()), (2, [5, 5], {5})],
)
def test_no_run_twice(size, written, forbidden):
    logits = np.zeros((1, 10), np.float32)
    NoRepeat(size)(logits, np.array([written]))
    assert set(np.flatnonzero(np.isinf(logits[0]))) == forbidden


def test_options_choose_the_rules():
    logits = np.zeros((1, SIZE), np.float32)
    for rule in rules_of(TranscribeOptions(), WORDS):
        rule(logits, np.array([[BEGIN, 440]]))
    assert np.isinf(logits[0, [WORDS.sot, WORDS.translate, WORDS.no_speech, WORDS.encode("♪")[0]]]).all()
    assert not rules_of(TranscribeOptions(suppress_tokens=(), suppress_blank=False, without_timestamps=True), WORDS)
    digits = rules_of(
        TranscribeOptions(suppress_regex=r"\s?\d", suppress_tokens=(), suppress_blank=False, without_timestamps=True),
        WORDS,
    )
    logits = np.zeros((1, SIZE), np.float32)
    digits[0](logits, np.array([[440]]))
    assert {WORDS.decode([token]).strip() for token in np.flatnonzero(np.isinf(logits[0]))} == set("0123456789")
    with pytest.raises(BadInput, match="ids go from 0"):
        rules_of(TranscribeOptions(suppress_tokens=(SIZE,)), WORDS)


@st.composite
def history(draw):
    """Tokens as the rules allow them to arise: times in order, text between."""
    written, time = [], draw(st.integers(0, 50))
    written.append(BEGIN + time)
    for _ in range(draw(st.integers(0, 4))):
        written += draw(st.lists(st.integers(0, EOT - 1), min_size=1, max_size=3))
        if draw(st.booleans()):
            time += draw(st.integers(1, 200))
            written += [BEGIN + time] * draw(st.integers(1, 2))
    return written[: draw(st.integers(0, len(written)))]


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@given(history(), st.integers(0, 2**32 - 1), st.floats(0.1, 8))
@settings(max_examples=60, deadline=None)
def test_equal_to_openai_whisper(written, seed, spread):
    torch, whisper = pytest.importorskip("torch"), pytest.importorskip("whisper")
    reference = whisper.tokenizer.get_tokenizer(True, num_languages=99, language="en", task="transcribe")
    task = whisper.decoding.DecodingTask.__new__(whisper.decoding.DecodingTask)
    task.tokenizer, task.options = reference, whisper.DecodingOptions()
    filters = [
        whisper.decoding.SuppressBlank(reference, 1),
        whisper.decoding.SuppressTokens(task._get_suppress_tokens()),
        whisper.decoding.ApplyTimestampRules(reference, 1, 50),
    ]
    logits = (np.random.default_rng(seed).normal(size=(1, SIZE)) * spread).astype(np.float32)
    want = torch.from_numpy(logits.copy())
    for one in filters:
        one.apply(want, torch.tensor([[reference.sot, *written]]))
    for rule in rules_of(TranscribeOptions(), WORDS):
        rule(logits, np.array([written], np.int64).reshape(1, -1))
    assert np.array_equal(np.isinf(logits), np.isinf(want.numpy()))
    assert np.array_equal(logits, want.numpy())
