"""The spoken corpus: the domain, its casting, and going on after a kill."""

import re
from pathlib import Path

import pytest

import sonant
from sonant.errors import CorruptFile
from sonant.train.corpus import LEXICON, Casting, plan, speak
from sonant.train.data import Utterance, read_manifest, write_manifest
from sonant.train.domain import COMMANDS, sentences
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


def test_plan_casts_every_text_once_and_blends_within_an_accent() -> None:
    texts = sentences(150, seed=4)
    calls = plan(texts, Casting(VOICES, blended=0.5, speed=(0.9, 1.2), seed=5))
    assert sorted(text for call in calls for text in call.texts) == sorted(texts)
    assert calls == plan(texts, Casting(VOICES, blended=0.5, speed=(0.9, 1.2), seed=5))
    cast = [voice for call in calls for voice in call.voices]
    blends = [voice for voice in cast if "+" in voice]
    assert 20 < len(blends) < 80
    assert all("bm_" not in voice for voice in blends)  # the only British voice finds no fellow
    assert all(0.9 <= call.speed <= 1.2 for call in calls)


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
    assert counts == [8, 16, 20]
    assert first[0].audio.stat().st_mtime_ns == stamp
    assert len(opened) == 2
    assert speak(calls, speaker, tmp_path) == everything
    assert len(opened) == 2  # nothing was missing, so no synthesiser was opened
    assert speak(calls[:2], speaker, tmp_path) == everything[:16]
    assert read_manifest(manifest) == everything


def test_other_sentences_in_the_folder_are_replaced(tmp_path: Path) -> None:
    def speaker() -> Speaker:
        return sonant.load_tts(engine="fake")

    speak(plan(sentences(8, seed=1), Casting(VOICES)), speaker, tmp_path)
    wanted = plan(sentences(8, seed=2), Casting(VOICES))
    assert [utterance.text for utterance in speak(wanted, speaker, tmp_path)] == list(wanted[0].texts)


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
