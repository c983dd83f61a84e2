"""The n-gram model: a distribution, ARPA files read back, hostile files named."""

import gzip
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.decode.ngram import END, UNKNOWN, estimate, read_arpa
from sonant.errors import BadInput, CorruptFile

WORDS = st.sampled_from(["one", "two", "three", "four"])
CORPUS = st.lists(st.lists(WORDS, min_size=1, max_size=6), min_size=1, max_size=8)


@given(CORPUS, st.integers(1, 4), st.lists(WORDS | st.just("<s>"), max_size=4))
@settings(max_examples=60, deadline=None)
def test_probabilities_after_any_history_sum_to_one(sentences, order, history):
    model = estimate(sentences, order)
    words = {word for sentence in sentences for word in sentence} | {END, UNKNOWN}
    assert sum(math.exp(model.score(history, word)) for word in words) == pytest.approx(1.0, abs=1e-6)


def test_an_arpa_file_reads_back(tmp_path):
    model = estimate([["a", "b", "c"], ["a", "c"]], 3)
    model.write_arpa(tmp_path / "lm.arpa")
    (tmp_path / "lm.arpa.gz").write_bytes(gzip.compress((tmp_path / "lm.arpa").read_bytes()))
    for name in ("lm.arpa", "lm.arpa.gz"):
        read = read_arpa(tmp_path / name)
        assert read.order == 3
        for words in (["a", "b", "c"], ["c", "a"], ["zebra", "a"]):
            assert read.sentence(words) == pytest.approx(model.sentence(words), abs=1e-4)


def test_seen_text_is_likelier_than_unseen():
    model = estimate([["turn", "the", "lights", "on"], ["turn", "the", "radio", "off"]] * 3, 3)
    assert model.sentence(["turn", "the", "radio", "on"]) > model.sentence(["radio", "turn", "on", "the"])


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"mmap lm http://kheafield.com", "KenLM binary"),
        (b"hello\n", "data"),
        (b"\\data\\\nngram 1=2\n\n\\1-grams:\n-1.0\ta\n\n\\end\\\n", "holds"),
        (b"\\data\\\nngram 1=1\n\n\\1-grams:\nminus\ta\n\n\\end\\\n", "line 5"),
        (b"\\data\\\nngram 1=1\n\n\\1-grams:\n-1.0\ta b\n\n\\end\\\n", "2 words"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, word):
    (tmp_path / "bad.arpa").write_bytes(content)
    with pytest.raises(CorruptFile, match=word):
        read_arpa(tmp_path / "bad.arpa")


def test_nothing_to_estimate_from():
    with pytest.raises(BadInput, match="no sentence"):
        estimate([], 2)
    with pytest.raises(BadInput, match="order"):
        estimate([["a"]], 9)
