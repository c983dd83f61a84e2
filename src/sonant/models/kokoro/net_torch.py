"""Kokoro in torch, our own: StyleTTS 2's text side and an iSTFTNet voice, with hexgrad's state-dict keys.

Three parts with NumPy between them, so that every engine runs the same flow (``engines.synth_flow``):

    text      symbols, style            -> durations, features of each symbol
    prosody   features of each frame    -> pitch and energy
    decoder   text features, curves, excitation -> spectra

Sources: hexgrad/kokoro 0.9.4 (structure, names, fixed numbers), yl4579/StyleTTS2 (Li et al. 2023).
"""

from __future__ import annotations

from torch import Tensor, nn

from sonant.models.kokoro.config import KokoroConfig
from sonant.models.kokoro.net_torch_decoder import Decoder
from sonant.models.kokoro.net_torch_layers import mask_of
from sonant.models.kokoro.net_torch_text import Albert, ProsodyPredictor, TextEncoder

__all__ = ["Kokoro"]


class Kokoro(nn.Module):
    """The network; a style row is (B, 2 x style): the first half colours the voice, the second the prosody."""

    def __init__(self, config: KokoroConfig) -> None:
        super().__init__()
        self.config = config
        self.bert = Albert(config.albert, config.n_token)
        self.bert_encoder = nn.Linear(config.albert.hidden_size, config.hidden)
        self.predictor = ProsodyPredictor(config)
        self.text_encoder = TextEncoder(config)
        self.decoder = Decoder(config)

    def text(self, tokens: Tensor, style: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read.

        Args:
            tokens: (B, T) int64 symbols, pads at both ends included, 0 past each end.
            style: (B, 2 x style).
            lengths: (B,) int64 symbols.

        Returns:
            durations in frames at speed 1, not rounded (B, T); prosody features (B, T, hidden + style);
            text features (B, T, hidden).
        """
        mask = mask_of(lengths, tokens.shape[1], style.dtype)
        read = self.bert_encoder(self.bert(tokens, mask))
        durations, features = self.predictor.durations(read, style[:, self.config.style :], lengths)
        return durations, features, self.text_encoder(tokens, lengths, mask)

    def prosody(self, frames: Tensor, style: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Pitch in Hz and energy, (B, 2 F) each, of (B, F, hidden + style) prosody features and (B,) frame counts."""
        return self.predictor.curves(frames, style[:, self.config.style :], lengths)

    def decode(
        self, text: Tensor, pitch: Tensor, energy: Tensor, source: Tensor, style: Tensor, lengths: Tensor
    ) -> Tensor:
        """Spectra (B, columns, n_fft + 2); see ``Decoder.forward``."""
        return self.decoder(text, pitch, energy, source, style[:, : self.config.style], lengths)
