"""The whole flow on bursts of noise: words and times, joins, streams, batches, verification, options."""

import threading
import time

import numpy as np
import pytest

from sonant.errors import BadInput, UnknownName, UnspeakableText
from sonant.tts.options import SpeakOptions
from sonant.tts.verify import Verify, character_errors

pytestmark = pytest.mark.usefixtures("no_threads_left")

TEXT = "Hello there, my friend! In 1984 it cost $5.50.\n\nA new paragraph, with more words in it, begins here."
RATE = 24_000


def loud(samples, start_s, end_s):
    part = samples[round(start_s * RATE) : round(end_s * RATE)]
    return float(np.sqrt(np.mean(part**2)))


def test_words_are_the_users_and_sound_where_they_say(speaker):
    speech = speaker.speak(TEXT)
    words = speech.words
    assert " ".join(word.text for word in words) == (
        "Hello there my friend In 1984 it cost $5.50 A new paragraph with more words in it begins here"
    )
    assert all(TEXT[slice(*word.span)] == word.text for word in words)
    times = [time_s for word in words for time_s in (word.start_s, word.end_s)]
    assert times == sorted(times)
    for word in words:
        middle, half = (word.start_s + word.end_s) / 2, (word.end_s - word.start_s) / 4
        assert loud(speech.audio.samples, middle - half, middle + half) > 0.05
    assert words[0].start_s < 0.03
    assert speech.audio.duration_s - words[-1].end_s < 0.3


def test_chunks_are_the_speech(speaker):
    speech = speaker.speak(TEXT)
    assert [chunk.graphemes for chunk in speech.chunks] == TEXT.split("\n\n")
    assert [TEXT[slice(*chunk.span)] for chunk in speech.chunks] == TEXT.split("\n\n")
    assert np.array_equal(speech.audio.samples, np.concatenate([chunk.audio.samples for chunk in speech.chunks]))
    for chunk in speech.chunks:
        assert len(chunk.frames) == len(chunk.phonemes) + 2
        assert chunk.voice == "af_heart"
    assert speech.transcript().segments[1].text.strip() == TEXT.split("\n\n")[1]


def test_no_step_at_any_join(speaker):
    chunks = list(speaker.stream(TEXT * 3, ahead=0))
    assert len(chunks) > 4
    whole = np.concatenate([chunk.audio.samples for chunk in chunks])
    joins = np.cumsum([len(chunk.audio.samples) for chunk in chunks])[:-1]
    assert np.abs(np.diff(whole))[np.concatenate([joins - 1, joins])].max() < 1e-3


def test_natural_pauses_and_asked_ones(speaker):
    text = "One. [pause:2s] Two. [pause:1s]"
    speech = speaker.speak(text)
    first, second = speech.words
    assert second.start_s - first.end_s == pytest.approx(2.0, abs=0.15)
    assert speech.chunks[-1].graphemes == ""
    assert speech.chunks[-1].audio.duration_s == 1.0
    paragraph = speaker.speak("One.\n\nTwo.").words
    assert paragraph[1].start_s - paragraph[0].end_s == pytest.approx(0.7, abs=0.15)
    wide = speaker.speak("One.\n\nTwo.", paragraph_gap_s=3).words
    assert wide[1].start_s - wide[0].end_s == pytest.approx(3, abs=0.15)


def test_same_seed_same_samples(speaker):
    one, two = speaker.speak("Hello."), speaker.speak("Hello.")
    assert np.array_equal(one.audio.samples, two.audio.samples)
    assert not np.array_equal(one.audio.samples, speaker.speak("Hello.", seed=1).audio.samples)


def test_batch_equals_single(speaker, synth):
    texts = ["Hello there.", "One. [pause:1s] Two.\n\nThree.", "Good morning, everyone. " * 30, "[pause:1s]Last"]
    batch = speaker.speak_batch(texts, ["af_heart", "am_adam", "af_sky(2)+am_adam", "bf_emma"])
    assert max(map(len, synth.calls)) > 1
    for text, voice, speech in zip(texts, ["af_heart", "am_adam", "af_sky(2)+am_adam", "bf_emma"], batch, strict=True):
        single = speaker.speak(text, voice)
        assert np.array_equal(speech.audio.samples, single.audio.samples)
        assert speech.words == single.words
    with pytest.raises(BadInput, match="2 texts and 3 voices"):
        speaker.speak_batch(["a", "b"], ["af_sky"] * 3)
    assert np.array_equal(speaker.speak(texts[2], batch_size=4).audio.samples, speaker.speak(texts[2]).audio.samples)


def test_speed_volume_and_rate(speaker):
    base = speaker.speak("Hello there my friend.", trim=False)
    fast = speaker.speak("Hello there my friend.", speed=2, trim=False)
    assert fast.words[-1].end_s < base.words[-1].end_s * 0.75
    counts = []
    speaker.speak("Hello there.", speed=lambda count: counts.append(count) or 1.5)
    assert counts == [len(speaker.speak("Hello there.").chunks[0].phonemes)]
    soft = speaker.speak("Hello there my friend.", volume=0.5, trim=False)
    np.testing.assert_allclose(soft.audio.samples, base.audio.samples / 2, atol=1e-6)
    tagged = speaker.speak("[rate:2]Hello there my friend.", trim=False)
    assert np.array_equal(tagged.audio.samples, fast.audio.samples)
    held = speaker.speak("[rate:2]Hello.", speed=1.5)
    assert "held to 2" in held.warnings[0]


def test_voices_by_tag_and_languages(speaker):
    speech = speaker.speak("One. [voice:am_adam]Two.[/voice] Three.")
    assert [chunk.voice for chunk in speech.chunks] == ["af_heart", "am_adam", "af_heart"]
    assert speech.warnings == ()
    other = speaker.speak("Colour.", "ff_siwis", language="en-gb")
    assert other.warnings == ("voice ff_siwis is made for French; the text is read as British English",)
    with pytest.raises(UnknownName, match="am_adam"):
        speaker.speak("[voice:am_adan]Hi")


def test_is_phonemes(speaker):
    speech = speaker.speak("həlˈO wˈɜɹld, ðɪs.", is_phonemes=True)
    assert speech.chunks[0].phonemes == "həlˈO wˈɜɹld, ðɪs."
    assert [word.text for word in speech.words] == ["həlˈO", "wˈɜɹld", "ðɪs"]
    long = "həlˈO " * 400
    assert "".join(chunk.phonemes + " " for chunk in speaker.speak(long, is_phonemes=True).chunks) == long
    with pytest.raises(UnspeakableText, match="U\\+0067"):
        speaker.speak("g", is_phonemes=True)
    with pytest.raises(UnspeakableText, match="empty"):
        speaker.speak(" ", is_phonemes=True)


@pytest.mark.parametrize("text", ["", "  \n ", "...", "—", "!?"])
def test_nothing_to_say(speaker, text):
    with pytest.raises(UnspeakableText):
        speaker.speak(text)


def test_what_has_no_sound_is_told(speaker):
    speech = speaker.speak("Hello.\n\n★★\n\nGoodbye.")
    assert [word.text for word in speech.words] == ["Hello", "Goodbye"]
    assert speech.warnings == ("nothing to say in '★★' (character 9)",)
    assert speaker.speak("I ★ it.").warnings == ("'★' has no sound (character 3)",)
    assert speaker.speak("Hello.\n\n* * *\n\nGoodbye.").warnings == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 3}, "0.5 to 2"),
        ({"speed": float("nan")}, "0.5 to 2"),
        ({"speed": "fast"}, "0.5 to 2"),
        ({"volume": 0}, "volume"),
        ({"sample_rate": 100}, "8000 to 48000"),
        ({"limit": 511}, "1 to 510"),
        ({"language": "xx"}, "language"),
        ({"fallback": "magic"}, "fallback"),
        ({"sped": 1}, "speed"),
        ({"gap_s": -1}, "gap_s"),
        ({"is_phonemes": True, "ssml": True}, "exclude"),
        ({"speed": lambda count: 9}, "0.5 to 2"),
    ],
)
def test_wrong_options(speaker, options, message):
    with pytest.raises(BadInput, match=message):
        speaker.speak("Hello.", **options)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_sample_rates_do_not_drift(speaker, rate):
    text = "One two. " * 60
    plain, other = speaker.speak(text), speaker.speak(text, sample_rate=rate)
    assert other.audio.sample_rate == rate
    assert len(other.chunks) == len(plain.chunks) > 1
    padding = len(plain.chunks) * 320 / RATE
    assert plain.audio.duration_s - 1e-3 <= other.audio.duration_s <= plain.audio.duration_s + padding
    assert other.words[-1].end_s == pytest.approx(plain.words[-1].end_s, abs=padding)
    start = sum(len(chunk.audio.samples) for chunk in other.chunks[:-1]) / rate
    assert other.words[-1].end_s == pytest.approx(start + other.chunks[-1].words[-1].end_s)


def test_lexicon(speaker, tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text("# mine\nKokoro\t/kˈOkəɹO/\nsql\tsequel\nNew York\t/nuˈɔɹk/\n", encoding="utf-8")
    speech = speaker.speak("Kokoro knows SQL in New York, kokoro.", lexicon=path)
    found = {word.text: word.phonemes for word in speech.words}
    assert found["Kokoro"] == "kˈOkəɹO"
    assert found["SQL"] == speaker.speak("sequel").words[0].phonemes
    assert found["New York"] == "nuˈɔɹk"
    assert found["kokoro"] != "kˈOkəɹO", "an entry with a capital holds for its own spelling"
    assert speaker.speak("日本 now", lexicon={"日本": "Japan"}).words[0].text == "日本"
    path.write_text("no tab here\n")
    with pytest.raises(BadInput, match="line 1"):
        speaker.speak("Hi", lexicon=path)
    with pytest.raises(BadInput, match="U\\+0067"):
        speaker.speak("Hi", lexicon={"hi": "/g/"})
    (tmp_path / "w.json").write_text('{"hi": "hello"}')
    assert speaker.speak("Hi", lexicon=tmp_path / "w.json").chunks[0].phonemes == speaker.speak("hello").chunks[
        0
    ].phonemes.replace("!", "")


def test_ssml_speaks(speaker):
    document = (
        '<speak><p><s>Hello <sub alias="World Wide Web Consortium">W3C</sub></s></p><break time="1s"/>'
        '<voice name="am_adam"><phoneme alphabet="x-kokoro" ph="təmˈAɾO">tomato</phoneme></voice></speak>'
    )
    speech = speaker.speak(document)
    assert [(word.text, document[slice(*word.span)]) for word in speech.words] == [
        ("Hello", "Hello"),
        ("W3C", "W3C"),
        ("tomato", "tomato"),
    ]
    assert speech.words[2].phonemes == "təmˈAɾO"
    assert [chunk.voice for chunk in speech.chunks] == ["af_heart", "am_adam"]
    assert speech.words[2].start_s - speech.words[1].end_s == pytest.approx(1.0, abs=0.15)


# Streams.


def test_a_stream_begins_short_and_says_all(speaker):
    text = "When the rain had finally stopped, they all went out into the garden. " * 8
    chunks = list(speaker.stream(text))
    assert chunks[0].graphemes == "When the rain had finally stopped,"
    sizes = [len(chunk.phonemes) for chunk in chunks]
    assert sizes[0] < 50
    assert max(sizes) <= 250
    assert (
        " ".join(word.text for chunk in chunks for word in chunk.words) == text.replace(",", "").replace(".", "")[:-1]
    )


def test_a_stream_speaks_tokens_of_a_model(speaker, synth):
    said = []

    def tokens():
        for token in "Hello there, my friends. How are you all today? I am fine.".split(" "):
            said.append(token)
            yield token + " "

    stream = speaker.stream(tokens(), ahead=0)
    assert next(stream).graphemes == "Hello there, my friends."
    assert said[-1] == "How"
    assert [chunk.graphemes for chunk in stream] == ["How are you all today?", "I am fine."]


def test_closing_a_stream_ends_the_work(speaker, synth):
    stream = speaker.stream("One two three. \n\n" * 50)
    next(stream)
    stream.close()
    count = len(synth.calls)
    time.sleep(0.1)
    assert len(synth.calls) <= count + 1 <= 6


def test_cancel_returns_at_once(speaker, synth):
    cancel = threading.Event()
    stream = speaker.stream("One. \n\n" * 50, cancel=cancel)
    next(stream)
    synth.gate = threading.Event()  # the network is stuck
    threading.Timer(0.05, cancel.set).start()
    start = time.monotonic()
    rest = list(stream)
    assert time.monotonic() - start < 1
    assert len(rest) <= 4
    synth.gate.set()


def test_a_streams_memory_is_bounded(speaker, synth):
    stream = speaker.stream(("word " * 20 + ". " for _ in range(1000)), ahead=2)
    next(stream)
    time.sleep(0.3)
    assert len(synth.calls) <= 5
    stream.close()


def test_errors_of_a_stream_come_out(speaker):
    def broken():
        yield "Hello there. And "
        yield "more. "
        raise RuntimeError("model died")

    stream = speaker.stream(broken())
    with pytest.raises(RuntimeError, match="model died"):
        list(stream)
    with pytest.raises(UnknownName):
        speaker.stream("Hi", "nobody")


# Verification.


def test_verify_speaks_again_and_reports(speaker, synth):
    tries = []

    def transcribe(audio, language):
        tries.append(language)
        return "nothing of the kind" if len(tries) == 1 else "Hello there, my friend."

    speech = speaker.speak("Hello there, my friend.", verify=Verify(transcribe))
    (heard,) = [chunk.heard for chunk in speech.chunks]
    assert (heard.attempts, heard.seed, heard.accepted, heard.error_rate) == (2, 1, True, 0)
    assert tries == ["en", "en"]
    assert speech.warnings == ()


def test_verify_gives_up_with_a_warning_and_keeps_the_best(speaker):
    answers = iter(["xxxxx", "Hello there, my frie", "zzz", "zzz", "zzz"])
    speech = speaker.speak("Hello there, my friend.", verify=Verify(lambda audio, language: next(answers), 0.05, 3))
    heard = speech.chunks[0].heard
    assert heard.text == "Hello there, my frie"
    assert not heard.accepted
    assert heard.attempts == 3
    assert "heard as" in speech.warnings[0]


def test_verify_keeps_two_halves_where_they_are_better(speaker):
    def transcribe(audio, language):
        return "" if audio.duration_s > 4 else said.pop(0)

    said = ["Good morning to you,", "my dear old friend."]
    speech = speaker.speak("Good morning to you, my dear old friend.", verify=Verify(transcribe, 0.3, 3))
    assert [chunk.graphemes for chunk in speech.chunks] == ["Good morning to you,", "my dear old friend."]
    assert all(chunk.heard.accepted for chunk in speech.chunks)


def test_numbers_may_be_heard_either_way(speaker):
    for text in ("It was 1984.", "It was nineteen eighty-four."):
        speech = speaker.speak("It was 1984.", verify=Verify(lambda audio, language, text=text: text))
        assert speech.chunks[0].heard.error_rate == 0


@pytest.mark.parametrize(
    ("reference", "heard", "rate"),
    [
        ("abc", "abc", 0),
        ("Ab, c!", "a b C", 0),
        ("abcd", "abd", 0.25),
        ("abcd", "abxcd", 0.25),
        ("ab", "", 1),
        ("", "", 0),
        ("", "x", 1),
        ("kitten", "sitting", 0.5),
        ("ＡＢ", "ab", 0),
    ],
)
def test_character_errors(reference, heard, rate):
    assert character_errors(reference, heard) == rate


def test_plan_speaks_nothing(speaker, synth):
    steps = list(speaker.plan("Hello. [pause:1s] You."))
    assert [getattr(step, "graphemes", None) for step in steps] == ["Hello.", None, "You."]
    assert synth.calls == []


def test_options_are_one_record(speaker):
    options = SpeakOptions(speed=1.5, volume=0.5)
    one = speaker.speak("Hello.", options=options)
    two = speaker.speak("Hello.", speed=1.5, volume=0.5)
    assert np.array_equal(one.audio.samples, two.audio.samples)


def test_explain(speaker):
    text = "In 1984 [tomato](/təmˈɑːtO/) cost $5.50, wow [pause:1s] ★."
    rows = list(speaker.explain(text, lexicon={"wow": "/wˈO/"}))
    spoken = {row.text: row for row in rows if hasattr(row, "text")}
    assert (spoken["1984"].spoken, spoken["1984"].rule) == ("nineteen eighty four", "year")
    assert (spoken["$5.50"].spoken, spoken["$5.50"].rule) == ("five dollars and fifty cents", "currency")
    assert (spoken["tomato"].phonemes, spoken["tomato"].rule) == ("təmˈɑːtO", "markup")
    assert (spoken["wow"].phonemes, spoken["wow"].rule) == ("wˈO", "lexicon")
    assert (spoken["cost"].rule, spoken["cost"].source, spoken["cost"].language) == ("text", "gold", "a")
    assert (spoken["★"].spoken, spoken["★"].phonemes) == ("", "")
    assert [row.duration_s for row in rows if hasattr(row, "duration_s")] == [1.0]
    assert all(text[slice(*row.span)].strip() == row.text for row in rows if hasattr(row, "text"))
