"""Which kernels can be used here, the best first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sonant.cores import cores
from sonant.errors import MissingExtra
from sonant.kernels import instructions
from sonant.kernels.library import Library, open_level
from sonant.kernels.team import Team

__all__ = ["find", "library", "missing"]


def find(dtype: str, threads: int = 0) -> Team | None:
    """The best kernels that can be used here; None without any.

    Args:
        dtype: "float32", "int16", "bfloat16" or "int8".
        threads: of the CPU; 0 for one a core.
    """
    for found in _libraries():
        known = next((one for one in found.dtypes if one == dtype), None)
        if known is not None:
            return Team(found, threads or cores(), known)
    return None


def missing() -> str:
    """Why no kernels can be used, in words."""
    said = "sonant has no kernels for it"
    for level in instructions.levels():
        try:
            open_level(level)
        except MissingExtra as error:
            said = str(error)
    return said


def library() -> Library | None:
    """The best of all; None without any."""
    return next(_libraries(), None)


def _libraries() -> Iterator[Library]:
    """Those that can be used, best first."""
    for level in instructions.levels():
        with contextlib.suppress(MissingExtra):  # ``missing`` says why
            yield open_level(level)
