"""Compare our English phonemes with misaki's, word by word and marks aside, on the lines of a text file.

    python scripts/compare_g2p.py tests/data/sentences.en.txt                       both accents
    python scripts/compare_g2p.py TEXT --accent a --fallback letters --show 40      with the commonest differences

Needs what ``scripts/make_g2p_golden.py`` needs. Underscores, which mark italics in old e-texts, are taken off first.
"""

from __future__ import annotations

import argparse
import difflib
import warnings
from collections import Counter
from pathlib import Path

from make_g2p_golden import oracle
from sonant.text.g2p import load
from sonant.text.normalize import normalize
from sonant.text.phonemes import join
from sonant.text.split import sentences
from sonant.text.tokens import Spoken

MARKS = str.maketrans("", "", ';:,.!?—…"“”()¿')


def ours(text: str, accent: str, fallback: str) -> str:
    """Our phonemes of a line."""
    found = sentences(normalize([Spoken(text, (0, len(text)))], accent), accent)
    return join([token for sentence in found for token in load(accent, fallback=fallback)(sentence)])


def compare(lines: list[str], accent: str, fallback: str, show: int) -> None:
    """Print the share of misaki's words that are ours too, and where the two differ."""
    convert = oracle(accent == "b")
    total = equal = 0
    different: Counter[tuple[str, str]] = Counter()
    for line in lines:
        theirs = convert(line)[0].translate(MARKS).split()
        mine = ours(line, accent, fallback).translate(MARKS).split()
        matcher = difflib.SequenceMatcher(None, theirs, mine, autojunk=False)
        total += len(theirs)
        equal += sum(block.size for block in matcher.get_matching_blocks())
        for kind, start, end, first, last in matcher.get_opcodes():
            if kind != "equal":
                different[" ".join(theirs[start:end]), " ".join(mine[first:last])] += 1
    print(f"{accent}, fallback {fallback}: {equal} of {total} words, {100 * equal / total:.2f} %")
    for (their, our), count in different.most_common(show):
        print(f"  {count:4}  misaki {their!r}, ours {our!r}")


def main() -> None:
    """Read the file and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--accent", choices=("a", "b"), nargs="+", default=["a", "b"])
    parser.add_argument("--fallback", choices=("auto", "letters", "espeak"), nargs="+", default=["auto", "letters"])
    parser.add_argument("--show", type=int, default=0, help="so many differences, the commonest first")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # of misaki's dependencies
    lines = [line.strip() for line in chosen.text.read_text(encoding="utf-8").replace("_", "").splitlines()]
    for accent in chosen.accent:
        for fallback in chosen.fallback:
            compare([line for line in lines if line], accent, fallback, chosen.show)


if __name__ == "__main__":
    main()
