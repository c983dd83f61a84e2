"""Write Whisper's byte vocabularies and its spelling table as the compressed data files that ship in sonant.

    python scripts/make_whisper_vocab.py FOLDER

FOLDER is the installed package openai-whisper (MIT). ``assets/*.tiktoken`` become a count of four bytes and the zlib
compression of one length byte per token, then all tokens' bytes, in order of rank; ``normalizers/english.json`` that of
lines "british TAB american".
"""

import base64
import json
import sys
import zlib
from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "src/sonant/text/data/whisper"


def main() -> None:
    source = Path(sys.argv[1])
    for name in ("gpt2", "multilingual"):
        rows = [line.split() for line in (source / f"assets/{name}.tiktoken").read_text().splitlines() if line]
        assert [int(rank) for _token, rank in rows] == list(range(len(rows))), "ranks must be 0, 1, 2 ..."
        tokens = [base64.b64decode(token) for token, _rank in rows]
        packed = zlib.compress(bytes(len(token) for token in tokens) + b"".join(tokens), 9)
        (OUTPUT / f"{name}.z").write_bytes(len(tokens).to_bytes(4, "little") + packed)
        print(f"{name}: {len(tokens)} tokens, {len(packed)} bytes")
    spelling = json.loads((source / "normalizers/english.json").read_text())
    packed = zlib.compress("".join(f"{a}\t{b}\n" for a, b in spelling.items()).encode(), 9)
    (OUTPUT / "spelling.z").write_bytes(packed)
    print(f"spelling: {len(spelling)} words, {len(packed)} bytes")


if __name__ == "__main__":
    main()
