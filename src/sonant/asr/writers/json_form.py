"""The whole transcript as JSON, and back without loss. The schema is ``docs/transcript.schema.json``.

Keys of openai-whisper keep its names and meanings (``start``, ``avg_logprob``; ``word`` with the space before it).
``duration``, ``windows``, ``warnings`` and the like are added beside them. JSON Lines has a segment a line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sonant.asr.writers.cues import pieces
from sonant.errors import BadInput
from sonant.records import Segment, Transcript, Window, Word

__all__ = ["from_json", "from_jsonl", "to_json", "to_jsonl"]


def to_json(transcript: Transcript) -> str:
    """An object; each segment and each window stands on a line of its own."""
    head = {
        "text": transcript.text,
        "language": transcript.language,
        "language_probability": _number(transcript.language_probability),
        "duration": float(transcript.duration_s),
        "task": transcript.task,
    }
    lines = [f"{_dump(key)}: {_dump(value)}" for key, value in head.items()]
    lines.append(f'"segments": {_rows([_segment(n, segment) for n, segment in enumerate(transcript.segments)])}')
    lines.append(f'"windows": {_rows([_window(window) for window in transcript.windows])}')
    lines.append(f'"warnings": {_rows(transcript.warnings)}')
    return "{\n  " + ",\n  ".join(lines) + "\n}\n"


def to_jsonl(transcript: Transcript) -> str:
    """A segment a line."""
    return "".join(_dump(_segment(number, segment)) + "\n" for number, segment in enumerate(transcript.segments))


def from_json(text: str) -> Transcript:
    """The transcript that ``to_json`` wrote, or openai-whisper's own JSON.

    Raises:
        BadInput: it is no such JSON; says what is missing.
    """
    try:
        data = json.loads(text)
        segments = tuple(map(_read_segment, data["segments"]))
        return Transcript(
            segments,
            data.get("language"),
            float(data.get("duration", max((segment.end_s for segment in segments), default=0.0))),
            _float(data.get("language_probability", 1.0)),
            data.get("task", "transcribe"),
            tuple(map(_read_window, data.get("windows", []))),
            tuple(data.get("warnings", [])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"this JSON is no transcript: {type(error).__name__}: {error}") from error


def from_jsonl(text: str) -> Transcript:
    """Segments of JSON Lines; what JSON Lines doesn't hold has its default.

    Raises:
        BadInput: a line is no segment.
    """
    try:
        segments = tuple(_read_segment(json.loads(line)) for line in text.split("\n") if line.strip())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"these JSON lines are no transcript: {type(error).__name__}: {error}") from error
    languages = {segment.language for segment in segments}
    end_s = max((segment.end_s for segment in segments), default=0.0)
    return Transcript(segments, languages.pop() if len(languages) == 1 else None, end_s)


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    spaced = pieces(segment) if segment.words else []
    spelled = [piece.text for piece in spaced] if len(spaced) == len(segment.words) else []
    data = {
        "id": number,
        "start": float(segment.start_s),
        "end": float(segment.end_s),
        "text": segment.text,
        "tokens": [int(token) for token in segment.tokens],
        "temperature": _number(segment.temperature),
        "avg_logprob": _number(segment.avg_logprob),
        "compression_ratio": _number(segment.compression_ratio),
        "no_speech_prob": _number(segment.no_speech_prob),
        "language": segment.language,
    }
    if segment.words:
        data["words"] = [
            _word(word, spelled[place] if spelled and spelled[place].strip() == word.text else word.text)
            for place, word in enumerate(segment.words)
        ]
    if segment.characters:
        data["characters"] = [_word(letter, letter.text) for letter in segment.characters]
    return data


def _word(word: Word, spelled: str) -> dict[str, Any]:
    data: dict[str, Any] = {"word": spelled, "start": float(word.start_s), "end": float(word.end_s)}
    if word.confidence is not None:
        data["probability"] = _number(word.confidence)
    if word.span is not None:
        data["span"] = list(word.span)
    if word.phonemes is not None:
        data["phonemes"] = word.phonemes
    return data


def _window(window: Window) -> dict[str, Any]:
    return {
        "start": float(window.start_s),
        "end": float(window.end_s),
        "fate": window.fate,
        "reason": window.reason,
        "temperature": float(window.temperature),
    }


def _read_segment(data: Mapping[str, Any]) -> Segment:
    return Segment(
        float(data["start"]),
        float(data["end"]),
        str(data["text"]),
        tuple(data.get("tokens", ())),
        tuple(_read_word(word, strip=True) for word in data.get("words", ())),
        _float(data.get("temperature", 0.0)),
        _float(data.get("avg_logprob", 0.0)),
        _float(data.get("compression_ratio", 0.0)),
        _float(data.get("no_speech_prob", 0.0)),
        data.get("language"),
        tuple(_read_word(letter, strip=False) for letter in data.get("characters", ())),
    )


def _read_word(data: Mapping[str, Any], strip: bool) -> Word:
    span = data.get("span")
    confidence = data.get("probability")
    return Word(
        str(data["word"]).strip() if strip else str(data["word"]),
        float(data["start"]),
        float(data["end"]),
        None if confidence is None else float(confidence),
        None if span is None else (int(span[0]), int(span[1])),
        data.get("phonemes"),
    )


def _read_window(data: Mapping[str, Any]) -> Window:
    return Window(
        float(data["start"]), float(data["end"]), data["fate"], data.get("reason", ""), float(data["temperature"])
    )


def _rows(rows: Sequence[Any]) -> str:
    return "[" + ",".join(f"\n    {_dump(row)}" for row in rows) + ("\n  ]" if rows else "]")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity: null stands for both."""
    return float(value) if math.isfinite(value) else None


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)
