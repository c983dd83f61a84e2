"""The flow of speech: text -> passages -> utterances -> tokens, style -> waveform -> chunks with words and times.

speaker = Speaker(engine, checkpoint, voices)
speech = speaker.speak("Hello.", voice="af_heart")
for chunk in speaker.stream(tokens_of_a_language_model): play(chunk.audio)
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.audio.resample import resample
from sonant.engines.base import Synth
from sonant.errors import BadInput
from sonant.records import Audio, Heard, Speech, SpeechChunk, Voice, Word
from sonant.text.g2p import load as load_g2p
from sonant.text.phonemes import SYMBOLS
from sonant.text.tokens import G2P
from sonant.tts import style
from sonant.tts.cast import Cast, Part, recast
from sonant.tts.explain import Explained, explain
from sonant.tts.join import Seam, trimmed
from sonant.tts.lexicon import load as load_lexicon
from sonant.tts.opening import Half, halves
from sonant.tts.options import KOKORO_RATE, SpeakOptions
from sonant.tts.plan import Utterance, plan, plan_phonemes
from sonant.tts.reader import Text, read
from sonant.tts.script import Manner, Pause
from sonant.tts.stream import ahead_of
from sonant.tts.timing import settled, shifted, words
from sonant.tts.verify import Take, checked
from sonant.weights.checkpoint import Checkpoint

__all__ = ["Speaker"]

BOPOMOFO = "ㄅ"
"""A symbol that only the alphabet of Kokoro-82M-v1.1-zh has."""


class Speaker:
    """Speaks with one network; calls from several threads don't disturb each other."""

    def __init__(self, engine: Synth, checkpoint: Checkpoint, voices: Callable[[str], Voice]) -> None:
        """Put the parts together; nothing is read or loaded here.

        Args:
            engine: the opened network.
            checkpoint: its config names the alphabet.
            voices: gives a voice by its name.
        """
        self.engine, self.checkpoint = engine, checkpoint
        self._voices = voices
        self.vocab = checkpoint.config.get("vocab", SYMBOLS)

    def speak(
        self, text: Text, voice: style.VoiceLike = "af_heart", *, options: SpeakOptions | None = None, **changes: Any
    ) -> Speech:
        """Say a text.

        Args:
            text: a string, the ``Path`` of a text file, or fragments; markup or SSML (see ``markup``, ``ssml``).
            voice: name, blend like "af_bella(2)+af_sky(1)", voice file, array; see ``style.VoiceLike``.
            options: how it is spoken.
            **changes: fields of ``SpeakOptions`` by name: ``speak("Hi.", speed=1.2, seed=7)``.

        Raises:
            BadInput: text, voice or an option that can't be used; ``errors`` lists the kinds.
        """
        return _speech(list(self.chunks(text, voice, options=options, **changes)))

    def chunks(
        self, text: Text, voice: style.VoiceLike = "af_heart", *, options: SpeakOptions | None = None, **changes: Any
    ) -> Iterator[SpeechChunk]:
        """The chunks of what ``speak`` gives, each made when it is asked for; memory holds one."""
        options = (options or SpeakOptions()).changed(**changes)
        return self._chunks(text, self._cast(voice, options), options)

    def stream(
        self,
        text: Text,
        voice: style.VoiceLike = "af_heart",
        *,
        options: SpeakOptions | None = None,
        cancel: Flag | None = None,
        ahead: int = 2,
        **changes: Any,
    ) -> Iterator[SpeechChunk]:
        """Say a text chunk by chunk; the first is short, and the next ones are made while it plays.

        The chunks' sounds, one after the other, are the whole speech. Closing the iterator ends the work, at once for
        the caller. Errors are those of ``speak``.

        The first utterance comes in two chunks where the engine can begin it (``engines.synth_opening``): some words,
        nearly as ``speak`` says them, and the rest. Not so at another ``sample_rate``, in batches, or verified.

        Args:
            text: as in ``speak``; fragments may come slowly, each sentence is spoken as soon as it is certain.
            voice: as in ``speak``.
            options: how it is spoken.
            cancel: a flag that ends the stream when it is set, from any thread.
            ahead: chunks made in advance by a thread that also reads the text; 0 makes each when it is asked for.
            **changes: fields of ``SpeakOptions`` by name.
        """
        options = (options or SpeakOptions()).changed(**changes)
        eager = not isinstance(text, str | Path)
        cast = self._cast(voice, options)
        return ahead_of(self._chunks(text, cast, options, early=True, eager=eager), ahead, cancel)

    def speak_batch(
        self,
        texts: Sequence[str],
        voice: style.VoiceLike | Sequence[style.VoiceLike] = "af_heart",
        *,
        options: SpeakOptions | None = None,
        **changes: Any,
    ) -> list[Speech]:
        """Say several texts, chunks of different texts in one call of the network; each is what ``speak`` gives.

        Args:
            texts: the texts.
            voice: one for all, or a list of one for each.
            options: for all; ``batch_size`` is 8 where it isn't set.
            **changes: fields of ``SpeakOptions`` by name.
        """
        options = options or SpeakOptions(batch_size=8)
        options = options.changed(**changes)
        each: Any = voice
        voices = list(each) if isinstance(voice, list | tuple) else [each] * len(texts)
        if len(voices) != len(texts):
            raise BadInput(f"{len(texts)} texts and {len(voices)} voices; give one voice, or one for each text")
        casts = [self._cast(name, options) for name in voices]
        steps = (
            (number, step if isinstance(step, Pause) else cast.part(step))
            for number, (text, cast) in enumerate(zip(texts, casts, strict=True))
            for step in self._steps(text, cast, options)
        )
        seams = [Seam(options) for _ in texts]
        chunks: list[list[SpeechChunk]] = [[] for _ in texts]
        for number, step, take in self._spoken(steps, options):
            chunks[number].extend(self._finished(step, take, seams[number], options))
        return [_speech([*spoken, *_rest(seam, options)]) for spoken, seam in zip(chunks, seams, strict=True)]

    def plan(
        self, text: Text, voice: style.VoiceLike = "af_heart", *, options: SpeakOptions | None = None, **changes: Any
    ) -> Iterator[Utterance | Pause]:
        """What would be said: tokens and phonemes of every utterance, and the pauses between; nothing is spoken."""
        options = (options or SpeakOptions()).changed(**changes)
        return self._steps(text, self._cast(voice, options), options)

    def explain(
        self, text: Text, voice: style.VoiceLike = "af_heart", *, options: SpeakOptions | None = None, **changes: Any
    ) -> Iterator[Explained | Pause]:
        """How each word would be said, and by which rule; nothing is spoken."""
        options = (options or SpeakOptions()).changed(**changes)
        cast = self._cast(voice, options)
        lexicon = load_lexicon(options.lexicon) if options.lexicon is not None else None
        return explain(read(text, options, cast.language), cast.language, self._g2p(options), lexicon)

    def with_engine(self, engine: Synth) -> Speaker:
        """The same voices and alphabet over another network."""
        return Speaker(engine, self.checkpoint, self._voices)

    def voice(self, voice: style.VoiceLike) -> Voice:
        """The table of a voice, blends mixed; ``style.save_voice`` writes it to a file."""
        return style.resolve(voice, self._voices)

    def _chunks(
        self, text: Text, cast: Cast, options: SpeakOptions, early: bool = False, eager: bool = False
    ) -> Iterator[SpeechChunk]:
        """The flow itself."""
        steps = self._steps(text, cast, options, early, eager)
        parts = ((0, step if isinstance(step, Pause) else cast.part(step)) for step in steps)
        seam = Seam(options)
        if early and options.batch_size == 1 and options.verify is None and options.sample_rate in (None, KOKORO_RATE):
            yield from self._opened(parts, seam, options)
        for _, part, take in self._spoken(parts, options):
            yield from self._finished(part, take, seam, options)
        yield from _rest(seam, options)

    def _opened(
        self, parts: Iterator[tuple[int, Part | Pause]], seam: Seam, options: SpeakOptions
    ) -> Iterator[SpeechChunk]:
        """Up to the first utterance, which comes in two chunks if it can."""
        for _, part in parts:
            if isinstance(part, Pause):
                seam.pause(part.duration_s)
                continue
            begun = self.engine.begin(part.ids, part.style, part.speed, part.seed)
            if begun is None:
                yield _chunk(part, self._synthesize([part])[0], seam, options)
                return
            timed = _words(part.utterance, begun.frames)
            found = halves(part.utterance, begun.frames, timed, begun.share)
            if found is None:
                yield _chunk(part, (begun.rest(), begun.frames), seam, options)
                return
            first, second, cut = found
            opening = begun.opening(cut)
            heard = settled(first.words, opening, KOKORO_RATE)
            yield _half(part, replace(first, words=heard), opening, seam, options)
            rest = begun.rest()
            heard = settled(timed, np.concatenate([opening, rest]), KOKORO_RATE)[len(first.words) :]
            second = replace(second, words=shifted(heard, -len(opening) / KOKORO_RATE))
            yield _half(replace(part, warnings=()), second, rest, seam, options)
            return

    def _cast(self, voice: style.VoiceLike, options: SpeakOptions) -> Cast:
        return Cast(voice, options, self._voices, self.vocab)

    def _steps(
        self, text: Text, cast: Cast, options: SpeakOptions, early: bool = False, eager: bool = False
    ) -> Iterator[Utterance | Pause]:
        """Text to utterances."""
        if options.is_phonemes:
            return plan_phonemes(text, options, cast.language(Manner()))
        lexicon = load_lexicon(options.lexicon) if options.lexicon is not None else None
        passages = read(text, options, cast.language, early)
        return plan(passages, options, cast.language, self._g2p(options), lexicon, early, eager)

    def _g2p(self, options: SpeakOptions) -> Callable[[str], G2P]:
        """Converters by language code; Kokoro v1.1's Mandarin has symbols of its own."""

        def converter(code: str) -> G2P:
            if code == "z" and BOPOMOFO in self.vocab:
                found: G2P = importlib.import_module("sonant.text.g2p.mandarin").load(symbols="1.1")
                return found
            return load_g2p(code, fallback=options.fallback)

        return converter

    def _spoken(
        self, steps: Iterable[tuple[int, Part | Pause]], options: SpeakOptions
    ) -> Iterator[tuple[int, Part | Pause, Take | None]]:
        """Every step in order, those that are spoken with their take: ``batch_size`` of them in one call."""
        waiting: list[tuple[int, Part | Pause]] = []
        count = 0
        for step in steps:
            waiting.append(step)
            count += isinstance(step[1], Part)
            if count == options.batch_size:
                yield from self._taken(waiting)
                waiting, count = [], 0
        yield from self._taken(waiting)

    def _taken(self, steps: Sequence[tuple[int, Part | Pause]]) -> Iterator[tuple[int, Part | Pause, Take | None]]:
        takes = iter(self._synthesize([part for _, part in steps if isinstance(part, Part)]))
        for number, step in steps:
            yield number, step, next(takes) if isinstance(step, Part) else None

    def _synthesize(self, parts: Sequence[Part]) -> list[Take]:
        """One call of the network; its answer is checked, because all timing rests on it."""
        if not parts:
            return []
        takes = self.engine.synthesize(
            [part.ids for part in parts],
            np.stack([part.style for part in parts]),
            np.array([part.speed for part in parts], np.float32),
            [part.seed for part in parts],
        )
        for part, (_, frames) in zip(parts, takes, strict=True):
            assert len(frames) == len(part.ids) + 2, f"{len(frames)} durations for {len(part.ids)} symbols"
        return takes

    def _finished(
        self, step: Part | Pause, take: Take | None, seam: Seam, options: SpeakOptions
    ) -> Iterator[SpeechChunk]:
        """The chunk of a step, heard and spoken again where that is asked for."""
        if isinstance(step, Pause) or take is None:
            assert isinstance(step, Pause)
            seam.pause(step.duration_s)
            return
        if options.verify is None:
            yield _chunk(step, take, seam, options)
            return

        def again(utterances: Sequence[Utterance], seed: int) -> list[Take]:
            return self._synthesize([recast(step, utterance, seed) for utterance in utterances])

        for utterance, best, heard in checked(step.utterance, take, step.seed, options.verify, again):
            chunk = _chunk(replace(step, utterance=utterance, warnings=utterance.warnings), best, seam, options)
            yield replace(chunk, heard=heard, warnings=(*chunk.warnings, *_complaint(heard)))


def _complaint(heard: Heard) -> tuple[str, ...]:
    if heard.accepted:
        return ()
    return (
        f"heard as {heard.text[:80]!r}: {heard.error_rate:.0%} of the letters wrong, spoken {heard.attempts} times",
    )


def _chunk(part: Part, take: Take, seam: Seam, options: SpeakOptions) -> SpeechChunk:
    """A take as a chunk."""
    waveform, frames = take
    found = settled(_words(part.utterance, frames), waveform, KOKORO_RATE)
    return _half(part, Half(part.utterance, frames, found), waveform, seam, options)


def _half(part: Part, half: Half, waveform: NDArray[np.float32], seam: Seam, options: SpeakOptions) -> SpeechChunk:
    """A take or half of one: trimmed, eased, with its pause before it."""
    utterance, found = half.utterance, half.words
    first_s, last_s = (found[0].start_s, found[-1].end_s) if found else (0.0, len(waveform) / KOKORO_RATE)
    loud = waveform * np.float32(part.gain)
    samples, shift_s = trimmed(loud, first_s, last_s, seam.before_s, options.trim, half.whole)
    seam.spoken(utterance.ending, part.speed)
    audio = _at_rate(samples, options.sample_rate)
    return SpeechChunk(
        graphemes=utterance.graphemes,
        phonemes=utterance.phonemes,
        audio=audio,
        words=shifted(found, shift_s, audio.duration_s),
        frames=half.frames,
        span=utterance.span,
        voice=part.voice.name,
        warnings=part.warnings,
    )


def _words(utterance: Utterance, frames: NDArray[np.int64]) -> tuple[Word, ...]:
    """Words with times from the start of the utterance."""
    return words(utterance.tokens, frames, utterance.written, spaced=utterance.language not in "jz")


def _rest(seam: Seam, options: SpeakOptions) -> Iterator[SpeechChunk]:
    """Silence that the text asks for at its end, as a chunk of its own."""
    if seam.rest_s:
        yield SpeechChunk("", "", _at_rate(np.zeros(round(seam.rest_s * KOKORO_RATE), np.float32), options.sample_rate))


def _at_rate(samples: NDArray[np.float32], sample_rate: int | None) -> Audio:
    """Sound at the wanted rate; a chunk is padded so that its length is whole in both, and chunks don't drift."""
    if sample_rate is None or sample_rate == KOKORO_RATE:
        return Audio(samples, KOKORO_RATE)
    unit = KOKORO_RATE // math.gcd(KOKORO_RATE, sample_rate)
    padded = np.pad(samples, (0, -len(samples) % unit))
    return Audio(resample(padded, KOKORO_RATE, sample_rate), sample_rate)


def _speech(chunks: Sequence[SpeechChunk]) -> Speech:
    """Chunks as one sound; times count from its start."""
    rate = chunks[0].audio.sample_rate
    placed: list[Word] = []
    start = 0
    for chunk in chunks:
        placed.extend(shifted(chunk.words, start / rate))
        start += len(chunk.audio.samples)
    samples = np.concatenate([chunk.audio.samples for chunk in chunks])
    return Speech(Audio(samples, rate), tuple(placed), tuple(chunks), tuple(w for c in chunks for w in c.warnings))
