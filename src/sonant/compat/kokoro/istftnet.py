"""``TorchSTFT``: torch's own short-time Fourier transform, as magnitude and phase."""

from __future__ import annotations

import torch

__all__ = ["TorchSTFT"]


class TorchSTFT(torch.nn.Module):
    """Forward and inverse transform by ``torch.stft`` and ``torch.istft``."""

    window: torch.Tensor

    def __init__(
        self, filter_length: int = 800, hop_length: int = 200, win_length: int = 800, window: str = "hann"
    ) -> None:
        """Lengths in samples; the window is Hann's, periodic."""
        super().__init__()
        if window != "hann":
            raise ValueError(f"window {window!r}; allowed: hann")
        self.filter_length, self.hop_length, self.win_length = filter_length, hop_length, win_length
        self.register_buffer("window", torch.hann_window(win_length, periodic=True), persistent=False)

    def transform(self, input_data: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, N) to magnitude and phase, each (B, bins, frames)."""
        spectrum = torch.stft(
            input_data, self.filter_length, self.hop_length, self.win_length, self.window, return_complex=True
        )
        return spectrum.abs(), spectrum.angle()

    def inverse(self, magnitude: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
        """(B, bins, frames) magnitude and phase to (B, 1, N)."""
        spectrum = torch.polar(magnitude, phase)
        waveform = torch.istft(spectrum, self.filter_length, self.hop_length, self.win_length, self.window)
        return waveform[:, None]

    def forward(self, input_data: torch.Tensor) -> torch.Tensor:
        """(B, N) there and back: (B, 1, N)."""
        return self.inverse(*self.transform(input_data))
