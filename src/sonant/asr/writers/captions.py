"""Captions as text: SubRip (srt), WebVTT (vtt), Advanced SubStation Alpha (ass), lyrics (lrc).

What the formats reserve is escaped, so that every text comes back as it was:

- srt has no escapes: ``-->`` gets an invisible word joiner (U+2060) before its last sign, since readers look for it.
- vtt: ``& < >`` are character references (https://www.w3.org/TR/webvtt1/).
- ass: braces get a backslash, as libass reads them; a backslash is followed by a word joiner, as FFmpeg writes it.
- lrc: nothing is reserved after the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sonant.asr.writers.clock import centiseconds, lrc_time, srt_time, ssa_time, vtt_time
from sonant.asr.writers.cues import Cue, Piece, cues
from sonant.asr.writers.options import CaptionOptions
from sonant.records import Transcript

__all__ = ["WORD_JOINER", "ass", "lrc", "srt", "vtt"]

WORD_JOINER = "\u2060"

ASS_HEADER = """\
[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288
ScaledBorderAndShadow: yes
WrapStyle: 0

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&H00ccff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def srt(transcript: Transcript, options: CaptionOptions) -> str:
    """SubRip: a number, the times, the lines, an empty line."""
    blocks = _lines_of(cues(transcript.segments, options), options, srt_time, _srt_text)
    return "".join(f"{number}\n{block}" for number, block in enumerate(blocks, 1))


def vtt(transcript: Transcript, options: CaptionOptions) -> str:
    """WebVTT; with ``inline_times`` each word but the first carries its time."""
    found = cues(transcript.segments, options)
    if not options.inline_times:
        return "WEBVTT\n\n" + "".join(_lines_of(found, options, vtt_time, _vtt_text))
    return "WEBVTT\n\n" + "".join(
        f"{vtt_time(cue.start_s)} --> {vtt_time(cue.end_s)}\n{_inline(cue)}\n\n" for cue in found
    )


def ass(transcript: Transcript, options: CaptionOptions) -> str:
    """Advanced SubStation Alpha in one style; with ``highlight_words`` a karaoke time before each word."""
    lines = []
    for cue in cues(transcript.segments, options):
        text = _karaoke(cue) if options.highlight_words and cue.timed else _joined(cue, "\\N", _ass_text)
        lines.append(f"Dialogue: 0,{ssa_time(cue.start_s)},{ssa_time(cue.end_s)},Default,,0,0,0,,{text}\n")
    return ASS_HEADER + "".join(lines)


def lrc(transcript: Transcript, options: CaptionOptions) -> str:
    """Lyrics: a time a line; with ``highlight_words`` one before each word too (the "enhanced" form)."""
    lines = []
    for cue in cues(transcript.segments, options):
        start = cue.start_s
        for line in cue.lines:
            start = start if line[0].start_s is None else line[0].start_s
            lines.append(f"[{lrc_time(start)}]{_sung(line) if options.highlight_words else _plain(line)}\n")
    return "".join(lines)


def _srt_text(text: str) -> str:
    return text.replace("-->", f"--{WORD_JOINER}>")


def _vtt_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ass_text(text: str) -> str:
    return text.replace("\\", f"\\{WORD_JOINER}").replace("{", "\\{").replace("}", "\\}")


def _plain(line: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in line)


def _joined(cue: Cue, line_end: str, escaped: Callable[[str], str]) -> str:
    """All lines; ``escaped`` sees whole lines, since what is reserved may lie across two words."""
    return line_end.join(escaped(_plain(line)) for line in cue.lines)


def _lines_of(
    found: Iterable[Cue], options: CaptionOptions, clock: Callable[[float], str], escaped: Callable[[str], str]
) -> Iterator[str]:
    """Times, arrow, lines, empty line: what srt and vtt have in common."""
    for cue in found:
        if options.highlight_words and cue.timed:
            shown = _underlined(cue, escaped, clock)
        else:
            shown = iter([(clock(cue.start_s), clock(cue.end_s), _joined(cue, "\n", escaped))])
        for start, end, text in shown:
            yield f"{start} --> {end}\n{text}\n\n"


def _underlined(
    cue: Cue, escaped: Callable[[str], str], clock: Callable[[float], str]
) -> Iterator[tuple[str, str, str]]:
    """The caption once a word, that word underlined, and once plain in each pause between two words."""
    plain = _joined(cue, "\n", escaped)
    last = clock(cue.start_s)
    for row, line in enumerate(cue.lines):
        for column, piece in enumerate(line):
            start, end = clock(piece.start_s or 0.0), clock(piece.end_s or 0.0)
            if last != start:
                yield last, start, plain
            shown = [escaped(_plain(other)) for other in cue.lines]
            word = piece.text.lstrip()
            before = _plain(line[:column]) + piece.text[: len(piece.text) - len(word)]
            shown[row] = f"{escaped(before)}<u>{escaped(word)}</u>{escaped(_plain(line[column + 1 :]))}"
            yield start, end, "\n".join(shown)
            last = end


def _inline(cue: Cue) -> str:
    """WebVTT cue text with timestamps, which must lie inside the cue and rise."""
    lines, last = [], round(1000 * cue.start_s)
    for line in cue.lines:
        shown = ""
        for piece in line:
            place = -1 if piece.start_s is None else round(1000 * piece.start_s)
            if last < place < round(1000 * cue.end_s):
                shown += f"<{vtt_time(piece.start_s or 0.0)}>"
                last = place
            shown += _vtt_text(piece.text)
        lines.append(shown)
    return "\n".join(lines)


def _karaoke(cue: Cue) -> str:
    r"""ASS text with ``{\k}`` times in hundredths; pauses have their own, so that words light up when they are said."""
    shown, clock = "", centiseconds(cue.start_s)
    for row, line in enumerate(cue.lines):
        shown += "\\N" if row else ""
        for piece in line:
            start = max(clock, centiseconds(piece.start_s or 0.0))
            end = max(start, centiseconds(piece.end_s or 0.0))
            shown += f"{{\\k{start - clock}}}" if start > clock else ""
            shown += f"{{\\k{end - start}}}{_ass_text(piece.text)}"
            clock = end
    return shown


def _sung(line: Iterable[Piece]) -> str:
    """An enhanced lyrics line: a time before each word that has one."""
    shown = ""
    for piece in line:
        word = piece.text.lstrip()
        time = "" if piece.start_s is None else f"<{lrc_time(piece.start_s)}>"
        shown += piece.text[: len(piece.text) - len(word)] + time + word
    return shown
