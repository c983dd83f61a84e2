"""The flow for CTC networks: audio -> windows -> log-probabilities -> search -> words -> segments.

Long audio is heard in windows with context on both sides (``frames``), several at a time; the kept frames join to the
log-probabilities of the whole file, so search and times know nothing of windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.asr.alignment import Normaliser, align_words, spell
from sonant.asr.frames import FrameWindow, FrameWindows
from sonant.audio import io
from sonant.decode.ctc import Hypothesis, beam, greedy
from sonant.decode.ctc_options import CtcOptions
from sonant.decode.ngram import read_arpa
from sonant.engines.base import Ctc
from sonant.errors import BadInput, UnreadableAudio
from sonant.records import Audio, Segment, Transcript, Window, Word
from sonant.text.vocab import CtcVocabulary, read_vocabulary
from sonant.weights.checkpoint import Checkpoint

__all__ = ["CtcOptions", "CtcRecognizer", "Features", "normalise"]

SAMPLE_RATE = 16_000
NORM_FLOOR = 1e-7  # added to the variance, as the family's feature extractor does
QUIET_PEAK = 1e-5  # peak under which a file counts as silent: -100 dBFS


@dataclass(frozen=True, slots=True)
class Features:
    """Hidden states of a recording.

    Attributes:
        values: (F, D) float32.
        rate_hz: frames a second, 50 in every published checkpoint.
        layers: the layers they are the mean of.
    """

    values: NDArray[np.float32]
    rate_hz: float
    layers: tuple[int, ...]

    def pooled(self) -> NDArray[np.float32]:
        """Mean over the frames, (D,)."""
        return self.values.mean(0)


def normalise(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit variance, as checkpoints with ``do_normalize`` were trained."""
    return ((samples - samples.mean()) / np.sqrt(samples.var() + NORM_FLOOR)).astype(np.float32)


class CtcRecognizer:
    """A recogniser of the wav2vec 2.0 family; safe to share between threads as far as its engine is."""

    def __init__(self, engine: Ctc, checkpoint: Checkpoint) -> None:
        """Hold an opened engine and its checkpoint; nothing is read until a language is needed."""
        self.engine, self.checkpoint = engine, checkpoint
        self.hop, self.field = engine.config.samples_per_frame, engine.config.receptive_field
        self.normalise = bool(checkpoint.config.get("do_normalize", True))
        self._vocabularies: dict[str | None, CtcVocabulary] = {}

    def vocabulary(self, language: str | None = None) -> CtcVocabulary:
        """Symbols of the head, for a language where the checkpoint has several.

        Raises:
            BadInput: the head and the vocabulary differ in size; says both.
        """
        if language not in self._vocabularies:
            blank = int(self.checkpoint.config.get("pad_token_id") or 0)
            found = read_vocabulary(self.checkpoint.folder / "vocab.json", blank=blank, language=language)
            size = self.engine.config.vocab_size
            if found.language is None and len(found.symbols) != size:
                raise BadInput(f"vocab.json has {len(found.symbols)} symbols but the CTC head has {size} outputs")
            self._vocabularies[language] = found
        return self._vocabularies[language]

    def transcribe(
        self,
        audio: str | Path | Audio | NDArray[np.float32],
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
        """
        options = (options or CtcOptions()).changed(**changes)
        vocabulary = self.vocabulary(options.language)
        heard = _Heard(progress)
        stretches = list(self.emissions(heard.watch(_blocks(audio)), options))
        log_probs = np.concatenate(stretches) if stretches else np.zeros((0, len(vocabulary.symbols)), np.float32)
        duration_s = heard.samples / SAMPLE_RATE
        if heard.peak < QUIET_PEAK or len(log_probs) == 0:
            reason = "the audio is silent" if heard.peak < QUIET_PEAK else "the audio is shorter than one frame"
            return Transcript(
                (),
                options.language,
                duration_s,
                windows=(Window(0.0, duration_s, "skipped", reason),),
                warnings=(reason,),
            )
        hypothesis = self._search(log_probs[:, : len(vocabulary.symbols)], vocabulary, options)
        words, characters = self.timed(hypothesis, vocabulary)
        segments = _segments(words, characters if options.characters else [], options)
        return Transcript(segments, options.language, duration_s, windows=(Window(0.0, duration_s, "accepted"),))

    def emissions(self, blocks: Iterable[NDArray[np.float32]], options: CtcOptions) -> Iterator[NDArray[np.float32]]:
        """Log-probabilities (F, V) of successive stretches; concatenated they are those of the whole file."""
        frames_per_s = SAMPLE_RATE / self.hop
        context = round(options.context_s * frames_per_s)
        cutter = FrameWindows(
            max(1, round(options.chunk_s * frames_per_s)), context, context, hop=self.hop, field=self.field
        )
        windows = cutter.cut(blocks)
        while batch := list(itertools.islice(windows, options.batch_size)):
            yield from self.hear(batch, options.language)

    def features(
        self,
        audio: str | Path | Audio | NDArray[np.float32],
        layers: int | Sequence[int] = -1,
        *,
        chunk_s: float = 16.0,
        context_s: float = 2.0,
    ) -> Features:
        """What the network makes of a recording before its head.

        Args:
            audio: as for ``transcribe``.
            layers: a transformer layer (0 is the input of the first, -1 the last), or several to average.
            chunk_s: seconds kept from each window of a long recording.
            context_s: seconds heard on each side of it.

        Raises:
            BadInput: no such layer.
        """
        depth = self.engine.config.num_hidden_layers + 1
        wanted = [layers] if isinstance(layers, int) else list(layers)
        chosen = [layer + depth if layer < 0 else layer for layer in wanted]
        rate_hz = SAMPLE_RATE / self.hop
        context = round(context_s * rate_hz)
        cutter = FrameWindows(max(1, round(chunk_s * rate_hz)), context, context, hop=self.hop, field=self.field)
        kept = []
        for window in cutter.cut(_blocks(audio)):
            samples = normalise(window.samples) if self.normalise else window.samples
            states, _ = self.engine.hidden_states(samples[None], np.array([len(samples)]), chosen)
            kept.append(states.mean(0)[0, window.skip : window.skip + window.keep])
        if not kept:
            raise UnreadableAudio(f"the audio is shorter than one frame of {self.field / SAMPLE_RATE * 1000:.0f} ms")
        return Features(np.concatenate(kept), rate_hz, tuple(chosen))

    def align(
        self,
        audio: str | Path | Audio | NDArray[np.float32],
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
        vocabulary = self.vocabulary(options.language)
        written = spell(text, vocabulary, normaliser)
        heard = _Heard(None)
        log_probs = np.concatenate(
            [np.zeros((0, len(vocabulary.symbols)), np.float32)]
            + [row[:, : len(vocabulary.symbols)] for row in self.emissions(heard.watch(_blocks(audio)), options)]
        )
        aligned = align_words(log_probs, written, vocabulary, self.hop / SAMPLE_RATE)
        segments, start = [], 0
        for line in text.splitlines(keepends=True):
            own = [word for word in aligned.words if word.span and start <= word.span[0] < start + len(line)]
            letters = [
                letter for letter in aligned.characters if letter.span and start <= letter.span[0] < start + len(line)
            ]
            start += len(line)
            if own:
                segments.append(
                    Segment(
                        own[0].start_s,
                        own[-1].end_s,
                        " " + line.strip(),
                        words=tuple(own),
                        language=options.language,
                        characters=tuple(letters),
                    )
                )
        duration_s = heard.samples / SAMPLE_RATE
        return Transcript(tuple(segments), options.language, duration_s, warnings=aligned.warnings)

    def hear(self, windows: Sequence[FrameWindow], language: str | None) -> list[NDArray[np.float32]]:
        """Log-probabilities of the kept frames of some windows, in one call of the network."""
        lengths = np.array([len(window.samples) for window in windows], np.int64)
        waveforms = np.zeros((len(windows), int(lengths.max())), np.float32)
        for row, window in enumerate(windows):
            waveforms[row, : lengths[row]] = normalise(window.samples) if self.normalise else window.samples
        languages = None if language is None else [language] * len(windows)
        log_probs, _frames = self.engine.log_probs(waveforms, lengths, languages)
        return [log_probs[row, window.skip : window.skip + window.keep] for row, window in enumerate(windows)]

    def timed(self, hypothesis: Hypothesis, vocabulary: CtcVocabulary) -> tuple[list[Word], list[Word]]:
        """Words and characters of a hypothesis, with seconds and confidences."""
        frame_s = self.hop / SAMPLE_RATE
        words: list[Word] = []
        characters: list[Word] = []
        pending: list[Word] = []

        def close() -> None:
            if pending:
                confidence = float(np.mean([letter.confidence for letter in pending]))
                text = "".join(letter.text for letter in pending)
                words.append(Word(text, pending[0].start_s, pending[-1].end_s, confidence))
                pending.clear()

        delimiter = vocabulary.ids.get(vocabulary.delimiter)
        for symbol, span in zip(hypothesis.ids, hypothesis.spans, strict=True):
            if symbol == delimiter:
                close()
            elif symbol not in vocabulary.silent:
                letter = Word(vocabulary.symbols[symbol], span.start * frame_s, span.end * frame_s, span.confidence)
                pending.append(letter)
                characters.append(letter)
        close()
        return words, characters

    def _search(self, log_probs: NDArray[np.float32], vocabulary: CtcVocabulary, options: CtcOptions) -> Hypothesis:
        """Greedy, or beam where a width, a language model or hotwords ask for it."""
        settings = options.search()
        if settings is None:
            return greedy(log_probs, vocabulary.blank)
        model = options.language_model
        if isinstance(model, str | Path):
            model = read_arpa(Path(model))
        return beam(log_probs, vocabulary, model, settings)[0]


class _Heard:
    """Counts what passes: samples and peak, for the report."""

    def __init__(self, progress: Callable[[float], None] | None) -> None:
        self.samples, self.peak, self.progress = 0, 0.0, progress

    def watch(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """The same blocks."""
        for block in blocks:
            self.samples += len(block)
            self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))
            if self.progress:
                self.progress(self.samples / SAMPLE_RATE)
            yield block


def _blocks(audio: str | Path | Audio | NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Blocks of 16 kHz samples of any source."""
    if isinstance(audio, str | Path):
        return io.stream(audio, SAMPLE_RATE)
    return iter([io.as_samples(audio, SAMPLE_RATE)])


def _segments(words: Sequence[Word], characters: Sequence[Word], options: CtcOptions) -> tuple[Segment, ...]:
    """Words grouped at pauses and at the longest allowed length."""
    groups: list[list[Word]] = []
    for word in words:
        group = groups[-1] if groups else []
        if (
            not group
            or word.start_s - group[-1].end_s >= options.pause_s
            or word.end_s - group[0].start_s > options.max_segment_s
        ):
            groups.append([word])
        else:
            group.append(word)
    return tuple(
        Segment(
            group[0].start_s,
            group[-1].end_s,
            " " + " ".join(word.text for word in group),
            words=tuple(group),
            avg_logprob=float(np.mean([np.log(max(word.confidence or 0.0, 1e-10)) for word in group])),
            language=options.language,
            characters=tuple(letter for letter in characters if group[0].start_s <= letter.start_s < group[-1].end_s),
        )
        for group in groups
    )
