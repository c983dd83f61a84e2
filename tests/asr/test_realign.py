"""Word times of a Whisper transcript from a CTC network, over the network that reads its answer off the samples."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.asr.test_ctc_flow import SYMBOLS, Reader, sound

from sonant.asr.ctc import CtcRecognizer
from sonant.asr.realign import realign
from sonant.errors import BadInput
from sonant.records import Segment, Transcript
from sonant.weights.checkpoint import Checkpoint


@pytest.fixture
def recognizer(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({symbol: index for index, symbol in enumerate(SYMBOLS)}))
    checkpoint = Checkpoint("base", "wav2vec2", tmp_path, (), {"do_normalize": False}, catalog={"languages": ["en"]})
    return CtcRecognizer(Reader(), checkpoint)


def silence(seconds):
    return np.zeros(round(seconds * 16000), np.float32)


def heard_at(recognizer, samples):
    """(word, start, end) as the network itself hears them."""
    return [(word.text, word.start_s, word.end_s) for word in recognizer.transcribe(samples).words]


def test_written_numbers_and_symbols_get_the_times_of_what_was_said(recognizer):
    said = "in nineteen eighty four it cost five dollars"
    samples = np.concatenate([silence(0.4), sound(said), silence(0.4)])
    text = " In 1984 it cost $5."
    rough = Segment(0.0, len(samples) / 16000, text, language="en")
    found = realign(Transcript((rough,), "en", 3.0), samples, recognizer)
    assert found.text == text.strip()
    times = {word: (start, end) for word, start, end in heard_at(recognizer, samples)}
    placed = {word.text: (word.start_s, word.end_s) for word in found.words}
    assert list(placed) == ["In", "1984", "it", "cost", "$5."]
    assert placed["In"] == pytest.approx(times["in"])
    assert placed["1984"] == pytest.approx((times["nineteen"][0], times["four"][1]))
    assert placed["$5."] == pytest.approx((times["five"][0], times["dollars"][1]))
    assert found.segments[0].start_s == pytest.approx(times["in"][0])
    assert found.segments[0].end_s == pytest.approx(times["dollars"][1])
    assert "".join(letter.text for letter in found.segments[0].characters) == "Initcost"
    assert not found.warnings


def test_segments_with_rough_times_are_placed_one_after_the_other(recognizer):
    samples = np.concatenate([sound("one two "), silence(1.0), sound("one two"), silence(0.2)])
    end = len(samples) / 16000
    rough = (Segment(0.0, 1.1, " One two.", language="en"), Segment(1.4, end - 0.3, " One two!", language="en"))
    found = realign(Transcript(rough, "en", end), samples, recognizer)
    wanted = heard_at(recognizer, samples)
    assert [(word.start_s, word.end_s) for word in found.words] == [
        pytest.approx((start, stop)) for _, start, stop in wanted
    ]
    assert all(word.confidence > 0.9 for word in found.words)


def test_what_cannot_be_placed_keeps_its_times_and_says_so(recognizer):
    samples = sound("one two")
    rough = (Segment(0.0, 0.2, " a text that is far too long for a fifth of a second of sound", language="en"),)
    found = realign(Transcript((*rough, replace(rough[0], text=" ♪")), "en", 1.0), samples, recognizer)
    assert found.segments == (*rough, replace(rough[0], text=" ♪"))
    assert "too short" in found.warnings[0]
    assert "no letter" in found.warnings[1]


def test_a_network_of_another_language_is_refused(recognizer):
    with pytest.raises(BadInput, match=r"en only, not 'pl'"):
        realign(Transcript((), "pl", 1.0), sound("one"), recognizer)


def test_an_expansion_over_two_written_words_is_dealt_out(recognizer):
    samples = np.concatenate([sound("five kilograms of flour"), silence(0.3)])
    found = realign(Transcript((Segment(0.0, 2.0, " 5 kg of flour", language="en"),), "en", 2.0), samples, recognizer)
    times = [(start, end) for _, start, end in heard_at(recognizer, samples)]
    assert [(word.start_s, word.end_s) for word in found.words] == [pytest.approx(pair) for pair in times]


def test_languages_without_spaces_get_a_time_for_each_character(tmp_path):
    symbols = ["<pad>", "|", *"你好世界"]
    (tmp_path / "vocab.json").write_text(json.dumps({symbol: index for index, symbol in enumerate(symbols)}))
    reader = Reader()
    reader.config = replace(reader.config, vocab_size=len(symbols))
    model = CtcRecognizer(reader, Checkpoint("zh", "wav2vec2", tmp_path, (), {"do_normalize": False}))
    levels = [0, 0, 2, 2, 0, 3, 3, 0, 4, 4, 0, 5, 5, 0, 0]
    samples = np.zeros(len(levels) * 320 + 80, np.float32)
    for frame, symbol in enumerate(levels):
        samples[frame * 320 + 100 : frame * 320 + 420] = symbol / 100
    found = realign(Transcript((Segment(0.0, 0.3, "你好，世界。", language="zh"),), "zh", 0.3), samples, model)
    assert [word.text for word in found.words] == ["你", "好，", "世", "界。"]
    assert [round(word.start_s / 0.02) for word in found.words] == [2, 5, 8, 11]
