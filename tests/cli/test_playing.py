"""Playing from the command line, with a made-up sounddevice."""

import sys
import types

import numpy as np
import pytest

from sonant.audio import io
from sonant.cli.playing import HISTORY, Loud, converse
from sonant.cli.voices import SAMPLES
from sonant.text.languages import LANGUAGES
from sonant.tts.options import SpeakOptions

FAKE = ("--engine", "fake", "--voice")


class Stream:
    """One opened loudspeaker."""

    def __init__(self, machine, rate, device):
        self.machine, self.rate, self.device = machine, rate, device
        self.blocks, self.told = [], []

    def start(self):
        self.told.append("start")

    def write(self, samples):
        self.blocks.append(samples.copy())
        if self.machine.interrupt_after is not None and len(self.blocks) > self.machine.interrupt_after:
            self.machine.interrupt_after = None
            raise KeyboardInterrupt

    def stop(self):
        self.told.append("stop")

    def abort(self):
        self.told.append("abort")

    def close(self):
        self.told.append("close")


class Machine(types.ModuleType):
    """Stands for the package sounddevice."""

    def __init__(self):
        super().__init__("sounddevice")
        self.PortAudioError = type("PortAudioError", (Exception,), {})
        self.opened, self.interrupt_after, self.missing = [], None, False

    def OutputStream(self, samplerate, device, channels, dtype):
        assert (channels, dtype) == (1, "float32")
        if self.missing:
            raise self.PortAudioError("Error querying device -1")
        self.opened.append(Stream(self, samplerate, device))
        return self.opened[-1]

    @property
    def heard(self):
        """All that the last loudspeaker played."""
        return np.concatenate(self.opened[-1].blocks)[:, 0]


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


@pytest.fixture
def loud(voice, machine):
    from sonant import api

    return Loud(api.load_tts(engine="fake"), voice, SpeakOptions())


def test_standard_input_is_played(sonant, voice, machine, empty_machine):
    text = "Hello there. How are you today? I am well."
    result = sonant("speak", "-", "--play", *FAKE, voice, stdin=text)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert machine.opened[-1].told == ["start", "stop", "close"]
    assert len(machine.heard) > 3 * 24_000
    assert not list(empty_machine.iterdir()), "playing writes no file unless it is asked to"


def test_a_file_may_be_written_as_well(sonant, voice, machine):
    settings = ("--sample-rate", "16000", "--loudspeaker", "2")
    assert sonant("speak", "Hello there.", "--play", "--out", "a.wav", "--srt", *settings, *FAKE, voice).exit_code == 0
    written = io.read("a.wav")
    np.testing.assert_allclose(machine.heard, written.samples, atol=1e-4)
    assert (machine.opened[-1].rate, machine.opened[-1].device, written.sample_rate) == (16_000, 2, 16_000)


def test_an_interrupt_ends_at_once_with_its_code(sonant, voice, machine, empty_machine):
    machine.interrupt_after = 4
    result = sonant("speak", "Hello there, you and you and all of you.", "--play", "--out", "a.wav", *FAKE, voice)
    assert result.exit_code == 130
    assert machine.opened[-1].told == ["start", "abort", "close"]
    assert len(machine.opened[-1].blocks) == 5
    assert not list(empty_machine.iterdir()), "no half a file"


@pytest.mark.parametrize("command", [("speak", "Hi.", "--play"), ("speak", "-i"), ("voices", "--play", "af_heart")])
def test_what_is_missing_is_told_before_a_model_is_fetched(sonant, machine, monkeypatch, command):
    machine.missing = True
    result = sonant(*command)
    assert result.exit_code == 1
    assert "no loudspeaker at 24000 Hz: Error querying device -1" in result.stderr
    assert "--out FILE" in result.stderr
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = sonant(*command)
    assert result.exit_code == 1
    assert "pip install 'sonant[play]'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Hi.", "--play", "--out", "-"), "--out -"),
        (("Hi.", "--interactive"), "--interactive"),
        (("-i", "--out", "a.wav"), "--interactive"),
        (("Hi.", "--play", "--srt"), "--srt"),
    ],
)
def test_flags_that_contradict_each_other(sonant, machine, arguments, told):
    result = sonant("speak", *arguments, "--engine", "fake")
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_voice_introduces_itself(sonant, voice, machine):
    assert sonant("voices", "--play", voice, "--engine", "fake").exit_code == 0
    assert len(machine.heard) > 2 * 24_000
    assert set(SAMPLES) == set(LANGUAGES)
    assert sonant("voices", "--play", voice, "--json", "--engine", "fake").exit_code == 2


def typed(*lines):
    """Somebody who types lines, then Ctrl-D."""
    waiting = iter(lines)

    def read_line(prompt):
        line = next(waiting, EOFError)
        if isinstance(line, type):
            raise line
        return line

    return read_line


def test_every_line_is_spoken(loud, machine, tmp_path, capsys):
    converse(loud, tmp_path / "new" / HISTORY, typed("Hello there.", "", "Bye.", "/speed 2", "Hello there."))
    assert len(machine.opened) == 3
    first, _, fast = (sum(map(len, stream.blocks)) for stream in machine.opened)
    assert fast < 0.7 * first
    assert "/voice NAME" in capsys.readouterr().err


def test_an_interrupt_ends_the_line_and_not_the_prompt(loud, machine, tmp_path):
    machine.interrupt_after = 2
    converse(loud, tmp_path / HISTORY, typed("Hello there, all of you.", "Hello again."))
    assert [stream.told[1] for stream in machine.opened] == ["abort", "stop"]
    converse(loud, tmp_path / HISTORY, typed(KeyboardInterrupt, "never reached"))
    converse(loud, tmp_path / HISTORY, typed("/quit", "never reached"))
    assert len(machine.opened) == 2


def test_wrong_lines_are_told_and_nothing_ends(loud, machine, tmp_path, capsys):
    lines = ("/speed fast", "/speed 9", "/voice none.bin", "/shout", "*** ---", "Hello.")
    converse(loud, tmp_path / HISTORY, typed(*lines))
    told = capsys.readouterr().err
    for words in ("no number", "allowed: 0.5 to 2", "none.bin", "no command"):
        assert words in told
    assert machine.opened[-1].told == ["start", "stop", "close"]
    assert loud.settings.speed == 1


def test_lines_are_remembered(loud, machine, tmp_path):
    readline = pytest.importorskip("readline")
    history = tmp_path / "deep" / HISTORY
    before = [readline.get_history_item(i + 1) for i in range(readline.get_current_history_length())]
    readline.clear_history()
    try:
        readline.add_history("Hello there.")  # what input() does on a terminal
        converse(loud, history, typed("Hello there."))
        readline.clear_history()
        converse(loud, history, typed())
        assert readline.get_history_item(1) == "Hello there."
    finally:
        readline.clear_history()
        for line in before:
            readline.add_history(line)
