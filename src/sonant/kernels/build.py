"""Compiles the kernels for each instruction set of this kind of machine.

Run by the package's build (``hatch_build.py``), which has nothing installed: nothing of sonant is imported here.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["LEVELS", "SOURCES", "build", "compile_to", "digest", "file_of", "machine"]

FOLDER = Path(__file__).parent
SOURCES = (
    "amx.c",
    "amx_bytes.c",
    "attention.c",
    "attention_amx.c",
    "convolutions.c",
    "crew.c",
    "decoder.c",
    "filling.c",
    "layers_amx.c",
    "mel.c",
    "packing.c",
    "panels.c",
    "products.c",
    "ranking.c",
    "recurrent.c",
    "warping.c",
)
HEADERS = ("amx.h", "attention.h", "convolutions.h", "crew.h", "panels.h", "products.h", "vectors.h")
FLAGS = ("-O2", "-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-ffp-contract=fast", "-fno-math-errno")
AVX2 = ("-mavx2", "-mfma", "-mf16c", "-DLANES=8", "-DROWS=6")  # 16 registers of 8
AVX512 = ("-mavx512f", "-mavx512bw", "-mfma", "-mf16c", "-DLANES=16", "-DROWS=12")  # 32 registers of 16
LEVELS: Mapping[str, Mapping[str, tuple[str, ...]]] = {  # machine: level: flags, the best level first
    "x86_64": {
        "amx": (*AVX512, "-mavx512vnni", "-mavx512bf16", "-mavx512vl", "-mamx-tile", "-mamx-bf16", "-mamx-int8"),
        "avx512-vnni": (*AVX512, "-mavx512vnni"),
        "avx512": AVX512,
        "avx2-vnni": (*AVX2, "-mavxvnni"),
        "avx2": AVX2,
    },
    "aarch64": {"neon": ("-DLANES=4", "-DROWS=12")},  # 32 registers of 4
}
SAME = {"amd64": "x86_64", "arm64": "aarch64"}  # other systems' names


def machine() -> str:
    """The kind of processor, as Linux names it."""
    found = platform.machine().lower()
    return SAME.get(found, found)


def digest() -> str:
    """Of what a library is compiled from."""
    parts = (FOLDER / name for name in (*SOURCES, *HEADERS, Path(__file__).name))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:16]


def file_of(level: str) -> Path:
    """Where the library of a level lies."""
    return FOLDER / f"kernels-{level}.{'dll' if sys.platform == 'win32' else 'so'}"


def build() -> dict[str, str]:
    """Compile every level of this machine beside the source.

    Returns:
        By level why it couldn't be made, in words, nothing where it was; no level where this machine has none.
    """
    levels = LEVELS.get(machine(), {})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(levels, pool.map(compile_to, map(file_of, levels), levels.values()), strict=True))


def compile_to(target: Path, flags: Sequence[str]) -> str:
    """Compile the source to a shared library, whole or not at all; why it can't be done, in words, or nothing."""
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        return "there is no C compiler"
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        sources = [str(FOLDER / name) for name in SOURCES]
        command = [*compiler.split(), *FLAGS, *flags, f'-DSOURCE="{digest()}"', *sources, "-o", str(made), "-lm"]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            return f"{compiler} can't be run: {error}"
        if ran.returncode:
            return (
                f"{compiler} can't compile the kernels: {(ran.stderr.strip().splitlines() or ['no reason given'])[0]}"
            )
        made.replace(target)
    return ""


if __name__ == "__main__":
    sys.exit("; ".join(filter(None, build().values())) or 0)
