"""``whisper.normalizers.english``: numbers as figures, American spelling, contractions written out."""

from __future__ import annotations

from sonant.text.whisper_normalizer import normalize_english, spell_american
from sonant.text.whisper_numbers import figures

__all__ = ["EnglishNumberNormalizer", "EnglishSpellingNormalizer", "EnglishTextNormalizer"]


class EnglishNumberNormalizer:
    """Spoken numbers to figures."""

    def __call__(self, s: str) -> str:
        """Fold a lower-case text."""
        return figures(s)


class EnglishSpellingNormalizer:
    """British to American spelling."""

    def __call__(self, s: str) -> str:
        """Fold a lower-case text."""
        return spell_american(s)


class EnglishTextNormalizer:
    """Both, and all that makes two transcripts of the same words equal."""

    def __call__(self, s: str) -> str:
        """Fold a text."""
        return normalize_english(s)
