"""``sonant bench`` on the fake engine: every row is measured, wrong wishes are refused before anything is opened."""

from __future__ import annotations

import json

from tests.cli.conftest import sound


def test_a_row_for_each_work_and_dtype(sonant, voice, tmp_path):
    file = sound(tmp_path / "talk.wav", seconds=2.0)
    done = sonant("bench", file, "--engine", "fake", "--voice", voice, "--rounds", 2, "--json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["work"], row["dtype"]) for row in rows] == [
        ("kokoro-82m speaks", "auto"),
        ("kokoro-82m speaks", "float32"),
        ("whisper-base hears", "auto"),
        ("whisper-base hears", "float32"),
    ]
    assert all(row["times_real_time"] > 0 for row in rows)
    assert [row["sound_s"] for row in rows[2:]] == [2.0, 2.0]
    assert rows[0]["sound_s"] == rows[1]["sound_s"] > 0


def test_it_hears_its_own_speech_when_no_file_is_given(sonant, voice):
    done = sonant("bench", "--engine", "fake", "--voice", voice, "--rounds", 1, "--dtypes", "auto")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == [
        *("work", "dtype", "sound_s", "open_s", "first_s", "median_s", "times_real_time"),
    ]
    assert len(done.stdout.splitlines()) == 3


def test_wrong_wishes(sonant):
    done = sonant("bench", "missing.wav", "--engine", "fake")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "missing.wav" in done.stderr
    done = sonant("bench", "--dtypes", ",", "--engine", "fake")
    assert done.exit_code == 1
    assert "--dtypes auto,float32" in done.stderr
