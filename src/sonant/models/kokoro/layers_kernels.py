"""Layers that several parts of Kokoro share, over our own kernels; the same rules as ``net_torch_layers``.

Legend: C channels, T steps; activations are (T, C), one utterance.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sonant.kernels import transformer
from sonant.kernels.convolution import Convolution, moments
from sonant.kernels.library import Floats, wide
from sonant.kernels.product import Dress, Product, put_on
from sonant.kernels.recurrent import Direction, Recurrent
from sonant.kernels.team import Team
from sonant.models.kokoro.dress import convolution_before
from sonant.models.kokoro.fold import DIRECTIONS, NORM_EPS
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["SLOPE", "Dressing", "Parameters", "ResBlock", "dressed_by"]

SLOPE = 0.2  # of the leaky ReLU behind a norm
Dressing = Mapping[str, tuple[Floats, Floats]]  # scale and shift of each AdaIN


class Parameters(transformer.Parameters):
    """Reads parameters as the layers want them.

    Args:
        team: the kernels and their threads.
        tensors: the parameters, derived ones too (``fold``).
    """

    def __init__(self, team: Team, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(team, lambda key: to_float32(tensors[key]) if key in tensors else None)
        self.tensors = tensors

    def vector(self, key: str) -> Floats:
        """Numbers of a parameter in one row."""
        return self.numbers(key).reshape(-1)

    def weight(self, key: str, *, bare: bool = False) -> tuple[Floats, Floats | None, Floats | None]:
        """Weight (outputs, inputs, taps), bias, and factors of outputs; ``bare`` as in ``graph_layers.Layers.conv``."""
        bias = None if bare else self.read(f"{key}.bias")
        normed = f"{key}.weight_v" in self.tensors
        weight = self.numbers(f"{key}.weight_v" if normed else f"{key}.weight")
        factors = self.vector(f"{key}.scale") if normed and not bare else None
        return weight[..., None] if weight.ndim == 2 else weight, bias, factors

    def product(self, key: str, *, bare: bool = False, share: float = 1.0) -> Product:
        """A linear layer, or a convolution of few steps, which takes them times ``share``."""
        weight, bias, factors = self.weight(key, bare=bare)
        if share != 1:
            factors = (np.ones(len(weight), np.float32) if factors is None else factors) * np.float32(share)
        return Product(self.team, weight.transpose(2, 1, 0), bias, factors)

    def convolution(self, key: str, dilation: int = 1, *, bare: bool = False) -> Convolution:
        """A long convolution."""
        weight, bias, factors = self.weight(key, bare=bare)
        return Convolution(self.team, weight, bias, dilation, factors)

    def recurrent(self, key: str) -> Recurrent:
        """An LSTM of both directions."""
        directions = []
        for suffix in DIRECTIONS.values():
            first, second = (self.numbers(f"{key}.bias_{kind}_l0{suffix}") for kind in ("ih", "hh"))
            inputs, hidden = (self.numbers(f"{key}.weight_{kind}_l0{suffix}") for kind in ("ih", "hh"))
            directions.append(Direction(inputs, hidden, first + second))
        return Recurrent(self.team, directions)

    def norm_eps(self, name: str) -> Floats:
        """The epsilon of an AdaIN (``fold``)."""
        before = convolution_before(name)
        return self.vector(f"{before}.eps") if before else np.array([NORM_EPS], np.float32)


def dressed_by(row: Floats, keys: Mapping[str, int]) -> Dressing:
    """Scale and shift of each AdaIN, out of one row that holds them all (``dress.Dressing``); ``keys`` of that."""
    made, start = {}, 0
    for name, channels in keys.items():
        made[name] = row[start : start + channels], row[start + channels : start + 2 * channels]
        start += 2 * channels
    return made


class AdaIN:
    """An instance normalisation dressed by the style, then a leaky ReLU: what a product does to its steps."""

    def __init__(self, read: Parameters, name: str) -> None:
        self.name, self.team, self.eps = name, read.team, read.norm_eps(name)

    def __call__(self, x: Floats, dressed: Dressing) -> Dress:
        """For x (T, C)."""
        panel = self.team.library.panel
        filled = x if not x.shape[1] % panel and x.flags.c_contiguous else _filled(x, panel)
        made = np.empty((2, x.shape[1]), np.float32)
        moments(self.team, filled).norm(self.team, self.eps, *dressed[self.name], made)
        return Dress(made[0], made[1], activation="leaky", slope=SLOPE)


def _filled(x: Floats, panel: int) -> Floats:
    """Channels up to whole panels, with zeros."""
    return np.pad(x, ((0, 0), (0, wide(x.shape[1], panel) - x.shape[1])))


class ResBlock:
    """``graph_layers.Layers.res_block``; at twice the rate where the checkpoint has a ``pool``."""

    def __init__(self, read: Parameters, key: str) -> None:
        self.norms = [AdaIN(read, f"{key}.norm{i}") for i in (1, 2)]
        self.convs = [read.product(f"{key}.conv1", bare=True), read.product(f"{key}.conv2")]
        self.beside = read.product(f"{key}.conv1x1") if f"{key}.conv1x1.weight_v" in read.tensors else None
        self.pool = _Doubling(read, f"{key}.pool") if f"{key}.pool.weight_v" in read.tensors else None

    def __call__(self, x: Floats, dressed: Dressing) -> Floats:
        """(T, C) to (T or 2 T, C)."""
        dress = self.norms[0](x, dressed)
        beside = self.beside(x)[:, : self.beside.outputs] if self.beside else x
        if self.pool:
            y = self.convs[0](self.pool(put_on(self.norms[0].team, x, dress)))
            beside = np.repeat(beside, 2, axis=0)
        else:
            y = self.convs[0](x, dress=dress)
        y = y[:, : self.convs[0].outputs]
        y = self.convs[1](y, dress=self.norms[1](y, dressed))[:, : self.convs[1].outputs]
        y += beside
        y *= np.float32(2**-0.5)
        return y


class _Doubling:
    """A depthwise transposed convolution, kernel 3, stride 2 (``graph_layers.Layers.double``)."""

    def __init__(self, read: Parameters, key: str) -> None:
        weight = to_float32(read.tensors[f"{key}.weight_v"])[:, 0].T * read.vector(f"{key}.scale")
        self.taps, self.bias = np.ascontiguousarray(weight), read.vector(f"{key}.bias")

    def __call__(self, x: Floats) -> Floats:
        """(T, C) to (2 T, C)."""
        made = np.empty((len(x), 2, x.shape[1]), np.float32)
        made[:, 0] = x * self.taps[1] + self.bias
        made[:, 1] = x * self.taps[2] + self.bias
        made[:-1, 1] += x[1:] * self.taps[0]
        return made.reshape(-1, x.shape[1])
