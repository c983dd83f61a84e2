"""eSpeak NG keeps one global state: sixteen threads must give what one gives."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from sonant.text.g2p.espeak import available, espeak

pytestmark = pytest.mark.skipif(not available(), reason="eSpeak NG isn't installed")

WORDS = {
    "es": "la casa roja del niño que corre por el jardín mañana".split(),
    "fr-fr": "les enfants ont mangé une pomme dans le grand jardin".split(),
    "hi": "मेरे घर में पाँच किताबें हैं और एक बड़ा बगीचा".split(),
    "it": "gli amici della signora sono andati a casa di sera".split(),
    "pt-br": "as meninas não vão à escola hoje de manhã cedo".split(),
    "en-us": "the quick brown fox jumps over a thousand lazy dogs".split(),
    "en-gb": "nothing ever happens on a quiet Sunday morning here".split(),
}


def texts(count):
    """Sentences of changing length, each in another language than the one before."""
    chance = random.Random(3)
    voices = list(WORDS)
    for number in range(count):
        voice = voices[number % len(voices)]
        yield voice, " ".join(chance.choices(WORDS[voice], k=chance.randrange(1, 14)))


def test_sixteen_threads_give_what_one_gives():
    jobs = list(texts(1000))
    engine = espeak()
    alone = [engine.phonemes(text, voice) for voice, text in jobs]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda job: engine.phonemes(job[1], job[0]), jobs))
    assert together == alone
    assert len(set(alone)) > 900, "the texts differ, so must their sounds"
