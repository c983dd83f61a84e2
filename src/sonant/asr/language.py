"""Which language is spoken: the probabilities of the language tokens after the start token.

Sources: openai-whisper ``decoding.py`` (``detect_language``), faster-whisper ``transcribe.py`` (several windows).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonant.decode.search import log_softmax
from sonant.engines.base import Memory, Seq2Seq
from sonant.text.bpe import WhisperTokenizer

__all__ = ["LanguageGuess", "detect", "hear_languages"]


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """The language that was heard.

    Attributes:
        language: its code.
        probability: of it, in [0, 1], in the window that decided.
        probabilities: of every allowed language, likeliest first; the mean over the windows that were heard.
        windows: how many windows were heard.
    """

    language: str
    probability: float
    probabilities: dict[str, float]
    windows: int = 1


def hear_languages(
    engine: Seq2Seq,
    memory: Memory,
    tokenizer: WhisperTokenizer,
    allowed: Sequence[str] = (),
    windows: Sequence[int] | None = None,
) -> list[dict[str, float]]:
    """Probabilities of the languages, over the allowed ones or all, for these windows of a memory or all.

    Raises:
        UnknownName: an allowed language that the model doesn't have.
    """
    codes = list(allowed) or list(tokenizer.languages)
    ids = [tokenizer.language_token(code) for code in codes]
    windows = range(memory.windows) if windows is None else windows
    logits = engine.step(engine.fork(memory, windows), np.full((len(windows), 1), tokenizer.sot, np.int64))
    chances = np.exp(log_softmax(logits[:, ids]))
    return [dict(zip(codes, row.tolist(), strict=True)) for row in chances]


def detect(windows: Sequence[Callable[[], dict[str, float]]], threshold: float | None) -> LanguageGuess:
    """Hear window after window until one is sure.

    Args:
        windows: each gives the probabilities of one window when it is called.
        threshold: a window whose best probability is above it decides alone; else, or where it is None and there are
            several, the language that most windows chose is taken, with its highest probability.
    """
    heard: list[dict[str, float]] = []
    for listen in windows:
        heard.append(listen())
        best, probability = _likeliest(heard[-1])
        if len(windows) == 1 or (threshold is not None and probability > threshold):
            return LanguageGuess(best, probability, _mean(heard), len(heard))
    choices = [_likeliest(chances) for chances in heard]
    winner = Counter(code for code, _ in choices).most_common(1)[0][0]
    return LanguageGuess(
        winner, max(probability for code, probability in choices if code == winner), _mean(heard), len(heard)
    )


def _likeliest(chances: dict[str, float]) -> tuple[str, float]:
    code = max(chances, key=chances.__getitem__)
    return code, chances[code]


def _mean(heard: list[dict[str, float]]) -> dict[str, float]:
    mean: dict[str, Any] = {code: float(np.mean([chances[code] for chances in heard])) for code in heard[0]}
    return dict(sorted(mean.items(), key=lambda item: -item[1]))
