"""Voices: the row rule and blends of spec/style_row.json, arrays, files."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tts.conftest import VOICES, spec, table, voices

from sonant.errors import BadInput, CorruptFile, UnknownName
from sonant.records import Voice
from sonant.tts import style

SPEC = spec("style_row")
NAMED = {name: Voice(name, np.full((510, 256), 10.0**place, np.float32)) for place, name in enumerate(VOICES[:4])}
NAMED["af_jessica"] = Voice("af_jessica", np.zeros((510, 256), np.float32))


@pytest.mark.parametrize("case", SPEC["rows"], ids=str)
def test_row(case):
    voice = Voice("t", (np.arange(510)[:, None] * 1000 + np.arange(256)).astype(np.float32))
    count = case.get("count", len(case.get("phonemes", "")))
    if case.get("error"):
        with pytest.raises(BadInput, match="1 to 510"):
            style.style_row(voice, count)
    else:
        assert style.style_row(voice, count)[0] == 1000 * case["row"]


@pytest.mark.parametrize("case", SPEC["blends"], ids=lambda case: case["voice"])
def test_blends(case):
    if case.get("error"):
        with pytest.raises(BadInput):
            style.resolve(case["voice"], NAMED.__getitem__)
        return
    found = style.resolve(case["voice"], NAMED.__getitem__).styles
    wanted = sum(NAMED[name].styles * weight for name, weight in case["weights"].items())
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_unknown_voice_lists_the_nearest():
    with pytest.raises(UnknownName, match="af_bella"):
        style.resolve("af_belle", voices)
    with pytest.raises(UnknownName, match="af_bella"):
        style.resolve("af_heart+af_belle", voices)


def test_the_language_is_that_of_the_heaviest_voice():
    assert style.resolve("af_heart+ff_siwis(2)", voices).language == "f"


def test_arrays():
    rows = table("af_sky").styles
    assert np.array_equal(style.resolve(rows, voices).styles, rows)
    assert np.array_equal(style.resolve(rows[:, None], voices).styles, rows)
    assert (style.resolve(rows[7], voices).styles == rows[7]).all()
    for wrong in (rows[:100], rows.astype(str), np.full((510, 256), np.nan, np.float32)):
        with pytest.raises(BadInput, match="voice"):
            style.resolve(wrong, voices)


def test_a_saved_blend_speaks_by_its_path(tmp_path):
    mixed = style.resolve("af_heart+bf_emma(3)", voices)
    path = style.save_voice(mixed, tmp_path / "mine.safetensors")
    again = style.resolve(str(path), voices)
    assert np.array_equal(again.styles, mixed.styles)
    assert again.language == "b"
    assert style.resolve(path, voices).name == "mine"
    added = style.resolve(f"{path}+af_heart", voices)
    np.testing.assert_allclose(added.styles, (mixed.styles + table("af_heart").styles) / 2, rtol=1e-5)
    with pytest.raises(BadInput, match="safetensors"):
        style.save_voice(mixed, tmp_path / "mine.pt")


def test_files_that_are_no_voice(tmp_path):
    (tmp_path / "short.bin").write_bytes(b"1234")
    with pytest.raises(CorruptFile, match="522240"):
        style.resolve(tmp_path / "short.bin", voices)
    with pytest.raises(UnknownName, match="voice file"):
        style.resolve(tmp_path / "none.safetensors", voices)


@given(st.lists(st.tuples(st.sampled_from(VOICES), st.floats(0.01, 100)), min_size=1, max_size=5))
def test_any_sum_parses_back_and_stays_inside_its_voices(terms):
    text = "+".join(f"{name}({weight!r})" for name, weight in terms)
    weights = style.parse(text)
    assert sum(weights.values()) == pytest.approx(sum(weight for _, weight in terms))
    mixed = style.resolve(text, voices).styles
    tables = np.stack([table(name).styles for name in weights])
    assert (mixed >= tables.min(0) - 1e-3).all()
    assert (mixed <= tables.max(0) + 1e-3).all()


@given(st.text(max_size=30))
def test_any_text_is_a_voice_or_a_clear_error(text):
    with contextlib.suppress(BadInput):
        assert style.resolve(text, voices).styles.shape == (510, 256)
