"""Lets the tests run as on a CPU with AVX-512 and AMX, whose instructions are made of AVX2's (``emulated.h``).

A plugin (``make test-emulated``). Kernels alone see such a CPU: OpenVINO and torch look for themselves.
"""

from pathlib import Path

import pytest

from sonant.kernels import build, instructions

HEADER = Path(__file__).with_name("emulated.h")
# Few rows of such long registers at a time: twelve of them take the compiler minutes, where the CPU has none.
COMMON = ("-mavx2", "-mfma", "-mf16c", "-DLANES=16", "-DROWS=4", "-Wno-psabi", "-include", str(HEADER))
LEVELS = {"avx512": COMMON, "amx": (*COMMON, "-DEMULATED_TILES")}
FLAGS = frozenset(instructions.NEEDS) - {"avx_vnni"}
SAME = {"avx512-vnni": "avx512"}  # one instruction of VNNI is two here in either


def pytest_configure(config):
    if not {"avx2", "fma", "f16c"} <= (instructions.usable() or set()):
        pytest.exit("the emulation of AVX-512 and AMX is made of AVX2, which this CPU doesn't have", returncode=1)
    folder, real = config.cache.mkdir("emulated"), build.file_of
    if not hasattr(config, "workerinput"):  # once, before there are workers
        for level, flags in LEVELS.items():
            if problem := build.compile_to(folder / f"{level}.so", flags):
                pytest.exit(problem, returncode=1)
    made = {**{level: level for level in LEVELS}, **SAME}
    build.file_of = lambda level: folder / f"{made[level]}.so" if level in made else real(level)
    instructions._flags = lambda: FLAGS
