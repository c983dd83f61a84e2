"""``whisper.normalizers.basic``: for text of any language."""

from __future__ import annotations

from sonant.text.whisper_normalizer import normalize_basic

__all__ = ["BasicTextNormalizer"]


class BasicTextNormalizer:
    """Lower case, no brackets, no punctuation."""

    def __init__(self, remove_diacritics: bool = False, split_letters: bool = False) -> None:
        """Keep the settings."""
        self.remove_diacritics, self.split_letters = remove_diacritics, split_letters

    def __call__(self, s: str) -> str:
        """Fold a text."""
        return normalize_basic(s, self.remove_diacritics, self.split_letters)
