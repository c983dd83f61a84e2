"""``whisper.decoding``: one 30 s window at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sonant.asr.language import hear_languages
from sonant.decode.options import TranscribeOptions
from sonant.decode.rules import rules_of
from sonant.decode.search import Request, Search
from sonant.errors import BadInput

if TYPE_CHECKING:
    from sonant.compat.whisper import Whisper

__all__ = ["DecodingOptions", "DecodingResult", "decode", "detect_language"]


@dataclass(frozen=True)
class DecodingOptions:
    """The original's options, with its defaults; ``fp16`` has no effect."""

    task: str = "transcribe"
    language: str | None = None
    temperature: float = 0.0
    sample_len: int | None = None
    best_of: int | None = None
    beam_size: int | None = None
    patience: float | None = None
    length_penalty: float | None = None
    prompt: str | list[int] | None = None
    prefix: str | list[int] | None = None
    suppress_tokens: str | Iterable[int] | None = "-1"
    suppress_blank: bool = True
    without_timestamps: bool = False
    max_initial_timestamp: float | None = 1.0
    fp16: bool = True


@dataclass(frozen=True)
class DecodingResult:
    """What a window says, under the original's names; ``audio_features`` is ours to keep and stays None."""

    language: str
    language_probs: dict[str, float] | None = None
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    avg_logprob: float = float("nan")
    no_speech_prob: float = float("nan")
    temperature: float = float("nan")
    compression_ratio: float = float("nan")
    audio_features: None = None


def detect_language(model: Whisper, mel: NDArray[np.float32], tokenizer: Any = None) -> tuple[Any, Any]:  # noqa: ARG001
    """Token and probabilities of the language of a window (n_mels, 3000), or lists of them for a batch.

    Raises:
        ValueError: the model has no languages (as the original).
    """
    if not model.is_multilingual:
        raise BadInput("This model doesn't have language tokens so it can't perform lang id")
    windows = np.asarray(mel, np.float32)
    single = windows.ndim == 2
    memory = model.recognizer.engine.encode(windows[None] if single else windows)
    known = model.recognizer.facts.tokenizer
    chances = hear_languages(model.recognizer.engine, memory, known)
    tokens = np.array([known.language_token(max(row, key=row.__getitem__)) for row in chances])
    return (tokens[0], chances[0]) if single else (tokens, chances)


def decode(
    model: Whisper, mel: NDArray[np.float32], options: DecodingOptions | None = None, **changes: Any
) -> DecodingResult | list[DecodingResult]:
    """Decode a window (n_mels, 3000), or a batch (B, n_mels, 3000) of them, once: no retries.

    Args:
        model: an open model.
        mel: features, 30 s each.
        options: see ``DecodingOptions``.
        **changes: fields of it.
    """
    given = replace(options or DecodingOptions(), **changes)
    windows = np.asarray(mel, np.float32)
    single = windows.ndim == 2
    windows = windows[None] if single else windows
    engine, facts = model.recognizer.engine, model.recognizer.facts
    memory = engine.encode(windows)
    codes: list[str] = [given.language or "en"] * len(windows)
    probabilities: list[dict[str, float] | None] = [None] * len(windows)
    if facts.multilingual and (given.language is None or given.task == "lang_id"):
        heard = hear_languages(engine, memory, facts.tokenizer)
        probabilities = list(heard)
        codes = [max(row, key=row.__getitem__) for row in heard]
    if given.task == "lang_id":
        found = [DecodingResult(code, chances) for code, chances in zip(codes, probabilities, strict=True)]
        return found[0] if single else found
    settings = _settings(given)
    search = Search(engine, facts.tokenizer, settings, rules_of(settings, facts.tokenizer), facts.context)
    requests = [Request(row, _prompt(given, model, code), code) for row, code in enumerate(codes)]
    found = [
        DecodingResult(
            language=code,
            language_probs=chances,
            tokens=list(hypothesis.tokens),
            text=hypothesis.text,
            avg_logprob=hypothesis.avg_logprob,
            no_speech_prob=hypothesis.no_speech_prob,
            temperature=given.temperature,
            compression_ratio=hypothesis.compression_ratio,
        )
        for code, chances, hypothesis in zip(
            codes, probabilities, search.decode(memory, requests, given.temperature), strict=True
        )
    ]
    return found[0] if single else found


def _settings(given: DecodingOptions) -> TranscribeOptions:
    """Our record of the original's options."""
    return TranscribeOptions(
        task="translate" if given.task == "translate" else "transcribe",
        temperature=given.temperature,
        beam_size=given.beam_size,
        best_of=given.best_of,
        patience=given.patience,
        length_penalty=given.length_penalty,
        max_new_tokens=given.sample_len,
        suppress_tokens=() if given.suppress_tokens is None else given.suppress_tokens,  # type: ignore[arg-type]
        suppress_blank=given.suppress_blank,
        without_timestamps=given.without_timestamps,
        max_initial_timestamp=given.max_initial_timestamp,
    )


def _prompt(given: DecodingOptions, model: Whisper, language: str) -> tuple[int, ...]:
    """Context, start tokens and prefix, cut to what the decoder holds as the original cuts them."""
    facts = model.recognizer.facts
    tokenizer = facts.tokenizer
    tokens = tokenizer.start(language, given.task, not given.without_timestamps)
    if given.prefix is not None:
        prefix = tokenizer.encode(" " + given.prefix.strip()) if isinstance(given.prefix, str) else list(given.prefix)
        if given.sample_len is not None:
            prefix = prefix[-(facts.context // 2 - given.sample_len) :]
        tokens += tuple(prefix)
    if given.prompt is not None:
        prompt = tokenizer.encode(" " + given.prompt.strip()) if isinstance(given.prompt, str) else list(given.prompt)
        tokens = (tokenizer.sot_prev, *prompt[-(facts.context // 2 - 1) :], *tokens)
    return tokens
