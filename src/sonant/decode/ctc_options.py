"""How a CTC model writes speech down: every option in one record, which feeds Python and the command line alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonant.decode.ctc import BeamOptions
from sonant.decode.ngram import NgramModel
from sonant.errors import BadInput, SonantError, UnknownName

__all__ = ["CtcOptions", "unknown_option"]


@dataclass(frozen=True, slots=True)
class CtcOptions:
    """Settings of a CTC transcription; times in seconds.

    What is heard:
        language: adapter language of a model that has several (MMS), by code or name; "auto" identifies it.
        chunk_s: seconds kept from each window; more at the ends of the sound, which have no context.
        context_s: seconds heard but not kept on each side of it.
        batch_size: windows heard together.

    Search:
        beam_size: prefixes kept a frame; None decodes greedily, or with 64 where a language model or hotwords are
            given.
        language_model: an ARPA file (or a model, in Python); its words decide between equal sounds.
        lm_weight: alpha, weight of the language model's natural logarithm.
        word_bonus: beta, added for every word.
        unknown_penalty: added for a word that the language model lacks.
        hotwords: words to favour, with commas or spaces between.
        hotword_weight: added for a whole hotword, and in proportion for its beginning.
        symbol_floor: natural logarithm under which a symbol isn't tried on a frame (its best one always is).
        margin: prefixes this far (natural logarithm) behind the best are dropped.

    What is written:
        characters: also give every character its times.
        pause_s: a pause this long between two words ends a segment.
        max_segment_s: a segment is ended at a word once it is this long.
    """

    language: str | None = None
    chunk_s: float = 16.0
    context_s: float = 2.0
    batch_size: int = 4
    beam_size: int | None = None
    language_model: str | Path | NgramModel | None = None
    lm_weight: float = 0.5
    word_bonus: float = 1.5
    unknown_penalty: float = -10.0
    hotwords: tuple[str, ...] | str = ()
    hotword_weight: float = 10.0
    symbol_floor: float = -5.0
    margin: float = 10.0
    characters: bool = False
    pause_s: float = 0.8
    max_segment_s: float = 20.0

    def __post_init__(self) -> None:
        """Check the ranges, and bring hotwords to one form."""
        for name, least in (("chunk_s", 0.02), ("context_s", 0.0), ("batch_size", 1), ("max_segment_s", 0.1)):
            if getattr(self, name) < least:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.beam_size is not None and self.beam_size < 1:
            raise BadInput(f"beam_size is {self.beam_size}; allowed: 1 or more, or None")
        words = self.hotwords.replace(",", " ").split() if isinstance(self.hotwords, str) else self.hotwords or ()
        object.__setattr__(self, "hotwords", tuple(words))

    def changed(self, **changes: Any) -> CtcOptions:
        """A copy with some options changed.

        Raises:
            BadInput: an option of Whisper models alone.
            UnknownName: no such option; the nearest are in the message.
        """
        for name in changes:
            if name not in names(CtcOptions):
                raise unknown_option(name, CtcOptions)
        return dataclasses.replace(self, **changes)

    def search(self) -> BeamOptions | None:
        """Settings of the beam search; None where it is greedy."""
        if self.beam_size is None and self.language_model is None and not self.hotwords:
            return None
        shared = names(BeamOptions) & names(CtcOptions)
        width = BeamOptions().width if self.beam_size is None else self.beam_size
        return BeamOptions(width=width, **{name: getattr(self, name) for name in shared})


def names(record: type) -> set[str]:
    """Fields of an options record."""
    return {field.name for field in dataclasses.fields(record)}


def unknown_option(name: str, record: type) -> SonantError:
    """The error for an option that ``record`` lacks: that it belongs to the other kind of model, or to none."""
    from sonant.decode.options import TranscribeOptions

    kinds = {CtcOptions: "CTC models (the wav2vec 2.0 family)", TranscribeOptions: "Whisper models"}
    for other, kind in kinds.items():
        if other is not record and name in names(other):
            hint = "; words and their times come with every CTC transcript" if name == "word_timestamps" else ""
            return BadInput(f"{name} is an option of {kind}, and this model is none of them{hint}")
    where = f"see {record.__module__}.{record.__name__}"
    return UnknownName("option", name, names(record), where)
