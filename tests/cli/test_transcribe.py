"""``sonant transcribe`` with the fake engine, which hears "Hello world." in every sound."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from tests.cli.conftest import sound

from sonant.asr import writers
from sonant.cli.recordings import recordings
from sonant.errors import BadInput

FAKE = ("--engine", "fake", "--no-voice-gate")


def test_the_text_goes_to_standard_output(sonant):
    result = sonant("transcribe", sound("a.wav"), *FAKE)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Hello world.\n", "")


@pytest.mark.parametrize("name", writers.FORMATS)
def test_any_format_goes_to_standard_output(sonant, name):
    result = sonant("transcribe", sound("a.wav"), *FAKE, "--format", name)
    assert result.exit_code == 0
    assert "Hello world." in result.stdout


def test_several_formats_go_to_a_folder_that_is_made(sonant, empty_machine):
    result = sonant("transcribe", sound("a.wav"), sound("b.flac"), *FAKE, "-f", "txt, srt,json", "--out-dir", "o/p")
    assert (result.exit_code, result.stdout) == (0, "")
    made = sorted(path.name for path in (empty_machine / "o/p").iterdir())
    assert made == ["a.json", "a.srt", "a.txt", "b.json", "b.srt", "b.txt"]
    assert writers.read("o/p/a.json").text == "Hello world."


def test_one_bad_recording_does_not_stop_the_others(sonant, empty_machine):
    (empty_machine / "bad.wav").write_bytes(b"no sound at all, only words" * 9)
    files = [sound("a.wav"), "missing.wav", "bad.wav", sound("b.wav")]
    result = sonant("transcribe", *files, *FAKE, "--out-dir", "o")
    assert result.exit_code == 1
    assert sorted(path.name for path in (empty_machine / "o").iterdir()) == ["a.txt", "b.txt"]
    first, second = result.stderr.splitlines()
    assert first == "sonant: missing.wav: No such file or directory"
    assert second.startswith("sonant: bad.wav: holds text")


def test_layout_flags_ask_for_word_times_by_themselves(sonant):
    result = sonant("transcribe", sound("a.wav"), *FAKE, "-f", "srt", "--max-words-per-line", "1")
    assert [line for line in result.stdout.splitlines() if line.isalpha() or line == "world."] == ["Hello", "world."]


def test_flags_reach_the_options(sonant):
    result = sonant("transcribe", sound("a.wav"), *FAKE, "-f", "json", "--task", "translate", "--language", "de")
    data = json.loads(result.stdout)
    assert (data["task"], data["language"]) == ("translate", "de")
    result = sonant(
        "transcribe", sound("a.wav"), *FAKE, "--clip-timestamps", "0,1", "--temperature", "0,0.4", "-f", "json"
    )
    assert [window["end"] for window in json.loads(result.stdout)["windows"]] == [1.0]
    assert sonant("transcribe", "a.wav", *FAKE, "--compression-ratio-threshold", "none").exit_code == 0


def test_losses_and_windows_are_told_on_standard_error(sonant, empty_machine):
    data = sound("a.wav", 4.0).read_bytes()
    (empty_machine / "a.wav").write_bytes(data[: len(data) // 2])
    result = sonant("transcribe", "a.wav", *FAKE, "--report")
    assert result.stdout == "Hello world.\n"
    assert "sonant: warning: a.wav" in result.stderr
    assert "ends early: 4.00 s are promised" in result.stderr
    assert "a.wav: 2.00 s, en (" in result.stderr
    assert "accepted at 0" in result.stderr


def test_folders_keep_their_shape(sonant, empty_machine):
    for name in ("in/a.wav", "in/deep/a.wav", "in/deep/b.flac"):
        sound(name)
    (empty_machine / "in/notes.txt").write_text("not a recording")
    assert sonant("transcribe", "in", "--recursive", *FAKE, "--out-dir", "o").exit_code == 0
    made = sorted(str(path.relative_to("o")) for path in Path("o").rglob("*.txt"))
    assert made == ["a.txt", "deep/a.txt", "deep/b.txt"]


def test_results_of_equal_stems_do_not_meet(sonant, empty_machine):
    sonant("transcribe", sound("talk.wav"), sound("talk.flac"), *FAKE, "--out-dir", "o")
    assert sorted(path.name for path in (empty_machine / "o").iterdir()) == ["talk.flac.txt", "talk.wav.txt"]
    with pytest.raises(BadInput, match=r"2 recordings would write to talk\.wav"):
        recordings(["x/talk.wav", "y/talk.wav"], recursive=False)


def test_a_stem_with_dots_keeps_them(sonant, empty_machine):
    sonant("transcribe", sound("v1.2.final.wav"), *FAKE, "--out-dir", "o")
    assert [path.name for path in (empty_machine / "o").iterdir()] == ["v1.2.final.txt"]


def test_resume_leaves_out_what_is_done(sonant, empty_machine):
    files = [sound("a.wav"), sound("b.wav")]
    (empty_machine / "o").mkdir()
    (empty_machine / "o/a.txt").write_text("done before")
    assert sonant("transcribe", *files, *FAKE, "--out-dir", "o", "--resume").exit_code == 0
    assert (empty_machine / "o/a.txt").read_text() == "done before"
    assert (empty_machine / "o/b.txt").read_text() == "Hello world.\n"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_folder_goes_on_where_it_was_interrupted(process, empty_machine, end):
    """What was written stays as it is, nothing is half written, and the rest follows."""
    first = sound("day/0.wav", 1.0)
    for number in range(1, 60):
        os.link(first, f"day/{number}.wav")
    order = ("transcribe", "day", "--recursive", *FAKE, "--out-dir", "o", "--resume", "-f", "txt,json")
    program, folder = process(*order), empty_machine / "o"
    while program.poll() is None and len(list(folder.glob("*.txt"))) < 3:
        time.sleep(0.002)
    program.send_signal(end)
    assert program.wait(30) != 0
    pairs = [path for path in folder.glob("*.txt") if path.with_suffix(".json").exists()]
    done = {path: path.stat().st_mtime_ns for path in pairs}
    assert 2 <= len(done) < 60
    assert all(path.read_text() == "Hello world.\n" for path in folder.glob("*.txt"))
    assert process(*order).wait(60) == 0
    assert len(list(folder.glob("*.txt"))) == len(list(folder.glob("*.json"))) == 60
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_several_jobs_give_what_one_gives(process, empty_machine):
    for name in "abc":
        sound(f"{name}.wav")
    program = process("transcribe", "a.wav", "missing.wav", "b.wav", "c.wav", *FAKE, "--jobs", "2", "-f", "tsv")
    expected = "start\tend\ttext\n0\t2000\tHello world.\n"
    assert program.stdout.read().decode() == 3 * expected
    assert program.stderr.read() == b"sonant: missing.wav: No such file or directory\n"
    assert program.wait(30) == 1


def test_bars_are_drawn_on_a_terminal_only(empty_machine):
    """A pseudo-terminal for standard error: bars come and go, standard output stays clean."""
    import os
    import pty
    import subprocess
    import sys

    sound("a.wav")
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "sonant", "transcribe", "a.wav", *FAKE]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=inner, env=os.environ | {"TERM": "xterm"})
    assert program.stdout.read() == b"Hello world.\n"
    assert program.wait(20) == 0
    os.close(inner)
    drawn, until = b"", time.monotonic() + 5
    while time.monotonic() < until:
        try:
            part = os.read(outer, 4096)
        except OSError:  # the other end is closed
            break
        drawn += part
        if not part:
            break
    os.close(outer)
    program.stdout.close()
    assert b"a.wav" in drawn
