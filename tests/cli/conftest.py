"""The command line on an empty machine: no cache, no network, a folder of its own, and the fake engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sonant.audio import io
from sonant.cli.main import build
from sonant.records import Audio


@pytest.fixture(autouse=True)
def empty_machine(tmp_path, monkeypatch):
    """Nothing is cached, nothing can be fetched."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SONANT_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "100")
    return place


@pytest.fixture
def voice(tmp_path):
    """Path of a voice that was made up."""
    path = tmp_path / "af_test.bin"
    np.zeros((510, 256), "<f4").tofile(path)
    return str(path)


@pytest.fixture
def sonant():
    """Run a command inside this process: sonant("speak", "Hi.") -> result with exit_code, stdout, stderr."""

    def run(*arguments, stdin=None):
        words = [str(argument) for argument in arguments]
        wanted = next((word for word in words if not word.startswith("-")), None)
        result = CliRunner().invoke(build(wanted), words, input=stdin, prog_name="sonant")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def process():
    """Start the real program: process("--help") -> subprocess.Popen with pipes."""
    started = []
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited where tests run in a shell's background
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*arguments, **options):
        command = [sys.executable, "-m", "sonant", *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        started.append(subprocess.Popen(command, env=os.environ | {"PYTHONWARNINGS": "error"}, **pipes))
        return started[-1]

    yield start
    for program in started:
        program.kill()
        program.wait()
        for pipe in (program.stdin, program.stdout, program.stderr):
            if pipe:
                pipe.close()


def sound(path, seconds=2.0, rate=16_000):
    """A file with a tone, in which the fake recogniser hears "Hello world."."""
    t = np.arange(round(seconds * rate)) / rate
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return io.write(path, Audio((0.3 * np.sin(2 * np.pi * 300 * t)).astype(np.float32), rate))
