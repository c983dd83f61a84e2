"""Whisper's tokenizer: known ids, round trips, words, and openai-whisper's tokenizer on any text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.errors import BadInput, UnknownName
from sonant.text.bpe import tokenizer
from sonant.text.whisper_languages import LANGUAGES, code_of

LEAVES_FILES_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # openai-whisper

MULTI, ENGLISH = tokenizer(True, 99), tokenizer(False, 99)


def test_known_ids():
    assert MULTI.encode(" Hello world.") == [2425, 1002, 13]
    assert ENGLISH.encode(" Hello world.") == [18435, 995, 13]
    assert (MULTI.eot, MULTI.sot, MULTI.timestamp_begin, MULTI.size) == (50257, 50258, 50364, 51865)
    assert (ENGLISH.eot, ENGLISH.sot, ENGLISH.timestamp_begin, ENGLISH.size) == (50256, 50257, 50363, 51864)
    assert tokenizer(True, 100).timestamp_begin == 50365
    assert MULTI.start("pl", "translate") == (50258, 50269, 50358)
    assert MULTI.start("en", timestamps=False) == (50258, 50259, 50359, 50363)
    assert ENGLISH.start("en") == (50257,)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_text_comes_back(text):
    for words in (MULTI, ENGLISH):
        assert words.decode(words.encode(text)) == text


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_words_join_to_the_text(text):
    ids = MULTI.encode(text)
    for language in ("en", "ja"):
        words = MULTI.split_words(ids, language)
        assert [token for _word, tokens in words for token in tokens] == ids
        assert "".join(word for word, _tokens in words) == text


def test_times_are_written_out_or_left_out():
    ids = [MULTI.timestamp_begin, *MULTI.encode(" Hi"), MULTI.timestamp_begin + 54]
    assert MULTI.decode(ids) == " Hi"
    assert MULTI.decode_with_timestamps(ids) == "<|0.00|> Hi<|1.08|>"


def test_special_names_in_text_stay_text():
    ids = MULTI.encode("<|endoftext|>")
    assert max(ids) < MULTI.eot
    assert MULTI.decode(ids) == "<|endoftext|>"


def test_words_with_and_without_spaces():
    ids = [*MULTI.encode(" Hello, world"), MULTI.eot]
    assert [word for word, _ids in MULTI.split_words(ids, "en")] == [" Hello", ",", " world", "<|endoftext|>"]
    assert [word for word, _ids in MULTI.split_words(MULTI.encode("日本語"), "ja")] == ["日本", "語"]


def test_half_a_character_is_kept():
    first_half = MULTI.encode("ᚠ")[:1]
    assert MULTI.split_words([*first_half, MULTI.eot], "en")[0][1] == tuple(first_half)


def test_tokens_by_regular_expression():
    found = ENGLISH.matching(r"\s*\d+")
    assert {ENGLISH.decode([token]).strip() for token in found} >= {"1", "42", "2019"}
    assert all(ENGLISH.decode([token]).strip().isdigit() for token in found)
    with pytest.raises(BadInput, match="regular expression"):
        ENGLISH.matching("(")


def test_language_names():
    assert [code_of(name) for name in ("pl", "Polish", "pt-BR", "MANDARIN", "zh_CN")] == ["pl", "pl", "pt", "zh", "zh"]
    assert len(LANGUAGES) == 100
    with pytest.raises(UnknownName, match="nearest: polish"):
        code_of("polnish")
    with pytest.raises(UnknownName):
        MULTI.language_token("yue")
    assert tokenizer(True, 100).language_token("yue") == 50358
    with pytest.raises(BadInput, match="not in this vocabulary"):
        MULTI.decode_with_timestamps([60_000])


@pytest.mark.peers
@LEAVES_FILES_OPEN
@pytest.mark.parametrize("languages", [99, 100])
@pytest.mark.parametrize("multilingual", [True, False])
def test_special_tokens_equal_openai_whisper(multilingual, languages):
    reference = _reference(multilingual, languages)
    ours = tokenizer(multilingual, languages)
    names = ("eot", "sot", "translate", "transcribe", "sot_lm", "sot_prev", "no_speech", "no_timestamps")
    for name in (*names, "timestamp_begin"):
        assert getattr(ours, name) == getattr(reference, name), name
    assert ours.non_speech == reference.non_speech_tokens
    assert ours.start("en") == reference.sot_sequence
    if multilingual:
        assert set(ours.language_tokens) == set(reference.all_language_tokens)
        assert {ours.language_token(code) for code in ours.languages} == set(reference.all_language_tokens)


@pytest.mark.peers
@LEAVES_FILES_OPEN
@given(st.text(max_size=80), st.booleans())
@settings(max_examples=500, deadline=None)
def test_ids_equal_openai_whisper(text, multilingual):
    reference, ours = _reference(multilingual, 99), tokenizer(multilingual, 99)
    assert ours.encode(text) == reference.encoding.encode_ordinary(text)


@pytest.mark.peers
@LEAVES_FILES_OPEN
@given(st.lists(st.integers(0, 50_255), max_size=12), st.sampled_from(["en", "zh"]))
@settings(max_examples=500, deadline=None)
def test_words_equal_openai_whisper(ids, language):
    """Any ids, broken characters included; the end token follows, as in alignment."""
    ours = tokenizer(True, 99)
    reference = _reference(True, 99, language)
    try:
        words, tokens = reference.split_to_word_tokens([*ids, ours.eot])
    except IndexError:  # the reference fails on some broken characters
        return
    if [token for word in tokens for token in word] != [*ids, ours.eot]:
        return  # and drops others, the last word with them
    got = ours.split_words([*ids, ours.eot], language)
    assert [word for word, _ids in got] == words
    assert [list(one) for _word, one in got] == tokens


def _reference(multilingual, languages, language="en"):
    whisper = pytest.importorskip("whisper")
    return whisper.tokenizer.get_tokenizer(multilingual, num_languages=languages, language=language, task="transcribe")
