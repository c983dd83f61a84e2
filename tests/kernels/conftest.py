"""Teams of every level that this machine has, and of registers that it hasn't."""

import shutil
from dataclasses import replace
from functools import cache

import pytest

from sonant.kernels import build, instructions, library
from sonant.kernels.team import Team

# Registers of ARM, by plain C: the rules are the same, only slower. (Longer ones: tests/emulation.)
WIDTHS = {"plain4": ("-DLANES=4", "-DROWS=12", "-Wno-psabi")}


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    """Two threads' teams by level and dtype."""
    folder = tmp_path_factory.mktemp("kernels")

    @cache
    def get(level, dtype):
        if level in WIDTHS:
            if shutil.which("cc") is None:
                pytest.skip("no C compiler")
            path = folder / f"{level}.so"
            if not path.exists():
                assert build.compile_to(path, WIDTHS[level]) == ""
            found = replace(library.open_file(path, level), dtypes=frozenset({"float32", "int16"}))
        else:
            if level not in instructions.levels():
                pytest.skip(f"this CPU has no {level}")
            found = library.open_level(level)
        if dtype not in found.dtypes:
            pytest.skip(f"no {dtype} here")
        return Team(found, 2, dtype)

    return get
