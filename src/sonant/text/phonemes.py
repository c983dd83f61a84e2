"""Kokoro's alphabet: phoneme symbols <-> ids, and cutting tokens into pieces that the network takes.

The ids are facts of the published ``config.json`` of hexgrad/Kokoro-82M (``vocab``, 114 symbols within 178 ids).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sonant.errors import BadInput, UnspeakableText
from sonant.text.tokens import Token

__all__ = ["LIMIT", "SYMBOLS", "decode", "encode", "fit", "join"]

LIMIT = 510
"""Longest phoneme string of one call: 512 positions of the text encoder less a pad at each end."""

_RUNS = (  # (first id, symbols with consecutive ids)
    (1, ";:,.!?"),
    (9, '—…"()“” \u0303ʣʥʦʨᵝ\uab67AI'),
    (31, "O"),
    (33, "Q"),
    (35, "ST"),
    (39, "W"),
    (41, "Yᵊabcdef"),
    (50, "hijklmnopqrstuvwxyzɑɐɒæ"),
    (75, "βɔɕç"),
    (80, "ɖðʤə"),
    (85, "ɚɛɜ"),
    (90, "ɟ"),
    (92, "ɡ"),
    (99, "ɥ"),
    (101, "ɨɪʝ"),
    (110, "ɯɰŋɳɲɴø"),
    (118, "ɸθœ"),
    (123, "ɹ"),
    (125, "ɾɻ"),
    (128, "ʁɽʂʃʈʧ"),
    (135, "ʊʋ"),
    (138, "ʌɣɤ"),
    (142, "χʎ"),
    (147, "ʒʔ"),
    (156, "ˈˌː"),
    (162, "ʰ"),
    (164, "ʲ"),
    (169, "↓"),
    (171, "→↗↘"),
    (177, "ᵻ"),
)

SYMBOLS: dict[str, int] = {symbol: first + step for first, run in _RUNS for step, symbol in enumerate(run)}


def encode(phonemes: str, vocab: Mapping[str, int] = SYMBOLS) -> NDArray[np.int64]:
    """Ids of a phoneme string: (T,) int64, without the pads (id 0) that the network wants at both ends.

    Raises:
        UnspeakableText: a character isn't in the alphabet; every such character is named.
    """
    unknown = sorted({symbol for symbol in phonemes if symbol not in vocab})
    if unknown:
        named = ", ".join(f"{symbol!r} (U+{ord(symbol):04X})" for symbol in unknown)
        raise UnspeakableText(f"not in the voice's alphabet of {len(vocab)} symbols: {named}; in {phonemes[:80]!r}")
    return np.fromiter((vocab[symbol] for symbol in phonemes), np.int64, len(phonemes))


def decode(ids: Iterable[int], vocab: Mapping[str, int] = SYMBOLS) -> str:
    """The phoneme string of ids; pads (id 0) are left out.

    Raises:
        BadInput: an id that no symbol has.
    """
    symbols = {number: symbol for symbol, number in vocab.items()} | {0: ""}
    numbers = [int(number) for number in ids]
    unknown = sorted({number for number in numbers if number not in symbols})
    if unknown:
        raise BadInput(f"no symbol has id {', '.join(map(str, unknown))}; ids go from 0 to {max(symbols)}")
    return "".join(symbols[number] for number in numbers)


def join(tokens: Iterable[Token]) -> str:
    """The phoneme string of tokens: one space where there is white space between sounds, none at the ends."""
    result: list[str] = []
    space = False
    for token in tokens:
        if token.phonemes:
            if space and result:
                result.append(" ")
            result.append(token.phonemes)
            space = False
        space = space or bool(token.whitespace)
    return "".join(result)


# What it costs to end a piece here; the spread of lengths costs at most about 1 a piece, so a worse place is taken only
# where the limit leaves no better one.
_AFTER_SENTENCE, _AFTER_CLAUSE, _AFTER_COMMA, _AFTER_WORD, _IN_WORD = 0.0, 2.0, 4.0, 16.0, 256.0
_ABOVE_TARGET = 32.0  # twice the target costs two cuts between words
_PIECE = 0.5  # each piece more costs a little: a sentence is spoken best in one breath


def fit(tokens: Sequence[Token], limit: int = LIMIT, target: int | None = None) -> list[list[Token]]:
    """Cut tokens into pieces of at most ``limit`` phonemes, balanced in length; every token is in exactly one piece.

    Pieces end after a sentence where that can be, else after a clause, else after a comma, else after a word. A single
    word above the limit is cut between phonemes: its parts share its span and divide its text.

    Args:
        tokens: of one or more sentences, in order.
        limit: most symbols of ``join(piece)``.
        target: length to aim for, at most ``limit``; texts not above it stay whole. Default: ``limit``.

    Raises:
        BadInput: ``limit`` or ``target`` is not positive, or ``target`` is above ``limit``.
    """
    target = limit if target is None else target
    if not 0 < target <= limit:
        raise BadInput(f"target {target} must be between 1 and the limit {limit}")
    units = [part for token in tokens for part in _within(token, limit)]
    lengths = [len(token.phonemes) + bool(token.whitespace) for token in units]
    starts = [0]
    for length in lengths:
        starts.append(starts[-1] + length)
    if not units:
        return []
    if len(join(units)) <= target:
        return [units]
    ideal = starts[-1] / -(-starts[-1] // target)
    cuts = _cheapest(units, starts, limit, target, ideal)
    return [units[first:last] for first, last in itertools.pairwise(cuts)]


def _cheapest(units: Sequence[Token], starts: Sequence[int], limit: int, target: int, ideal: float) -> list[int]:
    """Indices of the cuts, first and last included: dynamic programming over the places between tokens."""
    count = len(units)
    ends = [0.0, *(_end_cost(units, index) for index in range(1, count)), 0.0]
    best, origin = [0.0, *([float("inf")] * count)], [0] * (count + 1)
    for last in range(1, count + 1):
        trailing = bool(units[last - 1].whitespace)
        for first in range(last - 1, -1, -1):
            length = starts[last] - starts[first] - trailing
            if length > limit:
                break
            above = max(0.0, length / target - 1)
            cost = best[first] + _PIECE + ((length - ideal) / ideal) ** 2 + _ABOVE_TARGET * above**2 + ends[last]
            if cost < best[last]:
                best[last], origin[last] = cost, first
    cuts = [count]
    while cuts[-1]:
        cuts.append(origin[cuts[-1]])
    return cuts[::-1]


def _end_cost(units: Sequence[Token], index: int) -> float:
    """Cost of a cut between ``units[index - 1]`` and ``units[index]``."""
    if not units[index - 1].whitespace:
        # Closing marks stay with what they close; scripts without spaces may be cut between words.
        spaceless = units[index].is_word and not units[index - 1].text.isascii() and not units[index].text.isascii()
        return _cost_of_mark(units, index) if spaceless else _IN_WORD
    return _cost_of_mark(units, index)


def _cost_of_mark(units: Sequence[Token], index: int) -> float:
    """Cost by the last mark that sounds before the cut, looking through closing quotes and brackets."""
    place = index - 1
    while place > 0 and (not units[place].phonemes or units[place].phonemes in '")”'):
        place -= 1
    mark = units[place].phonemes[-1:]
    if mark in "!.?…":
        return _AFTER_SENTENCE
    if mark in ";:":
        return _AFTER_CLAUSE
    return _AFTER_COMMA if mark in ",—)" else _AFTER_WORD


_BEFORE = "ːʰʲ\u0303ᵝ\uab67"  # marks that belong to the symbol before them


def _within(token: Token, limit: int) -> list[Token]:
    """The token, or its parts where it alone is above the limit."""
    phonemes = token.phonemes
    if len(phonemes) <= limit:
        # A space after it never counts at a piece's end, so equality is fine.
        return [token]
    parts: list[str] = []
    left = -(-len(phonemes) // limit)
    while phonemes:
        size = min(limit, -(-len(phonemes) // max(1, left)))
        cut = len(phonemes) if len(phonemes) <= limit and left <= 1 else _good_cut(phonemes, size)
        parts.append(phonemes[:cut])
        phonemes, left = phonemes[cut:], max(1, left - 1)
    result, taken = [], 0
    for number, part in enumerate(parts, 1):
        upto = len(token.text) * number // len(parts)
        space = token.whitespace if number == len(parts) else ""
        result.append(replace(token, text=token.text[taken:upto], phonemes=part, whitespace=space))
        taken = upto
    return result


def _good_cut(phonemes: str, size: int) -> int:
    """A place at most ``size``: after a space, else before a stress mark, else not before a length mark."""
    lowest = max(1, size - max(1, size // 4))
    for fits in (
        lambda place: phonemes[place - 1] == " ",
        lambda place: phonemes[place] in "ˈˌ",
        lambda place: phonemes[place] not in _BEFORE and phonemes[place - 1] not in "ˈˌ",
    ):
        for place in range(min(size, len(phonemes) - 1), lowest - 1, -1):
            if fits(place):
                return place
    return min(size, len(phonemes))
