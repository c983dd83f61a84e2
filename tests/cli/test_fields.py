"""Flags are the fields of the options records: every one, with its default, its help and its meaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import typer

from sonant.asr.writers.options import CaptionOptions
from sonant.audio.encode import EncodeOptions
from sonant.cli.fields import changed_by_flags, descriptions, parse
from sonant.decode.options import TranscribeOptions
from sonant.tts.options import SpeakOptions


@pytest.mark.parametrize(
    ("command", "record", "without"),
    [
        ("transcribe", TranscribeOptions, ()),
        ("transcribe", CaptionOptions, ()),
        ("speak", SpeakOptions, ("verify",)),
        ("speak", EncodeOptions, ("sample_rate", "limit")),
    ],
)
def test_every_field_is_a_flag_with_help(sonant, command, record, without):
    shown = " ".join(sonant(command, "--help").stdout.split())
    for field in dataclasses.fields(record):
        if field.name not in without:
            assert f"--{field.name.replace('_', '-')} " in shown, field.name
        assert descriptions(record)[field.name][0], f"{field.name} is not described"


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "3", 3),
        (float, "0.5", 0.5),
        (float | None, "None", None),
        (float | tuple[float, ...], "0.5", 0.5),
        (float | tuple[float, ...], "0, 0.2", (0.0, 0.2)),
        (tuple[str, ...], "en,de", ("en", "de")),
        (tuple[int, ...], "-1", (-1,)),
        (tuple[int, ...], "", ()),
        (str | tuple[int, ...] | None, "1,2", "1,2"),
        (Literal["a", "b"], "b", "b"),
        (Path | None, "x/y", Path("x/y")),
        (
            Mapping[str, Any],
            "threshold=0.6,min_silence_duration_ms=500",
            {"threshold": 0.6, "min_silence_duration_ms": 500},
        ),
        (Mapping[str, Any], "neg_threshold=none", {"neg_threshold": None}),
    ],
)
def test_text_becomes_a_value(hint, text, value):
    found = parse(hint, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("hint", "text", "words"),
    [
        (int, "1.5", "a whole number"),
        (float | None, "x", "a number, or none"),
        (Literal["a", "b"], "c", "one of a, b"),
        (Mapping[str, Any], "a", "name=number"),
        (object, "a", "no spelling"),
    ],
)
def test_text_without_a_value_says_what_is_allowed(hint, text, words):
    with pytest.raises(ValueError, match=words):
        parse(hint, text)


def test_only_given_flags_arrive():
    seen = []

    @changed_by_flags("changes", CaptionOptions)
    def command(name: str = "x", *, changes: dict[str, Any]) -> None:
        seen.append((name, changes))

    app = typer.Typer()
    app.command()(command)
    app(["--max-line-width", "42", "--no-highlight-words", "--name", "y"], standalone_mode=False)
    assert seen == [("y", {"max_line_width": 42, "highlight_words": False})]
