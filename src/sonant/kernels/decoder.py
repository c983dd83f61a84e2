"""A decoder's steps with weights of int8 (``decoder.c``): what it is made of, and one call for each step."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.kernels.library import Floats, Matrix, Network, Step, Window, address, aligned, place, wide
from sonant.kernels.team import Team

__all__ = ["Cross", "Decoder", "Narrow", "Rows", "Sizes", "Told"]

KINDS = {"F32": 0, "F16": 1, "BF16": 2}  # in the order of decoder.c
MOST_LANES = 16


@dataclass(frozen=True, slots=True)
class Rows:
    """A part of a matrix: (outputs, inputs) as it is stored ("F32", "F16", "BF16"), its bias, and a factor of both."""

    numbers: NDArray[Any]
    kind: str
    bias: Floats | None = None
    factor: float = 1.0


class Narrow:
    """A matrix in int8, a scale for each output: max |w| / 127 (as ``engines.quantize`` has it).

    Args:
        team: packs it.
        parts: of the outputs, each filled up to whole panels.
    """

    def __init__(self, team: Team, parts: Sequence[Rows]) -> None:
        panel, pack = team.library.panel, team.library.functions.sonant_pack_rows
        inputs = parts[0].numbers.shape[1]
        starts = np.cumsum([0, *(wide(len(part.numbers), panel) for part in parts)])
        self.depth, self.outputs = wide(inputs, panel), int(starts[-1])
        self.weights = aligned((self.outputs // panel, self.depth // 2, panel, 2), np.int8)
        self.weights[:] = 0
        self.scales, self.bias = np.zeros((2, self.outputs), np.float32)
        to = self.weights.ctypes.data, self.scales.ctypes.data
        for part, start in zip(parts, map(int, starts), strict=False):
            numbers = np.ascontiguousarray(part.numbers)
            given = numbers.ctypes.data, KINDS[part.kind], inputs
            rest = start, self.depth, part.factor

            def work(
                member: int, begin: int, end: int, given: tuple[int, ...] = given, rest: tuple[Any, ...] = rest
            ) -> None:
                pack(*given, begin, end, *rest, team.space(member, self.depth + MOST_LANES).ctypes.data, *to)

            team.share(len(numbers), 4096, work)
            if part.bias is not None:
                self.bias[start : start + len(numbers)] = part.bias * np.float32(part.factor)

    def given(self, panel: int) -> Matrix:
        """As the kernels read it; this object must live as long."""
        return Matrix(*map(address, (self.weights, self.scales, self.bias)), self.depth, self.outputs // panel)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a decoder: heads, head size, encoder frames of a window, the most tokens."""

    heads: int
    size: int
    frames: int
    longest: int


@dataclass(frozen=True, slots=True)
class Cross:
    """What a decoder hears of B windows: keys and values of its layers in int8, as ``decoder.c`` reads them.

    Attributes:
        keys: (B, layers, heads, key panels, size made even / 2, panel, 2) int8.
        key_scales: (B, layers, heads, size), of a channel.
        values: (B, layers, heads, size panels, frames made even / 2, panel, 2) int8.
        value_scales: (B, layers, heads, frames), of a frame.
    """

    keys: NDArray[np.int8]
    key_scales: Floats
    values: NDArray[np.int8]
    value_scales: Floats

    @classmethod
    def empty(cls, team: Team, sizes: Sizes, layers: int, windows: int) -> Cross:
        """Room for so many windows."""
        panel, outer = team.library.panel, (windows, layers, sizes.heads)
        return cls(
            aligned((*outer, wide(sizes.frames, panel) // panel, wide(sizes.size, 2) // 2, panel, 2), np.int8),
            np.empty((*outer, sizes.size), np.float32),
            aligned((*outer, wide(sizes.size, panel) // panel, wide(sizes.frames, 2) // 2, panel, 2), np.int8),
            np.empty((*outer, sizes.frames), np.float32),
        )

    @property
    def parts(self) -> tuple[NDArray[Any], ...]:
        """In the order of ``Step``."""
        return self.keys, self.key_scales, self.values, self.value_scales

    def put(self, team: Team, layer: int, window: int, keys: Floats, values: Floats) -> None:
        """Take (heads, frames, size) float32 of a window; the two lie in memory alike."""
        heads, frames, size = keys.shape
        assert keys.strides == values.strides
        steps = [step // keys.itemsize for step in keys.strides[:2]]
        to = [part[window, layer].ctypes.data for part in self.parts]
        given = Window(keys.ctypes.data, values.ctypes.data, *to, *steps, frames, size)
        team.call("pack_window", given, heads, 1)

    def picked(self, windows: Sequence[int]) -> Cross:
        """Some windows; a run of them is shared, others are copied."""
        first, count = windows[0], len(windows)
        run = list(windows) == list(range(first, first + count))
        which: slice | list[int] = slice(first, first + count) if run else list(windows)
        return Cross(*(part[which] for part in self.parts))

    def keys_of(self, layer: int, window: int, head: int) -> Floats:
        """(frames, size) float32 of one head."""
        panels, scales = self.keys[window, layer, head], self.key_scales[window, layer, head]
        rows = panels.transpose(0, 2, 1, 3).reshape(-1, panels.shape[1] * 2)
        return rows[: self.value_scales.shape[3], : len(scales)] * scales


class Decoder:
    """A transformer decoder with pre-norm layers: self-attention, cross-attention, feed-forward with GELU.

    Args:
        team: runs it.
        matrices: of each layer queries (scaled), keys and values in one; the output of self-attention; queries of the
            cross-attention (scaled); its output; widening; narrowing. Behind them the logits'.
        norms: (3 layers + 1, 2, channels), scale and shift of the norms in the order of their use.
        sizes: see there.
    """

    def __init__(self, team: Team, matrices: Sequence[Narrow], norms: Floats, sizes: Sizes) -> None:
        panel = team.library.panel
        self.team, self.matrices, self.sizes, self.layers = team, matrices, sizes, len(norms) // 3
        channels = norms.shape[2]
        self.width, self.inner, self.channels = wide(channels, panel), matrices[4].outputs, channels
        self.norms = np.zeros((len(norms), 2, self.width), np.float32)
        self.norms[..., :channels] = norms
        self.given = (Matrix * len(matrices))(*(one.given(panel) for one in matrices))
        lengths = sizes.heads, sizes.size, self.inner, sizes.frames, sizes.longest
        where = ctypes.addressof(self.given), self.norms.ctypes.data
        self.network = Network(*where, self.layers, channels, self.width, *lengths)
        self.phases = team.library.functions.sonant_decode_phases(ctypes.addressof(self.network))

    def begin(self, cross: Cross, beams: int) -> Told:
        """A state without tokens, of so many sequences for each window of ``cross``."""
        windows = len(cross.keys)
        rows, size = windows * beams, wide(self.sizes.size, self.team.library.panel // 2)
        cache = np.empty((self.layers, 2, rows, self.sizes.heads, self.sizes.longest, size), np.float16)
        return Told(cross, beams, cache, np.zeros((rows, self.sizes.longest), np.int32))

    def step(self, told: Told, embedded: Floats, *, every: bool = False, queries: Floats | None = None) -> Floats:
        """Take tokens in; logits (R, outputs), or of every token (R, L, outputs), filled up to whole panels.

        Args:
            told: the state; these tokens are added.
            embedded: (R, L, channels).
            every: see above.
            queries: (layers, R L, width), which the scaled queries of the cross-attention are written to.
        """
        (sequences, tokens, _), past = embedded.shape, told.length
        room = told.room_for(self, sequences, tokens)
        room.hidden[:, : self.channels] = embedded.reshape(-1, self.channels)
        outputs = self.matrices[-1].outputs
        logits = np.empty((sequences, tokens, outputs) if every else (sequences, outputs), np.float32)
        room.counters[:] = 0
        given = room.given
        given.past, given.every, given.logits, given.queries = past, every, place(logits), address(queries)
        self.team.together("decode", given, room.floats)
        told.length += tokens
        told.lines[:, past : told.length] = told.own
        return logits


class Told:
    """What a decoder was told: its tokens' keys and values.

    Attributes:
        cross: what was heard.
        beams: sequences of each window.
        cache: (layers, 2, R, heads, longest, size up to whole registers), keys and values of the tokens.
        lines: (R, longest): which sequence's place in the cache holds a token that a sequence follows.
        length: tokens so far.
        own: (R, 1): a sequence's place in the cache is that of its row.
    """

    def __init__(self, cross: Cross, beams: int, cache: NDArray[np.float16], lines: NDArray[np.int32]) -> None:
        self.cross, self.beams, self.cache, self.lines, self.length = cross, beams, cache, lines, 0
        self.own = np.arange(len(lines), dtype=np.int32)[:, None]
        self.room: Room | None = None

    def reorder(self, rows: NDArray[np.int64]) -> None:
        """Let sequence r follow the tokens of ``rows[r]``; nothing of the cache is moved."""
        self.lines[:] = self.lines[rows]

    def room_for(self, decoder: Decoder, sequences: int, tokens: int) -> Room:
        """Room for the numbers of a step; that of the last one where it fits."""
        if self.room is None or self.room.shape != (sequences, tokens):
            self.room = Room(decoder, self, sequences, tokens)
        return self.room


class Room:
    """What a step's rows are written to, and the step as the kernels are given it.

    Attributes:
        shape: sequences and tokens of each.
        hidden: (rows, width), zeros behind the channels.
        counters: see ``Step``; the last one counts who arrived.
        given: the step, but for what differs from one to the next.
        floats: of space that a thread needs.
    """

    def __init__(self, decoder: Decoder, told: Told, sequences: int, tokens: int) -> None:
        self.shape, rows = (sequences, tokens), sequences * tokens
        self.hidden, self.heard = np.zeros((2, rows, decoder.width), np.float32)
        self.asked, self.inner = (np.empty((rows, size), np.float32) for size in (3 * decoder.width, decoder.inner))
        self.counters = np.zeros(decoder.phases + 1, np.int64)
        own: tuple[NDArray[Any], ...] = (self.hidden, self.asked, self.heard, self.inner, told.cache, told.lines)
        numbers = sequences, tokens, 0, told.beams, 0, decoder.team.size
        counting = address(self.counters), address(self.counters[-1:])
        network = ctypes.addressof(decoder.network)
        self.given = Step(*map(address, own + told.cross.parts), None, None, network, *numbers, *counting)
        self.floats = int(decoder.team.library.functions.sonant_decode_space(ctypes.addressof(self.given)))
