"""How a transcript is laid out; names and meanings are those of openai-whisper's writers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from sonant.errors import BadInput, UnknownName

__all__ = ["CaptionOptions"]


@dataclass(frozen=True, slots=True)
class CaptionOptions:
    """Layout of srt, vtt, ass and lrc; the other formats have a row a segment and take no notice of it.

    Attributes:
        max_line_width: most characters of a line; longer ones are broken between words.
        max_line_count: most lines of a caption. With ``max_line_width``, captions are filled across segments, and a
            pause of three seconds begins a new one. Needs the times of words.
        max_words_per_line: a caption ends after this many words of a segment. Needs the times of words; has no effect
            when both options above are given.
        highlight_words: srt and vtt: a caption a word, the word underlined; ass: karaoke times; lrc: times in the
            line. Needs the times of words.
        inline_times: vtt: the times of words inside the caption, which players show as karaoke. Needs them.
    """

    max_line_width: int | None = None
    max_line_count: int | None = None
    max_words_per_line: int | None = None
    highlight_words: bool = False
    inline_times: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("max_line_width", "max_line_count", "max_words_per_line"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(f"{name} is {value}; allowed: 1 or more")
        if self.highlight_words and self.inline_times:
            raise BadInput("highlight_words and inline_times are two ways to the same end; give one")

    @property
    def needs_words(self) -> tuple[str, ...]:
        """The options given that can't be met without the times of words."""
        names = ("max_line_count", "max_words_per_line", "highlight_words", "inline_times")
        return tuple(name for name in names if getattr(self, name))

    def changed(self, **changes: Any) -> CaptionOptions:
        """A copy with some fields changed.

        Raises:
            UnknownName: no such option.
        """
        names = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise UnknownName("option", name, names)
        return dataclasses.replace(self, **changes) if changes else self
