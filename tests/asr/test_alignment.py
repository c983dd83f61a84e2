"""Alignment of written text: every written word gets a time, whatever it is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.asr.alignment import align_words, spell
from sonant.decode.ctc_align import STAR
from sonant.errors import UnspeakableText
from sonant.text.tokens import Spoken
from sonant.text.vocab import CtcVocabulary

UPPER = CtcVocabulary(("<pad>", "<unk>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


def say(ids, vocabulary, frames_each=3):
    """Log-probabilities that speak these ids clearly, a blank before each."""
    path = [frame for symbol in ids for frame in [0] + [symbol] * frames_each]
    scores = np.full((len(path), len(vocabulary.symbols)), -9.0, np.float32)
    scores[np.arange(len(path)), path] = 0
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def numbers(pieces):
    """A normaliser that knows one number."""
    out = []
    for piece in pieces:
        before, found, after = piece.text.partition("42")
        start = piece.span[0]
        out.append(Spoken(before, (start, start + len(before))))
        if found:
            middle = start + len(before)
            out.append(Spoken("forty two", (middle, middle + 2), "cardinal"))
            out.append(Spoken(after, (middle + 2, piece.span[1])))
    return out


def test_numbers_and_symbols_get_the_times_of_their_spoken_form():
    written = spell("Room 42, please — now!", UPPER, numbers)
    ids = UPPER.encode("room forty two please now")
    found = align_words(say(ids, UPPER), written, UPPER, 0.02)
    assert [word.text for word in found.words] == ["Room", "42,", "please", "—", "now!"]
    assert [word.span for word in found.words] == [(0, 4), (5, 8), (9, 15), (16, 17), (18, 22)]
    spoken = UPPER.text(ids)
    at = spoken.index("FORTY") * 4 * 0.02
    assert found.words[1].start_s == pytest.approx(at + 0.02)
    assert found.words[1].end_s == pytest.approx((spoken.index("TWO") + 3) * 4 * 0.02)
    assert found.words[3].start_s == found.words[3].end_s == found.words[2].end_s
    assert "".join(letter.text for letter in found.characters) == "Roompleasenow"
    assert not found.warnings


def test_accents_fall_back_to_their_letter_and_the_rest_to_a_star():
    written = spell("Café 東 x", UPPER)
    assert UPPER.text(written[0].ids) == "CAFE"
    assert written[1].ids == (STAR,)
    found = align_words(say(UPPER.encode("cafe q x"), UPPER), written, UPPER, 0.02)
    assert "東" in found.warnings[0]
    assert found.words[1].start_s < found.words[2].start_s


@given(st.lists(st.text("abc'é7!", min_size=1, max_size=6), min_size=1, max_size=6))
def test_every_written_word_comes_back_in_order(parts):
    text = " ".join(parts)
    if not any(character.isalnum() or character == "'" for character in text):
        with pytest.raises(UnspeakableText):
            spell(text, UPPER)
        return
    written = spell(text, UPPER)
    symbols = [symbol if symbol != STAR else 5 for word in written for symbol in (*word.ids, 2)]
    found = align_words(say(symbols, UPPER), written, UPPER, 0.02)
    assert [word.text for word in found.words] == parts
    times = [time for word in found.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
