"""The command line: which commands there are, and how a run ends. Only the command that is called is imported.

Exit codes: 0 done, 1 the input can't be used (one line on stderr), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import sonant
from sonant.cli.ending import INTERRUPTED

__all__ = ["COMMANDS", "build", "run"]

COMMANDS = {  # name: what it does; the module sonant.cli.<name> holds a function or group of that name
    "speak": "Say a text.",
    "transcribe": "Write down recordings.",
    "listen": "Write down what is being said, word by word.",
    "align": "Say when each word of a known text is spoken.",
    "features": "Write the hidden states of a wav2vec 2.0 model.",
    "models": "List, fetch, verify and find models.",
    "languages": "List the languages of a model.",
    "voices": "List the voices of a synthesiser.",
    "explain": "Show how a text would be said, without saying it.",
    "export": "Write a model as ONNX files that run without sonant.",
    "bench": "Measure how fast sonant speaks and hears on this machine.",
    "doctor": "Show what this machine has, and what sonant would choose on it.",
}


def build(wanted: str | None = None) -> typer.Typer:
    """The command line with one command ready to run; of the others only the name and the help line are known.

    "*" readies all.
    """
    app = typer.Typer(
        name="sonant",
        help="Speaks and listens, offline: Kokoro, Whisper and wav2vec 2.0.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name, about in COMMANDS.items():
        target: Any = _unloaded
        if wanted in (name, "*"):
            target = getattr(importlib.import_module(f"sonant.cli.{name}"), name)
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name, help=about)
        else:
            app.command(name, help=None if target is not _unloaded else about)(target)
    return app


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = next((word for word in given if not word.startswith("-")), None)
    _log_to_stderr()
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that can't show a letter is no reason to stop
    try:
        build(wanted)(args=given, prog_name="sonant")
    except KeyboardInterrupt:  # while a command is being imported; commands end by themselves (``ending``)
        raise SystemExit(INTERRUPTED) from None


def _version(wanted: bool) -> None:
    if wanted:
        print(sonant.__version__)
        raise typer.Exit


def _root(
    version: Annotated[  # noqa: ARG001  its callback does the work
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
) -> None:
    if verbose:
        logging.getLogger("sonant").setLevel(logging.DEBUG)


def _unloaded() -> None:
    """Stands for a command that isn't called in this run."""


class _OneLine(logging.Formatter):
    """``sonant: warning: text``; the level is left out of plain information."""

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return f"sonant: {level}{record.getMessage()}"


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logger = logging.getLogger("sonant")
    logger.handlers[:] = [handler]
    logger.propagate = False


def _terminated(number: int, frame: object) -> None:  # noqa: ARG001  the signature of signal handlers
    """Leave as Ctrl-C does: half-written files go."""
    raise SystemExit(128 + number)
