"""Sentences as they come: whole text and fragments give the same, early enough, in bounded memory."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sonant.errors import BadInput
from sonant.text.split import sentences
from sonant.text.tokens import Spoken
from sonant.tts.options import SpeakOptions
from sonant.tts.reader import LONGEST, read
from sonant.tts.script import Passage, Pause, written

OPTIONS = SpeakOptions()
TEXTS = st.lists(
    st.sampled_from(
        [
            "Hello",
            "Dr.",
            "Mr. Smith",
            "world.",
            "3.14",
            "e.g.",
            '"Stop!"',
            "he said.",
            "U.S.",
            "No.",
            "5",
            "你好。",
            "はい」",
            "नमस्ते।",
            "\n\n",
            "\n",
            "…",
            "?!",
            "(yes)",
            "J.",
            "The",
            "end",
            ",",
        ]
    ),
    max_size=30,
).map(" ".join)


def passages(text, early=False, **changes):
    return list(read(text, OPTIONS.changed(**changes), lambda manner: manner.language or "a", early))


def texts(found):
    return ["".join(piece.text for piece in each.pieces) for each in found if isinstance(each, Passage)]


def drip(text, size=3):
    return (text[start : start + size] for start in range(0, len(text), size))


@given(TEXTS, st.integers(1, 12))
@example('Hello Dr. Dr. Dr. Dr. "Stop!" "Stop!" ?! "Stop!" \n Hello', 1)  # a line of 49 characters
@example("Yes. \n 1. First it rained. Then it snowed.", 1)
@example('\n\n Hello Dr. Dr. Dr. 3.14 "Stop!" "Stop!" he said. , \n Hello', 1)
@example("はい。Dr. Smith wohnt hier. Hello there.", 1)
@example('(yes) J. end U.S. e.g. … "Stop!" Mr. Smith e.g. 5 你好。 "Stop!" \n J. Mr. Smith', 1)  # a list, or an initial
def test_fragments_end_where_the_whole_ends(text, size):
    groups = sentences([Spoken(text, (0, len(text)))], "a")
    wanted = ["".join(piece.text for piece in group) for group in groups]
    wanted = [each for each in wanted if each.strip()]
    assert texts(passages(drip(text, size), markup=False)) == wanted


@given(TEXTS | st.text(max_size=80).filter(lambda text: not any(ord(c) < 32 and c not in "\t\n\r\f\v" for c in text)))
def test_no_character_is_lost_and_spans_hold(text):
    try:
        found = passages(drip(text, 5), markup=False)
    except BadInput:
        return
    assert "".join(texts(found)).split() == text.split()
    for passage in found:
        for piece in passage.pieces:
            assert text[slice(*piece.span)] == piece.text
            assert written((passage,), piece.span) == piece.text


def test_a_sentence_comes_when_a_word_follows_it():
    seen = []

    def tokens():
        for token in ["Hel", "lo wor", "ld", ".", " How", " are", " you", "?", " Fi", "ne."]:
            seen.append(token)
            yield token

    found = read(tokens(), OPTIONS, lambda manner: "a")
    assert texts([next(found)]) == ["Hello world. "]
    assert seen[-1] == " are"
    assert texts([next(found)]) == ["How are you? "]
    assert texts(found) == ["Fine."]


def test_the_first_clause_comes_before_its_sentence_ends():
    text = "When the rain had finally stopped, they all went out, and the sun shone. Later, they came home, tired."
    found = passages(text, early=True)
    assert texts(found) == [
        "When the rain had finally stopped, ",
        "they all went out, and the sun shone. ",
        "Later, they came home, tired.",
    ]
    assert [passage.ending for passage in found] == ["clause", "sentence", "sentence"]
    assert texts(passages("On January 5, 2024, we met at the usual place.", early=True)) == [
        "On January 5, 2024, we met at the usual place."
    ]
    assert len(passages("今日はいい天気ですね、散歩に行きましょう。", early=True)) == 2


def test_a_long_second_clause_comes_early_too_but_leaves_no_scrap():
    first = "When the rain had finally stopped, "
    second = "they all went out into the garden behind the old house, which nobody had seen for years, "
    rest = "and they stood there until the sun had gone down."
    assert texts(passages(first + second + rest, early=True)) == [first, second, rest]
    assert texts(passages(first + second + "it seemed.", early=True)) == [first, second + "it seemed."]
    third = "and the children, who had never been there, and the dogs, which had, ran about under the apple trees."
    assert texts(passages(first + second + third, early=True)) == [first, second, third]
    assert texts(passages(first + second + rest)) == [first + second + rest]


def test_paragraphs():
    found = passages("Title\n\nOne. Two.\n\n\nThree")
    assert [(text.strip(), passage.ending) for text, passage in zip(texts(found), found, strict=True)] == [
        ("Title", "paragraph"),
        ("One.", "sentence"),
        ("Two.", "paragraph"),
        ("Three", "sentence"),
    ]


def test_pauses_and_turns_part_sentences():
    found = passages("One [pause:1s] two. [voice:am_adam]Three. [rate:1.5]Four")
    kinds = ["pause" if isinstance(each, Pause) else (texts([each])[0].strip(), each.manner.voice) for each in found]
    assert kinds == [("One", None), "pause", ("two.", None), ("Three.", "am_adam"), ("Four", "am_adam")]
    assert found[-1].manner.rate == 1.5


@pytest.mark.parametrize("letter", ["word ", "字", "x"])
def test_a_line_without_an_end_is_cut_and_memory_stays_bounded(letter):
    count = 300_000 // len(letter)
    lengths = total = 0
    for passage in read((letter * 50 for _ in range(count // 50)), OPTIONS, lambda manner: "a"):
        text = texts([passage])[0]
        assert len(text) <= LONGEST
        assert len(passage.source) <= LONGEST
        lengths += 1
        total += text.count(letter.strip())
    assert total == count // 50 * 50
    assert lengths < total


def test_ssml_is_found_and_can_be_refused():
    assert texts(passages('<?xml version="1.0"?>\n<speak>Hi</speak>')) == ["Hi"]
    assert texts(passages("  <spe", ssml=False)) == ["  <spe"]
    assert texts(passages(iter(["<spe", "ak>Hi</spea", "k>"]))) == ["Hi"]
    assert texts(passages("a < b")) == ["a < b"]
    with pytest.raises(BadInput, match="line 1"):
        passages("Hi", ssml=True)


def test_files_and_what_is_no_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffOne.\r\n\r\nTwo é.".encode())
    assert [text.strip() for text in texts(passages(path))] == ["One.", "Two é."]
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(BadInput, match="UTF-8"):
        passages(path)
    with pytest.raises(BadInput, match="U\\+0000 at character 3"):
        passages("ab\0c")
    with pytest.raises(BadInput, match="bytes"):
        passages(b"abc")
    with pytest.raises(BadInput, match="int"):
        passages(iter([1]))
    with pytest.raises(BadInput, match="can't be read"):
        passages(tmp_path / "none.txt")
