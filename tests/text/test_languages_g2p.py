"""Sounds of the languages other than English: the cases of ``spec/``, places of words, the reference's own strings."""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.errors import BadInput, MissingExtra, UnspeakableText
from sonant.text.g2p import kana, load
from sonant.text.g2p.align import divide
from sonant.text.g2p.espeak import available
from sonant.text.g2p.espeak_languages import to_kokoro
from sonant.text.g2p.pinyin import bopomofo, ipa, parse
from sonant.text.g2p.sandhi import sandhi
from sonant.text.normalize import normalize
from sonant.text.phonemes import SYMBOLS, encode, join
from sonant.text.tokens import Spoken

SPEC = Path(__file__).parents[2] / "spec"
CODES = {"es": "e", "fr": "f", "hi": "h", "it": "i", "ja": "j", "pt": "p", "zh": "z"}
needs_espeak = pytest.mark.skipif(not available(), reason="eSpeak NG isn't installed")


def cases(language):
    return json.loads((SPEC / f"g2p.{language}.json").read_text(encoding="utf-8"))


def converter(code):
    if code in "efhip" and not available():
        pytest.skip("eSpeak NG isn't installed")
    for needed in {"j": ["pyopenjtalk"], "z": ["jieba", "pypinyin"]}.get(code, []):
        # Importing jieba warns, so only look for it.
        if not any((Path(folder) / needed).exists() for folder in sys.path):
            pytest.skip(f"{needed} isn't installed")
    return load(code)


def tokens_of(text, code):
    return converter(code)(normalize([Spoken(text, (0, len(text)))], code))


@pytest.mark.parametrize(("language", "case"), [(language, case) for language in CODES for case in cases(language)])
def test_spec(language, case):
    tokens = tokens_of(case["text"], CODES[language])
    assert join(tokens) == case["phonemes"]
    assert len(encode(join(tokens))) == len(join(tokens))
    places = [token.span for token in tokens]
    assert places == sorted(places), "tokens stand in the order of the text"
    assert all(token.span[0] < token.span[1] <= len(case["text"]) for token in tokens)
    if "v1.1" in case:
        from sonant.text.g2p.mandarin import load as load_mandarin

        pieces = normalize([Spoken(case["text"], (0, len(case["text"])))], "z")
        assert join(load_mandarin("z", symbols="1.1")(pieces)) == case["v1.1"]


@needs_espeak
@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        ("f", "L’été, il y a 21 amis.", ["L’été", ",", "il", "y", "a", "21", "21", "21", "amis", "."]),
        ("e", "¿Tienes 2 €?", ["¿", "Tienes", "2 €", "2 €", "?"]),
        ("i", "un'amica (sola)", ["un'amica", "(", "sola", ")"]),
        ("h", "५ किताबें।", ["५", "किताबें", "।"]),
        ("p", "D. Pedro II", ["D. ", "Pedro", "II"]),
    ],
)
def test_each_word_has_the_place_of_what_was_written(code, text, words):
    assert [text[slice(*token.span)] for token in tokens_of(text, code)] == words


@needs_espeak
def test_words_that_espeak_joins_and_splits_keep_their_own_sounds():
    # eSpeak NG splits HomePod and joins "parce qu'il": as many parts as words, one word shifted.
    text = "Apple lance HomePod parce qu'il se sent menacé"
    sounds = {token.text: token.phonemes for token in tokens_of(text, "f")}
    assert sounds["parce"] == "paʁs"
    assert sounds["qu'il"] == "kˌil"
    assert sounds["HomePod"].replace(" ", "") == "ˈɔmpˈɔd"
    assert sounds["menacé"] == "mənasˈe"


@needs_espeak
def test_foreign_words_lose_espeaks_marks_of_language():
    phonemes = join(tokens_of("यह computer है", "h"))
    assert "kəmpjˈuːtə" in phonemes
    assert not re.search(r"[()^-]", phonemes)


@needs_espeak
@pytest.mark.parametrize("code", ["e", "f", "h", "i", "p"])
def test_phonemes_of_the_user_stand(code):
    pieces = [Spoken("el ", (0, 3)), Spoken("GIF", (3, 20), "markup", phonemes="ʤˈɪf"), Spoken(" va", (20, 23))]
    tokens = converter(code)(pieces)
    assert (tokens[1].phonemes, tokens[1].span, tokens[1].whitespace) == ("ʤˈɪf", (3, 20), " ")
    assert len(tokens) == 3


@needs_espeak
def test_stress_of_the_user_moves():
    piece = Spoken("casa", (0, 4), "markup", stress=-2)
    assert converter("e")([piece])[0].phonemes == "kasa"
    assert converter("e")([Spoken("casa", (0, 4), "markup", stress=-1)])[0].phonemes == "kˌasa"
    assert converter("e")([Spoken("de", (0, 2), "markup", stress=1)])[0].phonemes == "dˈe"


def test_symbols_outside_the_alphabet_are_mapped_or_refused():
    assert to_kokoro("t^ʃa^ɪd̪l̩") == "ʧIdəl"
    assert to_kokoro("ɭˈʌɡ(^e^n)xˈa(^h^i)") == "lˈʌɡxˈa"
    with pytest.raises(UnspeakableText, match="U\\+01C3"):
        to_kokoro("aǃ")
    assert all(symbol in SYMBOLS for symbol in to_kokoro("ɦɫʀʏɱɺ"))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(alphabet="abdeiouktszˈ", min_size=1, max_size=8), min_size=1, max_size=9))
def test_division_gives_every_sound_to_one_word(words):
    phrase = " ".join(words)
    pieces = divide(phrase, words)
    assert "".join(pieces) == phrase
    assert len(pieces) == len(words)


def test_division_finds_words_that_were_joined():
    assert [part.strip() for part in divide("dəlakˈaz o", ["də", "la", "kˈaz", "ˈo"])] == ["də", "la", "kˈaz", "o"]


# ---------------------------------------------------------------- Japanese


def test_kana_in_the_trained_spelling():
    readings = {
        "トーキョー": "toːkʲoː",
        "シンブン": "ɕimbɯɴ",
        "ガッコー": "ɡaʔkoː",
        "サンガツ": "saŋɡaʦɨ",
        "ヴァイオリン": "vaioɾʲiɴ",
    }
    assert {reading: kana.phonemes(reading) for reading in readings} == readings
    assert kana.phonemes("フィー") == "ɸʲiː"
    assert kana.phonemes("ニュース") == "ɲɨːsɨ"
    every = [chr(code) for code in range(0x30A1, 0x30FB)]
    small = "ャュョァィゥェォ"
    for sign in every:
        encode(kana.phonemes(sign))
        for behind in small:
            encode(kana.phonemes(sign + behind))
    with pytest.raises(UnspeakableText, match="字"):
        kana.phonemes("字")


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("1本3本6本8本10本", "iʔpoɴ samboɴ ɾoʔpoɴ haʔpoɴ ʥɨʔpoɴ"),
        ("3階と8分", "saŋɡai to haʔpɯɴ"),
        ("300、600、800", "sambʲakɯ, ɾoʔpʲakɯ, haʔpʲakɯ"),
        ("9時4分", "kɯ ʥi joɴpɯɴ"),
        ("20歳の4人", "hataʨi no joɲiɴ"),
        ("3月1日", "saŋɡaʦɨ ʦɨitaʨi"),
        ("2人前", "ɲiɲiɴmae"),
    ],
)
def test_counters_change_their_sounds(text, reading):
    def bare(phonemes):
        # Which words are written apart, and how ん sounds at a word's end, is no matter here.
        return re.sub("[mnŋɲɴ](?=[^aiɯeoɨj]|$)", "N", phonemes.replace(" ", ""))

    assert bare(join(tokens_of(text, "j"))) == bare(reading)


def test_pitch_accent_stands_in_the_tag():
    tags = {token.text: token.tag for token in tokens_of("橋と箸と端", "j")}
    assert tags["橋"].endswith("LH")
    assert tags["箸"].endswith("HL")
    after_accent = [token.tag.split()[-1] for token in tokens_of("橋が", "j")]
    assert after_accent == ["LH", "L"]


def test_pitch_accent_is_marked_where_asked_for():
    converter("j")
    from sonant.text.g2p.japanese import load as load_japanese

    def marked(text):
        return join(load_japanese(accent=True)([Spoken(text, (0, len(text)))]))

    assert marked("箸で食べる。") == "hˈaɕi de tabˈeɾɯ."
    assert marked("橋で待つ。") == "haɕˈi de mˈaʦɨ."
    assert marked("端") == "haɕi", "no fall, no mark"
    assert marked("昨日") == "kʲinˈoː"
    for case in cases("ja"):
        plain = join(load("j")(normalize([Spoken(case["text"], (0, len(case["text"])))], "j")))
        pieces = normalize([Spoken(case["text"], (0, len(case["text"])))], "j")
        assert join(load_japanese(accent=True)(pieces)).replace("ˈ", "") == plain.replace("ˈ", "")


@pytest.mark.parametrize("text", ["안녕", "Привет"])
@pytest.mark.parametrize("code", ["j", "z"])
def test_other_scripts_are_refused_not_dropped(code, text):
    with pytest.raises(UnspeakableText, match=text[0]):
        tokens_of(text, code)


@pytest.mark.parametrize(("code", "text"), [("j", "それはvery goodだ。"), ("z", "这是very good的。")])
def test_english_words_inside_are_spoken(code, text):
    tokens = tokens_of(text, code)
    english = [token for token in tokens if token.source.startswith("en:")]
    assert [token.text for token in english] == ["very", "good"]
    assert [token.phonemes for token in english] == [
        token.phonemes for token in load("a")([Spoken("very good", (0, 9))])
    ]
    assert [text[slice(*token.span)] for token in english] == ["very", "good"]


# ---------------------------------------------------------------- Mandarin


@pytest.mark.parametrize(
    ("pinyin", "old", "new"),
    [
        ("zhong1", "ꭧʊ→ŋ", "ㄓ中1"),
        ("shi4", "ʂɨ↘", "ㄕ十4"),
        ("si4", "sɨ↘", "ㄙㄭ4"),
        ("xue2", "ɕɥe↗", "ㄒ月2"),
        ("yuan2", "ɥɛ↗n", "元2"),
        ("lv4", "ly↘", "ㄌㄩ4"),
        ("er2", "ɚ↗", "ㄦ2"),
        ("wo3", "wo↓", "我3"),
        ("liu2", "ljou↗", "ㄌ又2"),
        ("gui4", "kwei↘", "ㄍ为4"),
        ("de5", "tɤ", "ㄉㄜ5"),
        ("bo1", "pwo→", "ㄅㄛ1"),
    ],
)
def test_pinyin(pinyin, old, new):
    assert (ipa(parse(pinyin)), bopomofo(parse(pinyin))) == (old, new)


@pytest.mark.parametrize(
    ("words", "tones"),
    [
        ([("你好", [3, 3])], [[2, 3]]),
        ([("不", [4]), ("去", [4])], [[2], [4]]),
        ([("不", [4]), ("来", [2])], [[4], [2]]),
        ([("一天", [1, 1])], [[4, 1]]),
        ([("一样", [1, 4])], [[2, 4]]),
        ([("一个", [1, 5])], [[2, 5]]),
        ([("第一", [4, 1]), ("名", [2])], [[4, 1], [2]]),
        ([("二零", [4, 2]), ("一一", [1, 1]), ("年", [2])], [[4, 2], [1, 1], [2]]),
        ([("看一看", [4, 1, 4])], [[4, 5, 4]]),
        ([("好不好", [3, 4, 3])], [[3, 5, 3]]),
        ([("展览馆", [3, 3, 3])], [[2, 2, 3]]),
        ([("我", [3]), ("很", [3]), ("好", [3])], [[3], [2], [3]]),
        ([("一百", [1, 3])], [[4, 3]]),
    ],
)
def test_tone_sandhi(words, tones):
    assert sandhi(words) == tones


def test_unknown_symbols_of_mandarin_are_named():
    from sonant.text.g2p.mandarin import load as load_mandarin

    with pytest.raises(BadInput, match=r"1\.0, 1\.1"):
        load_mandarin("z", symbols="2")
    with pytest.raises(UnspeakableText, match="xyz"):
        parse("xyz1")


# ---------------------------------------------------------------- all


@pytest.mark.parametrize("code", ["e", "f", "h", "i", "j", "p", "z"])
def test_sixteen_threads_give_what_one_gives(code):
    g2p = converter(code)
    language = next(name for name, letter in CODES.items() if letter == code)
    jobs = [normalize([Spoken(case["text"], (0, len(case["text"])))], code) for case in cases(language)] * 8
    alone = [g2p(job) for job in jobs]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(g2p, jobs)) == alone


@pytest.mark.parametrize(("code", "module", "extra"), [("j", "pyopenjtalk", "ja"), ("z", "jieba", "zh")])
def test_missing_packages_are_named_with_their_command(monkeypatch, code, module, extra):
    from sonant.text.g2p import japanese, mandarin

    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(mandarin, "_load", mandarin._load.__wrapped__)
    with pytest.raises(MissingExtra, match=rf"pip install 'sonant\[{extra}\]'"):
        {"j": japanese, "z": mandarin}[code].load(code)


@pytest.mark.peers
@needs_espeak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("language", "voice"), [("es", "es"), ("fr", "fr-fr"), ("hi", "hi"), ("it", "it"), ("pt", "pt-br")]
)
def test_phonemes_are_misakis(language, voice):
    reference = pytest.importorskip("misaki.espeak").EspeakG2P(voice)
    for case in cases(language):
        # misaki hears no danda, and writes spaces before marks as they were.
        theirs = "".join(symbol for symbol in reference(case["text"])[0] if symbol in SYMBOLS)
        ours = case["phonemes"][:-1] if case["text"].endswith("।") else case["phonemes"]
        assert ours == re.sub(r"\s+([?!:;])", r"\1", theirs).strip()


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_mandarin_syllables_are_misakis():
    pytest.importorskip("cn2an")
    reference = pytest.importorskip("misaki.zh").ZHG2P()
    for case in cases("zh"):
        if not re.search("[A-Za-z地]", case["text"]):
            # Tones differ by our sandhi; vowels, consonants and word borders do not.
            assert re.sub("[→↗↓↘]", "", case["phonemes"]) == re.sub("[→↗↓↘]| (?=”)", "", reference(case["text"])[0])
