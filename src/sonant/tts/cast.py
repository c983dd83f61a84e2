"""Who speaks an utterance and how: voice, language, speed, gain, seed, by the caller's options and the text's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonant.records import Voice
from sonant.text.languages import LANGUAGES, canonical
from sonant.text.phonemes import SYMBOLS, encode
from sonant.tts import style
from sonant.tts.options import FASTEST, SLOWEST, SpeakOptions, check_speed
from sonant.tts.plan import Utterance
from sonant.tts.script import Manner

__all__ = ["Cast", "Part", "recast"]


@dataclass(frozen=True, slots=True)
class Part:
    """An utterance ready for the network.

    Attributes:
        utterance: what is said.
        ids: (T,) int64 symbol ids, no pads.
        style: (256,) float32.
        speed: 0.5 to 2.0.
        seed: of the noise.
        gain: factor of the amplitude.
        voice: who speaks.
        vocab: symbol ids of the checkpoint.
        warnings: a line each.
    """

    utterance: Utterance
    ids: NDArray[np.int64]
    style: NDArray[np.float32]
    speed: float
    seed: int
    gain: float
    voice: Voice
    vocab: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def recast(part: Part, utterance: Utterance, seed: int) -> Part:
    """The same manner for another utterance and seed."""
    ids = encode(utterance.phonemes, part.vocab)
    return replace(part, utterance=utterance, ids=ids, style=style.style_row(part.voice, len(ids)), seed=seed)


class Cast:
    """The voices of one text."""

    def __init__(
        self,
        voice: style.VoiceLike,
        options: SpeakOptions,
        load: Callable[[str], Voice],
        vocab: Mapping[str, int] = SYMBOLS,
    ) -> None:
        """Load the caller's voice at once, so that a wrong name is told before anything is spoken."""
        self._load, self._options, self._vocab = load, options, vocab
        self._voice = style.resolve(voice, load)
        self._others: dict[str, Voice] = {}
        self._mismatches: set[tuple[str, str]] = set()

    def voice(self, manner: Manner) -> Voice:
        """The voice of a manner.

        Raises:
            UnknownName: the text names one that isn't there.
        """
        if manner.voice is None:
            return self._voice
        if manner.voice not in self._others:
            self._others[manner.voice] = style.resolve(manner.voice, self._load)
        return self._others[manner.voice]

    def language(self, manner: Manner) -> str:
        """Code of the language: what the text says, else what the caller says, else that of the voice."""
        return canonical(manner.language or self._options.language or _language(self.voice(manner)))

    def part(self, utterance: Utterance) -> Part:
        """The utterance with all that the network needs.

        Raises:
            UnspeakableText: a phoneme that isn't in the checkpoint's alphabet.
            BadInput: the caller's speed function gives no speed.
        """
        voice, warnings = self.voice(utterance.manner), list(utterance.warnings)
        ids = encode(utterance.phonemes, self._vocab)
        speed = self._speed(len(ids), utterance.manner.rate, warnings)
        self._check_language(voice, utterance.language, warnings)
        gain = self._options.volume * utterance.manner.gain
        row = style.style_row(voice, len(ids))
        seed = self._options.seed
        return Part(utterance, ids, row, speed, seed, gain, voice, self._vocab, tuple(warnings))

    def _speed(self, count: int, rate: float, warnings: list[str]) -> float:
        chosen = self._options.speed
        base = check_speed(chosen(count)) if callable(chosen) else float(chosen)
        speed = min(max(base * rate, SLOWEST), FASTEST)
        if speed != base * rate:
            warnings.append(f"speed {base:g} times rate {rate:g} is held to {speed:g} ({SLOWEST:g} to {FASTEST:g})")
        return speed

    def _check_language(self, voice: Voice, language: str, warnings: list[str]) -> None:
        if _language(voice) == language or (voice.name, language) in self._mismatches:
            return
        self._mismatches.add((voice.name, language))
        own = LANGUAGES[_language(voice)].name
        warnings.append(f"voice {voice.name} is made for {own}; the text is read as {LANGUAGES[language].name}")


def _language(voice: Voice) -> str:
    """The voice's language; American English for a voice of the user's own that names none."""
    return voice.language if voice.language in LANGUAGES else "a"
