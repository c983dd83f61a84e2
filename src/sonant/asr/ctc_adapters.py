"""The languages of a CTC checkpoint: spellings to adapters, adapters fetched when they are first needed, "auto"."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.asr.ctc_sound import SAMPLE_RATE, Sounding, blocks_of, cutter
from sonant.asr.frames import FrameWindow
from sonant.asr.identify import LanguageIdentifier, adapter_for
from sonant.asr.language import LanguageGuess
from sonant.asr.model_languages import adapters_of
from sonant.audio import io
from sonant.engines.base import Ctc
from sonant.errors import BadInput
from sonant.text.mms_languages import candidates, code_of, name_of
from sonant.text.vocab import CtcVocabulary, Table, read_table, vocabulary_of
from sonant.weights import catalog, fetch
from sonant.weights.checkpoint import Checkpoint

__all__ = ["Adapters", "Spoken"]

TRIED_S = 10.0  # seconds heard with each adapter where scripts or dialects are open

Hear = Callable[[Sequence[FrameWindow], Sequence[str | None]], list[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """The language of a recording.

    Attributes:
        audio: the recording; read into memory where it can be read once only.
        adapter: code of the adapter; None where the checkpoint has none.
        label: what the transcript calls the language.
        probability: of the label, where it was identified.
        warnings: what the user should know.
    """

    audio: Sounding
    adapter: str | None
    label: str | None
    probability: float = 1.0
    warnings: tuple[str, ...] = ()


class Adapters:
    """Vocabularies and adapters of one checkpoint."""

    def __init__(
        self,
        engine: Ctc,
        checkpoint: Checkpoint,
        hear: Hear,
        identifier: Callable[[], LanguageIdentifier] | None = None,
    ) -> None:
        """Nothing is read until it is asked for."""
        self.engine, self.checkpoint, self.hear = engine, checkpoint, hear
        self._open_identifier = identifier
        self._vocabularies: dict[str | None, CtcVocabulary] = {}

    @functools.cached_property
    def codes(self) -> tuple[str, ...]:
        """Codes of the adapters that the vocabulary has; () where the checkpoint has one language."""
        return adapters_of(self.checkpoint.folder)

    @functools.cached_property
    def identifier(self) -> LanguageIdentifier:
        """What identifies the language, opened when it is first needed.

        Raises:
            BadInput: there is none.
        """
        if self._open_identifier is None:
            raise BadInput("language 'auto' needs an identifier; give one to load_asr, as identifier='mms-lid-126'")
        return self._open_identifier()

    def code(self, language: str | None) -> str | None:
        """The adapter that a spelling means, fetched where it is missing; None where the checkpoint has none.

        Raises:
            UnknownName: no such language; names the nearest.
            BadInput: none is named and there are several; or the checkpoint hears another one.
            ModelFileMissing: the adapter can't be fetched.
        """
        if not self.codes:
            self._check_only(language)
            return None
        if language is None or language.lower() == "auto":
            what = "several are known" if language is None else "'auto' needs a whole recording"
            raise BadInput(f"{self.checkpoint.id} has {len(self.codes)} languages and {what}; name one, as 'pol'")
        code = code_of(language, self.codes)
        self._fetch(code)
        return code

    def settle(self, audio: Sounding, language: str | None) -> Spoken:
        """The adapter for a recording; "auto" hears its beginning.

        Raises:
            UnknownName, BadInput, ModelFileMissing: as ``code``; or no adapter for anything that may be spoken.
        """
        if not self.codes or language is None or language.lower() != "auto":
            code = self.code(language)
            only = self.checkpoint.catalog.get("languages")
            known = only[0] if isinstance(only, list) and len(only) == 1 else None
            return Spoken(audio, code, code or known or (None if str(language).lower() == "auto" else language))
        if isinstance(audio, str) and audio == "-":  # standard input comes once
            audio = io.read("-", SAMPLE_RATE)
        guess = self.detect(audio)
        found = adapter_for(guess, self.codes)
        if found is None:
            raise BadInput(
                f"{guess.language!r} is heard ({guess.probability:.0%}) and {self.checkpoint.id} has no adapter for it "
                "nor for any other language that the identifier knows; name one with language="
            )
        label, probability, adapters = found
        warnings: tuple[str, ...] = ()
        if label != guess.language:
            best = f"{guess.language} ({name_of(guess.language) or 'no adapter'}, {guess.probability:.0%})"
            warnings = (f"{best} is likeliest but has no adapter; {label} ({probability:.0%}) is taken",)
        for code in adapters:
            self._fetch(code)
        code = adapters[0] if len(adapters) == 1 else self._best(audio, adapters)
        return Spoken(audio, code, code, probability, warnings)

    def detect(self, audio: Sounding) -> LanguageGuess:
        """The language of a recording."""
        return self.identifier.detect(audio)

    def vocabulary(self, code: str | None) -> CtcVocabulary:
        """Symbols of the head, of an adapter's where there are several.

        Raises:
            BadInput: the head and the vocabulary differ in size; says both.
        """
        if code not in self._vocabularies:
            self.engine.config.need("ctc")
            blank = int(self.checkpoint.config.get("pad_token_id") or 0)
            found = vocabulary_of(self._table, str(self.checkpoint.folder / "vocab.json"), blank=blank, language=code)
            size = self.engine.config.vocab_size
            heads = getattr(self.engine, "adapters", None)
            if code is not None and heads is not None:
                size = len(heads.get(code).head_bias)
            if len(found.symbols) != size:
                what = "the CTC head" if code is None else f"the CTC head of adapter {code}"
                raise BadInput(f"vocab.json has {len(found.symbols)} symbols but {what} has {size} outputs")
            self._vocabularies[code] = found
        return self._vocabularies[code]

    @functools.cached_property
    def _table(self) -> Table:
        return read_table(self.checkpoint.folder / "vocab.json")

    def _check_only(self, language: str | None) -> None:
        """Refuse another language than the one that the catalog says a model hears."""
        only = self.checkpoint.catalog.get("languages")
        if language is None or language.lower() == "auto" or not isinstance(only, list):
            return
        if not {code for name in only for code in candidates(name)} & set(candidates(language)):
            raise BadInput(f"{self.checkpoint.id} hears {', '.join(only)} only, not {language!r}; use mms-1b-all")

    def _fetch(self, code: str) -> None:
        """Bring an adapter where it is missing; a folder that the catalog doesn't know is left to the engine."""
        name = f"adapter.{code}.safetensors"
        if self.checkpoint.catalog.get("adapters") and not (self.checkpoint.folder / name).is_file():
            fetch.fetch_file(catalog.find(self.checkpoint.id), name)

    def _best(self, audio: Sounding, adapters: Sequence[str]) -> str:
        """Which of several adapters is surest of the beginning: the mean probability of its best symbols."""
        cut = cutter(self.engine, TRIED_S, 0.0)
        window = next(cut.cut(blocks_of(audio)))
        heard = self.hear([window] * len(adapters), adapters)
        return max(zip(adapters, heard, strict=True), key=lambda pair: float(np.exp(pair[1].max(1)).mean()))[0]
