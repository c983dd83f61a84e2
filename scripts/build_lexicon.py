"""Pack misaki's English dictionaries into the two files that ``sonant.text.g2p.lexicon`` reads.

    python scripts/build_lexicon.py misaki-0.9.4-py3-none-any.whl src/sonant/text/data

Input: ``misaki/data/{us,gb}_{gold,silver}.json`` of the wheel (hexgrad/misaki, Apache-2.0).
Output: ``lexicon_{us,gb}.txt.gz``, lines sorted by the bytes of the word, for binary search: word, a tab, phonemes. A
silver entry's phonemes begin with "~"; readings by part of speech stand as "TAG=phonemes;TAG=phonemes", with nothing
behind "=" where the letters are to be spelled.
"""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from pathlib import Path


def field(reading: str | dict[str, str | None]) -> str:
    """The second column."""
    if isinstance(reading, str):
        return reading
    return ";".join(f"{tag}={phonemes or ''}" for tag, phonemes in reading.items())


def pack(gold: dict[str, str | dict[str, str | None]], silver: dict[str, str]) -> bytes:
    """All lines; where both have a word, gold is what is ever read."""
    rows = {word: "~" + field(reading) for word, reading in silver.items()}
    rows |= {word: field(reading) for word, reading in gold.items()}
    for word, reading in rows.items():
        if set("\t\n") & set(word + reading) or (reading[:1] == "~" and "=" in reading):
            sys.exit(f"{word!r}: {reading!r} doesn't fit the format")
    lines = sorted((word.encode(), reading.encode()) for word, reading in rows.items())
    return b"".join(word + b"\t" + reading + b"\n" for word, reading in lines)


def main() -> None:
    wheel, out = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(wheel) as archive:
        for accent in ("us", "gb"):
            gold, silver = (
                json.loads(archive.read(f"misaki/data/{accent}_{kind}.json")) for kind in ("gold", "silver")
            )
            raw = pack(gold, silver)
            target = out / f"lexicon_{accent}.txt.gz"
            target.write_bytes(gzip.compress(raw, 9, mtime=0))
            print(f"{target}: {len(gold)} gold, {len(silver)} silver, {len(raw)} bytes, {target.stat().st_size} packed")


if __name__ == "__main__":
    main()
