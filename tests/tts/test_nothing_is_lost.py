"""Every language whole: no word is lost, and each stands in its place of the text, whatever became of it."""

import pytest
from tests.tts.conftest import SPEC, spec

WORDS = {
    "a": "river stone carries every morning light through seven quiet old houses",
    "b": "colour garden whilst autumn leaves were falling over the grey harbour",
    "e": "casa árbol camino siempre nuestra montaña pequeña corre sobre agua clara",
    "f": "maison rivière toujours petite lumière pendant forêt ancienne garçon marche",
    "h": "घर पानी रास्ता हमेशा हमारा पहाड़ छोटा बच्चा सुबह आकाश",
    "i": "casa fiume sempre piccola luce durante bosco antico ragazzo cammina",
    "j": "私 は 毎朝 静か な 川 で 古い 歌 を 歌う",
    "p": "casa rio sempre pequena luz durante floresta antiga menino caminha",
    "z": "我们 每天 早上 在 河边 看 古老 的 房子",
}
COUNT = 2000
NEEDS = {"j": ("pyopenjtalk",), "z": ("jieba", "pypinyin")} | dict.fromkeys("efhip", ("espeakng_loader",))


CODES = {"en": "a", "es": "e", "fr": "f", "hi": "h", "it": "i", "ja": "j", "pt": "p", "zh": "z"}
pytestmark = pytest.mark.filterwarnings("ignore")  # jieba and sudachi warn of themselves


def need(language):
    for module in NEEDS.get(language, ()):
        pytest.importorskip(module)


@pytest.mark.parametrize("language", WORDS)
def test_2000_words_without_punctuation(speaker, language):
    need(language)
    words = WORDS[language].split()
    space = "" if language in "jz" else " "
    text = space.join(words[number % len(words)] for number in range(COUNT))
    speech = speaker.speak(text, language=language)
    assert all(len(chunk.phonemes) <= 510 for chunk in speech.chunks)
    assert all(text[slice(*word.span)] == word.text for word in speech.words)
    said = [word.text for word in speech.words]
    if space:
        assert said == text.split()
    else:
        assert "".join(said) == text
    times = [time for word in speech.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert len(speech.transcript().words) == len(said)


@pytest.mark.parametrize("name", sorted(path.stem for path in SPEC.glob("normalize.*.json")))
def test_every_letter_and_digit_belongs_to_a_word(speaker, name):
    need(CODES[name.split(".")[1]])
    for case in spec(name):
        text, language = case["text"], case.get("language", CODES[name.split(".")[1]])
        words = speaker.speak(text, language=language, markup=False).words
        covered = {place for word in words for place in range(*word.span)}
        assert not {place for place, letter in enumerate(text) if letter.isalnum()} - covered, text
        spans = [word.span for word in words]
        assert spans == sorted(spans), text
        assert all(word.text == text[slice(*word.span)].strip() for word in words), text
