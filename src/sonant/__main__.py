"""``python -m sonant`` is the command line."""

from sonant.cli.main import run

run()
