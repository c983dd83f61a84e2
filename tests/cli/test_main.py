"""The program as a whole: quick help, exit codes, interruption, closed pipes."""

from __future__ import annotations

import array
import fcntl
import json
import signal
import statistics
import subprocess
import sys
import termios
import time

import pytest
from tests.cli.conftest import sound

from sonant.cli.main import COMMANDS

HEAVY = ("numpy", "torch", "onnxruntime", "openvino", "av", "soundfile", "safetensors", "huggingface_hub")


def test_help_is_quick():
    """Half the promised 0.3 s on a quiet machine; the median of three bears a busy one."""
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sonant", "--help"], check=True, capture_output=True)
        spent.append(time.perf_counter() - started)
    assert statistics.median(spent) < 0.9


def test_help_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "sonant", "-h"], check=True, capture_output=True)
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.decode().splitlines()}
    assert "typer" in loaded
    assert not [name for name in loaded if name.split(".")[0] in HEAVY]
    assert {name for name in loaded if name.startswith("sonant.cli.")} == {"sonant.cli.main", "sonant.cli.ending"}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_loads_no_engine(command):
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print([n for n in ('torch', 'onnxruntime', 'openvino') if n in sys.modules]))\n"
        f"from sonant.cli.main import run; run(['{command}', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert f"Usage: sonant {command}" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_is_listed(sonant):
    shown = sonant("--help").stdout
    assert all(f"  {name} " in shown and about in " ".join(shown.split()) for name, about in COMMANDS.items())


def test_version(sonant):
    import sonant as package

    assert sonant("--version").stdout == f"{package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["spek"], "speak"),
        (["speak"], "give a text"),
        (["speak", "a", "--file", "b"], "one of them"),
        (["speak", "a", "--speed", "fast"], "a number"),
        (["speak", "a", "--out", "-", "--srt"], "beside a file"),
        (["speak", "a", "--engine", "faky"], "openvino"),
        (["transcribe", "a.wav", "--dtype", "int4"], "bfloat16"),
        (["transcribe"], "FILE"),
        (["transcribe", "a.wav", "--format", "docx"], "unknown format"),
        (["transcribe", "a.wav", "--format", "txt,srt"], "--out-dir"),
        (["transcribe", "a.wav", "--resume"], "--out-dir"),
        (["transcribe", "a.wav", "--task", "sing"], "transcribe, translate"),
        (["transcribe", "a.wav", "--beam-size", "1.5"], "a whole number"),
        (["transcribe", "a.wav", "--nonsense"], "No such option"),
        (["models", "fetch"], "ID"),
    ],
)
def test_wrong_usage_is_exit_2_and_says_what_is_right(sonant, arguments, words):
    result = sonant(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["speak", "Hi.", "--voice", "af_hart", "--engine", "fake"], "nearest: af_heart"),
        (["speak", "Hi.", "--model", "kokoro-83m"], "nearest: kokoro-82m"),
        (["speak", "Hi.", "--out", "a.wma"], "unknown sound format"),
        (["speak", "Hi.", "--lang", "xx"], "'xx'"),
        (["speak", "Hi.", "--speed", "9"], "0.5 to 2"),
        (["speak", "--file", "nowhere.txt", "--engine", "fake", "--voice", "VOICE"], "nowhere.txt"),
        (["speak", "...", "--engine", "fake", "--voice", "VOICE"], ""),
        (["speak", "", "--engine", "fake", "--voice", "VOICE"], ""),
        (["speak", "Hi.", "--engine", "fake", "--voice", "VOICE", "--out", "no/a.wav"], "no folder"),
        (["transcribe", "a.wav", "--language", "xx", "--engine", "fake"], "'xx'"),
        (["transcribe", "nowhere", "--engine", "fake"], "nowhere: No such file"),
        (["transcribe", ".", "--engine", "fake"], "--recursive"),
        (["transcribe", "--recursive", ".", "--engine", "fake"], "no recordings"),
        (["transcribe", "a.wav", "--beam-size", "0"], "1 or more"),
        (["models", "path", "whisper-base"], "models fetch whisper-base"),
        (["models", "fetch", "whisper-bass"], "nearest: whisper-base"),
        (["models", "verify", "whisper-base"], "whisper-base"),
        (["voices", "--model", "kokoro"], None),
        (["voices", "--model", "x"], "unknown model"),
    ],
)
def test_bad_input_is_exit_1_and_one_line(sonant, empty_machine, voice, arguments, words):
    result = sonant(*[voice if word == "VOICE" else word for word in arguments])
    if words is None:  # an alias is fine
        assert result.exit_code == 0
        return
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("sonant: ")
    assert words in result.stderr
    assert list(empty_machine.iterdir()) == []


def test_missing_models_offline_say_what_to_do(sonant):
    result = sonant("speak", "Hi.")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "kokoro-82m" in result.stderr


def until(true, limit_s=30.0):
    """Wait for something that another process does."""
    ends = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)


def has_read(program, data):
    """Send data and wait until the program has taken it out of the pipe: it is at work then."""
    program.stdin.write(data)
    program.stdin.flush()
    waiting = array.array("i", [0])

    def drained():
        fcntl.ioctl(program.stdin, termios.FIONREAD, waiting)
        return waiting[0] == 0

    until(drained)


def test_ctrl_c_at_any_time_of_the_start_shows_no_traceback(process):
    for wait_s in (0.1, 0.15, 0.2, 0.3):
        program = process("models", "list")
        time.sleep(wait_s)
        program.send_signal(signal.SIGINT)
        assert program.wait(20) in (0, 130, -signal.SIGINT)
        if program.returncode != -signal.SIGINT:  # Python itself was still starting
            assert b"Traceback" not in program.stderr.read()


def test_ctrl_c_is_exit_130_and_leaves_nothing(process, empty_machine, voice):
    program = process("speak", "-", "--engine", "fake", "--voice", voice, "--out", "a.wav")
    has_read(program, b"Some text")
    assert program.poll() is None
    program.send_signal(signal.SIGINT)
    assert program.wait(20) == 130
    assert program.stderr.read() == b""
    assert list(empty_machine.iterdir()) == []


def test_ctrl_c_while_writing_leaves_the_old_file(process, empty_machine, voice):
    (empty_machine / "a.wav").write_bytes(b"old")
    (empty_machine / "long.txt").write_text("One more sentence is said here. " * 40_000)
    program = process("speak", "--file", "long.txt", "--engine", "fake", "--voice", voice, "--out", "a.wav")
    until(lambda: len(list(empty_machine.iterdir())) > 2)  # the file that is being written
    assert program.poll() is None
    program.send_signal(signal.SIGINT)
    assert program.wait(20) == 130
    assert sorted(path.name for path in empty_machine.iterdir()) == ["a.wav", "long.txt"]
    assert (empty_machine / "a.wav").read_bytes() == b"old"


def test_termination_leaves_nothing_either(process, empty_machine):
    program = process("transcribe", "-", "--engine", "fake", "--format", "json", "--out-dir", "out")
    has_read(program, b"RIFF")
    program.send_signal(signal.SIGTERM)
    assert program.wait(20) == 143
    assert not list(empty_machine.rglob("*.part"))


def test_a_reader_that_had_enough_is_no_error(process):
    program = process("models", "list", "--json")
    program.stdout.close()
    assert program.stderr.read() == b""
    assert program.wait(20) == 0


def test_speech_goes_through_pipes_to_the_recogniser(process, voice):
    speaker = process("speak", "Hello there, world.", "--engine", "fake", "--voice", voice, "--out", "-")
    hearer = process("transcribe", "-", "--engine", "fake", "--no-voice-gate", stdin=speaker.stdout)
    assert hearer.stdout.read() == b"Hello world.\n"
    assert [speaker.wait(20), hearer.wait(20)] == [0, 0]
    assert speaker.stderr.read() + hearer.stderr.read() == b""


def test_doctor_as_text_and_json(sonant, tmp_path):
    shown = sonant("doctor").stdout
    assert "engine    " in shown
    assert "(offline)" in shown
    data = json.loads(sonant("doctor", "--json").stdout)
    assert data["cache"] == str(tmp_path / "cache")
    assert {"version", "engine", "reason", "packages", "cpu_count"} <= set(data)


def test_models_and_voices_as_text_and_json(sonant):
    assert sonant("models").stdout == sonant("models", "list").stdout
    rows = json.loads(sonant("models", "list", "--json").stdout)
    assert {"kokoro-82m", "whisper-base", "whisper-large-v3"} <= {row["id"] for row in rows}
    assert not any(row["cached"] for row in rows)
    lines = sonant("voices", "--lang", "en-gb").stdout.splitlines()
    assert lines[0].split() == ["name", "language", "gender", "grade"]
    assert all(line.startswith("b") for line in lines[1:])
    assert len(json.loads(sonant("voices", "--json").stdout)) == 54


def test_a_full_disk_is_told(process):
    with open("/dev/full", "wb") as full:  # noqa: PTH123  a device
        program = process("models", "list", "--json", stdout=full)
        assert program.wait(20) == 1
    assert program.stderr.read() == b"sonant: standard output: No space left on device\n"


def test_a_library_works_in_a_locale_that_knows_no_letters(process, monkeypatch, voice):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    sound("héllo.wav")
    program = process("transcribe", "héllo.wav", "nö.wav", "--engine", "fake", "--no-voice-gate")
    assert program.stdout.read() == b"Hello world.\n"
    assert program.wait(20) == 1
    assert program.stderr.read() == b"sonant: n\\xf6.wav: No such file or directory\n"
