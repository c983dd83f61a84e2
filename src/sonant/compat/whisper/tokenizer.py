"""``whisper.tokenizer``: the original's names over our tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sonant.text.bpe import WhisperTokenizer
from sonant.text.bpe import tokenizer as made
from sonant.text.whisper_languages import LANGUAGES, code_of

__all__ = ["LANGUAGES", "TO_LANGUAGE_CODE", "Tokenizer", "get_tokenizer"]

TO_LANGUAGE_CODE = {name: code for code, name in LANGUAGES.items()}


class Tokenizer:
    """A tokenizer with a language and task of its own."""

    def __init__(self, inner: WhisperTokenizer, language: str | None, task: str | None) -> None:
        """Hold ours."""
        self.inner, self.language, self.task = inner, language, task
        self.eot, self.sot, self.sot_lm, self.sot_prev = inner.eot, inner.sot, inner.sot_lm, inner.sot_prev
        self.translate, self.transcribe = inner.translate, inner.transcribe
        self.no_speech, self.no_timestamps = inner.no_speech, inner.no_timestamps
        self.timestamp_begin = inner.timestamp_begin

    def encode(self, text: str, **_: Any) -> list[int]:
        """Ids of a text."""
        return self.inner.encode(text)

    def decode(self, token_ids: Sequence[int], **_: Any) -> str:
        """Text of ids, times left out."""
        return self.inner.decode(token_ids)

    def decode_with_timestamps(self, token_ids: Sequence[int], **_: Any) -> str:
        """Text of ids, times written as "<|1.08|>"."""
        return self.inner.decode_with_timestamps(token_ids)

    @property
    def sot_sequence(self) -> tuple[int, ...]:
        """Tokens that open a transcript."""
        return self.inner.start(self.language, self.task or "transcribe")

    @property
    def sot_sequence_including_notimestamps(self) -> tuple[int, ...]:
        """The same, without times to follow."""
        return self.inner.start(self.language, self.task or "transcribe", timestamps=False)

    @property
    def all_language_tokens(self) -> tuple[int, ...]:
        """Ids of all languages."""
        return self.inner.language_tokens

    @property
    def all_language_codes(self) -> tuple[str, ...]:
        """Codes of all languages."""
        return self.inner.languages

    @property
    def language_token(self) -> int:
        """Id of the tokenizer's language."""
        return self.to_language_token(self.language)

    def to_language_token(self, language: str | None) -> int:
        """Id of a language."""
        return self.inner.language_token(language or "")

    @property
    def non_speech_tokens(self) -> tuple[int, ...]:
        """Ids that nobody speaks."""
        return self.inner.non_speech

    def split_tokens_on_unicode(self, tokens: Sequence[int]) -> tuple[list[str], list[list[int]]]:
        """Whole characters, or what stands between spaces inside a token, and the ids of each."""
        return _apart(self.inner.split_characters(tokens))

    def split_tokens_on_spaces(self, tokens: Sequence[int]) -> tuple[list[str], list[list[int]]]:
        """Words, and the ids of each, whatever the language."""
        return _apart(self.inner.split_words(tokens, None))

    def split_to_word_tokens(self, tokens: Sequence[int]) -> tuple[list[str], list[list[int]]]:
        """Words, and the ids of each."""
        return _apart(self.inner.split_words(tokens, self.language))


def _apart(pieces: Sequence[tuple[str, tuple[int, ...]]]) -> tuple[list[str], list[list[int]]]:
    """Texts and ids as two lists."""
    return [text for text, _ in pieces], [list(ids) for _, ids in pieces]


def get_tokenizer(
    multilingual: bool, *, num_languages: int = 99, language: str | None = None, task: str | None = None
) -> Tokenizer:
    """A tokenizer; language "en" and task "transcribe" where a multilingual one is asked for without."""
    code = code_of(language) if language is not None else None
    if multilingual:
        return Tokenizer(made(True, num_languages), code or "en", task or "transcribe")
    return Tokenizer(made(False, num_languages), None, None)
