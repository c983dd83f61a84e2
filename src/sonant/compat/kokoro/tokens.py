"""misaki's tokens: a word or a mark as written, with its phonemes and, after synthesis, its times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np

from sonant.compat.kokoro.tensors import array_of
from sonant.errors import BadInput
from sonant.text.phonemes import LIMIT, join
from sonant.text.tokens import Token
from sonant.tts import timing

__all__ = ["MToken", "chunks", "join_timestamps", "merged", "tokens_to_ps", "tokens_to_text"]

_RATINGS = {"markup": 5, "gold": 4, "silver": 3, "stem": 3, "espeak": 2, "letters": 1}  # misaki's scale of trust
WATERFALL = ("!.?…", ":;", ",—")
BUMPS = (")", "”")


@dataclass
class MToken:
    """A token as misaki has it; ``_`` holds its further fields."""

    text: str
    tag: str
    whitespace: str
    phonemes: str | None = None
    start_ts: float | None = None
    end_ts: float | None = None
    _: Any = field(default_factory=SimpleNamespace)


def merged(tokens: Sequence[Token], text: str, spaced: bool) -> list[MToken]:
    """Our tokens as misaki's: what a number became is one of them, with the text that was written."""
    found: list[MToken] = []
    for first, last in pairwise([0, *_borders(tokens, text, spaced), len(tokens)]):
        group = tokens[first:last]
        if not group:
            continue
        span = group[0].span[0], max(token.span[1] for token in group)
        written = text[slice(*span)].strip() if len(group) > 1 else group[0].text
        rating = _RATINGS.get(group[0].source)
        extra = SimpleNamespace(
            is_head=True, alias=None, stress=None, currency=None, num_flags="", prespace=False, rating=rating
        )
        found.append(MToken(written, group[0].tag, group[-1].whitespace, join(group), _=extra))
    return found


def _borders(tokens: Sequence[Token], text: str, spaced: bool) -> list[int]:
    """Where a new token of misaki's begins."""
    groups = timing.groups(tokens, lambda span: text[slice(*span)], spaced)
    inside = {index for group in groups for index in range(group[0] + 1, group[-1] + 1)}
    return [index for index in range(1, len(tokens)) if index not in inside]


def tokens_to_ps(tokens: Sequence[MToken]) -> str:
    """The phoneme string of tokens."""
    return join(Token(token.text, token.phonemes or "", token.whitespace, (0, 0), "") for token in tokens)


def tokens_to_text(tokens: Sequence[MToken]) -> str:
    """The text of tokens."""
    return "".join(token.text + token.whitespace for token in tokens).strip()


def waterfall_last(
    tokens: Sequence[MToken],
    next_count: int,
    waterfall: Sequence[str] = WATERFALL,
    bumps: Sequence[str] = BUMPS,
) -> int:
    """How many tokens to speak now: up to the last mark of the best kind that leaves at most 510 phonemes over."""
    for marks in waterfall:
        place = next((i for i in range(len(tokens) - 1, -1, -1) if tokens[i].phonemes in set(marks)), None)
        if place is None:
            continue
        place += 1
        if place < len(tokens) and tokens[place].phonemes in bumps:
            place += 1
        if next_count - len(tokens_to_ps(tokens[:place])) <= LIMIT:
            return place
    return len(tokens)


def chunks(tokens: Sequence[MToken]) -> Iterator[tuple[str, str, list[MToken]]]:
    """(text, phonemes, tokens) of at most 510 phonemes each, filled up as the original does; nothing is left out.

    Raises:
        BadInput: a single token has more.
    """
    waiting: list[MToken] = []
    for token in tokens:
        token.phonemes = token.phonemes or ""
        if len(token.phonemes) > LIMIT:
            raise BadInput(f"{token.text[:40]!r} has {len(token.phonemes)} phonemes; a chunk holds {LIMIT}")
        while waiting and (count := len(tokens_to_ps([*waiting, token]))) > LIMIT:
            place = waterfall_last(waiting, count)
            yield tokens_to_text(waiting[:place]), tokens_to_ps(waiting[:place]), waiting[:place]
            waiting = waiting[place:]
        waiting.append(token)
    if waiting:
        yield tokens_to_text(waiting), tokens_to_ps(waiting), waiting


def join_timestamps(tokens: Sequence[MToken], pred_dur: Any) -> None:
    """Set ``start_ts`` and ``end_ts`` (seconds) of every token that sounds, by the original's rule.

    Times count from three frames before the first pad ends; half of a space belongs to each neighbour.
    """
    frames = array_of(pred_dur)
    if not tokens or len(frames) < 3:
        return
    plain = [Token(token.text, token.phonemes or "", token.whitespace, (0, 0), "") for token in tokens]
    edges = np.concatenate([[0], np.cumsum(frames)]).astype(float)
    origin = edges[1] - max(0.0, frames[0] - 3.0)
    places = timing.places(plain)
    heard = [index for index, (start, end) in enumerate(places) if end > start]
    for number, index in enumerate(heard):
        start, end = places[index]
        before = places[heard[number - 1]][1] if number else start
        after = places[heard[number + 1]][0] if number + 1 < len(heard) else end
        left = (edges[before + 1] + edges[start + 1]) / 2
        right = (edges[end + 1] + edges[after + 1]) / 2
        tokens[index].start_ts = float(left - origin) * timing.FRAME_S
        tokens[index].end_ts = float(right - origin) * timing.FRAME_S
