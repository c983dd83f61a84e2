"""Train the letter-to-sound model for English words that no dictionary has, from the dictionaries themselves.

    python scripts/train_letters.py align ALIGNED.npz                                     # letters <-> sounds
    python scripts/train_letters.py train ALIGNED.npz src/sonant/text/data/letters.npz    # 5 minutes; needs numba
    python scripts/train_letters.py espeak src/sonant/text/data/letters.npz               # beside eSpeak NG

Each letter says 0 to 3 sounds; the alignment is by Viterbi EM, the model an averaged perceptron (see
``sonant.text.g2p.letters``). One word in 20 (by the checksum of its spelling, in both accents alike) is held out;
``train`` prints how many of those the shipped file reads exactly as the dictionary does.
"""

from __future__ import annotations

import argparse
import gzip
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from numba import njit

from sonant.text.g2p import letters
from sonant.text.g2p.english_stress import PRIMARY, SECONDARY

DATA = Path(__file__).parents[1] / "src/sonant/text/data"
LONGEST = 3  # sounds of one letter
RARE = 25  # chunks seen less often are left out, and their words with them
TABLE = 1 << 22
EPOCHS = 8
FINEST = 24  # steps of a weight on either side of 0: few, so that the file is small


def words(accent: str) -> list[tuple[str, str]]:
    """Spelling in lower case and phonemes of every entry that is one plain word with one reading."""
    lines = gzip.decompress((DATA / f"lexicon_{accent}.txt.gz").read_bytes()).decode().splitlines()
    found = {}
    for line in lines:
        word, _, reading = line.partition("\t")
        plain = word.isascii() and word.isalpha() and 2 < len(word) < 25 and word[1:] == word[1:].lower()
        if plain and "=" not in reading:
            found[word.lower()] = reading.lstrip("~").replace("ɾ", "T").replace("ʔ", "t")
    return sorted(found.items())


def strip(phonemes: str) -> tuple[str, str]:
    """Sounds without marks, and the stress of each sound: "0", "1" (primary) or "2"."""
    sounds, marks, mark = "", "", "0"
    for symbol in phonemes:
        if symbol in (PRIMARY, SECONDARY):
            mark = "1" if symbol == PRIMARY else "2"
        else:
            sounds, marks, mark = sounds + symbol, marks + mark, "0"
    return sounds, marks


def align(target: Path) -> None:
    entries = [(w, *strip(p), a) for a, accent in enumerate(("us", "gb")) for w, p in words(accent)]
    symbols = sorted({s for _, sounds, _, _ in entries for s in sounds})
    base = len(symbols) + 1
    number = {symbol: place for place, symbol in enumerate(symbols, 1)}
    entries = [e for e in entries if len(e[1]) <= LONGEST * len(e[0])]
    most = max(max(len(e[0]), len(e[1])) for e in entries)
    spelling = np.zeros((len(entries), most), np.int64)
    sound = np.zeros((len(entries), most), np.int64)
    sizes = np.array([(len(w), len(s)) for w, s, _, _ in entries])
    for row, (word, sounds, _, _) in enumerate(entries):
        spelling[row, : len(word)] = [ord(c) - 97 for c in word]
        sound[row, : len(sounds)] = [number[s] for s in sounds]

    @njit
    def viterbi(spelling, sound, sizes, score, base, counts, lengths):
        """Best split of each word's sounds among its letters; fills counts (letter, chunk) and chunk lengths."""
        best = np.zeros((32, 40))
        came = np.zeros((32, 40), np.int64)
        for row in range(len(spelling)):
            n, m = sizes[row]
            best[:, :] = -1e30
            best[0, 0] = 0
            for i in range(n):
                for j in range(m + 1):
                    if best[i, j] < -1e29:
                        continue
                    code = 0
                    for size in range(4):
                        if j + size > m:
                            break
                        if size:
                            code = code * base + sound[row, j + size - 1]
                        value = best[i, j] + score[spelling[row, i], code]
                        if value > best[i + 1, j + size]:
                            best[i + 1, j + size] = value
                            came[i + 1, j + size] = size
            j = m
            for i in range(n, 0, -1):
                size = came[i, j]
                lengths[row, i - 1] = size
                code = 0
                for k in range(size):
                    code = code * base + sound[row, j - size + k]
                counts[spelling[row, i - 1], code] += 1
                j -= size

    # Long chunks start dearer, so that sounds spread over the letters.
    codes = np.arange(base**LONGEST)
    score = np.broadcast_to(-1.0 - 2.0 * (codes >= base) - 3.0 * (codes >= base**2), (26, base**LONGEST)).copy()
    lengths = np.zeros_like(spelling)
    for turn in range(8):
        counts = np.zeros_like(score)
        viterbi(spelling, sound, sizes, score, base, counts, lengths)
        score = (
            np.log((counts + 1e-4) / (counts.sum(1, keepdims=True) + 1))
            - 0.5 * (codes >= base)
            - 1.0 * (codes >= base**2)
        )
        print(f"turn {turn + 1}: {np.count_nonzero(counts)} pairs")
    keep_chunks(entries, lengths, target)


def keep_chunks(entries: list, lengths: np.ndarray, target: Path) -> None:
    """Name the chunks, stress mark before the vowel, and write what training reads."""
    cut = []
    for (word, sounds, marks, _), sizes in zip(entries, lengths, strict=True):
        row, place = [], 0
        for size in sizes[: len(word)]:
            parts = zip(sounds[place : place + size], marks[place : place + size], strict=True)
            row.append("".join({"0": "", "1": PRIMARY, "2": SECONDARY}[mark] + sound for sound, mark in parts))
            place += size
        cut.append(row)
    counts = Counter(chunk for row in cut for chunk in row)
    names = [chunk for chunk, count in counts.most_common() if count >= RARE][: letters.NOTHING]
    number = {chunk: place for place, chunk in enumerate(names)}
    good = [row for row, parts in enumerate(cut) if all(chunk in number for chunk in parts)]
    np.savez_compressed(
        target,
        words=np.array([entries[row][0] for row in good]),
        british=np.array([entries[row][3] for row in good], bool),
        chunks=np.array([number[chunk] for row in good for chunk in cut[row]], np.int16),
        names=np.array(names),
    )
    print(f"{len(good)} of {len(entries)} words, {len(names)} chunks")


def held_out(word: str) -> bool:
    return zlib.crc32(word.encode()) % 20 == 0


@njit(cache=True)
def place_of(feature, number, mask):
    """Place in the table of a feature with a class; the same arithmetic as ``letters.Letters._weigh``."""
    full = np.uint64(0xFFFFFFFF)
    mixed = feature ^ ((np.uint64(number + 1) * np.uint64(0x9E3779B1)) & full)
    mixed = ((mixed ^ (mixed >> np.uint64(15))) * np.uint64(0x2C1B3C6D)) & full
    return (mixed ^ (mixed >> np.uint64(13))) & mask


@njit(cache=True)
def mix(seed, a, b, c):
    full = np.uint64(0xFFFFFFFF)
    x = (
        np.uint64(a) * np.uint64(0x85EBCA6B)
        + np.uint64(b) * np.uint64(0xC2B2AE35)
        + np.uint64(c) * np.uint64(0x27D4EB2F)
    )
    return np.uint64(seed) ^ (x & full)


@njit(cache=True)
def epoch(fixed, seeds, spelling, gold, firsts, order, allowed, counts, primary, vowel, weights, totals, stamps, clock):
    """One pass over the words, letter by letter, on what the model itself said before. Returns clock and errors."""
    mask = np.uint64(len(weights) - 1)
    width = fixed.shape[1]
    found = np.zeros(width + 8, np.uint64)
    wrong = 0
    for w in order:
        before, second, last, stressed, syllables = 255, 255, 255, 0, 0
        for t in range(firsts[w], firsts[w + 1]):
            for i in range(width):
                found[i] = np.uint64(fixed[t, i])
            one, two, v, s, n = before + 1, second + 1, last + 1, min(stressed, 1) + 1, min(syllables, 7) + 1
            q = seeds[t]
            found[width] = mix(q[0], one, 0, 0)
            found[width + 1] = mix(q[1], one, 0, 0)
            found[width + 2] = mix(q[0], one, two, 0)
            found[width + 3] = mix(q[2], v, 0, 0)
            found[width + 4] = mix(q[3], 0, 0, s)
            found[width + 5] = mix(q[4], 0, 0, s)
            found[width + 6] = mix(q[5], n, 0, s)
            found[width + 7] = mix(q[2], one, v, s)
            best, guess = -1e30, -1
            letter = spelling[t]
            for k in range(counts[letter]):
                number = allowed[letter, k]
                score = 0.0
                for feature in found:
                    score += weights[place_of(feature, number, mask)]
                if score > best:
                    best, guess = score, number
            clock += 1
            right = gold[t]
            if guess != right:
                wrong += 1
                for feature in found:
                    for number, step in ((right, 1.0), (guess, -1.0)):
                        place = place_of(feature, number, mask)
                        totals[place] += (clock - stamps[place]) * weights[place]
                        stamps[place] = clock
                        weights[place] += step
            # Half of the words go on from the truth, so that a first error doesn't hide the rest of the word.
            guess = right if w & 1 else guess
            second, before = before, guess
            last = guess if vowel[guess] else last
            stressed += primary[guess]
            syllables += vowel[guess]
    return clock, wrong


def train(source: Path, target: Path) -> None:
    with np.load(source) as saved:
        data = {name: saved[name] for name in saved.files}
    spelled, british = data["words"].tolist(), data["british"].tolist()
    names = data["names"].tolist()
    lengths = np.array([len(word) for word in spelled])
    begins = np.cumsum([0, *lengths])
    taught = [row for row, word in enumerate(spelled) if not held_out(word)]
    keep = np.zeros(begins[-1], bool)
    fixed, seeds = [], []
    for row in taught:
        keep[begins[row] : begins[row + 1]] = True
        here = letters.features(spelled[row], british[row])
        fixed.append(np.array(here[0], np.uint32))
        seeds.append(np.array(here[1], np.uint32))
    fixed, seeds = np.concatenate(fixed), np.concatenate(seeds)
    gold = data["chunks"][keep].astype(np.int64)
    spelling = np.frombuffer("".join(spelled).encode(), np.uint8)[keep].astype(np.int64) - 97
    firsts = np.cumsum([0, *lengths[taught]])
    spelling += 26 * np.repeat(data["british"], lengths)[keep]  # each accent has classes of its own
    pairs = np.zeros((52, len(names)), bool)
    pairs[spelling, gold] = True
    allowed, counts = np.zeros(pairs.shape, np.int64), pairs.sum(1)
    for letter, row in enumerate(pairs):
        allowed[letter, : counts[letter]] = np.flatnonzero(row)
    weights, totals = np.zeros(TABLE, np.float32), np.zeros(TABLE, np.float64)
    stamps, clock = np.zeros(TABLE, np.int64), 0
    marks = letters.class_marks(names)
    random = np.random.default_rng(0)
    for turn in range(EPOCHS):
        began = time.time()
        order = random.permutation(len(taught))
        clock, wrong = epoch(
            fixed, seeds, spelling, gold, firsts, order, allowed, counts, *marks, weights, totals, stamps, clock
        )
        print(f"epoch {turn + 1}: {1 - wrong / len(gold):.4f} of the letters, {time.time() - began:.0f} s", flush=True)
    average = (totals + (clock - stamps) * weights) / clock
    scale = FINEST / np.quantile(np.abs(average), 0.999)
    table = np.clip(np.round(average * scale), -127, 127).astype(np.int8)
    np.savez_compressed(target, table=table, names=np.array(names), allowed=pairs.reshape(2, 26, -1))
    print(f"{target}: {target.stat().st_size} bytes, {np.count_nonzero(table) / TABLE:.3f} of the weights not zero")
    judge(target)


def judge(path: Path, most: int = 1500) -> None:
    """The share of held-out words that the shipped file reads as the dictionary does."""
    for accent, british in (("us", False), ("gb", True)):
        held = [(word, phonemes) for word, phonemes in words(accent) if held_out(word)][::6][:most]
        model = letters.Letters(np.load(path))
        said = [(model.read(word, british), phonemes) for word, phonemes in held]
        exact = sum(mine == theirs for mine, theirs in said) / len(held)
        sounds = sum(strip(mine)[0] == strip(theirs)[0] for mine, theirs in said) / len(held)
        print(f"{accent}: of {len(held)} held-out words {exact:.3f} exact, {sounds:.3f} but for stress")


def beside_espeak(path: Path, most: int = 600) -> None:
    """The same share beside eSpeak NG's, by dictionary (gold, silver) and kind (common words, names)."""
    from sonant.text.g2p.espeak import espeak, to_english

    model = letters.Letters(np.load(path))
    for accent, british in (("us", False), ("gb", True)):
        lines = gzip.decompress((DATA / f"lexicon_{accent}.txt.gz").read_bytes()).decode().splitlines()
        rows = [line.split("\t") for line in lines]
        kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for word, reading in rows:
            plain = word.isascii() and word.isalpha() and 3 < len(word) < 25 and word[1:] == word[1:].lower()
            if plain and "=" not in reading and held_out(word.lower()):
                kind = "silver" if reading.startswith("~") else "gold", "common" if word.islower() else "names"
                kinds.setdefault(kind, []).append((word, reading.lstrip("~").replace("ɾ", "T").replace("ʔ", "t")))
        for kind, pairs in kinds.items():
            held = pairs[:: max(1, len(pairs) // most)][:most]
            voice = "en-gb" if british else "en-us"
            theirs = sum(to_english(espeak().phonemes(word, voice), british) == said for word, said in held)
            mine = sum(model.read(word, british) == said for word, said in held)
            print(f"{accent} {' '.join(kind)}: {len(held)} words, eSpeak NG {theirs / len(held):.3f}", end=", ")
            print(f"ours {mine / len(held):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("align", "train", "espeak"))
    parser.add_argument("paths", nargs="+", type=Path)
    given = parser.parse_known_args()[0]
    {"align": align, "train": train, "espeak": beside_espeak}[given.what](*given.paths)
