"""``KPipeline``: text to (graphemes, phonemes, audio), one language each, over sonant's flow."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sonant.compat.kokoro import tokens as misaki
from sonant.compat.kokoro.model import KModel
from sonant.compat.kokoro.tensors import array_of, tensor
from sonant.compat.kokoro.tokens import MToken
from sonant.errors import BadInput
from sonant.records import Voice
from sonant.text.g2p import load as load_g2p
from sonant.text.languages import LANGUAGES, canonical
from sonant.text.normalize import normalize
from sonant.text.phonemes import LIMIT
from sonant.text.split import sentences
from sonant.text.tokens import G2P, Spoken, Token
from sonant.tts import style
from sonant.tts.markup import parse
from sonant.tts.script import Say

__all__ = ["ALIASES", "LANG_CODES", "KPipeline"]

ALIASES = {
    "en-us": "a",
    "en-gb": "b",
    "es": "e",
    "fr-fr": "f",
    "hi": "h",
    "it": "i",
    "pt-br": "p",
    "ja": "j",
    "zh": "z",
}
LANG_CODES = {code: row.name if code in "abjz" else row.espeak for code, row in LANGUAGES.items()}

Speed = float | Callable[[int], float]

_ENGLISH = re.compile(r"[A-Za-z](?:[A-Za-z '-]*[A-Za-z])?")

log = logging.getLogger(__name__)


class KPipeline:
    """Text to speech in one language. Without a model (``model=False``) it gives graphemes and phonemes alone.

    Attributes:
        lang_code: Kokoro's letter.
        model: the ``KModel``, or None.
        voices: packs by name, each (510, 1, 256).
        g2p: text -> (phonemes, tokens).
    """

    @dataclass
    class Result:
        """One chunk; unpacks as ``graphemes, phonemes, audio``.

        Attributes:
            graphemes: the text.
            phonemes: at most 510 symbols.
            tokens: words and marks, with times where there is audio.
            output: sound and durations; None without a model.
            text_index: which segment of the text it is from.
        """

        graphemes: str
        phonemes: str
        tokens: list[MToken] | None = None
        output: KModel.Output | None = None
        text_index: int | None = None

        @property
        def audio(self) -> Any:
            """(N,) float32 at 24 kHz, or None."""
            return None if self.output is None else self.output.audio

        @property
        def pred_dur(self) -> Any:
            """Durations of the symbols, pads included, in frames of 600 samples; or None."""
            return None if self.output is None else self.output.pred_dur

        def __iter__(self) -> Iterator[Any]:
            yield from (self.graphemes, self.phonemes, self.audio)

        def __getitem__(self, index: int) -> Any:
            return (self.graphemes, self.phonemes, self.audio)[index]

        def __len__(self) -> int:
            return 3

    def __init__(
        self,
        lang_code: str,
        repo_id: str | None = None,
        model: KModel | bool = True,
        trf: bool = False,  # noqa: ARG002  one tagger serves all
        en_callable: Callable[[str], str] | None = None,
        device: str | None = None,
    ) -> None:
        """Open a pipeline.

        Args:
            lang_code: one of ``LANG_CODES`` or ``ALIASES``.
            repo_id: whose weights and symbols; hexgrad/Kokoro-82M where it is left out.
            model: a ``KModel`` to share, True for a new one, False for none.
            trf: taken, and without effect.
            en_callable: phonemes of the English words inside Mandarin text; None speaks them by our English.
            device: "cpu", "cuda", "mps", or None for the best.

        Raises:
            UnknownName: no such language.
            RuntimeError: CUDA was asked for and isn't there.
        """
        self.lang_code = canonical(lang_code)
        self.repo_id = repo_id or (model.repo_id if isinstance(model, KModel) else "hexgrad/Kokoro-82M")
        self.model: KModel | None = None
        if isinstance(model, KModel):
            self.model = model
        elif model:
            if device == "cuda" and not _cuda():
                raise RuntimeError("CUDA requested but not available")
            self.model = KModel(repo_id, device=device)
        self.voices: dict[str, Any] = {}
        self._en_callable = en_callable

    def g2p(self, text: str, preprocess: bool = True) -> tuple[str, list[MToken]]:
        """Phonemes of a text, and its tokens; ``preprocess`` reads ``[word](/phonemes/)`` and the like."""
        tokens = misaki.merged(self._tokens(text, preprocess), text, self.lang_code not in "jz")
        return misaki.tokens_to_ps(tokens), tokens

    def _tokens(self, text: str, markup: bool) -> list[Token]:
        pieces = [Spoken(text, (0, len(text)))]
        if markup:
            pieces = [event.piece for event in parse(text, tags=False) if isinstance(event, Say)]
        if self._en_callable is not None and self.lang_code == "z":
            pieces = [part for piece in pieces for part in self._with_english(piece, self._en_callable)]
        convert = self._converter()
        found: list[Token] = []
        for sentence in sentences(pieces, self.lang_code):
            tokens = convert(normalize(sentence, self.lang_code))
            if found and tokens:
                found[-1] = replace(found[-1], whitespace=" ")
            found.extend(tokens)
        return found

    def _converter(self) -> G2P:
        if self.lang_code == "z" and not self.repo_id.endswith("/Kokoro-82M"):
            found: G2P = importlib.import_module("sonant.text.g2p.mandarin").load(symbols="1.1")
            return found
        return load_g2p(self.lang_code)

    def _with_english(self, piece: Spoken, phonemes_of: Callable[[str], str]) -> Iterator[Spoken]:
        """A piece with the caller's phonemes for its English words."""
        if piece.phonemes is not None or piece.rule != "text":
            yield piece
            return
        start, place = piece.span[0], 0
        for match in _ENGLISH.finditer(piece.text):
            if match.start() > place:
                yield replace(
                    piece, text=piece.text[place : match.start()], span=(start + place, start + match.start())
                )
            span = (start + match.start(), start + match.end())
            yield Spoken(match[0], span, "markup", phonemes=phonemes_of(match[0]))
            place = match.end()
        if place < len(piece.text):
            yield replace(piece, text=piece.text[place:], span=(start + place, start + len(piece.text)))

    def load_single_voice(self, voice: str) -> Any:
        """The pack of one voice, by name or by the path of a .pt file: (510, 1, 256)."""
        if voice not in self.voices:
            if not voice.endswith(".pt") and not voice.startswith(self.lang_code):
                log.warning("Language mismatch, loading %s voice into %s pipeline.", voice, self.lang_code)
            self.voices[voice] = tensor(self._voice(voice).styles[:, None])
        return self.voices[voice]

    def load_voice(self, voice: Any, delimiter: str = ",") -> Any:
        """The pack of a voice: a name, several with ``delimiter`` between (their mean), a path, or a pack itself.

        sonant's blends ("af_bella(2)+af_sky(1)") are understood too.
        """
        if not isinstance(voice, str):
            return voice if not isinstance(voice, Voice) else tensor(voice.styles[:, None])
        if voice in self.voices:
            return self.voices[voice]
        if not voice.endswith(".pt") and re.search(r"[+()]", voice):
            self.voices[voice] = tensor(self._voice(voice).styles[:, None])
            return self.voices[voice]
        packs = [self.load_single_voice(name) for name in voice.split(delimiter)]
        if len(packs) > 1:
            mean = np.stack([array_of(pack) for pack in packs]).mean(axis=0, dtype=np.float32)
            self.voices[voice] = tensor(np.asarray(mean))
            return self.voices[voice]
        return packs[0]

    def _voice(self, voice: str) -> Voice:
        if self.model is None:
            raise BadInput("this pipeline has no model, and voices belong to one; leave model=False out")
        return self.model.speaker.voice(voice.strip())

    tokens_to_ps = staticmethod(misaki.tokens_to_ps)
    tokens_to_text = staticmethod(misaki.tokens_to_text)
    waterfall_last = staticmethod(misaki.waterfall_last)
    join_timestamps = staticmethod(misaki.join_timestamps)

    def en_tokenize(self, tokens: Sequence[MToken]) -> Iterator[tuple[str, str, list[MToken]]]:
        """(graphemes, phonemes, tokens) of at most 510 phonemes each."""
        return misaki.chunks(tokens)

    @staticmethod
    def infer(model: KModel, ps: str, pack: Any, speed: Speed = 1) -> KModel.Output:
        """Speak a phoneme string; the row of the pack is the one for its length."""
        if callable(speed):
            speed = speed(len(ps))
        voice = style.resolve(array_of(pack), model.speaker.voice)
        output: KModel.Output = model(ps, style.style_row(voice, len(ps))[None], speed, return_output=True)
        return output

    def generate_from_tokens(
        self, tokens: str | Sequence[MToken], voice: Any = None, speed: float = 1, model: KModel | None = None
    ) -> Iterator[Result]:
        """Speak phonemes, or tokens that ``g2p`` gave.

        Raises:
            ValueError: no voice is named, or a phoneme string has more than 510 symbols.
        """
        model, pack = self._model_and_pack(voice, model, "generate_from_tokens(..., voice=")
        if isinstance(tokens, str):
            if len(tokens) > LIMIT:
                raise BadInput(f"Phoneme string too long: {len(tokens)} > {LIMIT}")
            yield self.Result("", tokens, output=self.infer(model, tokens, pack, speed) if model else None)
            return
        yield from self._results(tokens, model, pack, speed, None)

    def _model_and_pack(self, voice: Any, model: KModel | None, example: str) -> tuple[KModel | None, Any]:
        model = model or self.model
        if model is None:
            return None, None
        if voice is None:
            raise BadInput(f'Specify a voice: pipeline.{example}"af_heart")')
        if self.model is None and isinstance(voice, str):
            return model, KPipeline(self.lang_code, self.repo_id, model).load_voice(voice)
        return model, self.load_voice(voice)

    def _results(
        self, tokens: Sequence[MToken], model: KModel | None, pack: Any, speed: Speed, text_index: int | None
    ) -> Iterator[Result]:
        for graphemes, phonemes, part in misaki.chunks(tokens):
            if not phonemes:
                continue
            output = self.infer(model, phonemes, pack, speed) if model else None
            if output is not None:
                misaki.join_timestamps(part, output.pred_dur)
            yield self.Result(graphemes, phonemes, part, output, text_index)

    def __call__(
        self,
        text: str | Sequence[str],
        voice: Any = None,
        speed: Speed = 1,
        split_pattern: str | None = r"\n+",
        model: KModel | None = None,
    ) -> Iterator[Result]:
        r"""Speak a text, one ``Result`` a chunk.

        Args:
            text: a string, split by ``split_pattern``, or segments.
            voice: see ``load_voice``.
            speed: a number, or a function from the count of phonemes to one.
            split_pattern: regular expression between segments; None keeps the text whole.
            model: in place of the pipeline's own.

        Raises:
            ValueError: no voice is named, though there is a model.
        """
        model, pack = self._model_and_pack(voice, model, "(text, voice=")
        segments = [text] if isinstance(text, str) else list(text)
        if isinstance(text, str) and split_pattern:
            segments = re.split(split_pattern, text.strip())
        for index, segment in enumerate(segments):
            if segment.strip():
                yield from self._results(self.g2p(segment)[1], model, pack, speed, index)


def _cuda() -> bool:
    """Whether torch is installed and sees a CUDA device."""
    if importlib.util.find_spec("torch") is None:
        return False
    return bool(importlib.import_module("torch").cuda.is_available())
