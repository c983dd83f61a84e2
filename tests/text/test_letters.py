"""The letter-to-sound model: what any string of letters gives, and how well it reads words it was never shown."""

import gzip
import zlib
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.text.g2p.english_stress import PRIMARY, VOWELS
from sonant.text.g2p.letters import open_letters
from sonant.text.phonemes import encode


def held_out(accent, count):
    """Words that ``scripts/train_letters.py`` keeps from training, with the dictionary's reading."""
    packed = resources.files("sonant.text").joinpath("data", f"lexicon_{accent}.txt.gz").read_bytes()
    lines = (line.partition("\t") for line in gzip.decompress(packed).decode().splitlines())
    plain = [(word, reading.lstrip("~")) for word, _, reading in lines if "=" not in reading and word.isalpha()]
    words = [(word, reading) for word, reading in plain if word.isascii() and word.islower() and len(word) > 3]
    return [pair for pair in words if zlib.crc32(pair[0].encode()) % 20 == 0][:: len(words) // 20 // count][:count]


@settings(deadline=None)
@given(st.text("abcdefghijklmnopqrstuvwxyzABC", min_size=1, max_size=30), st.booleans())
def test_any_letters_have_sounds_of_the_alphabet_and_one_stress(word, british):
    said = open_letters().read(word, british)
    encode(said)
    assert said.count(PRIMARY) <= 1
    if PRIMARY in said:
        assert said[said.index(PRIMARY) + 1] in VOWELS
    assert open_letters().read(word.upper(), british) == said


@pytest.mark.parametrize(("accent", "british"), [("us", False), ("gb", True)])
def test_most_words_it_never_saw_are_read_as_the_dictionary_does(accent, british):
    words = held_out(accent, 200)
    assert len(words) > 180
    tapped = [
        (open_letters().read(word, british), reading.replace("ɾ", "T").replace("ʔ", "t")) for word, reading in words
    ]
    exact = sum(said == reading for said, reading in tapped)
    assert exact / len(words) > 0.65, f"{exact} of {len(words)}"


def test_long_strings_and_other_characters():
    assert open_letters().read("ab" * 500, british=False)
    with pytest.raises(ValueError, match="not letters"):
        open_letters().read("naïve", british=False)
