"""How every command ends: errors as one line on stderr, and the right exit code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import typer

from sonant.errors import SonantError

__all__ = ["BAD_INPUT", "INTERRUPTED", "fail", "guarded", "warn"]

BAD_INPUT, INTERRUPTED = 1, 130


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with its errors told in one line: no traceback for what the user can mend."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except SonantError as error:
            fail(str(error))
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:  # the reader had enough, as `head` does: that is no error of ours
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error
        except OSError as error:
            # without a name it is the one file that has none: standard output
            fail(f"{error.filename or 'standard output'}: {error.strerror or error}")
            raise typer.Exit(BAD_INPUT) from error

    return run


def fail(text: str) -> None:
    """One line on stderr."""
    print(f"sonant: {' '.join(text.split())}", file=sys.stderr)


def warn(lines: Iterable[str]) -> None:
    """What the user should know, a line each on stderr."""
    for line in lines:
        fail(f"warning: {line}")
