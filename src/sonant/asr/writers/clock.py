"""Times as captions write them: seconds rounded to the unit first, then cut into hours, minutes and seconds.

So 59.9996 s is 1:00.000 and never 0:60.000. Half units go to the even neighbour, as in openai-whisper's ``round``.
"""

from __future__ import annotations

from sonant.errors import BadInput

__all__ = ["centiseconds", "lrc_time", "milliseconds", "srt_time", "ssa_time", "vtt_time"]


def milliseconds(time_s: float) -> int:
    """Whole milliseconds.

    Raises:
        BadInput: a time before 0, or not a number.
    """
    return _units(time_s, 1000)


def centiseconds(time_s: float) -> int:
    """Whole hundredths of a second; errors as ``milliseconds``."""
    return _units(time_s, 100)


def srt_time(time_s: float) -> str:
    """01:02:03,004."""
    hours, minutes, seconds, rest = _parts(milliseconds(time_s), 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02},{rest:03}"


def vtt_time(time_s: float) -> str:
    """01:02:03.004; hours only where there are any, as WebVTT allows and openai-whisper writes."""
    hours, minutes, seconds, rest = _parts(milliseconds(time_s), 1000)
    return (f"{hours:02}:" if hours else "") + f"{minutes:02}:{seconds:02}.{rest:03}"


def ssa_time(time_s: float) -> str:
    """1:02:03.45."""
    hours, minutes, seconds, rest = _parts(centiseconds(time_s), 100)
    return f"{hours}:{minutes:02}:{seconds:02}.{rest:02}"


def lrc_time(time_s: float) -> str:
    """62:03.45: the format has no hours."""
    hours, minutes, seconds, rest = _parts(centiseconds(time_s), 100)
    return f"{60 * hours + minutes:02}:{seconds:02}.{rest:02}"


def _units(time_s: float, units_per_s: int) -> int:
    if not 0 <= time_s < float("inf"):
        raise BadInput(f"a time in the transcript is {time_s}; captions begin at 0")
    return round(time_s * units_per_s)


def _parts(units: int, units_per_s: int) -> tuple[int, int, int, int]:
    seconds, rest = divmod(units, units_per_s)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return hours, minutes, seconds, rest
