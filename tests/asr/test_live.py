"""Live recognition: committed words only grow, whatever the blocks, and end as those of the whole recording."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nonspeech import sounds
from openai_reference import clips, recognizer

from sonant.asr.agreement import Agreement, _edits, letters
from sonant.asr.live import LiveOptions, LiveStream
from sonant.asr.simulate import SimulateOptions, simulate
from sonant.audio import io
from sonant.errors import BadInput, UnknownName, UnreadableAudio
from sonant.records import Segment, Transcript, Word

RATE = 16_000
WORD, GAP = 6400, 1600  # samples: 0.4 s and 0.1 s


class ToyEar:
    """Hears word k where the sound is k / 1000; a word that is cut off is misheard, marks and case change each time."""

    def __init__(self, segment_words=6):
        self.segment_words, self.calls = segment_words, []

    def transcribe(self, audio, options=None):
        self.calls.append((len(audio) / RATE, options))
        levels = np.round(audio * 1000).astype(int)
        borders = np.flatnonzero(np.diff(levels)) + 1
        words = []
        for first, last in zip([0, *borders], [*borders, len(levels)], strict=True):
            if levels[first]:
                whole = last - first == WORD
                text = f"word{levels[first]}" if whole else f"noise{len(self.calls)}"
                text = [text, text.title(), text + ","][len(self.calls) % 3]
                words.append(Word(text, first / RATE, last / RATE, 0.9))
        groups = [words[at : at + self.segment_words] for at in range(0, len(words), self.segment_words)]
        segments = tuple(
            Segment(group[0].start_s, group[-1].end_s, " " + " ".join(w.text for w in group), words=tuple(group))
            for group in groups
        )
        return Transcript(segments, "en", len(audio) / RATE)


def speech(numbers, gap=GAP):
    """Sound of the toy's words."""
    silence = np.zeros(gap, np.float32)
    return np.concatenate([silence, *(np.r_[np.full(WORD, k / 1000, np.float32), silence] for k in numbers)])


def blocks_of(samples, sizes):
    at, turn = 0, 0
    while at < len(samples):
        yield samples[at : at + sizes[turn % len(sizes)]]
        at += sizes[turn % len(sizes)]
        turn += 1


def texts(words):
    return [letters(word.text) for word in words]


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.integers(1, 5), max_size=60),
    sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=4).filter(lambda sizes: max(sizes) > 500),
    policy=st.sampled_from(["local-agreement", "align-att"]),
    step_s=st.sampled_from([0.5, 0.8, 1.0, 2.3]),
    buffer_s=st.sampled_from([2.0, 5.0, 15.0]),
    hurry=st.booleans(),
)
def test_committed_words_grow_to_those_of_the_whole(numbers, sizes, policy, step_s, buffer_s, hurry):
    options = LiveOptions(policy=policy, step_s=step_s, buffer_s=buffer_s, vad=False, hurry=hurry)
    stream, committed, samples = LiveStream(ToyEar(), options), [], speech(numbers)
    for update in stream.run(blocks_of(samples, sizes)):
        committed += update.committed
        assert update.committed == () or committed[-len(update.committed) :] == list(update.committed)
    assert texts(committed) == [f"word{k}" for k in numbers]
    assert update.partial == ()
    assert update.heard_s == pytest.approx(len(samples) / RATE)
    starts = [(GAP + n * (WORD + GAP)) / RATE for n in range(len(numbers))]
    assert [word.start_s for word in committed] == pytest.approx(starts, abs=0.002)


def test_the_size_of_blocks_changes_nothing():
    samples = speech([1, 2, 2, 2, 3, 1, 4, 5, 5, 1] * 3)

    def words(sizes):
        return [
            word
            for update in LiveStream(ToyEar(), LiveOptions(vad=False, hurry=False)).run(blocks_of(samples, sizes))
            for word in update.committed
        ]

    assert words([512]) == words([160, 7, 3001]) == words([len(samples)])


def test_words_are_committed_while_sound_goes_on_and_the_buffer_stays_short():
    ear, numbers = ToyEar(), list(range(1, 121))  # 60 s
    stream = LiveStream(ear, LiveOptions(vad=False, buffer_s=8))
    delays = []
    for block in blocks_of(speech(numbers), [1600]):
        update = stream.feed(block)
        delays += [update.heard_s - word.end_s for word in update.committed]
    assert len(delays) >= 116
    assert max(delays) < 3.1  # two steps, and the word that was cut off
    assert max(length for length, _options in ear.calls) < 10
    prompts = [options.initial_prompt for _length, options in ear.calls]
    assert prompts[0] is None
    assert max(len(prompt or "") for prompt in prompts) <= 200
    numbers_given = [int(letters(name)[4:]) for name in prompts[30].split()]
    assert numbers_given == list(range(numbers_given[0], numbers_given[0] + len(numbers_given)))
    assert len(numbers_given) > 20
    assert ear.calls[-1][1].language == "en"  # settled once words were sure


def test_sound_without_a_word_in_agreement_is_not_kept_for_ever():
    class Restless(ToyEar):
        def transcribe(self, audio, options=None):
            self.calls.append((len(audio) / RATE, options))
            word = Word(f"guess{len(self.calls)}", 0.1, len(audio) / RATE, 0.1)
            return Transcript((Segment(0, word.end_s, word.text, words=(word,)),), "en", word.end_s)

    ear = Restless()
    updates = list(LiveStream(ear, LiveOptions(vad=False, hurry=False)).run([np.full(90 * RATE, 0.1, np.float32)]))
    assert max(length for length, _options in ear.calls) <= 30
    assert sum(len(update.committed) for update in updates) == 4


def test_silence_and_noise_are_not_heard():
    for name, samples in sounds(6).items():
        ear = ToyEar()
        updates = list(LiveStream(ear).run(blocks_of(samples.astype(np.float32), [4000])))
        assert not any(update.committed or update.partial for update in updates), name
        assert not ear.calls, name
        assert updates[-1].heard_s == pytest.approx(len(samples) / RATE)


def test_where_new_words_begin_is_found_by_text_and_time():
    def words(text, start_s=0.0):
        return [Word(name, start_s + n, start_s + n + 1) for n, name in enumerate(text.split())]

    agreement = Agreement()
    agreement.settle(words("no no no yes"), 0.0)
    assert texts(agreement.settle(words("no no no yes no no"), 0.0)) == ["no", "no"]
    assert texts(agreement.settle(words("no know no yes no no so"), 0.0)) == ["so"]  # one word heard otherwise
    cut = Agreement()
    cut.settle(words("one two three"), 0.0)
    assert texts(cut.settle(words("three four", 2.4), 2.6)) == ["four"]  # the rest of a committed word is heard again


def test_bad_input():
    stream = LiveStream(ToyEar(), LiveOptions(vad=False))
    with pytest.raises(BadInput, match="float32"):
        stream.feed(np.zeros(10))
    with pytest.raises(BadInput, match="shape"):
        stream.feed(np.zeros((10, 2), np.float32))
    with pytest.raises(UnreadableAudio, match="NaN"):
        stream.feed(np.array([0, np.nan], np.float32))
    assert stream.feed(np.zeros(0, np.float32)).heard_s == 0
    assert stream.finish().committed == stream.finish().committed == ()
    with pytest.raises(BadInput, match="finished"):
        stream.feed(np.zeros(1, np.float32))
    with pytest.raises(UnknownName, match="local-agreement"):
        LiveOptions(policy="local")
    with pytest.raises(BadInput, match="step_s"):
        LiveOptions(step_s=0)
    with pytest.raises(UnknownName, match="step_s"):
        LiveOptions().changed(steps=1)


def test_the_simulator_counts_delays_and_revisions():
    numbers = [1, 2, 3, 4, 5] * 6
    result = simulate(ToyEar(), speech(numbers), LiveOptions(vad=False, hurry=True), SimulateOptions(block_s=0.1))
    assert texts([timed.word for timed in result.words]) == [f"word{k}" for k in numbers]
    assert 0 < result.mean_latency_s < result.latency_s(95) < 4
    assert all(timed.commit_s > timed.word.end_s for timed in result.words)
    assert 0 < result.revised < result.shown  # words that were cut off are misheard first
    assert result.clock_s >= result.audio_s == pytest.approx(15.1)
    nothing = simulate(ToyEar(), np.zeros(RATE, np.float32))
    assert (nothing.words, nothing.revision_rate, nothing.busy_s >= 0) == ((), 0.0, True)
    with pytest.raises(BadInput, match="block_s"):
        SimulateOptions(block_s=0)


class SlowEar(ToyEar):
    def transcribe(self, *given, **changes):
        time.sleep(0.02)
        return super().transcribe(*given, **changes)


def test_instant_hearing_gives_the_delays_of_the_policy_alone():
    played = SimulateOptions(instant=True)
    quick, slow = (
        simulate(ear(), speech([1, 2, 3, 4] * 3), LiveOptions(vad=False), played) for ear in (ToyEar, SlowEar)
    )
    assert [one.lag_s for one in quick.words] == [one.lag_s for one in slow.words]
    assert [one.latency_s for one in quick.words] == pytest.approx([one.lag_s for one in quick.words])
    assert quick.clock_s == pytest.approx(quick.audio_s)
    assert 0 < quick.mean_lag_s < 4


@pytest.mark.weights
@pytest.mark.parametrize("policy", ["local-agreement", "align-att"])
def test_a_real_clip_is_heard_live(policy):
    whisper = recognizer("whisper-base")
    samples = io.as_samples(io.read(clips({"en"})[0], RATE), RATE)
    result = simulate(whisper, samples, LiveOptions(language="en", policy=policy, hurry=True))
    heard = texts([timed.word for timed in result.words])
    whole = texts(whisper.transcribe(samples, language="en", word_timestamps=True).words)
    errors = _edits(whole, heard)[-1]
    assert whole
    assert errors <= max(1, len(whole) // 10)
