"""Young weights: where a network's training begins."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sonant.models.wav2vec2.config import SAMPLE_RATE, Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC

__all__ = ["filters", "initialise"]

LONG = 160  # samples, 10 ms: a first convolution this long hears pitch and formants apart
PHASES = 4  # of each band; rectified and added, they are its loudness whatever its phase
LOWEST_HZ, HIGHEST_HZ = 80.0, 7600.0
EMPHASIS = 0.7  # power of the frequency above EMPHASIS_HZ by which filters rise: speech falls so
EMPHASIS_HZ = 500.0
LOUDNESS = 3.0  # sum of squares that a filter has on average


def initialise(config: Wav2Vec2Config, seed: int) -> Wav2Vec2ForCTC:
    """A fresh network: truncated-normal matrices, He-scaled convolutions, residual outputs scaled down with depth.

    A first convolution of 10 ms or more begins as a bank of band filters: a network that need not find them first
    learns from less speech (Sainath et al. 2015, "Learning the Speech Front-end With Raw Waveform CLDNNs").
    """
    torch.manual_seed(seed)
    net = Wav2Vec2ForCTC(config)
    for name, parameter in net.named_parameters():
        if parameter.ndim == 2:
            nn.init.trunc_normal_(parameter, std=parameter.shape[1] ** -0.5)
        elif parameter.ndim == 3 and "pos_conv" not in name:
            nn.init.kaiming_normal_(parameter)
        if name.endswith(("out_proj.weight", "output_dense.weight")):
            parameter.data.mul_((2 * config.num_hidden_layers) ** -0.5)
        if name.endswith(".bias") and "norm" not in name:
            nn.init.zeros_(parameter)
    if config.conv_kernel[0] >= LONG:
        first = net.wav2vec2.feature_extractor.get_parameter("conv_layers.0.conv.weight")
        first.data.copy_(torch.from_numpy(filters(config.conv_dim[0], config.conv_kernel[0]))[:, None])
    return net


def filters(count: int, kernel: int) -> NDArray[np.float32]:
    """(count, kernel) windowed cosines, four phases of a band each, bands evenly spaced on the mel scale."""
    bands = -(-count // PHASES)
    lowest, highest = (1127 * np.log1p(edge / 700) for edge in (LOWEST_HZ, HIGHEST_HZ))
    mel = np.linspace(lowest, highest, bands)
    hertz = np.repeat(700 * np.expm1(mel / 1127), PHASES)[:count, None]
    phases = np.tile(np.arange(PHASES) * 2 * np.pi / PHASES, bands)[:count, None]
    time_s = (np.arange(kernel) - (kernel - 1) / 2) / SAMPLE_RATE
    bank = np.hanning(kernel + 2)[1:-1] * np.cos(2 * np.pi * hertz * time_s + phases)
    bank *= (1 + hertz / EMPHASIS_HZ) ** EMPHASIS / np.sqrt((bank**2).sum(1, keepdims=True))
    bank *= LOUDNESS / np.sqrt((bank**2).sum(1).mean())
    return bank.astype(np.float32)
