"""The English front-end against misaki on 5,000 sentences of ours, and what must hold for any text."""

import difflib
import gzip
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sonant.errors import BadInput, UnspeakableText
from sonant.text.g2p import load
from sonant.text.g2p.espeak import available, espeak, to_english
from sonant.text.g2p.lexicon import open_lexicon
from sonant.text.g2p.tagger import open_tagger
from sonant.text.normalize import normalize
from sonant.text.phonemes import encode, join
from sonant.text.split import sentences
from sonant.text.tokens import Spoken

DATA = Path(__file__).parents[1] / "data"
MARKS = str.maketrans("", "", ';:,.!?—…"“”()')


def tokens(text, language="a", fallback="auto", **piece):
    pieces = normalize([Spoken(text, (0, len(text)), **piece)], language)
    return [token for sentence in sentences(pieces, language) for token in load(language, fallback=fallback)(sentence)]


def said(text, language="a", fallback="auto"):
    return join(tokens(text, language, fallback))


@pytest.mark.parametrize(
    ("language", "step", "fallback", "least"),
    [("a", 2, "auto", 0.99), ("b", 4, "auto", 0.99), ("a", 4, "letters", 0.99), ("b", 4, "letters", 0.99)],
)
def test_words_equal_misaki(language, step, fallback, least):
    """Words of the sentences, marks aside; one that misaki passed to eSpeak NG ("¿") counts like any other."""
    if fallback == "auto" and not available():
        pytest.skip("eSpeak NG isn't installed")
    texts = (DATA / "sentences.en.txt").read_text(encoding="utf-8").splitlines()
    golden = gzip.decompress((DATA / f"misaki.{language}.txt.gz").read_bytes()).decode().splitlines()
    assert len(texts) == len(golden) == 5000
    total = equal = 0
    for text, line in list(zip(texts, golden, strict=True))[::step]:
        theirs = line.replace("¿", "").translate(MARKS).split()
        ours = said(text, language, fallback).translate(MARKS).split()
        blocks = difflib.SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks()
        total += len(theirs)
        equal += sum(block.size for block in blocks)
    assert total > 50_000 / step
    assert equal / total >= least, f"{equal} of {total} words; the issue asks for 0.98"


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("Hello, world!", "həlˈO, wˈɜɹld!"),
        ("the apple, the pear", "ði ˈæpᵊl, ðə pˈɛɹ"),
        ("to Ann, to Bob", "tʊ ˈæn, tə bˈɑb"),
        ("I used to use it.", "ˌI jˈust tə jˈuz ɪt."),
        ("wasn’t it", "wˈʌzᵊnt ɪt"),
        ("the dogs’ bones", "ðə dˈɔɡz bˈOnz"),
        ("“Yes,” 'no' \"maybe\"", "“jˈɛs,” “nˈO” “mˈAbi”"),
        ("a [b] {c}", "ɐ (bˈi) (sˈi)"),
        ("state-of-the-art", "stˈAtʌvðiˈɑɹt"),
        ("either/or", "ˈiðəɹ ɔɹ"),
        ("HTML5", "ˌAʧtˌiˌɛmˈɛl fˈIv"),
        ("It's 3.5", "ˌɪts θɹˈi pYnt fˈIv"),
        ("Felix's", "fˈilɪksᵻz"),
        ("in the U.S.", "ɪn ðə jˌuˈɛs."),
        ("well—known", "wˈɛl—nˈOn"),
        ("*bold* and `code`", "bˈOld ænd kˈOd"),
        ("Let it rise until it has doubled.", "lˈɛt ɪt ɹˈIz ˌʌntˈɪl ɪt hˌæz dˈʌbᵊld."),
        ("The price has doubled.", "ðə pɹˈIs hæz dˈʌbᵊld."),
    ],
)
def test_readings(text, phonemes):
    assert said(text) == phonemes


def test_homographs_by_part_of_speech():
    assert said("They object to the object.") == "ðˌA əbʤˈɛkt tə ði ˈɑbʤəkt."
    assert said("I will record the record.") == "ˌI wɪl ɹəkˈɔɹd ðə ɹˈɛkəɹd."


def test_british_is_british():
    assert said("The car can't park here.", "b") == "ðə kˈɑː kˈɑːnt pˈɑːk hˈɪə."


def test_every_token_says_where_it_comes_from():
    text = "It cost $1.50 [really], Dr. Grünlich!"
    found = tokens(text)
    for token in found:
        start, end = token.span
        assert 0 <= start < end <= len(text)
        assert token.source
        if token.source == "gold" and text[start:end].isalpha():
            assert token.text == text[start:end]
    cents = [token for token in found if text[token.span[0] : token.span[1]] == "$1.50"]
    assert [token.text for token in cents] == ["one", "dollar", "and", "fifty", "cents"]
    assert [token.source for token in found if token.text in ("[", "]", ",", "!")] == ["punctuation"] * 4
    assert "".join(token.text + token.whitespace for token in found).startswith("It cost one dollar")


def test_fixed_phonemes_stress_and_flags_of_the_user():
    g2p = load("a")
    fixed = [Spoken("say ", (0, 4)), Spoken("Kokoro", (4, 24), "markup", "kˈOkəɹO"), Spoken(" now", (24, 28))]
    assert [(t.phonemes, t.source, t.span) for t in g2p(fixed)][1] == ("kˈOkəɹO", "markup", (4, 24))
    assert join(g2p(fixed)) == "sˈA kˈOkəɹO nˈW"
    stressed = [Spoken("so ", (0, 3)), Spoken("and", (3, 9), "markup", stress=2.0), Spoken(" on", (9, 12))]
    assert "ˈænd" in join(g2p(stressed))
    weak = [Spoken("hello", (0, 9), "markup", stress=-2.0)]
    assert join(g2p(weak)) == "həlO"
    unstressed = [Spoken("she ", (0, 4)), Spoken("has", (4, 14), "markup", stress=-2.0), Spoken(" won", (14, 18))]
    assert join(g2p(unstressed)) == "ʃi hæz wˈʌn"
    assert join(tokens("123", flags="&")) == "wˈʌn hˈʌndɹəd ænd twˈɛnti θɹˈi"
    assert join(tokens("123", flags="an")) == "ə hˈʌndɹədən twˈɛnti θɹˈi"


def test_unknown_words_are_read_by_every_way():
    text = "Zorblatt oakfields xkcd café Αθήνα α 字 McQuorb 2x Leonard Brightwater"
    sources = {token.text: token.source for token in tokens(text, fallback="letters")}
    assert sources["Zorblatt"] == sources["McQuorb"] == "letters"
    assert sources["oakfields"] == sources["Brightwater"] == "compound"
    assert sources["Leonard"] != "compound"
    assert sources["xkcd"] == "spelled"
    assert sources["café"] == "gold"
    assert sources["Αθήνα"] in ("letters", "gold")
    assert sources["α"] == sources["字"] == "named"


@pytest.mark.skipif(not available(), reason="eSpeak NG isn't installed")
def test_espeak_reads_unknown_words_where_it_is_installed():
    for fallback in ("auto", "espeak"):
        (token,) = load("a", fallback=fallback)([Spoken("Zorblatt", (0, 8))])
        assert (token.phonemes, token.source) == ("zˈɔɹblæt", "espeak")
    sources = {token.text: token.source for token in tokens("Zorblatt oakfields xkcd Brightwater Gödel")}
    assert sources == {
        "Zorblatt": "espeak",
        "oakfields": "compound",
        "xkcd": "spelled",
        "Brightwater": "compound",
        "Gödel": "espeak",
    }
    assert said("Gödel") == "ɡˈɜɹdᵊl"  # with its accent, as eSpeak NG knows it


@pytest.mark.skipif(not available(), reason="eSpeak NG isn't installed")
def test_language_switches_of_espeak_are_not_phonemes():
    """eSpeak NG writes "(^e^n)" where a word is read by another language's rules."""
    for voice, text in (("en-us", "नमस्ते ქართული 한국어"), ("fr-fr", "le weekend au parking"), ("hi", "मैं computer")):
        ipa = espeak().phonemes(text, voice)
        assert ipa.split()
        assert not set("()") & set(ipa), ipa
        assert not set("()^") & set(to_english(ipa, british=False))
    assert espeak().phonemes("(en) hello (fr-be)", "en-us").split()[0] == "ˈɛn"  # said, because it is text


def test_what_has_no_reading_raises_and_names_it():
    with pytest.raises(UnspeakableText, match=r"U\+E000"):
        load("a")([Spoken("a\ue000b", (0, 3))])
    with pytest.raises(BadInput, match="auto, letters, espeak"):
        load("a", fallback="guess")


@given(
    st.text(
        st.sampled_from("abcXYZ09 .,'’-—\"()[]&@%+/_éß字αж😀…!?\n") | st.characters(exclude_categories=["Cs"]),
        max_size=40,
    )
)
@example("the ' ' a")
@example("-")
def test_any_text_is_read_whole_or_refused(text):
    try:
        found = tokens(text)
    except UnspeakableText:
        return
    encode(join(found))
    place = 0
    for token in found:
        assert token.span[0] >= place or token.span[1] <= len(text)
        place = max(place, token.span[0])
        assert token.phonemes or not token.is_word, token
    spoken = "".join(piece.text for piece in normalize([Spoken(text, (0, len(text)))], "a"))
    assert "".join(token.text for token in found) == "".join(spoken.split())


def test_same_from_sixteen_threads():
    texts = (DATA / "sentences.en.txt").read_text(encoding="utf-8").splitlines()[:160]
    expected = [said(text) for text in texts]
    results = [[""] * len(texts) for _ in range(16)]

    def work(mine, shift):
        for number in range(len(texts)):
            at = (number + shift * 10) % len(texts)
            mine[at] = said(texts[at])

    threads = [threading.Thread(target=work, args=(mine, shift)) for shift, mine in enumerate(results)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == expected for mine in results)


def test_lexicon_finds_every_kind_of_key():
    lexicon = open_lexicon(british=False)
    assert lexicon.gold("a").phonemes == "A"
    assert lexicon.gold("Hello") == lexicon.gold("hello")
    assert lexicon.gold("record").by_tag
    assert lexicon.gold("zzzz") is None
    assert lexicon.silver("") is None
    assert "hello" in lexicon
    assert "\0" not in lexicon
    assert "\uffff" not in lexicon


def test_tagger_knows_the_plain_cases():
    words = "They did n't read the well - known books in London , did they ?".split()
    tags = open_tagger()(words)
    assert tags[:5] == ["PRP", "VBD", "RB", "VB", "DT"]
    assert tags[words.index("books")] == "NNS"
    assert tags[words.index("London")] == "NNP"
    assert open_tagger()([]) == []
