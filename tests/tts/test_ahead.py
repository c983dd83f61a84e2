"""Chunks made ahead by a thread: what happens to it when the program ends."""

import subprocess
import sys

PROGRAM = """
import threading, time
from sonant.tts.stream import ahead_of

def items():
    yield 1
    began.set()
    time.sleep(0.5)
    print("made", flush=True)
    yield 2
    print("too much", flush=True)

began = threading.Event()
stream = ahead_of(items(), 1)
next(stream)
began.wait()
{end}
"""


def outcome(end):
    return subprocess.run([sys.executable, "-c", PROGRAM.format(end=end)], capture_output=True, text=True, check=False)


def test_a_program_that_ends_waits_for_the_item_that_is_being_made():
    """A network that computes while the interpreter is torn down aborts the process."""
    for end in ("", "stream.close()", "raise SystemExit(0)"):
        done = outcome(end)
        assert (done.returncode, done.stdout, done.stderr) == (0, "made\n", ""), end
