"""``sonant listen`` with the fake engine, which hears "Hello world." in every sound."""

import sys

import pytest
from tests.cli.conftest import sound

FAKE = ("--engine", "fake", "--no-vad")


def test_a_recording_is_played_and_reported(sonant):
    result = sonant("listen", "--simulate", sound("a.wav", 5), *FAKE)
    assert (result.exit_code, result.stdout) == (0, "Hello world.\n")
    assert "5.00 s of sound, 2 words" in result.stderr
    assert "latency of a word: mean" in result.stderr


def test_silence_gives_no_words(sonant):
    result = sonant("listen", "--simulate", sound("a.wav", 3), "--engine", "fake")  # a tone is no voice
    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 words" in result.stderr


def test_without_the_package_the_command_says_what_to_install(sonant, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = sonant("listen", "--engine", "fake")
    assert result.exit_code == 1
    assert "pip install 'sonant[play]'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--simulate", "none.wav"), "none.wav"),
        (("--policy", "guess", "--simulate", "a.wav"), "local-agreement"),
        (("--step-s", "0", "--simulate", "a.wav"), "step_s"),
        (("--speed", "2"), "--simulate"),
    ],
)
def test_wrong_use_is_told(sonant, arguments, told):
    result = sonant("listen", *FAKE, *arguments)
    assert result.exit_code in (1, 2)
    assert told in result.stderr
