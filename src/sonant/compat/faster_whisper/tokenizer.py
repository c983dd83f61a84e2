"""``faster_whisper.tokenizer``: made from a model's vocabulary."""

from __future__ import annotations

from sonant.compat.whisper.tokenizer import Tokenizer as Inner
from sonant.text.bpe import WhisperTokenizer

__all__ = ["Tokenizer"]


class Tokenizer(Inner):
    """A tokenizer with a language and task of its own."""

    def __init__(
        self, tokenizer: WhisperTokenizer, multilingual: bool, task: str | None = None, language: str | None = None
    ) -> None:
        """Hold a model's ``hf_tokenizer``; without ``multilingual``, transcripts name no language and task."""
        super().__init__(tokenizer, (language or "en") if multilingual else None, task)
        self.multilingual = multilingual

    @property
    def sot_sequence(self) -> tuple[int, ...]:
        """Tokens that open a transcript."""
        return super().sot_sequence if self.multilingual else (self.sot,)
