"""Write Whisper's two byte vocabularies as the compressed data files that ship in sonant.

    python scripts/make_whisper_vocab.py FOLDER

FOLDER holds ``gpt2.tiktoken`` and ``multilingual.tiktoken``, the assets of openai-whisper (MIT). A file is the zlib
compression of one length byte per token, then all tokens' bytes, in order of rank.
"""

import base64
import sys
import zlib
from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "src/sonant/text/data/whisper"


def main() -> None:
    source = Path(sys.argv[1])
    for name in ("gpt2", "multilingual"):
        rows = [line.split() for line in (source / f"{name}.tiktoken").read_text().splitlines() if line]
        assert [int(rank) for _token, rank in rows] == list(range(len(rows))), "ranks must be 0, 1, 2 ..."
        tokens = [base64.b64decode(token) for token, _rank in rows]
        packed = zlib.compress(bytes(len(token) for token in tokens) + b"".join(tokens), 9)
        (OUTPUT / f"{name}.z").write_bytes(len(tokens).to_bytes(4, "little") + packed)
        print(f"{name}: {len(tokens)} tokens, {len(packed)} bytes")


if __name__ == "__main__":
    main()
