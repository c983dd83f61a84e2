"""The spoken corpus: the domain, its casting, and going on after a kill."""

import re
from collections import Counter
from pathlib import Path

import pytest

import sonant
from sonant.audio import io
from sonant.errors import BadInput, CorruptFile
from sonant.train.corpus import LEXICON, MARGIN_S, TOGETHER, Casting, plan, speak
from sonant.train.data import Utterance, read_manifest, write_manifest
from sonant.train.domain import COMMANDS, WORDS, exercises, sentences
from sonant.tts.pipeline import Speaker

VOICES = ("af_heart", "af_bella", "bm_george")


def test_domain_has_every_kind_of_sentence_in_letters_alone() -> None:
    found = sentences(400, seed=3)
    assert len(set(found)) == 400
    assert all(re.fullmatch(r"[A-Z']+( [A-Z']+)*", text) for text in found)
    spoken = {word for text in found for word in text.split()}
    assert {"O'CLOCK", "SEVEN", "MARCH", "THIRD", "Q", "THE"} <= spoken
    assert 120 <= len(COMMANDS) <= 180
    assert len(spoken & {word.upper() for word in COMMANDS}) > 100


def test_held_out_sentences_stay_out_and_more_sentences_begin_alike() -> None:
    test = frozenset(sentences(100, seed=1))
    training = sentences(500, 2, test)
    assert not test & set(training)
    assert sentences(200, 2, test) == training[:200]


def test_exercises_say_every_word_often_and_no_sentence_of_the_test() -> None:
    test = frozenset(sentences(100, seed=1))
    found = exercises(2000, 2, test, lists=0.45)
    assert len(found) == 2000
    assert exercises(500, 2, test, lists=0.45) == found[:500]
    assert not test & set(found)
    counts = Counter(word for text in found for word in text.split())
    assert min(counts[word.upper()] for word in WORDS) >= 12
    assert len({word.upper() for word in WORDS}) == len(WORDS) > 200
    alone = Counter(exercises(2000, 2))
    assert alone["HALF PAST TWO"] > 1, "a sentence comes again as often as the domain has it"


def test_plan_casts_every_text_once_all_voices_of_an_accent_alike_and_blends_within_an_accent() -> None:
    texts = sentences(600, seed=4)
    casting = Casting(VOICES, blended=0.5, speed=(0.9, 1.2), seed=5)
    calls = plan(texts, casting)
    assert sorted(text for call in calls for text in call.texts) == sorted(texts)
    assert calls == plan(texts, casting)
    lengths = [sum(map(len, call.texts)) / call.speed for call in calls]
    assert lengths == sorted(lengths, reverse=True), "else the synthesiser makes kernels over and over"
    assert {len(call.texts) for call in calls} == {TOGETHER}
    turns = Counter(call.voice.split("(")[0] for call in calls)
    assert turns["bm_george"] == len(calls) // 2, "accents speak equally often"
    assert turns["af_heart"] == turns["af_bella"] == len(calls) // 4
    blends = [call.voice for call in calls if "+" in call.voice]
    assert 20 < len(blends) < 60
    assert all("bm_" not in voice for voice in blends)  # the only British voice finds no fellow
    assert all(0.9 <= call.speed <= 1.2 for call in calls)


def test_guests_speak_either_accent_and_a_blend_keeps_to_one() -> None:
    casting = Casting(VOICES, ("jf_alpha", "im_nicola"), guest_share=0.5, blended=0.5, seed=5)
    calls = plan(sentences(1000, seed=4), casting)
    assert {call.accent for call in calls} == {"a", "b"}
    for call in calls:
        names = {name.split("(")[0] for name in call.voice.split("+")}
        assert all(name[0] in (call.accent, "j", "i") for name in names)
    by_guests = [call.voice for call in calls if call.voice[0] in "ij"]
    assert 70 < len(by_guests) < 130
    assert any("+" in voice and voice[0] == "j" and "+af_" in voice for voice in by_guests)


def test_what_was_made_knows_its_words_and_phones(tmp_path: Path) -> None:
    tts = sonant.load_tts(engine="fake")
    made = speak(plan(["OPEN THE DOOR", "TWENTY TWO", "A M"], Casting(("bf_emma",))), lambda: tts, tmp_path)
    assert [utterance.text for utterance in made] == ["OPEN THE DOOR", "TWENTY TWO", "A M"]
    for utterance in made:
        assert " ".join(word for word, _, _ in utterance.words) == utterance.text
        assert io.read(utterance.audio).duration_s == pytest.approx(utterance.duration_s, abs=1e-3)
        times = [time for _, *both in utterance.phones for time in both]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= utterance.duration_s
    twenty = "".join(symbol for symbol, _, _ in made[1].phones)
    assert twenty == "twɛntitu", "no stress, no length, no space, nothing of its neighbours"
    first, second = made[1].words
    inside = [symbol for symbol, start_s, _ in made[1].phones if start_s >= second[1] - 0.02]
    assert inside == ["t", "u"]
    assert made[0].words[0][1] == pytest.approx(MARGIN_S[0], abs=0.01)
    assert 0 <= first[1] <= MARGIN_S[0] + 0.001, "at most half of the pause before it"


def test_words_that_are_not_the_texts_are_an_error(tmp_path: Path) -> None:
    tts = sonant.load_tts(engine="fake")
    with pytest.raises(BadInput, match="words in capitals"):
        speak(plan(["ONE - TWO"], Casting(("bf_emma",))), lambda: tts, tmp_path)


def test_speaking_goes_on_after_a_kill_and_makes_nothing_twice(tmp_path: Path) -> None:
    calls = plan(sentences(20, seed=6), Casting(VOICES, seed=7))
    opened: list[Speaker] = []

    def speaker() -> Speaker:
        opened.append(sonant.load_tts(engine="fake"))
        return opened[-1]

    first = speak(calls[:1], speaker, tmp_path)
    stamp = first[0].audio.stat().st_mtime_ns
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes() + b'{"audio": "00001-0.flac", "te')  # killed in the middle of a line
    counts: list[int] = []
    everything = speak(calls, speaker, tmp_path, counts.append)
    assert [utterance.text for utterance in everything] == [text for call in calls for text in call.texts]
    assert counts == [5, 10, 15, 20]
    assert first[0].audio.stat().st_mtime_ns == stamp
    assert len(opened) == 2
    assert speak(calls, speaker, tmp_path) == everything
    assert len(opened) == 2  # nothing was missing, so no synthesiser was opened
    assert speak(calls[:2], speaker, tmp_path) == everything[:10]
    assert read_manifest(manifest) == everything


def test_other_sentences_in_the_folder_are_replaced(tmp_path: Path) -> None:
    def speaker() -> Speaker:
        return sonant.load_tts(engine="fake")

    speak(plan(sentences(8, seed=1), Casting(VOICES)), speaker, tmp_path)
    calls = plan(sentences(8, seed=2), Casting(VOICES))
    wanted = [text for call in calls for text in call.texts]
    assert [utterance.text for utterance in speak(calls, speaker, tmp_path)] == wanted


def test_manifest_returns_what_was_written_and_says_which_line_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    one = Utterance(tmp_path / "a.flac", "ONE TWO", 1.25, (("ONE", 0.1, 0.5), ("TWO", 0.5, 1.0)), "af_heart")
    write_manifest(path, [one])
    assert read_manifest(path) == [one]
    path.write_text(path.read_text() + '{"audio": "b.flac"}\n')
    with pytest.raises(CorruptFile, match="line 2"):
        read_manifest(path)


def test_a_lone_letter_is_said_by_its_name() -> None:
    (said,) = sonant.load_tts(engine="fake").plan("x a b, nine a m.", "af_heart", lexicon=LEXICON)
    assert said.phonemes.split() == ["ˈɛks", "ˈA", "bˈi,", "nˈIn", "ˈA", "ˈɛm."]
