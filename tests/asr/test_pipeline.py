"""The flow with a scripted network: seek, context, gates, reports, languages, batches, bad input."""

import numpy as np
import pytest

from sonant.asr.pipeline import Recognizer
from sonant.decode.options import TranscribeOptions
from sonant.engines.engine_fake.seq2seq import FakeSeq2Seq
from sonant.errors import BadInput, UnknownName, UnreadableAudio
from sonant.models.whisper.config import WhisperConfig
from sonant.records import Audio
from sonant.text.bpe import tokenizer
from sonant.weights.checkpoint import Checkpoint

WORDS = tokenizer(True, 99)
MULTILINGUAL = WhisperConfig(64, 2, 2, 4, 4, 64, 64, 80, 51_865)
ENGLISH = WhisperConfig(64, 2, 2, 4, 4, 64, 64, 80, 51_864)
rng = np.random.default_rng(0)


def noise(seconds):
    return (rng.standard_normal(int(seconds * 16_000)) * 0.1).astype(np.float32)


def at(seconds):
    return WORDS.timestamp_begin + round(seconds / 0.02)


def text(words):
    return WORDS.encode(" " + words)


class Recorder(FakeSeq2Seq):
    """A fake that keeps what it was asked: features and prompts."""

    def __init__(self, scripts=None, config=MULTILINGUAL):
        super().__init__(scripts, config)
        self.features, self.prompts = [], []

    def encode(self, features):
        self.features.append(features)
        return super().encode(features)

    def step(self, memory, tokens, every=False):
        before = memory.length
        logits = super().step(memory, tokens, every)
        if self.config.multilingual and before and memory.tokens[0, before - 1] == WORDS.sot:
            self.prompts += [row.tolist() for row in memory.tokens]
        return logits


def recognizer(scripts=None, config=MULTILINGUAL, name="whisper-test"):
    from pathlib import Path

    return Recognizer(Recorder(scripts, config), Checkpoint(name, "whisper", Path(), (), {}))


def test_one_window():
    result = recognizer().transcribe(noise(2.5), language="en", voice_gate=False)
    assert result.text == "Hello world."
    assert [(one.start_s, one.end_s, one.language) for one in result.segments] == [(0.0, 2.0, "en")]
    assert result.duration_s == 2.5
    assert [(one.start_s, one.end_s, one.fate) for one in result.windows] == [(0.0, 2.5, "accepted")]


def test_the_next_window_starts_at_the_last_time():
    scripts = [
        [at(0), *text("one."), at(10), at(10), *text("tw")],  # the second segment is cut by the window's end
        [at(0), *text("two."), at(22)],
        [at(0), *text("three."), at(1)],
    ]
    model = recognizer(scripts)
    result = model.transcribe(noise(70), language="en", voice_gate=False)
    assert [(one.start_s, one.end_s, one.text) for one in result.segments] == [
        (0, 10, " one."),
        (10, 32, " two."),
        (40, 41, " three."),
    ]
    assert [(one.start_s, one.end_s) for one in result.windows] == [(0, 10), (10, 40), (40, 70)]


def test_what_was_written_is_the_next_windows_context():
    scripts = [[at(0), *text("one."), at(30), at(30)], [at(0), *text("two."), at(1)]]
    model = recognizer(scripts)
    model.transcribe(noise(60), language="en", voice_gate=False, initial_prompt="Numbers")
    start = list(WORDS.start("en"))
    assert model.engine.prompts[0] == [WORDS.sot_prev, *text("Numbers"), *start]
    assert model.engine.prompts[1] == [WORDS.sot_prev, *text("Numbers"), at(0), *text("one."), at(30), *start]
    model = recognizer(scripts)
    model.transcribe(noise(60), language="en", voice_gate=False, condition_on_previous_text=False)
    assert model.engine.prompts == [start, start]


def test_carried_prompt_hotwords_and_prefix():
    scripts = [[at(0), *text("one."), at(30), at(30)], [at(0), *text("two."), at(1)]]
    start = list(WORDS.start("en"))
    model = recognizer(scripts)
    model.transcribe(
        noise(60),
        language="en",
        voice_gate=False,
        initial_prompt="Names",
        carry_initial_prompt=True,
        condition_on_previous_text=False,
        hotwords="Dashwood",
    )
    assert model.engine.prompts == [[WORDS.sot_prev, *text("Dashwood"), *text("Names"), *start]] * 2
    model = recognizer(scripts)
    model.transcribe(noise(60), language="en", voice_gate=False, prefix="It was", temperature=0.0)
    assert model.engine.prompts[0] == [*start, *text("It was")]
    assert model.engine.prompts[1][-3:] == start


def test_a_long_prompt_is_cut_and_said_so():
    model = recognizer()
    result = model.transcribe(noise(2), language="en", voice_gate=False, initial_prompt="word " * 300)
    assert len(model.engine.prompts[0]) == 1 + 223 + 3
    assert "its last 223 are used" in result.warnings[0]
    with pytest.raises(BadInput, match="at most 223"):
        model.transcribe(noise(2), language="en", voice_gate=False, prefix="word " * 300)


class Unsure(Recorder):
    """One that doubts between two languages."""

    def step(self, memory, tokens, every=False):
        logits = super().step(memory, tokens, every)
        logits[:, WORDS.language_token("pl")] = logits[:, WORDS.language_token("en")] - 0.1
        return logits


def test_features_are_padded_with_zeros_after_the_sound_and_with_silence_for_a_language_that_is_not_sure():
    model = recognizer()
    model.engine = Unsure()
    result = model.transcribe(noise(2), voice_gate=False)
    assert result.language == "en"
    assert 0.5 < result.language_probability < 0.6
    window, detection = model.engine.features
    assert np.all(window[0, :, 200:] == 0)
    assert np.all(detection[0, :, 205:] == detection[0].min())
    assert detection[0].min() < 0
    assert np.array_equal(detection[0, :, :200], window[0, :, :200])


def test_a_sure_language_is_heard_in_the_window_itself():
    model = recognizer()
    result = model.transcribe(noise(2), voice_gate=False)
    assert result.language == "en"
    assert result.language_probability > 0.8
    assert len(model.engine.features) == 1
    part = model.transcribe(noise(40), voice_gate=False, clip_timestamps=(0.0, 2.0))  # there is more to hear
    assert part.language == "en"
    assert len(model.engine.features) == 3


def test_a_full_window_is_encoded_once():
    model = recognizer()
    assert model.transcribe(noise(31), voice_gate=False).language == "en"
    assert [one.shape[0] for one in model.engine.features] == [1, 1]  # the two windows, nothing for the language


def test_clips():
    scripts = [[at(0), *text("a"), at(1)], [at(0), *text("b"), at(1)]]
    model = recognizer(scripts)
    result = model.transcribe(noise(50), language="en", voice_gate=False, clip_timestamps=(5, 10, 40))
    assert [(one.start_s, one.text) for one in result.segments] == [(5, " a"), (40, " b")]
    assert [(one.start_s, one.end_s) for one in result.windows] == [(5, 10), (40, 50)]
    with pytest.raises(BadInput, match="ends at 50 s"):
        model.transcribe(noise(50), language="en", clip_timestamps=(60, 70))


def test_silence_by_the_models_own_token():
    result = recognizer().transcribe(np.zeros(480_000, np.float32), language="en", voice_gate=False)
    assert result.text == ""
    assert result.windows[0].fate == "skipped"


def test_the_voice_gate_keeps_noise_from_the_network():
    model = recognizer()
    for sound in (noise(40), np.zeros(16_000 * 40, np.float32)):
        result = model.transcribe(sound)
        assert result.text == ""
        assert result.language is None
        assert [window.fate for window in result.windows] == ["skipped"] * 2
        assert "nobody speaks" in result.windows[0].reason
    assert model.engine.features == []


def test_repetition_is_retried_and_reported():
    class Stuck(Recorder):
        """Repeats itself at first; the second time the window is forked it speaks."""

        forks = 0

        def fork(self, memory, windows, beams=1):
            self.forks += 1
            if self.forks > 1:
                memory.scripts[0] = (at(0), *text("fine."), at(2))
            return super().fork(memory, windows, beams)

    engine = Stuck([[at(0), *(text("la") * 60), at(20)]])
    model = recognizer()
    model.engine = engine
    result = model.transcribe(noise(20), language="en", voice_gate=False)
    assert result.text == "fine."
    window = result.windows[0]
    assert (window.fate, window.temperature) == ("retried", 0.2)
    assert window.reason.startswith("at 0 repetitive: compression ratio")
    assert result.segments[0].temperature == 0.2


def test_batch_gives_what_clips_one_by_one_give():
    scripts = [[at(0), *text(word), at(4)] for word in ("one", "two", "three", "four", "five")]
    clips = tuple(float(second) for second in (0, 5, 10, 15, 20, 25, 30, 35, 40, 45))
    sound = noise(50)
    batch = recognizer(scripts).transcribe(
        sound, language="en", voice_gate=False, clip_timestamps=clips, batch_size=3, word_timestamps=True
    )
    single = recognizer(scripts).transcribe(
        sound,
        language="en",
        voice_gate=False,
        clip_timestamps=clips,
        condition_on_previous_text=False,
        word_timestamps=True,
    )
    assert [one.text for one in batch.segments] == [" one", " two", " three", " four", " five"]
    assert batch.windows == single.windows
    assert [(one.text, one.start_s, one.end_s, one.tokens) for one in batch.segments] == [
        (one.text, one.start_s, one.end_s, one.tokens) for one in single.segments
    ]


def test_batch_hears_the_rest_of_a_cut_that_ended_open():
    scripts = [
        [at(0), *text("one"), at(10), at(10), *text("op")],
        [at(0), *text("two"), at(9)],
        [at(0), *text("open"), at(5)],
    ]
    result = recognizer(scripts).transcribe(
        noise(40), language="en", voice_gate=False, clip_timestamps=(0.0, 20.0, 20.0, 40.0), batch_size=2
    )
    assert [(one.start_s, one.text) for one in result.segments] == [(0, " one"), (10, " open"), (20, " two")]
    assert [(one.start_s, one.end_s) for one in result.windows] == [(0, 10), (10, 20), (20, 40)]


def test_nothing_is_lost_behind_a_cut_that_ends_in_silence(monkeypatch):
    from sonant.asr.voice import Voice

    monkeypatch.setattr(Voice, "absence", lambda self, span: "nobody speaks" if span.start == 1000 else "")
    monkeypatch.setattr(Voice, "hears", lambda self, start_s, end_s: True)
    scripts = [[at(0), *text("one"), at(10), at(10)], [at(0), *text("two"), at(9)]]
    result = recognizer(scripts).transcribe(
        noise(40), language="en", clip_timestamps=(0.0, 20.0, 20.0, 40.0), batch_size=2
    )
    assert [(one.start_s, one.text) for one in result.segments] == [(0, " one"), (20, " two")]
    assert [window.fate for window in result.windows] == ["accepted", "skipped", "accepted"]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_chunks_are_joined_by_their_common_words(batch_size):
    scripts = [  # chunks of 30 s at 0, 20 and 40 s
        [at(0), *text("one two three four five six seven"), at(29.5)],
        [at(0), *text("five six seven eight nine"), at(20), at(20), *text("ten eleven twelve"), at(29)],
        [at(1), *text("ten eleven twelve end"), at(9)],
    ]
    told = []
    result = recognizer(scripts).transcribe(
        noise(55),
        language="en",
        voice_gate=False,
        chunk_length=30,
        batch_size=batch_size,
        progress=lambda done, total: told.append(done),
    )
    assert result.text == "one two three four five six seven eight nine ten eleven twelve end"
    times = [time for one in result.segments for time in (one.start_s, one.end_s)]
    assert times[0] == 0
    assert times[-1] == 49
    assert all(one.start_s < one.end_s for one in result.segments)
    assert [(one.start_s, one.end_s) for one in result.windows] == [(0, 30), (20, 50), (40, 55)]


def test_segments_come_one_by_one_and_progress_is_told():
    scripts = [[at(0), *text("a"), at(29), at(29)], [at(0), *text("b"), at(1)]]
    model, told = recognizer(scripts), []
    stream = model.segments(
        noise(45), language="en", voice_gate=False, progress=lambda done, total: told.append((done, total))
    )
    assert model.engine.heard == 0
    assert next(stream).text == " a"
    assert model.engine.heard == 1
    assert [one.text for one in stream] == [" b"]
    assert told == [(29.0, 45.0), (45.0, 45.0), (45.0, 45.0)]


def test_languages():
    model = recognizer()
    guess = model.detect_language(noise(2))
    assert (guess.language, guess.windows) == ("en", 1)
    assert len(guess.probabilities) == 99
    assert sum(guess.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert list(guess.probabilities.values()) == sorted(guess.probabilities.values(), reverse=True)
    limited = model.detect_language(noise(2), languages=("pl", "de"))
    assert set(limited.probabilities) == {"pl", "de"}
    several = model.detect_language(noise(100), language_detection_segments=3, language_detection_threshold=1.0)
    assert several.windows == 3
    result = model.transcribe(noise(2), voice_gate=False, multilingual=True, languages=("pl",))
    assert (result.language, result.segments[0].language) == ("pl", "pl")


def test_english_models_have_no_languages():
    model = recognizer(config=ENGLISH)
    assert model.transcribe(noise(2), voice_gate=False).language == "en"
    with pytest.raises(BadInput, match="hears English only"):
        model.transcribe(noise(2), language="pl")
    with pytest.raises(BadInput, match="hears English only"):
        model.detect_language(noise(2))
    with pytest.raises(BadInput, match="not trained to translate"):
        model.transcribe(noise(2), task="translate")


@pytest.mark.parametrize("name", ["distil-large-v3", "whisper-large-v3-turbo"])
def test_models_that_never_learnt_to_translate(name):
    model = recognizer(name=name)
    with pytest.raises(BadInput, match="not trained to translate"):
        model.transcribe(noise(2), task="translate")


def test_word_times_come_with_the_segments():
    result = recognizer().transcribe(noise(3), language="en", voice_gate=False, word_timestamps=True)
    assert [word.text for word in result.words] == ["Hello", "world."]
    times = [time for word in result.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(0 <= word.confidence <= 1 for word in result.words)
    segment = result.segments[0]
    assert [segment.text[slice(*word.span)] for word in segment.words] == ["Hello", "world."]


@pytest.mark.parametrize(
    ("audio", "error", "part"),
    [
        (np.zeros(0, np.float32), UnreadableAudio, "N > 0"),
        (np.full(16_000, np.nan, np.float32), UnreadableAudio, "NaN|not numbers|number"),
        (np.zeros((2, 2, 2), np.float32), UnreadableAudio, "shape"),
        (3.5, BadInput, "give a path"),
        ("no/such/file.wav", UnreadableAudio, "no/such/file.wav"),
    ],
)
def test_bad_audio(audio, error, part):
    with pytest.raises(error, match=part):
        recognizer().transcribe(audio)


def test_short_sounds_and_other_rates():
    result = recognizer().transcribe(np.zeros(1, np.float32))
    assert result.text == ""
    assert "nothing to hear" in result.warnings[0]
    result = recognizer().transcribe(Audio(noise(3)[:24_000], 8000), language="en", voice_gate=False)
    assert (result.text, result.duration_s) == ("Hello world.", 3.0)


def test_unknown_options_are_refused_before_anything_is_heard():
    model = recognizer()
    with pytest.raises(UnknownName, match="beam_size"):
        model.segments(noise(2), beam_sise=3)
    with pytest.raises(UnknownName, match="threshold"):
        model.transcribe(noise(2), vad_filter=True, vad_parameters={"treshold": 0.3})
    with pytest.raises(UnknownName, match="yue"):
        model.transcribe(noise(2), TranscribeOptions(language="yue"))


class Overflowing(Recorder):
    def step(self, memory, tokens, every=False):
        logits = super().step(memory, tokens, every)
        return logits if len(self.features) == 1 else np.full_like(logits, np.nan)


def test_a_network_that_gives_nan_is_reported_and_writes_nothing():
    engine = Overflowing([[at(0), *text("fine."), at(30)]] * 2)
    model = Recognizer(engine, recognizer().checkpoint)
    result = model.transcribe(noise(50), language="en", voice_gate=False)
    assert result.text == "fine."
    assert [(one.start_s, one.end_s, one.fate) for one in result.windows] == [(0, 30, "accepted"), (30, 50, "skipped")]
    assert any("at 30 s the network gave NaN" in line and "float32" in line for line in result.warnings)


def test_a_prefix_may_be_part_of_the_text():
    model = recognizer([[at(0), *text("I said hello."), at(2)]])
    result = model.transcribe(noise(2.5), language="en", voice_gate=False, prefix="I said", prefix_in_text=True)
    assert result.segments[0].tokens[:3] == (at(0), *text("I said"))


def test_a_segment_does_not_reach_beyond_the_cut_that_voices_ended(monkeypatch):
    from sonant.asr.voice import Voice

    monkeypatch.setattr(Voice, "spans", lambda *_: [(8_000, 40_000)])
    monkeypatch.setattr(Voice, "hears", lambda *_: True)
    scripts = [[at(0), *text("one."), at(1), at(1), *text("two."), at(2.6)]]
    result = recognizer(scripts).transcribe(noise(4), language="en", vad_filter=True, voice_gate=False)
    assert [(one.start_s, one.end_s) for one in result.segments] == [(0.5, 1.5), (1.5, 2.5)]
    result = recognizer(scripts).transcribe(noise(2.5), language="en", voice_gate=False)
    assert result.segments[-1].end_s == 2.6  # as the reference has it
