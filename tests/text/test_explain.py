"""Explanation: every letter and figure of the text is in one span, with what is said for it and why."""

import pytest

from sonant.errors import UnknownName
from sonant.text.explain import explain
from sonant.text.g2p.espeak import available
from sonant.text.phonemes import encode
from sonant.text.tokens import Spoken

TEXTS = {
    "a": "Dr. Smith paid $5.50 in 1999. Good, isn’t it?",
    "b": "It costs £3 on 5 May.",
    "e": "El Sr. López pagó 12,50 € en 1999. ¡Qué bien!",
    "f": "M. Dupont a payé 12,50 € l’été 1999. C'est bon ?",
    "h": "डॉ. शर्मा ने ₹500 दिए। बहुत अच्छा!",
    "i": "Il sig. Rossi ha pagato 12,50 €. L’amico no.",
    "j": "3月5日に1,200円払った。すごい！",
    "p": "O Sr. Silva pagou R$ 12,50 em 1999. Que bom!",
    "z": "3月5日我付了12.5元。太好了！",
}
NEEDS = {"j": "pyopenjtalk", "z": "pypinyin"}


def explained(code, text=None):
    if code in "efhip" and not available():
        pytest.skip("eSpeak NG isn't installed")
    if code in NEEDS:
        pytest.importorskip(NEEDS[code])
    return explain(text or TEXTS[code], code)


@pytest.mark.parametrize("code", TEXTS)
def test_every_letter_and_figure_is_in_one_span(code):
    text = TEXTS[code]
    spans = explained(code)
    covered = [place for found in spans for place in range(*found.span)]
    assert covered == sorted(set(covered)), "spans stand in order and don't overlap"
    left = {place for place, sign in enumerate(text) if not sign.isspace()} - set(covered)
    assert not left, [text[place] for place in left]
    assert all(found.written == text[slice(*found.span)] for found in spans)


@pytest.mark.parametrize("code", TEXTS)
def test_each_span_says_why(code):
    spans = explained(code)
    for found in spans:
        assert found.rule
        encode(found.phonemes)
        if any(sign.isalnum() for sign in found.spoken):
            assert found.phonemes
            assert found.sources
    assert {found.rule for found in spans} >= {"text"}
    assert len({found.rule for found in spans}) >= 2
    assert spans[0].sentence == 0
    assert spans[-1].sentence == max(found.sentence for found in spans)


def test_a_price_is_one_span():
    found = next(found for found in explained("e") if found.rule == "currency")
    assert (found.written, found.spoken) == ("12,50 €", "doce euros con cincuenta céntimos")
    assert found.sources == ("espeak",)
    assert found.phonemes == "ðˈoθe ˈeʊɾos kon θinkwˈɛnta θˈentimos"


def test_scripts_without_spaces_are_said_as_written():
    found = next(found for found in explained("j") if found.rule == "date")
    assert (found.written, found.spoken, found.phonemes) == ("3月5日", "三月五日", "saŋɡaʦɨ iʦɨka")


def test_a_word_that_holds_a_figure_is_one_span():
    found = explained("e", "covid-19 sigue")[0]
    assert (found.written, found.spoken, found.rule) == ("covid-19", "covid-diecinueve", "number")


def test_markup_is_given_by_its_pieces():
    text = "un [GIF](/ʤˈɪf/)"
    pieces = [Spoken("un ", (0, 3)), Spoken("GIF", (3, 16), "markup", phonemes="ʤˈɪf")]
    if not available():
        pytest.skip("eSpeak NG isn't installed")
    found = explain(text, "e", pieces)[-1]
    assert (found.written, found.spoken, found.phonemes) == ("[GIF](/ʤˈɪf/)", "GIF", "ʤˈɪf")
    assert (found.rule, found.sources) == ("markup", ("markup",))


def test_unknown_language_is_named():
    with pytest.raises(UnknownName, match="xx"):
        explain("hi", "xx")


def test_empty_text_has_no_spans():
    assert explain("", "a") == []
