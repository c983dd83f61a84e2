"""Error rates: the same numbers as jiwer, and what folding leaves out."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.text.evaluation import character_error_rate, edit_distance, fold, word_error_rate, word_errors

WORDS = st.lists(st.sampled_from(["a", "b", "c", "dog", "cat"]), min_size=1, max_size=12)


@given(WORDS, WORDS)
def test_rates_are_those_of_jiwer(said, heard):
    assert word_error_rate(" ".join(said), " ".join(heard)) == pytest.approx(jiwer.wer(" ".join(said), " ".join(heard)))
    assert character_error_rate("".join(said), "".join(heard)) == pytest.approx(
        jiwer.cer("".join(said), "".join(heard))
    )


@given(WORDS, WORDS, WORDS)
def test_the_distance_is_a_metric(one, two, three):
    assert edit_distance(one, two) == edit_distance(two, one)
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)
    assert (edit_distance(one, two) == 0) == (one == two)


def test_case_punctuation_and_quotes_do_not_count():
    assert fold("“Don’t — stop!”, she  SAID.") == "don't stop she said"
    assert word_errors("It's 5 o'clock.", "its 5 o'clock") == 1
    assert word_error_rate("", "") == 0
    assert word_error_rate("", "noise") == 1
    assert character_error_rate("こんにちは。", "こんにちわ") == pytest.approx(0.2)
