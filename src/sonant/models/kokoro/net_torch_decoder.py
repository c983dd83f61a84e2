"""Kokoro's voice side in torch: the decoder and the iSTFTNet generator, from frames to spectra.

The excitation (sines at the pitch, noise, their spectrum) comes in as ``source``, and the inverse STFT is done by the
caller: both are NumPy and the same for every engine (``models.kokoro.source``, ``models.kokoro.spectrum``).
Parameter names are hexgrad's (kokoro 0.9.4, istftnet.py); the network is Kaneko et al. 2022 (iSTFTNet) inside
StyleTTS 2 (Li et al. 2023) with the snake activation of Ziyin et al. 2020.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sonant.models.kokoro.config import HARMONICS, GeneratorConfig, KokoroConfig
from sonant.models.kokoro.net_torch_layers import AdaIN, NormedConv, NormedConvTranspose, ResBlock, mask_of

__all__ = ["Decoder"]

NOISE_KERNELS = (7, 11)  # of the residual block behind a source convolution: all stages but the last, the last
NOISE_DILATIONS = (1, 3, 5)


def snake(x: Tensor, alpha: Tensor) -> Tensor:
    """Periodic activation x + sin(alpha x)^2 / alpha, one alpha a channel; 0 stays 0."""
    return x + torch.sin(alpha * x).pow(2) / alpha


class SnakeBlock(nn.Module):
    """``AdaINResBlock1``: three residual pairs of dilated convolutions with AdaIN and snake before each."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], style: int) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList([NormedConv(channels, channels, kernel, dilation=d) for d in dilations])
        self.convs2 = nn.ModuleList([NormedConv(channels, channels, kernel) for _ in dilations])
        self.adain1 = nn.ModuleList([AdaIN(style, channels) for _ in dilations])
        self.adain2 = nn.ModuleList([AdaIN(style, channels) for _ in dilations])
        self.alpha1 = nn.ParameterList([nn.Parameter(torch.empty(1, channels, 1)) for _ in dilations])
        self.alpha2 = nn.ParameterList([nn.Parameter(torch.empty(1, channels, 1)) for _ in dilations])

    def forward(self, x: Tensor, style: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) to the same."""
        for i in range(len(self.convs1)):
            y = self.convs1[i](snake(self.adain1[i](x, style, mask), self.alpha1[i]))
            x = x + self.convs2[i](snake(self.adain2[i](y, style, mask), self.alpha2[i]))
        return x


class SourceModule(nn.Module):
    """Holds the weights that merge the harmonics; ``models.kokoro.source`` uses them."""

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(HARMONICS, 1)


class Generator(nn.Module):
    """Features at twice the frame rate to log-magnitude and phase of each spectrum column."""

    def __init__(self, config: GeneratorConfig, style: int) -> None:
        super().__init__()
        self.config = config
        self.m_source = SourceModule()
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        self.noise_convs, self.noise_res = nn.ModuleList(), nn.ModuleList()
        channels = config.upsample_initial_channel
        for i, rate in enumerate(config.upsample_rates):
            self.ups.append(NormedConvTranspose(channels, channels // 2, rate))
            channels //= 2
            sizes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
            self.resblocks.extend(SnakeBlock(channels, kernel, dilations, style) for kernel, dilations in sizes)
            last = i + 1 == len(config.upsample_rates)
            rest = math.prod(config.upsample_rates[i + 1 :])  # spectrum columns to one step of this stage
            self.noise_convs.append(
                nn.Conv1d(config.n_fft + 2, channels, 1)
                if last
                else nn.Conv1d(config.n_fft + 2, channels, 2 * rest, rest, padding=(rest + 1) // 2)
            )
            self.noise_res.append(SnakeBlock(channels, NOISE_KERNELS[last], NOISE_DILATIONS, style))
        self.conv_post = NormedConv(channels, config.n_fft + 2, 7)

    def forward(self, x: Tensor, source: Tensor, style: Tensor, lengths: Tensor) -> Tensor:
        """(B, C, 2 F) features, (B, n_fft + 2, columns) source and (B,) lengths (2 F_i) to (B, n_fft + 2, columns)."""
        blocks = len(self.config.resblock_kernel_sizes)
        mask = mask_of(lengths, x.shape[2], x.dtype)
        for i, rate in enumerate(self.config.upsample_rates):
            lengths = lengths * rate
            x = self.ups[i](F.leaky_relu(x, 0.1) * mask)
            if i + 1 == len(self.config.upsample_rates):
                x = torch.cat([x[:, :, 1:2], x], dim=2)  # reflection pad on the left: one more column than hops
                lengths = lengths + 1
            mask = mask_of(lengths, x.shape[2], x.dtype)
            x = x + self.noise_res[i](self.noise_convs[i](source), style, mask)
            spoken = [self.resblocks[i * blocks + j](x, style, mask) for j in range(blocks)]
            x = torch.stack(spoken).sum(0) / blocks
        return self.conv_post(F.leaky_relu(x, 0.01) * mask)


class Decoder(nn.Module):
    """Text features, pitch and energy of each frame to spectra."""

    def __init__(self, config: KokoroConfig) -> None:
        super().__init__()
        size, style = config.hidden, config.style
        wide, beside = 2 * size, size // 8
        self.encode = ResBlock(size + 2, wide, style)
        inner = wide + 2 + beside
        self.decode = nn.ModuleList([ResBlock(inner, wide, style) for _ in range(3)])
        self.decode.append(ResBlock(inner, size, style, upsample=True))
        self.F0_conv = NormedConv(1, 1, 3, stride=2)
        self.N_conv = NormedConv(1, 1, 3, stride=2)
        self.asr_res = nn.Sequential(NormedConv(size, beside, 1))
        self.generator = Generator(config.generator, style)

    def forward(
        self, text: Tensor, pitch: Tensor, energy: Tensor, source: Tensor, style: Tensor, lengths: Tensor
    ) -> Tensor:
        """Speak.

        Args:
            text: (B, F, hidden) text features of each frame.
            pitch: (B, 2 F) in Hz.
            energy: (B, 2 F).
            source: (B, columns, n_fft + 2) spectrum of the excitation, 0 past each end.
            style: (B, style) the half of the style row that colours the voice.
            lengths: (B,) frames.

        Returns:
            (B, columns, n_fft + 2): log magnitudes, then phases before their sine.
        """
        text = text.transpose(1, 2)
        steps = text.shape[2]
        mask, double = mask_of(lengths, steps, text.dtype), mask_of(2 * lengths, 2 * steps, text.dtype)
        curves = torch.cat([self.F0_conv(pitch[:, None]), self.N_conv(energy[:, None])], dim=1)  # (B, 2, F)
        beside = torch.cat([self.asr_res(text), curves], dim=1)
        x = self.encode(torch.cat([text, curves], dim=1), style, mask, mask)
        for block in self.decode[:-1]:
            x = block(torch.cat([x, beside], dim=1), style, mask, mask)
        x = self.decode[-1](torch.cat([x, beside], dim=1), style, mask, double)
        return self.generator(x, source.transpose(1, 2), style, 2 * lengths).transpose(1, 2)
