"""The CTC flow over a network that reads its answer off the samples: files, streams, batches, bad checkpoints."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.asr.ctc import CtcOptions, CtcRecognizer, Units, normalise
from sonant.asr.ctc_stream import CtcStream, StreamOptions
from sonant.decode.options import TranscribeOptions
from sonant.errors import BadInput, UnreadableAudio
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.records import Audio
from sonant.weights.checkpoint import Checkpoint

SYMBOLS = ["<pad>", "|", *"abcdefghijklmnopqrstuvwxyz"]
HOP, FIELD = 320, 400


class Reader:
    """A network whose frame says the symbol that its middle samples encode as a level."""

    config = Wav2Vec2Config(vocab_size=len(SYMBOLS))
    description = "reads levels"

    def __init__(self):
        self.batches = []

    def log_probs(self, waveforms, lengths, languages=None):
        self.batches.append(len(waveforms))
        frames = np.maximum((lengths - FIELD) // HOP + 1, 0)
        out = np.full((len(waveforms), max(frames), len(SYMBOLS)), -20.0, np.float32)
        for row, count in enumerate(frames):
            for frame in range(count):
                out[row, frame, round(float(waveforms[row, frame * HOP + 200]) * 100)] = -0.01
        return out, frames


def sound(text, frames_each=3):
    """Samples whose levels spell a text, a blank between symbols."""
    ids = [
        frame for letter in text for frame in [0] * 2 + [SYMBOLS.index("|" if letter == " " else letter)] * frames_each
    ]
    samples = np.zeros(len(ids) * HOP + FIELD - HOP, np.float32)
    for frame, symbol in enumerate(ids):
        samples[frame * HOP + 100 : frame * HOP + 100 + HOP] = symbol / 100
    return samples


@pytest.fixture
def recognizer(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({symbol: index for index, symbol in enumerate(SYMBOLS)}))
    return CtcRecognizer(Reader(), Checkpoint("x", "wav2vec2", tmp_path, (), {"do_normalize": False}))


TEXT = "the quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize("chunk_s", [0.1, 1.0, 16.0])
def test_windows_don_t_change_what_is_heard(recognizer, chunk_s):
    found = recognizer.transcribe(sound(TEXT), chunk_s=chunk_s, context_s=0.2)
    assert found.text == TEXT
    assert [word.text for word in found.words] == TEXT.split()
    starts = [word.start_s for word in found.words]
    assert starts == sorted(starts)
    assert found.words[0].start_s == pytest.approx(2 * 0.02)
    assert found.words[0].confidence > 0.9
    assert max(recognizer.engine.batches) <= 4


def test_pauses_and_length_end_segments(recognizer):
    samples = np.concatenate([sound("one two"), np.zeros(32000, np.float32), sound(" three four")])
    found = recognizer.transcribe(samples, characters=True)
    assert [segment.text for segment in found.segments] == [" one two", " three four"]
    assert "".join(letter.text for letter in found.segments[1].characters) == "threefour"
    short = recognizer.transcribe(samples, max_segment_s=0.5)
    assert [segment.text for segment in short.segments] == [" one", " two", " three", " four"]


@pytest.mark.parametrize("samples", [np.zeros(16000, np.float32), np.full(300, 0.5, np.float32)])
def test_silence_and_scraps_give_no_words_and_say_so(recognizer, samples):
    found = recognizer.transcribe(samples)
    assert found.text == ""
    assert found.windows[0].fate == "skipped"
    assert found.warnings


def test_another_rate_is_resampled(recognizer):
    samples = np.repeat(sound("hello"), 3)
    assert recognizer.transcribe(Audio(samples, 48000)).text == "hello"


def test_a_vocabulary_that_does_not_fit_the_head_says_both_sizes(recognizer):
    (recognizer.checkpoint.folder / "vocab.json").write_text(json.dumps({"<pad>": 0, "a": 1}))
    with pytest.raises(BadInput, match=r"2 symbols.*28 outputs"):
        recognizer.transcribe(sound("a"))


def test_hotwords_turn_the_beam_on(recognizer):
    assert recognizer.transcribe(sound("ab ba"), hotwords=("ba",)).text == "ab ba"
    with pytest.raises(BadInput, match="no symbol for 'ó' 'ł' 'ź'"):
        recognizer.transcribe(sound("ab ba"), hotwords="Łódź")


def test_options_of_the_other_kind_and_of_none(recognizer):
    with pytest.raises(BadInput, match="temperature is an option of Whisper models"):
        recognizer.transcribe(sound("a"), temperature=0.2)
    with pytest.raises(BadInput, match="come with every CTC transcript"):
        recognizer.transcribe(sound("a"), word_timestamps=True)
    with pytest.raises(BadInput, match="nearest: beam_size"):
        recognizer.transcribe(sound("a"), beam_sise=3)
    with pytest.raises(BadInput, match="lm_weight is an option of CTC models"):
        TranscribeOptions().changed(lm_weight=1.0)


def test_text_with_letters_that_the_vocabulary_lacks(recognizer):
    found = recognizer.align(sound("cafe x"), "café Ж")
    assert [word.text for word in found.words] == ["café", "Ж"]
    assert found.warnings == ("no symbol for Ж: any sound was taken for it",)
    with pytest.raises(BadInput, match="no symbol for 'ж'"):
        recognizer.vocabulary().encode("Ж")


@given(cuts=st.lists(st.integers(0, 30000), max_size=10), chunk=st.sampled_from([0.02, 0.24, 1.0]))
@settings(max_examples=25, deadline=None, suppress_health_check=[])
def test_a_stream_commits_what_the_whole_file_says(tmp_path_factory, cuts, chunk):
    folder = tmp_path_factory.mktemp("stream")
    (folder / "vocab.json").write_text(json.dumps({symbol: index for index, symbol in enumerate(SYMBOLS)}))
    recognizer = CtcRecognizer(Reader(), Checkpoint("x", "wav2vec2", folder, (), {"do_normalize": False}))
    samples = sound("all is well ll")
    blocks = np.split(samples, sorted(min(cut, len(samples)) for cut in cuts))
    stream = CtcStream(recognizer, StreamOptions(chunk_s=chunk, left_s=0.5, right_s=0.2))
    updates = list(stream.run(blocks))
    committed = [word for update in updates for word in update.committed]
    whole = recognizer.transcribe(samples)
    assert [(word.text, word.start_s, word.end_s) for word in committed] == [
        (word.text, word.start_s, word.end_s) for word in whole.words
    ]
    assert updates[-1].partial == ""


def test_known_text_is_placed_line_by_line(recognizer):
    found = recognizer.align(sound("one two three four"), "One, two!\nThree — four.")
    assert [segment.text for segment in found.segments] == [" One, two!", " Three — four."]
    assert [word.text for word in found.words] == ["One,", "two!", "Three", "—", "four."]
    heard = recognizer.transcribe(sound("one two three four"))
    spoken = [word for word in found.words if word.text != "—"]
    assert [(word.start_s, word.end_s) for word in spoken] == [(word.start_s, word.end_s) for word in heard.words]
    with pytest.raises(BadInput, match="too short"):
        recognizer.align(
            sound("one"), "one hundred and twenty thousand million miles of text that can never fit in here"
        )


def test_normalised_sound_has_mean_0_and_variance_1():
    samples = normalise(np.random.default_rng(0).normal(3, 5, 4000).astype(np.float32))
    assert samples.mean() == pytest.approx(0, abs=1e-5)
    assert samples.std() == pytest.approx(1, abs=1e-4)


def test_options_out_of_range():
    with pytest.raises(BadInput, match="chunk_s"):
        CtcOptions(chunk_s=0)
    with pytest.raises(BadInput, match="chunk"):
        StreamOptions(chunk_s=0)


def test_units_join_to_one_number_a_frame():
    units = Units(np.array([[0, 0], [1, 2], [3, 4]]), 50.0, 5)
    assert units.joined().tolist() == [0, 7, 19]


@pytest.mark.parametrize("setting", [True, False])
def test_sound_is_normalised_where_the_preprocessor_says_so(tmp_path, setting):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": setting}))
    recognizer = CtcRecognizer(Reader(), Checkpoint("x", "wav2vec2", tmp_path, (), {}))
    assert recognizer.normalise is setting


def test_sound_that_is_no_sound(recognizer, tmp_path):
    with pytest.raises(UnreadableAudio, match=r"NaN|finite|number"):
        recognizer.transcribe(np.full(16000, np.nan, np.float32))
    with pytest.raises(UnreadableAudio):
        recognizer.transcribe(np.zeros(0, np.float32))
    with pytest.raises(UnreadableAudio):
        recognizer.transcribe(tmp_path / "missing.wav")
    with pytest.raises(BadInput):
        recognizer.transcribe(np.zeros((2, 2, 2), np.float32))
    with pytest.raises(UnreadableAudio, match="25 ms"):
        recognizer.features(np.full(300, 0.5, np.float32))
    with pytest.raises(BadInput, match="rate"):
        recognizer.transcribe(Audio(np.zeros(100, np.float32), 0))
