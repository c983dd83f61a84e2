"""``whisper.normalizers``: texts folded before words are counted."""

from sonant.compat.whisper.normalizers.basic import BasicTextNormalizer
from sonant.compat.whisper.normalizers.english import EnglishTextNormalizer

__all__ = ["BasicTextNormalizer", "EnglishTextNormalizer"]
