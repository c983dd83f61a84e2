"""The first words of a stream, heard before the rest of their utterance is made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.records import Audio
from sonant.tts import opening
from sonant.tts.options import SpeakOptions
from sonant.tts.timing import words
from sonant.tts.verify import Verify

TEXT = "Seven brave travellers walked over 1,200 hills in well-worn boots that nobody else had ever dared to wear."
WORDS = ("cat", "over", "1984", "well-worn", "MP3", "don't", "$5.50", "elephants", "a")


@pytest.fixture
def beginning(speaker, synth):
    """The speaker over an engine that can begin an utterance."""
    synth.begins = True
    return speaker


def test_the_halves_are_the_speech(beginning, synth):
    whole = beginning.speak(TEXT)
    synth.calls.clear()
    chunks = list(beginning.stream(TEXT, ahead=0))
    assert len(chunks) == 2
    assert synth.calls == [[len(whole.chunks[0].phonemes)]]  # the network reads it once
    first, second = chunks
    assert np.array_equal(np.concatenate([chunk.audio.samples for chunk in chunks]), whole.audio.samples)
    assert f"{first.graphemes} {second.graphemes}" == TEXT
    assert f"{first.phonemes} {second.phonemes}" == whole.chunks[0].phonemes
    later = len(first.audio.samples) / 24_000
    placed = [*first.words, *(opening.shifted(second.words, later))]
    assert [word.text for word in placed] == [word.text for word in whole.words]
    for found, right in zip(placed, whole.words, strict=True):
        assert found.span == right.span
        assert (found.start_s, found.end_s) == pytest.approx((right.start_s, right.end_s), abs=1e-6)


@pytest.mark.parametrize("share", [1 / 3, 1 / 4, 1 / 8])
def test_the_opening_is_short_and_outlasts_the_making_of_the_rest(share, beginning, synth):
    synth.share = share
    first, second = beginning.stream(TEXT, ahead=0)
    spoken_s = first.audio.duration_s + second.audio.duration_s
    least_s = max(opening.SHORTEST_S, share * spoken_s)
    assert least_s - 0.1 < first.audio.duration_s < least_s + 0.25 * spoken_s


def test_no_step_where_the_halves_meet(speaker, synth):
    synth.begins = False
    whole = next(speaker.stream(TEXT, ahead=0)).audio.samples
    synth.begins = True
    first, second = speaker.stream(TEXT, ahead=0)
    joined = np.concatenate([first.audio.samples, second.audio.samples])
    cut = len(first.audio.samples)
    assert np.array_equal(joined[cut - 200 : cut + 200], whole[cut - 200 : cut + 200])  # nothing is eased there


@pytest.mark.parametrize(
    "options",
    [
        SpeakOptions(sample_rate=16_000),
        SpeakOptions(batch_size=2),
        SpeakOptions(verify=Verify(lambda audio, language: TEXT if isinstance(audio, Audio) else language)),
    ],
    ids=["sample rate", "batch", "verify"],
)
def test_spoken_whole_where_it_is_asked_for(options, beginning):
    (chunk,) = beginning.stream(TEXT, options=options, ahead=0)
    assert chunk.graphemes == TEXT


def test_short_and_later_utterances_are_whole(beginning):
    assert [chunk.graphemes for chunk in beginning.stream("Hello there, you.", ahead=0)] == ["Hello there, you."]
    chunks = list(beginning.stream(f"[pause:1s] {TEXT}\n\n{TEXT}", ahead=0))
    assert len(chunks) == 3
    assert chunks[0].words[0].start_s == pytest.approx(1, abs=0.05)
    assert chunks[2].graphemes == TEXT


def test_warnings_come_once(beginning):
    chunks = list(beginning.stream(TEXT.replace("boots", "★ boots"), ahead=0))
    assert [len(chunk.warnings) for chunk in chunks] == [1, 0]


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=30), st.integers(0, 2**32), st.sampled_from([1 / 8, 1 / 4])
)
def test_nothing_is_lost_at_the_cut(said, seed, share):
    from sonant.text import g2p
    from sonant.tts.plan import plan
    from sonant.tts.reader import read

    options = SpeakOptions()
    text = " ".join(said) + "."
    (utterance,) = plan(read(text, options, lambda _: "a"), options, lambda _: "a", g2p.load)
    frames = np.random.default_rng(seed).integers(1, 9, len(utterance.phonemes) + 2)
    timed = words(utterance.tokens, frames, utterance.written)
    found = opening.halves(utterance, frames, timed, share)
    if found is None:
        return
    first, second, cut = found
    assert first.utterance.tokens + second.utterance.tokens == utterance.tokens
    for half in (first, second):
        assert len(half.frames) == len(half.utterance.phonemes) + 2
        assert half.frames.min() >= 0
    assert np.array_equal(first.frames[:-1], frames[: len(first.frames) - 1])
    assert np.array_equal(second.frames[1:], frames[1 - len(second.frames) :])
    assert second.frames.sum() == frames.sum() - cut
    assert [word.text for word in (*first.words, *second.words)] == [word.text for word in timed]
    assert all(word.end_s <= cut * 0.025 + 0.05 for word in first.words)
    assert second.words[0].start_s < 0.025
