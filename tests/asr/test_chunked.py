"""Chunks and their seams."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.asr.chunked import chunks_of, join, overlap_of
from sonant.records import Segment, Word
from sonant.text.bpe import tokenizer

WORDS = tokenizer(True, 99)


@given(st.integers(1, 20_000), st.sampled_from([500, 1500, 2500, 3000]))
def test_chunks_cover_the_sound_and_overlap_by_a_third(frames, length):
    chunks = chunks_of(frames, length)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == frames
    assert all(0 < stop - start <= length for start, stop in chunks)
    for (_, stop), (start, _) in itertools.pairwise(chunks):
        assert stop - start == 2 * (length // 6)


def test_the_seam_is_in_the_middle_of_what_agrees():
    assert overlap_of([1, 2, 3, 4, 5, 6], [3, 4, 5, 6, 7, 8]) == (4, 2)
    assert overlap_of([1, 2, 3], [4, 5, 6]) is None
    assert overlap_of([], [1, 2]) is None
    # one wrong token at each edge, as a cut word gives
    left, right = [1, 2, 3, 4, 5, 99], [98, 3, 4, 5, 6, 7]
    keep, skip = overlap_of(left, right)
    assert left[:keep] + right[skip:] == [1, 2, 3, 4, 5, 6, 7]


@given(st.lists(st.integers(0, 1000), min_size=12, max_size=30, unique=True), st.integers(4, 8))
def test_what_was_cut_is_whole_again(tokens, shared):
    middle = len(tokens) // 2
    left, right = tokens[: middle + shared // 2], tokens[middle - shared // 2 :]
    keep, skip = overlap_of(left, right)
    assert left[:keep] + right[skip:] == tokens


def segment(start_s, end_s, text, words=()):
    return Segment(start_s, end_s, text, tuple(WORDS.encode(text)), words)


def spoken(start_s, end_s, text):
    """A segment with its words at even distances."""
    words, at = [], 0
    pieces = text.split()
    for number, word in enumerate(pieces):
        at = text.index(word, at)
        step = (end_s - start_s) / len(pieces)
        words.append(Word(word, start_s + number * step, start_s + (number + 1) * step, 1.0, (at, at + len(word))))
        at += len(word)
    return segment(start_s, end_s, text, tuple(words))


def test_words_keep_their_place_in_a_cut_segment():
    left, right = join(
        [spoken(0, 10, " it was the best of times")], [spoken(4, 14, " best of times it was")], (4.0, 10.0), WORDS
    )
    assert "".join(one.text for one in left + right) == " it was the best of times it was"
    assert [word.text for one in left + right for word in one.words] == "it was the best of times it was".split()
    for one in left + right:
        assert [one.text[slice(*word.span)] for word in one.words] == [word.text for word in one.words]
        assert (one.start_s, one.end_s) == (one.words[0].start_s, one.words[-1].end_s)


def test_without_common_words_the_middle_decides():
    left, right = join(
        [segment(0, 4, " a"), segment(8, 10, " b")], [segment(5, 6, " c"), segment(8, 9, " d")], (5.0, 10.0), WORDS
    )
    assert [one.text for one in left] == [" a"]
    assert [one.text for one in right] == [" d"]


@pytest.mark.parametrize(("left", "right"), [([], []), ([segment(0, 1, " a")], []), ([], [segment(9, 12, " b")])])
def test_empty_sides(left, right):
    kept = join(left, right, (5.0, 10.0), WORDS)
    assert [*kept[0], *kept[1]] == [*left, *right]
