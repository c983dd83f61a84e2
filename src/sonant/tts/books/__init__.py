"""Whole books: read (txt, md, html, epub, pdf), spoken chapter by chapter, resumed where they stopped.

book = read_book("novel.epub")
speak_book(speaker, book, "novel.m4b", voice="bf_emma")
"""

from __future__ import annotations

from sonant.tts.books.book import Book, Chapter, read_book
from sonant.tts.books.speak import BookSpeech, Progress, SpokenChapter, speak_book

__all__ = ["Book", "BookSpeech", "Chapter", "Progress", "SpokenChapter", "read_book", "speak_book"]
