"""Markup: the shared cases of spec/markup.json, whole and in fragments, and that no character is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tts.conftest import spec

from sonant.errors import BadInput
from sonant.tts.markup import Markup, parse
from sonant.tts.script import Manner, Pause, Say, Turn

CASES = spec("markup")
PIECES = st.sampled_from(
    [
        "[",
        "]",
        "(",
        ")",
        "[x](",
        "[pause:1s]",
        "[voice:a]",
        "/p/",
        "[w](/x/)",
        "(+1)",
        "#a#",
        "a.b",
        "word ",
        "。",
        "\n",
    ]
)


def told(event):
    if isinstance(event, Pause):
        return ["pause", event.duration_s, list(event.span)]
    if isinstance(event, Turn):
        plain = Manner()
        changed = {name: getattr(event.manner, name) for name in ("voice", "language", "rate", "gain")}
        return ["turn", {name: value for name, value in changed.items() if value != getattr(plain, name)}]
    piece, span = event.piece, list(event.piece.span)
    if piece.phonemes is not None:
        return ["phonemes", piece.text, span, piece.phonemes]
    if piece.stress is not None:
        return ["stress", piece.text, span, piece.stress]
    return ["flags", piece.text, span, piece.flags] if piece.flags else ["say", piece.text, span]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_shared_cases(case):
    if "error" in case:
        with pytest.raises(BadInput, match=case["error"]):
            parse(case["text"])
    else:
        assert [told(event) for event in parse(case["text"])] == case["events"]


def test_errors_tell_the_place():
    with pytest.raises(BadInput, match="line 2, column 7"):
        parse("One.\nTwo is[rate:9] three")


def said(events):
    """(kind, value) of all but plain text, and the plain text by character."""
    text = [(event.piece.span[0] + at, letter) for event in events if isinstance(event, Say) and told(event)[0] == "say"
            for at, letter in enumerate(event.piece.text)]  # fmt: skip
    return text, [told(event) for event in events if told(event)[0] != "say"]


@given(st.lists(PIECES, max_size=25).map("".join), st.data())
def test_fragments_give_what_the_whole_gives(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    reader, events = Markup(), []
    try:
        whole = parse(text)
    except BadInput:
        return
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        events += reader.push(text[start:end])
    events += reader.close()
    assert said(events) == said(whole)


@given(st.lists(PIECES | st.text(max_size=3), max_size=25).map("".join))
def test_spans_hold_and_what_is_left_out_is_markup(text):
    try:
        events = parse(text)
    except BadInput:
        return
    place = 0
    for event in events:
        start, end = event.piece.span if isinstance(event, Say) else event.span
        assert place <= start <= end <= len(text)
        if isinstance(event, Say):
            assert event.piece.text == text[start:end]
            assert not set(text[place:start]) - set("[](")  or text[place:start].startswith(("](", ")"))  # fmt: skip
        place = end


def test_a_bracket_that_never_closes_holds_little_back():
    reader = Markup()
    held = sum(len(told(event)[1]) for _ in range(100) for event in reader.push("[many words "))
    assert held > 700
