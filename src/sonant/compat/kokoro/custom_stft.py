"""``CustomSTFT``: a short-time Fourier transform in real numbers alone, as two matrix products."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

__all__ = ["CustomSTFT"]


class CustomSTFT(nn.Module):
    """Forward and inverse transform without complex numbers, for exporters that have none."""

    window: torch.Tensor
    cosines: torch.Tensor
    sines: torch.Tensor

    def __init__(
        self,
        filter_length: int = 800,
        hop_length: int = 200,
        win_length: int = 800,
        window: str = "hann",
        center: bool = True,
        pad_mode: str = "replicate",
    ) -> None:
        """Build the bases: (bins, filter_length) cosines and sines, windowed."""
        super().__init__()
        if window != "hann":
            raise ValueError(f"window {window!r}; allowed: hann")
        self.filter_length = self.n_fft = filter_length
        self.hop_length, self.win_length = hop_length, win_length
        self.center, self.pad_mode = center, pad_mode
        shape = torch.hann_window(win_length, periodic=True)
        lacking = filter_length - win_length
        shape = functional.pad(shape, (lacking // 2, lacking - lacking // 2))
        turns = torch.outer(torch.arange(filter_length // 2 + 1.0), torch.arange(float(filter_length)))
        angles = turns * (2 * math.pi / filter_length)
        self.register_buffer("window", shape)
        self.register_buffer("cosines", torch.cos(angles))
        self.register_buffer("sines", torch.sin(angles))

    def transform(self, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, N) to magnitude and phase, each (B, bins, frames)."""
        if self.center:
            pad = self.n_fft // 2
            waveform = functional.pad(waveform[:, None], (pad, pad), mode=self.pad_mode)[:, 0]
        frames = waveform.unfold(-1, self.n_fft, self.hop_length) * self.window  # (B, frames, n_fft)
        real = (frames @ self.cosines.T).transpose(1, 2)
        imaginary = -(frames @ self.sines.T).transpose(1, 2)
        magnitude = torch.sqrt(real**2 + imaginary**2 + 1e-14)
        return magnitude, torch.atan2(imaginary, real)

    def inverse(self, magnitude: torch.Tensor, phase: torch.Tensor, length: int | None = None) -> torch.Tensor:
        """(B, bins, frames) magnitude and phase to (B, 1, N)."""
        # Every bin but the first and, for an even length, the last stands for its conjugate too.
        weights = torch.full((magnitude.shape[1], 1), 2.0 / self.n_fft, device=magnitude.device)
        weights[0] = 1.0 / self.n_fft
        if self.n_fft % 2 == 0:
            weights[-1] = 1.0 / self.n_fft
        real = (magnitude * torch.cos(phase) * weights).transpose(1, 2)
        imaginary = (magnitude * torch.sin(phase) * weights).transpose(1, 2)
        frames = (real @ self.cosines - imaginary @ self.sines) * self.window
        waveform = self._overlapped(frames)
        squares = (self.window**2).expand(1, frames.shape[1], -1)
        waveform = waveform / self._overlapped(squares).clamp(min=1e-8)
        if self.center:
            pad = self.n_fft // 2
            waveform = waveform[:, pad : waveform.shape[1] - pad]
        return waveform[:, None, :length]

    def _overlapped(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, frames, n_fft) added up at their places: (B, N)."""
        size = self.n_fft + self.hop_length * (frames.shape[1] - 1)
        folded = functional.fold(frames.transpose(1, 2), (1, size), (1, self.n_fft), stride=(1, self.hop_length))
        return folded[:, 0, 0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N) there and back: (B, 1, N), the samples behind the last whole hop too."""
        whole = functional.pad(x[:, None], (0, -x.shape[-1] % self.hop_length), mode="replicate")[:, 0]
        return self.inverse(*self.transform(whole), length=x.shape[-1])
