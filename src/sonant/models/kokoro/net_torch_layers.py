"""Layers that several parts of Kokoro share, each right for a batch of unequal lengths.

Legend: B utterances, C channels, T steps. Masks are (B, 1, T), 1 on an utterance's own steps and 0 past its end.
The rule: whatever enters a convolution is 0 past the end (as zero padding would be), statistics are taken over an
utterance's own steps, and recurrent layers run backwards from its own last step. So a batch gives what its members
give alone. Values past the end are arbitrary in between.

Parameter names are hexgrad's (kokoro 0.9.4, modules.py and istftnet.py).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

__all__ = ["AdaIN", "BiLSTM", "NormedConv", "NormedConvTranspose", "ResBlock", "fold_weight_norm", "mask_of"]

NORM_EPS = 1e-5


def mask_of(lengths: Tensor, steps: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, 1, steps) mask of (B,) lengths."""
    positions = torch.arange(steps, device=lengths.device)
    return (positions[None, :] < lengths[:, None])[:, None, :].to(dtype)


class _WeightNorm(nn.Module):
    """A weight stored as direction and length, W = g v / |v| over all axes but the first (Salimans & Kingma 2016)."""

    def __init__(self, shape: tuple[int, int, int], bias: int) -> None:
        super().__init__()
        self.weight_g = nn.Parameter(torch.empty(shape[0], 1, 1))
        self.weight_v = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(bias)) if bias else None

    @property
    def w(self) -> Tensor:
        """The weight itself."""
        if "weight" in self._parameters:
            return self.get_parameter("weight")
        length = self.weight_v.float().pow(2).sum(dim=(1, 2), keepdim=True).sqrt()
        return (self.weight_v * (self.weight_g / length)).to(self.weight_v.dtype)

    def fold(self) -> None:
        """Replace weight_g and weight_v by ``weight``."""
        weight = nn.Parameter(self.w.detach(), requires_grad=False)
        del self.weight_g, self.weight_v
        self.weight = weight


def fold_weight_norm(net: nn.Module) -> None:
    """Fold every weight normalisation of a network, for inference."""
    for module in net.modules():
        if isinstance(module, _WeightNorm):
            module.fold()


class NormedConv(_WeightNorm):
    """A weight-normalised convolution that keeps the length ("same" padding), or halves it with stride 2."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, dilation: int = 1, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__((outputs, inputs, kernel), outputs if bias else 0)
        self.stride, self.dilation, self.padding = stride, dilation, (kernel - 1) * dilation // 2

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T) to (B, outputs, T / stride)."""
        return F.conv1d(x, self.w, self.bias, self.stride, self.padding, self.dilation)


class NormedConvTranspose(_WeightNorm):
    """A weight-normalised transposed convolution, kernel 2 x rate: T steps become T x rate."""

    def __init__(self, inputs: int, outputs: int, rate: int) -> None:
        super().__init__((inputs, outputs, 2 * rate), outputs)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T) to (B, outputs, T x rate)."""
        return F.conv_transpose1d(x, self.w, self.bias, self.rate, padding=self.rate // 2)


class Doubling(_WeightNorm):
    """A weight-normalised depthwise transposed convolution, kernel 3, stride 2: T steps become 2 T."""

    def __init__(self, channels: int) -> None:
        super().__init__((channels, 1, 3), channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, T) to (B, channels, 2 T)."""
        return F.conv_transpose1d(x, self.w, self.bias, 2, padding=1, output_padding=1, groups=x.shape[1])


class AdaIN(nn.Module):
    """Instance normalisation whose scale and shift come from the style (Huang & Belongie 2017)."""

    def __init__(self, style: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style, 2 * channels)

    def forward(self, x: Tensor, style: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) to the same, 0 past each end."""
        scale, shift = self.fc(style)[:, :, None].chunk(2, dim=1)  # (B, C, 1) each
        count = mask.sum(dim=2, keepdim=True)
        mean = (x * mask).sum(dim=2, keepdim=True) / count
        centred = (x - mean) * mask
        variance = centred.pow(2).sum(dim=2, keepdim=True) / count
        return centred * ((1 + scale) * torch.rsqrt(variance + NORM_EPS)) + shift * mask


class BiLSTM(nn.LSTM):
    """One bidirectional LSTM layer over (B, T, C)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        """(B, T, inputs) to (B, T, outputs), 0 past each end."""
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(super().forward(packed)[0], batch_first=True, total_length=x.shape[1])[
            0
        ]


class ResBlock(nn.Module):
    """``AdainResBlk1d``: two convolutions under AdaIN and a shortcut, optionally at twice the rate."""

    def __init__(self, inputs: int, outputs: int, style: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.conv1 = NormedConv(inputs, outputs, 3)
        self.conv2 = NormedConv(outputs, outputs, 3)
        self.norm1 = AdaIN(style, inputs)
        self.norm2 = AdaIN(style, outputs)
        self.conv1x1 = NormedConv(inputs, outputs, 1, bias=False) if inputs != outputs else None
        self.pool = Doubling(inputs) if upsample else None

    def forward(self, x: Tensor, style: Tensor, mask: Tensor, mask_out: Tensor) -> Tensor:
        """(B, inputs, T) to (B, outputs, T), or 2 T; ``mask_out`` is the mask at the rate of the output."""
        y = F.leaky_relu(self.norm1(x, style, mask), 0.2)
        if self.pool is not None:
            y = self.pool(y) * mask_out
            x = x.repeat_interleave(2, dim=2)
        y = F.leaky_relu(self.norm2(self.conv1(y), style, mask_out), 0.2)
        y = self.conv2(y)
        if self.conv1x1 is not None:
            x = self.conv1x1(x)
        return (y + x) * 2**-0.5
