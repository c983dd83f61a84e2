"""Kokoro's parts over our own kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.engines import pages
from sonant.engines.synth_flow import Halves
from sonant.engines.synth_graph import Run
from sonant.kernels.team import Team
from sonant.models.kokoro import fold, names
from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.form import Part
from sonant.models.kokoro.net_kernels import Decoder
from sonant.models.kokoro.text_kernels import Prosody, Text
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

__all__ = ["Packing"]

WORKERS = 2  # parts packed at a time
# Of an utterance: while so much sounds, the rest is made; a second of it takes a fifth of one, on tiles a fifteenth.
SHARE, SHARE_ON_TILES = 1 / 4, 1 / 8

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]
Speak = Callable[[Arrays, int, int], Sequence[Floats]]
"""Of feeds, a row of them and its length: what comes out, as long as that asks for."""


class Packing:
    """Packs parts of a checkpoint in the background, in the order in which they are asked for.

    Args:
        checkpoint: where the weights lie; no page of the file stays in memory.
        teams: which parts are packed, and what runs each.
    """

    def __init__(self, checkpoint: Checkpoint, teams: Mapping[Part, Team]) -> None:
        self.checkpoint, self.teams = checkpoint, teams
        self.config = KokoroConfig.from_hexgrad(checkpoint.config)
        self.pool = ThreadPoolExecutor(WORKERS, "sonant-pack")
        self.lock = Lock()

    def __call__(self, part: Part, tensors: Mapping[str, Tensor]) -> Run:
        """The part, which is waited for when it is first needed."""
        packed = self.pool.submit(self._packed, part, tensors)
        # one core could not make the rest of an utterance while its opening sounds
        halved = part == "decoder" and self.teams[part].size > 1
        return _HalvedRun(packed, self.lock) if halved else _PackedRun(packed, self.lock)

    def _packed(self, part: Part, tensors: Mapping[str, Tensor]) -> Speak:
        shapes, team = fold.derived_shapes(names.shapes(self.checkpoint.config)), self.teams[part]
        try:
            if part == "text":
                return self._text(Text(self.config, tensors, team))
            if part == "prosody":
                return self._prosody(Prosody(shapes, tensors, team))
            return self._decoder(Decoder(self.config, shapes, tensors, team))
        finally:
            pages.trim()  # the file's pages went with each parameter that was read

    def _text(self, text: Text) -> Speak:
        style = self.config.style
        return lambda feeds, row, length: text(feeds["tokens"][row, :length], feeds["style"][row, style:])

    def _prosody(self, prosody: Prosody) -> Speak:
        return lambda feeds, row, length: prosody(feeds["frames"][row, :length], feeds["dressing"][row])

    def _decoder(self, decoder: Decoder) -> Speak:
        return _Voice(decoder, 2 * self.config.generator.columns_per_half_frame)


class _Voice:
    """The decoder as ``Speak``."""

    def __init__(self, decoder: Decoder, columns: int) -> None:
        self.decoder, self.columns = decoder, columns

    def __call__(self, feeds: Arrays, row: int, length: int) -> list[Floats]:
        pitch, energy = (feeds[name][row, : 2 * length] for name in ("pitch", "energy"))
        source = feeds["source"][row, : length * self.columns + 1]
        return [self.decoder(feeds["text"][row, :length], pitch, energy, source, feeds["dressing"][row])]


class _PackedRun:
    """A part that is being packed, utterance by utterance; one of them has all cores."""

    def __init__(self, packed: Future[Speak], lock: Lock) -> None:
        self.packed, self.lock = packed, lock

    def __call__(self, feeds: Arrays) -> list[NDArray[Any]]:
        speak, made = self.packed.result(), []
        for row, length in enumerate(feeds["lengths"]):
            with self.lock:
                made.append(speak(feeds, row, int(length)))
        return [_stacked(rows) for rows in zip(*made, strict=True)]


class _HalvedRun(_PackedRun):
    """The decoder, whose halves run by themselves, too."""

    def dressed(self, dressing: Floats) -> Halves:
        """See ``synth_graph.HalvedRun``."""
        voice = self.packed.result()
        assert isinstance(voice, _Voice)
        return _Halves(voice.decoder, self.lock, dressing)


class _Halves:
    """``synth_flow.Halves``."""

    def __init__(self, decoder: Decoder, lock: Lock, dressing: Floats) -> None:
        self.decoder, self.lock, self.dressing = decoder, lock, dressing
        self.share = SHARE_ON_TILES if decoder.team.dtype == "bfloat16" else SHARE

    def features(self, text: Floats, pitch: Floats, energy: Floats) -> Floats:
        with self.lock:
            return self.decoder.features(text, pitch, energy, self.dressing)

    def generate(self, features: Floats, source: Floats) -> Floats:
        with self.lock:
            return self.decoder.generate(features, source, self.dressing)


def _stacked(rows: Sequence[Floats]) -> Floats:
    """(B, longest, ...), zeros behind shorter ones."""
    if len(rows) == 1:
        return rows[0][None]
    made = np.zeros((len(rows), max(map(len, rows)), *rows[0].shape[1:]), np.float32)
    for place, row in zip(made, rows, strict=True):
        place[: len(row)] = row
    return made
