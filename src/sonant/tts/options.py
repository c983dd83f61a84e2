"""What a caller can choose about speech, checked once and here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonant.errors import BadInput, UnknownName
from sonant.text.g2p import FALLBACKS
from sonant.text.languages import canonical
from sonant.text.phonemes import LIMIT

if TYPE_CHECKING:
    from sonant.tts.lexicon import UserLexicon
    from sonant.tts.verify import Verify

__all__ = ["FASTEST", "KOKORO_RATE", "SLOWEST", "SpeakOptions"]

SLOWEST, FASTEST = 0.5, 2.0
"""Range of speeds in which Kokoro stays clear."""
KOKORO_RATE = 24_000
"""Samples a second of the network's own output."""
LOUDEST = 4.0
LOWEST_HZ, HIGHEST_HZ = 8_000, 48_000

Speed = float | Callable[[int], float]


@dataclass(frozen=True, slots=True)
class SpeakOptions:
    """How a text is spoken.

    Attributes:
        language: code or alias; None takes the voice's own.
        speed: 0.5 to 2.0, larger is faster; or a function from the phoneme count of a chunk to such a number.
        seed: of the excitation noise: the same seed gives the same samples. A negative one switches the noise off.
        volume: factor of the amplitude, above 0 and up to 4.
        markup: read ``[word](/phonemes/)``, ``[pause:1s]`` and the like; False speaks brackets as they are.
        ssml: read the text as SSML; None does so where it begins with ``<speak``.
        is_phonemes: the text is a phoneme string of Kokoro's alphabet, spoken as it is.
        lexicon: words of the user's own with their pronunciation: a file, a table, or what ``lexicon.load`` gives.
        fallback: how English words without a dictionary entry are read: "auto", "letters" or "espeak".
        trim: cut the silence that the network leaves at both ends of a chunk, and put natural pauses between chunks;
            False leaves the network's own.
        gap_s: pause between sentences in seconds; None goes by the punctuation (``join.Pauses``).
        paragraph_gap_s: pause between paragraphs in seconds; None goes by ``join.Pauses``.
        sample_rate: in Hz, 8,000 to 48,000; None is the network's 24,000.
        target: phonemes of a chunk to aim for: shorter sentences of a paragraph are spoken together up to here.
        limit: most phonemes of a chunk, at most 510; longer sentences are cut at clauses.
        batch_size: chunks that the network speaks in one call; the result is the same.
        verify: let the speech be heard and spoken again where it is not understood (``verify.Verify``).
    """

    language: str | None = None
    speed: Speed = 1.0
    seed: int = 0
    volume: float = 1.0
    markup: bool = True
    ssml: bool | None = None
    is_phonemes: bool = False
    lexicon: UserLexicon | Mapping[str, str] | str | Path | None = None
    fallback: str = "auto"
    trim: bool = True
    gap_s: float | None = None
    paragraph_gap_s: float | None = None
    sample_rate: int | None = None
    target: int = 250
    limit: int = LIMIT
    batch_size: int = 1
    verify: Verify | None = None

    def __post_init__(self) -> None:
        """Check every field by itself."""
        if self.language is not None:
            canonical(self.language)
        if not callable(self.speed):
            check_speed(self.speed)
        _within("volume", self.volume, 1e-3, LOUDEST)
        if self.fallback not in FALLBACKS:
            raise UnknownName("fallback", self.fallback, FALLBACKS)
        for name in ("gap_s", "paragraph_gap_s"):
            value = getattr(self, name)
            if value is not None:
                _within(name, value, 0.0, 60.0)
        if self.sample_rate is not None:
            _within("sample_rate", self.sample_rate, LOWEST_HZ, HIGHEST_HZ)
        _within("limit", self.limit, 1, LIMIT)
        _within("target", self.target, 1, LIMIT)
        _within("batch_size", self.batch_size, 1, 1024)
        if self.is_phonemes and self.ssml:
            raise BadInput("is_phonemes and ssml exclude each other: a phoneme string holds no tags")

    def changed(self, **changes: Any) -> SpeakOptions:
        """A copy with some fields changed.

        Raises:
            UnknownName: no such option.
            BadInput: a value out of its range.
        """
        names = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise UnknownName("option", name, names)
        return dataclasses.replace(self, **changes) if changes else self


def check_speed(speed: float) -> float:
    """The speed, when it is one.

    Raises:
        BadInput: it is no number, or out of 0.5 to 2.0.
    """
    _within("speed", speed, SLOWEST, FASTEST)
    return float(speed)


def _within(name: str, value: float, lowest: float, highest: float) -> None:
    """Refuse values out of range; NaN is in no range."""
    try:
        inside = lowest <= float(value) <= highest
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise BadInput(f"{name} is {value!r}; allowed: {lowest:g} to {highest:g}")
