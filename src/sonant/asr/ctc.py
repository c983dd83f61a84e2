"""The flow for CTC networks: audio -> windows -> log-probabilities -> search -> words -> segments.

Long audio is heard in windows with context on both sides (``frames``), several at a time; the kept frames join to the
log-probabilities of the whole file, so search and times know nothing of windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.asr import ctc_features
from sonant.asr.alignment import Normaliser, align_words, spell
from sonant.asr.ctc_adapters import Adapters, Spoken
from sonant.asr.ctc_features import Features, Units
from sonant.asr.ctc_sound import SAMPLE_RATE, Heard, Sounding, blocks_of, cutter, normalise, wants_normalised
from sonant.asr.ctc_words import segments_of, words_of
from sonant.asr.frames import FrameWindow
from sonant.asr.identify import LanguageIdentifier
from sonant.asr.language import LanguageGuess
from sonant.decode.ctc import Hypothesis, beam, greedy
from sonant.decode.ctc_options import CtcOptions
from sonant.decode.ngram import read_arpa
from sonant.engines.base import Ctc
from sonant.records import Segment, Transcript, Window, Word
from sonant.text.vocab import CtcVocabulary
from sonant.weights.checkpoint import Checkpoint

__all__ = ["CtcOptions", "CtcRecognizer", "Features", "Units", "normalise"]

QUIET_PEAK = 1e-5  # peak under which a file counts as silent: -100 dBFS
POOL = 4  # batches that windows are sorted by length in: a batch of equal lengths has no padding


class _Job:
    """A recording on its way: windows that were drawn and not yet heard, and what was heard."""

    def __init__(self, recognizer: CtcRecognizer, audio: Sounding, options: CtcOptions, heard: Heard) -> None:
        self.spoken = recognizer.adapters.settle(audio, options.language)
        self.vocabulary = recognizer.adapters.vocabulary(self.spoken.adapter)
        for word in options.hotwords:
            self.vocabulary.encode(word)  # one that can't be spelled would never be heard
        self.heard, self.stretches = heard, list[NDArray[np.float32] | None]()
        cut = cutter(recognizer.engine, options.chunk_s, options.context_s)
        self.windows = cut.cut(heard.watch(blocks_of(self.spoken.audio)))
        self.drawn = False

    def draw(self) -> tuple[_Job, int, FrameWindow] | None:
        """The next window with its place; None after the last."""
        window = next(self.windows, None)
        if window is None:
            self.drawn = True
            return None
        self.stretches.append(None)
        return self, len(self.stretches) - 1, window

    @property
    def done(self) -> bool:
        """Whether all of it was heard."""
        return self.drawn and all(stretch is not None for stretch in self.stretches)


class CtcRecognizer:
    """A recogniser of the wav2vec 2.0 family; safe to share between threads as far as its engine is.

    Attributes:
        engine: the network.
        checkpoint: what it was opened from.
        adapters: its languages, where it has several.
    """

    def __init__(
        self, engine: Ctc, checkpoint: Checkpoint, identifier: Callable[[], LanguageIdentifier] | None = None
    ) -> None:
        """Hold an opened engine and its checkpoint; nothing is read until a language is needed.

        Args:
            engine: the network.
            checkpoint: what it was opened from.
            identifier: opens what identifies the language, when ``language="auto"`` first asks for it.
        """
        self.engine, self.checkpoint = engine, checkpoint
        self.hop, self.field = engine.config.samples_per_frame, engine.config.receptive_field
        self.normalise = wants_normalised(checkpoint)
        self.adapters = Adapters(engine, checkpoint, self.hear, identifier)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the adapters; () where the checkpoint has one language."""
        return self.adapters.codes

    def vocabulary(self, language: str | None = None) -> CtcVocabulary:
        """Symbols of the head, for a language where the checkpoint has several.

        Raises:
            BadInput: the head and the vocabulary differ in size; says both.
        """
        return self.adapters.vocabulary(self.adapters.code(language))

    def detect_language(self, audio: Sounding) -> LanguageGuess:
        """The language of a recording; needs an identifier.

        Raises:
            BadInput: the recogniser was opened without one.
        """
        return self.adapters.detect(audio)

    def transcribe(
        self,
        audio: Sounding,
        options: CtcOptions | None = None,
        progress: Callable[[float], None] | None = None,
        **changes: Any,
    ) -> Transcript:
        """Write down one recording.

        Args:
            audio: a file, an ``Audio`` of any rate, or (N,) float32 samples at 16 kHz.
            options: see ``CtcOptions``; ``changes`` override single fields.
            progress: called with the seconds heard so far.
            **changes: fields of ``CtcOptions``.

        Raises:
            UnreadableAudio: the file holds no sound.
            UnknownName: the checkpoint has no such language.
            BadInput: a hotword has a letter that the vocabulary lacks; an option of Whisper alone.
        """
        (found,) = self.transcribe_many([audio], options, progress=progress, **changes)
        return found

    def transcribe_many(
        self,
        audios: Iterable[Sounding],
        options: CtcOptions | None = None,
        *,
        languages: Iterable[str | None] | None = None,
        progress: Callable[[float], None] | None = None,
        **changes: Any,
    ) -> Iterator[Transcript]:
        """Write down recordings together: windows of several share a batch, those of like length first.

        Args:
            audios: recordings, drawn one after the other.
            options: see ``CtcOptions``.
            languages: of each recording, in place of the one in the options; a batch may mix them.
            progress: called with the seconds of a recording heard so far.
            **changes: fields of ``CtcOptions``.

        Yields:
            A transcript for each recording, in order; what it says does not depend on the others.
        """
        options = (options or CtcOptions()).changed(**changes)
        each = ((audio, options.language) for audio in audios)
        pairs = each if languages is None else zip(audios, languages, strict=True)
        jobs: list[_Job] = []
        pool: list[tuple[_Job, int, FrameWindow]] = []
        for audio, language in pairs:
            job = _Job(self, audio, replace(options, language=language), Heard(progress))
            jobs.append(job)
            while (item := job.draw()) is not None:
                pool.append(item)
                if len(pool) == POOL * options.batch_size:
                    self._hear_pool(pool, options.batch_size)
            while jobs and jobs[0].done:
                yield self._written(jobs.pop(0), options)
        self._hear_pool(pool, options.batch_size)
        for job in jobs:
            yield self._written(job, options)

    def emissions(self, blocks: Iterable[NDArray[np.float32]], options: CtcOptions) -> Iterator[NDArray[np.float32]]:
        """Log-probabilities (F, V) of successive stretches; concatenated they are those of the whole file."""
        code = self.adapters.code(options.language)
        windows = cutter(self.engine, options.chunk_s, options.context_s).cut(blocks)
        while batch := list(itertools.islice(windows, options.batch_size)):
            yield from self.hear(batch, [code] * len(batch))

    def features(
        self, audio: Sounding, layers: int | Sequence[int] = -1, *, chunk_s: float = 16.0, context_s: float = 2.0
    ) -> Features:
        """What the network makes of a recording before its head.

        Args:
            audio: as for ``transcribe``.
            layers: a transformer layer (0 is the input of the first, -1 the last), or several to average.
            chunk_s: seconds kept from each window of a long recording.
            context_s: seconds heard on each side of it.

        Raises:
            BadInput: no such layer.
            UnreadableAudio: the audio is shorter than one frame.
        """
        windows = cutter(self.engine, chunk_s, context_s).cut(blocks_of(audio))
        return ctc_features.features(self.engine, self.normalise, windows, layers)

    def units(self, audio: Sounding, *, chunk_s: float = 16.0, context_s: float = 2.0) -> Units:
        """Discrete units of a recording, with a pretraining checkpoint; arguments as ``features``.

        Raises:
            BadInput: the checkpoint has no quantiser.
            UnreadableAudio: the audio is shorter than one frame.
        """
        windows = cutter(self.engine, chunk_s, context_s).cut(blocks_of(audio))
        return ctc_features.units(self.engine, self.normalise, windows)

    def align(
        self,
        audio: Sounding,
        text: str,
        options: CtcOptions | None = None,
        normaliser: Normaliser | None = None,
        **changes: Any,
    ) -> Transcript:
        """Word and character times of a text that is known; numbers and symbols get times too.

        Args:
            audio: as for ``transcribe``.
            text: what is said; each line becomes a segment.
            options: see ``CtcOptions``.
            normaliser: writes numbers and symbols out (see ``sonant.text.normalize``); None leaves them as they are.
            **changes: fields of ``CtcOptions``.

        Raises:
            UnspeakableText: the text has no letter.
            BadInput: the audio is too short for the text.
        """
        options = (options or CtcOptions()).changed(**changes)
        spoken = self.adapters.settle(audio, options.language)
        vocabulary = self.adapters.vocabulary(spoken.adapter)
        written = spell(text, vocabulary, normaliser)
        heard = Heard()
        stretches = self.emissions(heard.watch(blocks_of(spoken.audio)), replace(options, language=spoken.adapter))
        log_probs = _joined([row[:, : len(vocabulary.symbols)] for row in stretches], len(vocabulary.symbols))
        aligned = align_words(log_probs, written, vocabulary, self.hop / SAMPLE_RATE)
        segments = _by_line(text, aligned.words, aligned.characters, spoken)
        return Transcript(segments, spoken.label, heard.duration_s, warnings=(*spoken.warnings, *aligned.warnings))

    def hear(self, windows: Sequence[FrameWindow], adapters: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """Log-probabilities of the kept frames of some windows, in one call of the network.

        Args:
            windows: what to hear.
            adapters: code of each window's adapter, or None for all of them.
        """
        lengths = np.array([len(window.samples) for window in windows], np.int64)
        waveforms = np.zeros((len(windows), int(lengths.max())), np.float32)
        for row, window in enumerate(windows):
            waveforms[row, : lengths[row]] = normalise(window.samples) if self.normalise else window.samples
        named = [code for code in adapters if code is not None]
        log_probs, _frames = self.engine.log_probs(waveforms, lengths, named or None)
        return [log_probs[row, window.skip : window.skip + window.keep] for row, window in enumerate(windows)]

    def timed(self, hypothesis: Hypothesis, vocabulary: CtcVocabulary) -> tuple[list[Word], list[Word]]:
        """Words and characters of a hypothesis, with seconds and confidences."""
        return words_of(hypothesis, vocabulary, self.hop / SAMPLE_RATE)

    def _hear_pool(self, pool: list[tuple[_Job, int, FrameWindow]], batch_size: int) -> None:
        """Hear the windows that wait, longest first, and empty the pool."""
        pool.sort(key=lambda item: -len(item[2].samples))
        for start in range(0, len(pool), batch_size):
            batch = pool[start : start + batch_size]
            adapters = [job.spoken.adapter for job, _, _ in batch]
            for (job, place, _), log_probs in zip(batch, self.hear([w for _, _, w in batch], adapters), strict=True):
                job.stretches[place] = log_probs[:, : len(job.vocabulary.symbols)]
        pool.clear()

    def _written(self, job: _Job, options: CtcOptions) -> Transcript:
        """The transcript of a recording that was heard."""
        log_probs = _joined([row for row in job.stretches if row is not None], len(job.vocabulary.symbols))
        spoken, duration_s = job.spoken, job.heard.duration_s
        if job.heard.peak < QUIET_PEAK or len(log_probs) == 0:
            reason = "the audio is silent" if job.heard.peak < QUIET_PEAK else "the audio is shorter than one frame"
            window = Window(0.0, duration_s, "skipped", reason)
            warnings = (*spoken.warnings, reason)
            return Transcript((), spoken.label, duration_s, spoken.probability, windows=(window,), warnings=warnings)
        words, characters = self.timed(self._search(log_probs, job.vocabulary, options), job.vocabulary)
        segments = segments_of(words, characters if options.characters else [], options, spoken.label)
        window = Window(0.0, duration_s, "accepted")
        return Transcript(
            segments, spoken.label, duration_s, spoken.probability, windows=(window,), warnings=spoken.warnings
        )

    def _search(self, log_probs: NDArray[np.float32], vocabulary: CtcVocabulary, options: CtcOptions) -> Hypothesis:
        """Greedy, or beam where a width, a language model or hotwords ask for it."""
        settings = options.search()
        if settings is None:
            return greedy(log_probs, vocabulary.blank)
        model = options.language_model
        if isinstance(model, str | Path):
            model = read_arpa(Path(model))
        return beam(log_probs, vocabulary, model, settings)[0]


def _joined(stretches: Sequence[NDArray[np.float32]], symbols: int) -> NDArray[np.float32]:
    return np.concatenate([np.zeros((0, symbols), np.float32), *stretches])


def _by_line(text: str, words: Sequence[Word], characters: Sequence[Word], spoken: Spoken) -> tuple[Segment, ...]:
    """A segment for each line of the text that has words."""
    segments, start = [], 0
    for line in text.splitlines(keepends=True):
        inside = range(start, start + len(line))
        own = tuple(word for word in words if word.span and word.span[0] in inside)
        letters = tuple(letter for letter in characters if letter.span and letter.span[0] in inside)
        start += len(line)
        if own:
            segments.append(
                Segment(
                    own[0].start_s,
                    own[-1].end_s,
                    " " + line.strip(),
                    words=own,
                    language=spoken.label,
                    characters=letters,
                )
            )
    return tuple(segments)
