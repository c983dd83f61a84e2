"""SSML: elements, spans that point into the document, errors with line and column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonant.errors import BadInput
from sonant.tts.script import Pause, Say, Stop, Turn
from sonant.tts.ssml import parse
from sonant.tts.ssml_values import ipa_to_kokoro


def pieces(text):
    return [event.piece for event in parse(text) if isinstance(event, Say)]


def said(text):
    return "".join(piece.text for piece in pieces(text))


def test_plain_text_keeps_its_place():
    document = "<speak>Hé &amp; <s>日本 you</s>\r\nnext</speak>"
    for piece in pieces(document):
        written = document[slice(*piece.span)]
        assert piece.text == written.replace("&amp;", "&").replace("\r\n", " ")
    assert said(document) == "Hé & 日本 you next"


def test_breaks():
    events = parse('<speak>a<break time="1.5s"/>b<break strength="strong"/><break/>c<break time="200ms"/></speak>')
    assert [event.duration_s for event in events if isinstance(event, Pause)] == [1.5, 0.6, 0.3, 0.2]


def test_turns_nest_and_end():
    document = (
        '<speak>a<voice name="am_adam">b<prosody rate="120%" volume="-6dB">c<prosody rate="slow">d</prosody></prosody>'
        '</voice><lang xml:lang="fr-FR">e</lang>f</speak>'
    )
    manners = {}
    manner = None
    for event in parse(document):
        if isinstance(event, Turn):
            manner = event.manner
        elif isinstance(event, Say):
            manners[event.piece.text] = manner
    assert manners["a"] is None
    assert manners["b"].voice == "am_adam"
    assert manners["c"].rate == pytest.approx(1.2)
    assert manners["c"].gain == pytest.approx(0.501, abs=1e-3)
    assert manners["d"].rate == pytest.approx(0.9)
    assert manners["d"].voice == "am_adam"
    assert manners["e"].language == "f"
    assert manners["f"].language is None
    assert manners["f"].voice is None


def test_paragraphs_and_sentences_end():
    events = parse("<speak><p><s>One</s><s>Two</s></p><p>Three</p></speak>")
    kinds = [event.ending if isinstance(event, Stop) else event.piece.text for event in events]
    words = [kind for kind in kinds if kind not in ("sentence", "paragraph")]
    assert words == ["One", "Two", "Three"]
    assert "paragraph" in kinds[kinds.index("Two") : kinds.index("Three")]
    assert "sentence" in kinds[kinds.index("One") : kinds.index("Two")]


def test_phoneme_sub_and_say_as():
    document = (
        '<speak><phoneme alphabet="x-kokoro" ph="təmˈAɾO">tomato</phoneme> <sub alias="World Wide Web">WWW</sub> '
        '<say-as interpret-as="spell-out">ab1</say-as> <say-as interpret-as="ordinal">22</say-as> '
        '<say-as interpret-as="date" format="dmy">5/1/2024</say-as> <say-as interpret-as="digits">42</say-as></speak>'
    )
    found = [piece for piece in pieces(document) if piece.text.strip()]
    assert found[0].phonemes == "təmˈAɾO"
    assert document[slice(*found[0].span)] == "tomato"
    assert [piece.text for piece in found[1:]] == ["World Wide Web", "A, B, 1", "22nd", "2024-01-05", "4 2"]
    assert document[slice(*found[1].span)] == "WWW"


@pytest.mark.parametrize(
    ("ipa", "language", "kokoro"),
    [
        ("təˈmeɪtoʊ", "a", "təˈmAtO"),
        ("ˈt͡ʃɜːtʃ", "b", "ˈʧɜːʧ"),
        ("pa.ˈta.ta", "e", "paˈtata"),
        ("d͡ʒ", "i", "ʤ"),
        ("gəʊ", "b", "ɡQ"),
        ("mɐ̃w", "p", "mɐ̃w"),
    ],
)
def test_ipa(ipa, language, kokoro):
    assert ipa_to_kokoro(ipa, language) == kokoro


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("<speak>a<b></speak>", "line 1, column 9"),
        ("<speak>\n  a <break time='x'/></speak>", "line 2, column 5.*duration"),
        ("<speak>\n\n<p>é<prosody pitch='high'>a</prosody></p></speak>", "line 3, column 5.*pitch"),
        ("<speak><phoneme ph='ʘ'>a</phoneme></speak>", "ʘ"),
        ("<speak><phoneme alphabet='x-kokoro' ph='g'>a</phoneme></speak>", "U\\+0067"),
        ("<speak><sub alias='x'></sub></speak>", "empty"),
        ("<speak><sub alias='x'><s>a</s></sub></speak>", "inside <sub>"),
        ("<speak><audio src='x'/></speak>", "audio"),
        ("<speak><say-as interpret-as='poem'>a</say-as></speak>", "poem"),
        ("<speak><voice>a</voice></speak>", "name"),
        ("<speak><prosody rate='900%'>a</prosody></speak>", "0.5 to 2"),
        ("<speak><lang xml:lang='tlh'>a</lang></speak>", "tlh"),
        ("<p>a</p>", "speak"),
        ("<speak>a</speak><speak>b</speak>", "line 1"),
        ("<speak>" + "<s>" * 200 + "</s>" * 200 + "</speak>", "inside each other"),
        ("<!DOCTYPE s [<!ENTITY a 'x'>]><speak>&a;</speak>", "DOCTYPE"),
        ("<speak>&nbsp;</speak>", "line 1, column 8"),
        ("<speak>never closed", "line 1"),
    ],
)
def test_errors_tell_line_and_column(document, message):
    with pytest.raises(BadInput, match=message) as caught:
        parse(document)
    assert "SSML, line" in str(caught.value)


@given(st.text(alphabet="ab &<>é日\n\"'", max_size=40), st.sampled_from(["s", "p", "emphasis"]))
def test_escaped_text_comes_back(text, element):
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert said(f"<speak><{element}>{escaped}</{element}></speak>") == text.replace("\n", " ")


@given(st.lists(st.sampled_from(["<s>", "</s>", "<break/>", "x", "&", "<speak>", "</speak>", "<p", ">"]), max_size=12))
def test_anything_is_read_or_refused(parts):
    try:
        parse("".join(parts))
    except BadInput as error:
        problem = str(error)
        assert problem.startswith("SSML, line")
