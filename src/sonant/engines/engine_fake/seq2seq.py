"""A recogniser without weights: it hears what it was told to hear. For tests of everything around the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.engines import seq2seq_checks as checks
from sonant.engines.base import EngineOptions
from sonant.models.whisper.config import FIRST_MULTILINGUAL_VOCAB, WhisperConfig
from sonant.weights.checkpoint import Checkpoint

__all__ = ["FakeMemory", "FakeSeq2Seq", "open"]

HELLO_WORLD = {True: (2425, 1002, 13), False: (18435, 995, 13)}  # " Hello world." in the multilingual and English BPE
ENGLISH_END = 50256  # <|endoftext|> of the English vocabulary; the multilingual has one token more
TWO_SECONDS = 100  # timestamp tokens, 20 ms each
FIRM, FAINT = 20.0, 10.0  # logits of the token that is meant, and of the second choice; all others are 0
SILENT_RANGE = 1e-3  # features that vary less than this hold no sound


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The special tokens of a Whisper vocabulary, told by its size (openai-whisper, ``tokenizer.py``)."""

    end: int
    languages: int

    @classmethod
    def of(cls, config: WhisperConfig) -> Vocabulary:
        """Those of a checkpoint."""
        return cls(ENGLISH_END + (config.vocab_size >= FIRST_MULTILINGUAL_VOCAB), max(config.languages, 99))

    @property
    def start(self) -> int:
        """<|startoftranscript|>."""
        return self.end + 1

    @property
    def no_timestamps(self) -> int:
        """<|notimestamps|>: after start, languages, translate, transcribe, startoflm, startofprev and nospeech."""
        return self.start + self.languages + 6

    @property
    def no_speech(self) -> int:
        """<|nospeech|>."""
        return self.no_timestamps - 1

    @property
    def hello_world(self) -> tuple[int, ...]:
        """<|0.00|> Hello world.<|2.00|>."""
        zero = self.no_timestamps + 1
        return (zero, *HELLO_WORLD[self.end > ENGLISH_END], zero + TWO_SECONDS)


class FakeMemory:
    """The ``Memory`` protocol: the script of each window, and the tokens of each row."""

    def __init__(self, scripts: list[tuple[int, ...]], beams: int = 1) -> None:
        self.scripts, self.beams = scripts, beams
        self.tokens = np.empty((len(scripts) * beams, 0), np.int64)

    @property
    def windows(self) -> int:
        """How many windows it heard."""
        return len(self.scripts)

    @property
    def length(self) -> int:
        """Tokens decoded so far."""
        return self.tokens.shape[1]


class FakeSeq2Seq:
    """The ``Seq2Seq`` protocol with canned logits.

    After the last special token of the prompt a row is led through its window's script, then to <|endoftext|>; after
    <|startoftranscript|> alone it is led to the first language (English). Silent windows have an empty script.

    Args:
        scripts: tokens of the first window heard, the second, ...; they are repeated when they are used up. By default
            all windows say "Hello world." from 0 to 2 s.
        config: sizes; those of Whisper base by default.
    """

    def __init__(self, scripts: Sequence[Sequence[int]] | None = None, config: WhisperConfig | None = None) -> None:
        self.config = config or WhisperConfig(512, 6, 6, 8, 8, 2048, 2048, 80, FIRST_MULTILINGUAL_VOCAB)
        self.vocabulary = Vocabulary.of(self.config)
        self.scripts = [tuple(script) for script in scripts or [self.vocabulary.hello_world]]
        self.description = "fake, canned logits"
        self.heard = 0

    def encode(self, features: NDArray[np.float32]) -> FakeMemory:
        """See ``engines.base.Seq2Seq``."""
        checks.features(features, self.config)
        scripts = []
        for window in features:
            scripts.append(self.scripts[self.heard % len(self.scripts)] if np.ptp(window) > SILENT_RANGE else ())
            self.heard += 1
        return FakeMemory(scripts)

    def fork(self, memory: FakeMemory, windows: Sequence[int], beams: int = 1) -> FakeMemory:
        """See ``engines.base.Seq2Seq``."""
        checks.fork(memory, windows, beams)
        return FakeMemory([memory.scripts[window] for window in windows], beams)

    def step(self, memory: FakeMemory, tokens: NDArray[np.int64], every: bool = False) -> NDArray[np.float32]:
        """See ``engines.base.Seq2Seq``."""
        checks.step(memory, tokens, self.config)
        before = memory.length
        memory.tokens = np.concatenate([memory.tokens, tokens], 1)
        places = range(before, memory.length) if every else range(memory.length - 1, memory.length)
        logits = np.stack(
            [
                [self._logits(row[: place + 1], memory.scripts[index // memory.beams]) for place in places]
                for index, row in enumerate(memory.tokens.tolist())
            ]
        )
        return logits if every else logits[:, 0]

    def reorder(self, memory: FakeMemory, rows: NDArray[np.int64]) -> None:
        """See ``engines.base.Seq2Seq``."""
        checks.reorder(memory, rows)
        memory.tokens = memory.tokens[rows]

    def rewind(self, memory: FakeMemory, length: int) -> None:
        """See ``engines.base.Seq2Seq``."""
        checks.rewind(memory, length)
        memory.tokens = memory.tokens[:, :length]

    def align(
        self, memory: FakeMemory, window: int, tokens: NDArray[np.int64], heads: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See ``engines.base.Seq2Seq``; token i of L is heard at i / L of the window."""
        checks.align(memory, window, tokens, heads, self.config)
        count, frames = len(tokens), self.config.max_source_positions
        centers = (np.arange(count)[:, None] + 0.5) * frames / count
        path = -(((np.arange(frames)[None] - centers) * count / frames) ** 2)
        logits = self.step(self.fork(memory, [window]), tokens[None], every=True)[0]
        return np.broadcast_to(path.astype(np.float32), (len(heads), count, frames)).copy(), logits

    def _logits(self, row: list[int], script: tuple[int, ...]) -> NDArray[np.float32]:
        """Logits after these tokens."""
        words, logits = self.vocabulary, np.zeros(self.config.vocab_size, np.float32)
        specials = [place for place, token in enumerate(row) if words.start <= token <= words.no_timestamps]
        if specials and row[specials[-1]] == words.start and words.languages and self.config.multilingual:
            logits[words.start + 1] = FIRM  # the first language
            logits[words.no_speech] = FAINT if script else FIRM + FAINT
            return logits
        said = len(row) - 1 - (specials[-1] if specials else -1)
        plain = words.no_timestamps in row
        left = [token for token in script if not plain or token <= words.no_timestamps][said:]
        logits[left[0] if left else words.end] = FIRM
        logits[left[1] if len(left) > 1 else words.end] += FAINT
        if not script:
            logits[words.no_speech] = FIRM + FAINT
        return logits


def open(checkpoint: Checkpoint, options: EngineOptions) -> FakeSeq2Seq:  # noqa: A001, ARG001  the name and signature of all
    """A fake of this checkpoint's sizes; its config may hold ``fake_scripts``, a list of token lists."""
    sizes = WhisperConfig.from_hf(checkpoint.config) if "d_model" in checkpoint.config else None
    return FakeSeq2Seq(checkpoint.config.get("fake_scripts"), sizes)
