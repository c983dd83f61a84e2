"""2,000 words without punctuation, in each language: normalise, split, speak, fit, and count them back."""

import pytest

from sonant.text.g2p import load
from sonant.text.g2p.espeak import available
from sonant.text.normalize import normalize
from sonant.text.phonemes import LIMIT, encode, fit, join
from sonant.text.split import sentences
from sonant.text.tokens import Spoken

SEEDS = {
    "a": "the house dog city child eat quick mountain write light garden",
    "b": "the house dog city child eat quick mountain write light garden",
    "e": "casa perro ciudad niño comer rápido montaña escribir luz jardín de la el agua y",
    "f": "maison chien les enfants ont mangé il y a deux amis aujourd'hui l'eau quatre-vingts jardin",
    "h": "घर कुत्ता शहर बच्चा खाना तेज़ पहाड़ लिखना रोशनी बगीचा computer है",
    "i": "casa cane gli amici un'amica perché mangiare veloce montagna scrivere luce giardino",
    "p": "casa cachorro cidade não mão comer rápido montanha escrever luz jardim de manhã",
}
SPACELESS = {
    "j": "私は昨日友達と東京の大きな公園へ行って桜の花を見ながら楽しく話しました",
    "z": "今天天气很好我们一起去公园看花吃饭聊天学习汉语",
}
NEEDS = {"e": "espeak", "f": "espeak", "h": "espeak", "i": "espeak", "p": "espeak", "j": "pyopenjtalk", "z": "jieba"}


def converter(code):
    need = NEEDS.get(code)
    if need == "espeak" and not available():
        pytest.skip("eSpeak NG isn't installed")
    if need in ("pyopenjtalk", "jieba"):
        pytest.importorskip(need)
    return load(code)


def pieces_of(text, code):
    g2p = converter(code)
    spoken = normalize([Spoken(text, (0, len(text)))], code)
    return [piece for sentence in sentences(spoken, code) for piece in fit(g2p(sentence))]


def check(text, code):
    pieces = pieces_of(text, code)
    assert len(pieces) > 10
    for piece in pieces:
        phonemes = join(piece)
        assert 0 < len(phonemes) <= LIMIT
        assert len(encode(phonemes)) == len(phonemes)
    return [token for piece in pieces for token in piece]


@pytest.mark.parametrize("code", SEEDS)
def test_two_thousand_words_come_back(code):
    seeds = SEEDS[code].split()
    words = [seeds[number * 7 % len(seeds)] for number in range(2000)]
    text = " ".join(words)
    tokens = check(text, code)
    assert [token.text for token in tokens] == words
    assert all(token.phonemes for token in tokens)
    assert [text[slice(*token.span)] for token in tokens] == words


@pytest.mark.parametrize("code", SPACELESS)
def test_ten_thousand_characters_without_spaces_come_back(code):
    text = SPACELESS[code] * (10_000 // len(SPACELESS[code]))
    tokens = check(text, code)
    assert "".join(token.text for token in tokens) == text
    assert all(token.phonemes for token in tokens)
    assert [place for token in tokens for place in range(*token.span)] == list(range(len(text)))
