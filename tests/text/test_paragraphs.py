"""The paragraphs of the round trip: prose in all nine languages that every front-end reads whole."""

import json
from pathlib import Path

import pytest

from sonant.text.g2p import load
from sonant.text.languages import LANGUAGES
from sonant.text.normalize import normalize
from sonant.text.phonemes import encode, join
from sonant.text.split import sentences
from sonant.text.tokens import Spoken

PARAGRAPHS = json.loads((Path(__file__).parents[2] / "spec/paragraphs.json").read_text(encoding="utf-8"))


def test_every_language_has_its_paragraphs():
    assert set(PARAGRAPHS) == set(LANGUAGES)
    assert all(len(texts) == len(set(texts)) >= 4 for texts in PARAGRAPHS.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_is_read_whole(language):
    for text in PARAGRAPHS[language]:
        found = sentences(normalize([Spoken(text, (0, len(text)))], language), language)
        assert len(found) > 1
        tokens = [token for sentence in found for token in load(language)(sentence)]
        assert len(encode(join(tokens))) > 40
        assert "".join(token.text for token in tokens) == "".join(text.split())
        assert not [token.text for token in tokens if token.is_word and not token.phonemes]
        if language in "ab":  # plain words: none has to be guessed
            assert {token.source for token in tokens} <= {"gold", "silver", "stem", "special", "punctuation"}
