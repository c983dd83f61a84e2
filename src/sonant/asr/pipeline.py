"""Speech recognition, the flow on one screen: sound -> features -> encoder -> search -> segments.

Everything here is NumPy; the network is behind ``engines.base.Seq2Seq``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.asr.facts import alignment_heads, facts_of
from sonant.asr.language import LanguageGuess
from sonant.asr.live import LiveOptions, LiveUpdate, live
from sonant.asr.longform import Report
from sonant.asr.session import Session, Window, search_parts
from sonant.asr.source import open_sound
from sonant.decode.fallback import decode_with_fallback
from sonant.decode.options import TranscribeOptions
from sonant.decode.search import Search
from sonant.decode.speculative import PairedEngine, Speculation, SpeculativeSearch
from sonant.engines.base import Seq2Seq
from sonant.errors import BadInput
from sonant.records import Audio, Segment, Transcript
from sonant.weights.checkpoint import Checkpoint

__all__ = ["Progress", "Recognizer", "TranscribeOptions"]

Progress = Callable[[float, float], None]  # seconds heard, seconds in all
Sounding = str | Path | Audio | NDArray[Any]


class Recognizer:
    """A Whisper model that is ready to listen.

    Attributes:
        engine: the network.
        checkpoint: what it was opened from.
        facts: its sizes, and whether it knows languages and translation.
        speculation: how well the draft model guessed so far; all zero without one.
    """

    def __init__(
        self, engine: Seq2Seq, checkpoint: Checkpoint, draft: Seq2Seq | None = None, proposals: int = 5
    ) -> None:
        """Take an open engine; nothing is fetched or parsed here.

        Args:
            engine: the network.
            checkpoint: what it was opened from.
            draft: a smaller network with the same vocabulary (distil-whisper's for Whisper's) that proposes tokens; the
                text stays exactly the main one's.
            proposals: tokens that it proposes at a time.

        Raises:
            UnsupportedCheckpoint: the vocabulary is not one of Whisper's.
            BadInput: the draft doesn't fit the network.
        """
        self.engine = engine if draft is None else PairedEngine(engine, draft)
        self.checkpoint, self.facts = checkpoint, facts_of(engine, checkpoint)
        self.speculation, self._proposals = Speculation(), proposals

    def transcribe(
        self,
        audio: Sounding,
        options: TranscribeOptions | None = None,
        *,
        progress: Progress | None = None,
        **changes: Any,
    ) -> Transcript:
        """Write down a recording.

        Args:
            audio: a path ("-" is standard input), an ``Audio`` of any rate, or 16 kHz samples (N,) or (N, channels).
            options: how; None is the default.
            progress: called with seconds heard and seconds in all.
            **changes: options by name, over those of ``options``.

        Raises:
            UnreadableAudio: the sound can't be decoded, or there is none.
            BadInput: an option that can't be used, or one that this model can't do.
        """
        report = Report()
        with open_sound(audio, report.warn) as sound:
            session = self._session(self._options(options, changes), report)
            segments = tuple(self._listen(session, sound, progress))
            session.cover(segments)
            return Transcript(
                segments,
                language=report.language,
                duration_s=sound.duration_s,
                language_probability=report.language_probability,
                task=session.options.task,
                windows=tuple(sorted(report.windows, key=lambda window: window.start_s)),
                warnings=tuple(report.warnings),
            )

    def segments(
        self,
        audio: Sounding,
        options: TranscribeOptions | None = None,
        *,
        progress: Progress | None = None,
        **changes: Any,
    ) -> Iterator[Segment]:
        """The segments of a recording, in order of time, each as soon as it is decoded; arguments as ``transcribe``."""
        settled = self._options(options, changes)  # raises here, not at the first segment

        def listen() -> Iterator[Segment]:
            report = Report()
            with open_sound(audio, report.warn) as sound:
                yield from self._listen(self._session(settled, report), sound, progress)

        return listen()

    def detect_language(
        self, audio: Sounding, options: TranscribeOptions | None = None, **changes: Any
    ) -> LanguageGuess:
        """The language of a recording, with the probabilities of all.

        Options that matter: languages, language_detection_segments, language_detection_threshold, clip_timestamps.

        Raises:
            BadInput: an English-only model, which has no languages.
        """
        if not self.facts.multilingual:
            raise BadInput(f"{self.checkpoint.id} hears English only; language detection needs a multilingual model")
        report = Report()
        with open_sound(audio, report.warn) as sound:
            session = self._session(replace(self._options(options, changes), language=None), report)
            session.begin(sound)
            return session.detect(session.first_frame)

    def stream(
        self, blocks: Iterable[NDArray[np.float32]], options: LiveOptions | None = None, **changes: Any
    ) -> Iterator[LiveUpdate]:
        """Words of sound that is still arriving, an update for each block and one for the end.

        Args:
            blocks: (n,) float32 samples at 16 kHz, of any size.
            options: how; None is the default.
            **changes: options by name, over those of ``options``.

        Raises:
            UnreadableAudio: a sample is NaN or infinite.
            BadInput: an option that can't be used, or one that this model can't do.
        """
        return live(self, blocks, options, changes)

    def _listen(self, session: Session, sound: Any, progress: Progress | None) -> Iterator[Segment]:
        session.begin(sound)
        while windows := session.next_windows():
            self._hear(session, windows)
            yield from session.ready()
            if progress is not None:
                progress(session.heard_s, session.total_s)
        yield from session.ready()  # of tracks behind one that ended in silence
        if progress is not None:
            progress(session.total_s, session.total_s)

    def _hear(self, session: Session, windows: Sequence[Window]) -> None:
        """Encode and decode windows together. What the encoder made of them is gone before it hears the next."""
        features = np.stack([session.features(window.span) for window in windows])  # (B, n_mels, 3000)
        memory = self.engine.encode(features)
        requests = session.requests(windows, memory)
        outcomes = decode_with_fallback(session.search, memory, requests)
        for row, (window, outcome) in enumerate(zip(windows, outcomes, strict=True)):
            window.take(outcome, memory, row)

    def _session(self, options: TranscribeOptions, report: Report) -> Session:
        heads = alignment_heads(self.checkpoint, self.facts) if options.word_timestamps else []
        search = Search(self.engine, *search_parts(options, self.facts))
        if isinstance(self.engine, PairedEngine):
            search = SpeculativeSearch(
                self.engine, *search_parts(options, self.facts), proposals=self._proposals, count=self.speculation
            )
        return Session(search, self.facts, report, heads)

    def _options(self, options: TranscribeOptions | None, changes: dict[str, Any]) -> TranscribeOptions:
        """The options, checked against what this model can do."""
        options = (options or TranscribeOptions()).changed(**changes)
        facts, name = self.facts, self.checkpoint.id
        if options.task == "translate" and not facts.translates:
            raise BadInput(f"{name} was not trained to translate; use task='transcribe', or a multilingual model")
        if not facts.multilingual and options.language not in (None, "en"):
            raise BadInput(f"{name} hears English only, not {options.language!r}; use a multilingual model")
        if facts.multilingual:
            for code in (*options.languages, *([options.language] if options.language else [])):
                facts.tokenizer.language_token(code)  # raises where this model lacks it
        return options
