"""Words as the Whisper packages write them: with the space that stands before them in the text."""

from __future__ import annotations

from sonant.records import Segment

__all__ = ["spaced_words"]


def spaced_words(segment: Segment) -> list[str]:
    """The words of a segment, each with the white space before it; joined they are its text."""
    found, place = [], 0
    for word in segment.words:
        start = segment.text.find(word.text, place)
        end = start + len(word.text)
        found.append(segment.text[place:end] if start >= 0 else word.text)
        place = end if start >= 0 else place
    return found
