"""How speech is written down: every option of openai-whisper and faster-whisper, under their names, in one record.

Python, CLI and server are all fed from ``TranscribeOptions``: an option exists here or nowhere. Defaults are those of
openai-whisper's ``transcribe`` unless its line says otherwise.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sonant.errors import BadInput
from sonant.text.whisper_languages import code_of

__all__ = ["APPEND_PUNCTUATIONS", "PREPEND_PUNCTUATIONS", "TEMPERATURES", "TranscribeOptions"]

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
PREPEND_PUNCTUATIONS = "\"'“¿([{-"
APPEND_PUNCTUATIONS = "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """Options of a transcription; times in seconds.

    What is heard:
        task: "transcribe" (same language) or "translate" (into English).
        language: code, English name or BCP 47 tag; None or "auto" detects it.
        languages: detection chooses among these alone; () allows all of the model's.
        multilingual: detect the language of every window anew.
        language_detection_segments: windows that detection may listen to.
        language_detection_threshold: detection stops at the first window whose best probability is above this;
            where none is, the language that most windows chose is taken.

    Search:
        temperature: one, or a ladder: a window that fails a gate is decoded again at the next one.
        beam_size: beams at temperature 0; None is greedy.
        patience: finished beams to collect, in multiples of beam_size (arXiv:2204.05424); needs beam_size.
        best_of: samples at temperatures above 0, of which the likeliest is kept; None is 1.
        length_penalty: exponent alpha of Google NMT's ((5 + n) / 6) ** alpha; None divides by the length n.
        length_power: divide by n to this power instead (CTranslate2's rule: faster-whisper's length_penalty).
        max_new_tokens: most tokens decoded in a window; None is half the model's context (224).
        seed: of sampling. A window's samples depend on it, the temperature and the window's start alone.

    Rules on tokens:
        suppress_tokens: ids never written; -1 stands for the set of non-speech marks; () suppresses nothing.
        suppress_blank: a window's text doesn't begin with a lone space or end at once.
        suppress_regex: tokens whose whole text matches it are never written (whisper.cpp's --suppress-regex).
        repetition_penalty: above 1 makes what was written less likely (CTranslate2's rule).
        no_repeat_ngram_size: no run of this many tokens twice in a window; 0 allows all.
        without_timestamps: no time tokens: one segment a window.
        max_initial_timestamp: latest time of a window's first token; None is unbounded.

    Gates (None switches one off):
        compression_ratio_threshold: a window whose text compresses better than this is a repetition: retry.
        logprob_threshold: a window whose mean log-probability is below this is doubtful: retry.
        no_speech_threshold: a doubtful window with a no-speech probability above this is silence: skip.
        keep: which of the attempts is kept where all fail: "best" (faster-whisper: the likeliest of those below the
            compression threshold), or "last" (openai-whisper: a draw at the hottest temperature).
        voice_gate: skip windows in which voice activity detection hears nobody at all (sonant's own; the references
            write words into noise and music). Needs no change for speech: such windows are listed in the report.

    Context:
        initial_prompt: text (or ids) before the first window: names, spelling, style.
        carry_initial_prompt: keep it before every window.
        condition_on_previous_text: what was written is the next window's context.
        prompt_reset_on_temperature: above this temperature a window's text isn't given to the next one.
        prefix: text that the first window begins with.
        prefix_in_text: the prefix is written, too, after a first time (faster-whisper); False leaves it out
            (openai-whisper).
        hotwords: words before every window's context; no effect where there is a prefix.

    Where:
        clip_timestamps: start, end, start, end ... of the stretches to hear; the last end may be left out.
        vad_filter: hear only stretches with voice.
        vad_parameters: options of the detector, by name (see ``sonant.audio.vad.VadOptions``).
        hallucination_silence_threshold: with word times, skip silence longer than this around improbable words.
        mel_floor: "file" or "window": whose peak the features' range hangs from (see ``sonant.audio.features``).

    Words:
        word_timestamps: give each word its times and probability.
        prepend_punctuations: marks joined to the next word.
        append_punctuations: marks joined to the word before.

    Speed:
        batch_size: windows decoded together. 1 is the references' sequential order; above 1 sound that is longer than
            a window is cut where nobody speaks, and cuts are decoded apart from each other, every gate and retry kept.
        chunk_length: hear overlapping chunks of this length instead, joined by their common words (distil-whisper's
            chunked algorithm; 25 for distil-large-v3, 15 for distil-large-v2). None cuts where nobody speaks.
    """

    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    languages: tuple[str, ...] = ()
    multilingual: bool = False
    language_detection_segments: int = 1
    language_detection_threshold: float | None = 0.5
    temperature: float | tuple[float, ...] = TEMPERATURES
    beam_size: int | None = None
    patience: float | None = None
    best_of: int | None = None
    length_penalty: float | None = None
    length_power: float | None = None
    max_new_tokens: int | None = None
    seed: int = 0
    suppress_tokens: tuple[int, ...] = (-1,)
    suppress_blank: bool = True
    suppress_regex: str | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    without_timestamps: bool = False
    max_initial_timestamp: float | None = 1.0
    compression_ratio_threshold: float | None = 2.4
    logprob_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6
    keep: Literal["best", "last"] = "best"
    voice_gate: bool = True
    initial_prompt: str | tuple[int, ...] | None = None
    carry_initial_prompt: bool = False
    condition_on_previous_text: bool = True
    prompt_reset_on_temperature: float = 0.5
    prefix: str | tuple[int, ...] | None = None
    prefix_in_text: bool = False
    hotwords: str | None = None
    clip_timestamps: tuple[float, ...] = ()
    vad_filter: bool = False
    vad_parameters: Mapping[str, Any] | tuple[tuple[str, Any], ...] = ()
    hallucination_silence_threshold: float | None = None
    mel_floor: Literal["file", "window"] = "file"
    word_timestamps: bool = False
    prepend_punctuations: str = PREPEND_PUNCTUATIONS
    append_punctuations: str = APPEND_PUNCTUATIONS
    batch_size: int = 1
    chunk_length: float | None = None

    def __post_init__(self) -> None:
        """Check values, and bring lists and language names to one form."""
        for name in ("temperature", "initial_prompt", "prefix", "languages"):
            value = getattr(self, name)
            if not isinstance(value, str | int | float | None):
                object.__setattr__(self, name, tuple(value))
        for name, kind in (("suppress_tokens", int), ("clip_timestamps", float)):
            object.__setattr__(self, name, _numbers(name, getattr(self, name), kind))
        if self.clip_timestamps == (0.0,):  # openai-whisper's way to say all of it
            object.__setattr__(self, "clip_timestamps", ())
        object.__setattr__(self, "vad_parameters", tuple(sorted(dict(self.vad_parameters).items())))
        object.__setattr__(self, "language", _language(self.language))
        object.__setattr__(self, "languages", tuple(code_of(name) for name in self.languages))
        self._check_choices()
        self._check_numbers()
        self._check_combinations()

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The ladder, also where one temperature was given."""
        return self.temperature if isinstance(self.temperature, tuple) else (float(self.temperature),)

    def changed(self, **changes: Any) -> TranscribeOptions:
        """A copy with some options changed.

        Raises:
            BadInput: an option of CTC models alone.
            UnknownName: no such option; the nearest are in the message.
        """
        known = {field.name for field in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                from sonant.decode.ctc_options import unknown_option

                raise unknown_option(name, TranscribeOptions)
        return dataclasses.replace(self, **changes)

    def _check_choices(self) -> None:
        for name, allowed in (
            ("task", ("transcribe", "translate")),
            ("keep", ("best", "last")),
            ("mel_floor", ("file", "window")),
        ):
            if getattr(self, name) not in allowed:
                raise BadInput(f"{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}")

    def _check_numbers(self) -> None:
        temperatures = self.temperatures
        clips = self.clip_timestamps
        for valid, text in (
            (temperatures and all(0 <= t <= 2 for t in temperatures), "temperature: one or more numbers from 0 to 2"),
            (self.beam_size is None or self.beam_size >= 1, "beam_size: 1 or more, or None"),
            (self.best_of is None or self.best_of >= 1, "best_of: 1 or more, or None"),
            (self.patience is None or self.patience > 0, "patience: above 0, or None"),
            (self.length_penalty is None or 0 <= self.length_penalty <= 1, "length_penalty: 0 to 1, or None"),
            (self.length_power is None or self.length_power >= 0, "length_power: 0 or more, or None"),
            (self.max_new_tokens is None or self.max_new_tokens >= 1, "max_new_tokens: 1 or more, or None"),
            (self.repetition_penalty > 0, "repetition_penalty: above 0"),
            (self.no_repeat_ngram_size >= 0, "no_repeat_ngram_size: 0 or more"),
            (
                self.max_initial_timestamp is None or 0 <= self.max_initial_timestamp <= 30,
                "max_initial_timestamp: 0 to 30 seconds, or None",
            ),
            (self.language_detection_segments >= 1, "language_detection_segments: 1 or more"),
            (self.batch_size >= 1, "batch_size: 1 or more"),
            (self.chunk_length is None or 5 <= self.chunk_length <= 30, "chunk_length: 5 to 30 seconds, or None"),
            (self.seed >= 0, "seed: 0 or more"),
            (all(time >= 0 for time in clips), "clip_timestamps: seconds from the start, 0 or more"),
            (all(a <= b for a, b in itertools.pairwise(clips)), "clip_timestamps: in order of time"),
        ):
            if not valid:
                name, allowed = text.split(": ", 1)
                raise BadInput(f"{name} is {getattr(self, name)!r}; allowed: {allowed}")

    def _check_combinations(self) -> None:
        if self.patience is not None and self.beam_size is None:
            raise BadInput("patience is given without beam_size; it counts in beams, so give both")
        if self.length_power is not None and self.length_penalty is not None:
            raise BadInput(
                "length_penalty and length_power are given together; they are two rules for the same: give one"
            )
        if self.hallucination_silence_threshold is not None and not self.word_timestamps:
            raise BadInput("hallucination_silence_threshold needs the times of words; add word_timestamps=True")
        if self.carry_initial_prompt and self.initial_prompt is None:
            raise BadInput("carry_initial_prompt is given without initial_prompt; give the prompt to carry")
        if self.chunk_length is not None and self.clip_timestamps:
            raise BadInput("chunk_length and clip_timestamps are given together; chunks go through all of the sound")
        if self.language is not None and self.languages and self.language not in self.languages:
            raise BadInput(f"language {self.language!r} is not among the allowed languages {self.languages}")


def _numbers(name: str, given: Any, kind: type) -> tuple[Any, ...]:
    """A tuple of numbers, given as one, or as text with commas (openai-whisper's spelling)."""
    items = [item for item in given.split(",") if item.strip()] if isinstance(given, str) else given or ()
    try:
        return tuple(kind(item) for item in items)
    except (TypeError, ValueError):
        raise BadInput(
            f"{name} is {given!r}; give {kind.__name__} numbers, in a list or with a comma between"
        ) from None


def _language(name: str | None) -> str | None:
    return None if name is None or name.lower() == "auto" else code_of(name)
