"""Speech that is heard again: a recogniser reads each chunk back, and what it can't read is spoken once more.

First with another seed, then in two halves; the take with the fewest errors is kept, and the chunk says what was heard.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.errors import BadInput
from sonant.records import Audio, Heard
from sonant.text.languages import LANGUAGES
from sonant.text.normalize import normalize
from sonant.text.phonemes import fit, join
from sonant.text.tokens import Spoken
from sonant.tts.options import KOKORO_RATE
from sonant.tts.plan import Utterance

__all__ = ["Take", "Verify", "character_errors", "checked"]

Take = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Waveform and frames of one call of the network."""


@dataclass(frozen=True, slots=True)
class Verify:
    """How speech is checked.

    Attributes:
        transcribe: hears 24 kHz sound in a language (ISO code) and gives the text.
        threshold: highest character error rate that is accepted.
        attempts: how often a chunk is spoken at most.
    """

    transcribe: Callable[[Audio, str], str]
    threshold: float = 0.1
    attempts: int = 3

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.threshold <= 1:
            raise BadInput(f"verify threshold is {self.threshold}; allowed: 0 to 1")
        if not 1 <= self.attempts <= 10:
            raise BadInput(f"verify attempts is {self.attempts}; allowed: 1 to 10")


class Speaks(Protocol):
    """Speaks utterances with a seed."""

    def __call__(self, utterances: Sequence[Utterance], seed: int) -> list[Take]:
        """A take of each."""


def checked(
    utterance: Utterance, take: Take, seed: int, verify: Verify, speak: Speaks
) -> Iterator[tuple[Utterance, Take, Heard]]:
    """The best take of an utterance with what was heard; two, where halves were understood better.

    Args:
        utterance: what was to be said.
        take: as it was spoken first.
        seed: of that take.
        verify: who listens, and how strictly.
        speak: speaks again.
    """
    best = [(utterance, take, _hear(utterance, take, seed, 1, verify))]
    for attempt in range(2, verify.attempts + 1):
        if _worst(best) <= verify.threshold:
            break
        halves = _halves(utterance) if attempt >= 3 else []
        spoken = halves if len(halves) > 1 else [utterance]
        other = seed if len(halves) > 1 else abs(seed) + attempt - 1
        takes = speak(spoken, other)
        tried = [(each, heard, _hear(each, heard, other, attempt, verify)) for each, heard in zip(spoken, takes)]  # noqa: B905
        if _worst(tried) < _worst(best):
            best = tried
        best = [(each, kept, replace(heard, attempts=attempt)) for each, kept, heard in best]
    yield from best


def _worst(takes: Sequence[tuple[Utterance, Take, Heard]]) -> float:
    """Errors of all takes together, by the length of what they say."""
    lengths = [max(1, len(_letters(utterance.graphemes))) for utterance, _, _ in takes]
    errors = sum(heard.error_rate * length for (_, _, heard), length in zip(takes, lengths, strict=True))
    return errors / sum(lengths)


def _halves(utterance: Utterance) -> list[Utterance]:
    """The utterance in two, cut at the best place near its middle."""
    size = len(utterance.phonemes)
    parts = fit(utterance.tokens, limit=max(1, size * 2 // 3), target=max(1, size // 2 + 1))
    return [
        replace(
            utterance,
            tokens=tuple(part),
            phonemes=join(part),
            ending=utterance.ending if number == len(parts) else "none",
            warnings=utterance.warnings if number == 1 else (),
        )
        for number, part in enumerate(parts, 1)
        if join(part)
    ]


def _hear(utterance: Utterance, take: Take, seed: int, attempt: int, verify: Verify) -> Heard:
    """What the recogniser makes of a take."""
    text = verify.transcribe(Audio(take[0], KOKORO_RATE), LANGUAGES[utterance.language].iso)
    rate = error_rate(utterance, text)
    return Heard(text.strip(), rate, attempt, seed, rate <= verify.threshold)


def error_rate(utterance: Utterance, heard: str) -> float:
    """Character error rate of what was heard, against the text as written and as spoken: the lower one.

    "1984" may be heard as "1984" or as "nineteen eighty-four": neither is an error.
    """
    spoken = " ".join(token.text for token in utterance.tokens)
    said = "".join(piece.text for piece in normalize([Spoken(heard, (0, len(heard)))], utterance.language))
    return min(character_errors(utterance.graphemes, heard), character_errors(spoken, said))


def character_errors(reference: str, heard: str) -> float:
    """Edit distance of the letters and digits by their number in the reference; case and marks don't count."""
    wanted, found = _letters(reference), _letters(heard)
    if not wanted:
        return float(bool(found))
    row = np.arange(len(found) + 1)
    codes = np.array([ord(letter) for letter in found])
    for number, letter in enumerate(wanted, 1):
        # Substitution and deletion at once; insertions are a running minimum (Levenshtein by rows).
        best = np.concatenate([[number], np.minimum(row[1:] + 1, row[:-1] + (codes != ord(letter)))])
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))
    return float(row[-1]) / len(wanted)


def _letters(text: str) -> str:
    """Letters and digits, case and width folded."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if unicodedata.category(letter)[0] in "LNM")
