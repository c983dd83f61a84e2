"""Kokoro's flow, written once for every engine: the network's three parts with NumPy between them.

tokens -> text -> durations -> frames -> prosody -> pitch -> excitation -> decoder -> spectra -> samples
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.engines.synth_opening import Begun
from sonant.errors import BadInput
from sonant.models.kokoro import source, spectrum
from sonant.models.kokoro.config import SAMPLE_RATE, KokoroConfig

__all__ = ["Halves", "Parts", "SynthFlow"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Parts(Protocol):
    """What an engine does: the three parts of ``models.kokoro.net_torch.Kokoro``, NumPy in and out."""

    def text(self, tokens: Ints, style: Floats, lengths: Ints) -> tuple[Floats, Floats, Floats]:
        """Durations (B, T) at speed 1, prosody features (B, T, hidden + style), text features (B, T, hidden)."""

    def prosody(self, frames: Floats, style: Floats, lengths: Ints) -> tuple[Floats, Floats]:
        """Pitch and energy, (B, 2 F) each."""

    def decode(
        self, text: Floats, pitch: Floats, energy: Floats, source: Floats, style: Floats, lengths: Ints
    ) -> Floats:
        """Spectra (B, columns, n_fft + 2); the source has the same shape."""

    def halves(self, style: Floats) -> Halves | None:
        """The decoder's halves with a style (256,), where an engine can run them by themselves."""


class Halves(Protocol):
    """The decoder of one utterance and one style in two: what runs at the rate of frames, and the vocoder.

    Attributes:
        share: of an utterance that sounds long enough for the rest to be made.
    """

    share: float

    def features(self, text: Floats, pitch: Floats, energy: Floats) -> Floats:
        """(2 F, channels), of (F, hidden) and two curves (2 F,)."""

    def generate(self, features: Floats, source: Floats) -> Floats:
        """Spectra (columns, n_fft + 2) of any stretch of features, and of the source over the same stretch."""


class SynthFlow:
    """The ``Synth`` protocol over an engine's parts.

    Args:
        config: of the network.
        parts: the engine's.
        weights: of the excitation.
        description: engine, device and dtype.
        batch_frames: utterances are decoded together while their frames, padding counted, stay under this; 0 decodes
            them one by one, which on a CPU costs nothing: one utterance fills it.
    """

    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        config: KokoroConfig,
        parts: Parts,
        weights: source.SourceWeights,
        description: str,
        batch_frames: int = 0,
    ) -> None:
        self.config, self.parts, self.weights = config, parts, weights
        self.description, self.batch_frames = description, batch_frames

    def synthesize(
        self, tokens: Sequence[Ints], styles: Floats, speeds: Floats, seeds: Sequence[int]
    ) -> list[tuple[Floats, Ints]]:
        """See ``engines.base.Synth``."""
        self._check(tokens, styles, speeds, seeds)
        if not len(tokens):
            return []
        styles = np.ascontiguousarray(styles, np.float32)
        frames, prosody, text = self._read(tokens, styles, speeds)
        spoken: dict[int, Floats] = {}
        for rows in self._groups([int(each.sum()) for each in frames]):
            expanded = [np.repeat(np.arange(len(frames[row])), frames[row]) for row in rows]
            sounds = self._speak(
                _stack([prosody[row][index] for row, index in zip(rows, expanded, strict=True)]),
                _stack([text[row][index] for row, index in zip(rows, expanded, strict=True)]),
                styles[rows],
                np.array([len(index) for index in expanded], np.int64),
                [seeds[row] for row in rows],
            )
            spoken.update(zip(rows, sounds, strict=True))
        return [(spoken[row], frames[row]) for row in range(len(tokens))]

    def begin(self, tokens: Ints, style: Floats, speed: float, seed: int) -> Begun | None:
        """See ``engines.base.Synth``."""
        self._check([tokens], style[None], np.array([speed], np.float32), [seed])
        style = np.ascontiguousarray(style, np.float32)
        halves = self.parts.halves(style)
        if halves is None:
            return None
        (frames,), prosody, text = self._read([tokens], style[None], np.array([speed], np.float32))
        index = np.repeat(np.arange(len(frames)), frames)
        pitch, energy = self.parts.prosody(prosody[:, index], style[None], np.array([len(index)], np.int64))
        features = halves.features(text[0][index], pitch[0], energy[0])
        net = self.config.generator
        excitation = source.Excitation(pitch[0], self.weights, seed, net.samples_per_half_frame)
        return Begun(net, halves, frames, features, excitation)

    def _read(self, tokens: Sequence[Ints], styles: Floats, speeds: Floats) -> tuple[list[Ints], Floats, Floats]:
        """Frames of each symbol of each utterance, one at least, and prosody and text features of the symbols."""
        padded, lengths = _pad_tokens(tokens)
        durations, prosody, text = self.parts.text(padded, styles, lengths)
        frames = [
            np.maximum(np.rint(row[:length] / np.float32(speed)), 1).astype(np.int64)
            for row, length, speed in zip(durations, lengths, speeds, strict=True)
        ]
        return frames, prosody, text

    def _speak(self, prosody: Floats, text: Floats, style: Floats, lengths: Ints, seeds: Sequence[int]) -> list[Floats]:
        """Waveforms of a group, from features of each frame."""
        pitch, energy = self.parts.prosody(prosody, style, lengths)
        spectra = [
            self._source(curve[: 2 * length], seed) for curve, length, seed in zip(pitch, lengths, seeds, strict=True)
        ]
        made = self.parts.decode(text, pitch, energy, _stack(spectra), style, lengths)
        return [spectrum.waveform(made[i, : len(each)], self.config.generator) for i, each in enumerate(spectra)]

    def _source(self, pitch: Floats, seed: int) -> Floats:
        """The excitation's spectrum, of (2 F,) Hz."""
        net = self.config.generator
        return source.source_spectrum(source.excitation(pitch, self.weights, seed, net.samples_per_half_frame), net)

    def _groups(self, frames: Sequence[int]) -> list[list[int]]:
        """Rows to decode together, longest first."""
        groups: list[list[int]] = []
        for row in sorted(range(len(frames)), key=lambda i: -frames[i]):
            if groups and (len(groups[-1]) + 1) * frames[groups[-1][0]] <= self.batch_frames:
                groups[-1].append(row)
            else:
                groups.append([row])
        return groups

    def _check(self, tokens: Sequence[Ints], styles: Floats, speeds: Floats, seeds: Sequence[int]) -> None:
        """Refuse what the network can't speak.

        Raises:
            BadInput: says which utterance, what was given and what is allowed.
        """
        count = len(tokens)
        if styles.shape != (count, 2 * self.config.style):
            raise BadInput(
                f"styles have shape {styles.shape}; {count} utterances need ({count}, {2 * self.config.style})"
            )
        if len(speeds) != count or len(seeds) != count:
            raise BadInput(f"{len(speeds)} speeds and {len(seeds)} seeds for {count} utterances; give one each")
        most = self.config.max_tokens - 2
        for i, symbols in enumerate(tokens):
            if not 1 <= len(symbols) <= most:
                raise BadInput(f"utterance {i} has {len(symbols)} symbols; allowed: 1 to {most}")
            if symbols.min() < 0 or symbols.max() >= self.config.n_token:
                raise BadInput(f"utterance {i} holds a symbol id outside 0 to {self.config.n_token - 1}")
            if not (np.isfinite(speeds[i]) and speeds[i] > 0):
                raise BadInput(f"utterance {i} has speed {speeds[i]}; it must be above 0")
        if not np.isfinite(styles).all():
            raise BadInput("a style row holds a number that is not finite")


def _pad_tokens(tokens: Sequence[Ints]) -> tuple[Ints, Ints]:
    """(B, T) with a 0 before and after each, and (B,) lengths."""
    lengths = np.array([len(symbols) + 2 for symbols in tokens], np.int64)
    padded = np.zeros((len(tokens), int(lengths.max())), np.int64)
    for row, symbols in zip(padded, tokens, strict=True):
        row[1 : len(symbols) + 1] = symbols
    return padded, lengths


def _stack(rows: Sequence[Floats]) -> Floats:
    """(B, longest, C) of (F_i, C) rows, zeros behind."""
    out = np.zeros((len(rows), max(len(row) for row in rows), rows[0].shape[1]), np.float32)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return out
