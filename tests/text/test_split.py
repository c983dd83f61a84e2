"""Sentences: the shared cases of spec/split.json, and that no character is ever lost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.errors import UnknownName
from sonant.text.languages import LANGUAGES
from sonant.text.split import sentences
from sonant.text.tokens import Spoken

CASES = json.loads((Path(__file__).parents[2] / "spec" / "split.json").read_text(encoding="utf-8"))
CHARACTERS = st.sampled_from(list("aB1 .!?…,;:\n\t\"'()”“。！？「」।॥-Dr Mr U.S. e.g. 5. है 字か")) | st.characters()
TEXTS = st.lists(CHARACTERS, max_size=60).map("".join)


def spoken(text, start=0):
    return Spoken(text, (start, start + len(text)))


def texts(groups):
    return ["".join(piece.text for piece in group) for group in groups]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:30])
def test_shared_cases(case):
    assert texts(sentences([spoken(case["text"])], case["language"])) == case["sentences"]


@given(st.lists(TEXTS, max_size=4), st.sampled_from(list(LANGUAGES)))
def test_nothing_is_lost_and_spans_hold(parts, language):
    pieces, place = [], 0
    for part in parts:
        pieces.append(spoken(part, place))
        place += len(part)
    whole = "".join(parts)
    groups = sentences(pieces, language)
    assert "".join(texts(groups)) == whole
    for piece in (piece for group in groups for piece in group):
        assert whole[piece.span[0] : piece.span[1]] == piece.text


@given(TEXTS)
def test_only_the_whole_may_be_without_sound(text):
    groups = texts(sentences([spoken(text)], "a"))
    assert len(groups) <= 1 or all(group.strip() for group in groups)


def test_expanded_pieces_keep_their_whole_span_and_fixed_ones_their_text():
    pieces = [spoken("At "), Spoken("five. Then", (3, 4), "number"), Spoken("x. Y", (4, 8), "markup", phonemes="a. b")]
    groups = sentences(pieces, "a")
    assert texts(groups) == ["At five. ", "Thenx. Y"]
    assert [piece.span for group in groups for piece in group] == [(0, 3), (3, 4), (3, 4), (4, 8)]
    assert groups[1][1].phonemes == "a. b"


def test_work_is_linear():
    text = "word " * 200_000 + "." * 100_000 + " \n" * 50_000
    assert "".join(texts(sentences([spoken(text)], "a"))) == text


def test_unknown_language():
    with pytest.raises(UnknownName, match="nearest"):
        sentences([spoken("x")], "klingon")
