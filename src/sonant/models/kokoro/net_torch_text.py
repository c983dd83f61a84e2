"""Kokoro's text side in torch: PL-BERT, the duration encoder, the text encoder, the pitch and energy curves.

Parameter names are hexgrad's (kokoro 0.9.4, modules.py) and, inside PL-BERT, those of transformers' ALBERT.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sonant.models.kokoro.config import AlbertConfig, KokoroConfig
from sonant.models.kokoro.net_torch_layers import NORM_EPS, BiLSTM, NormedConv, ResBlock, mask_of

__all__ = ["Albert", "ProsodyPredictor", "TextEncoder"]


class AlbertEmbeddings(nn.Module):
    """Symbol, position and segment embeddings; there is only one segment."""

    def __init__(self, config: AlbertConfig, n_token: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(n_token, config.embedding_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.embedding_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.embedding_size)
        self.LayerNorm = nn.LayerNorm(config.embedding_size, config.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, embedding_size)."""
        positions = self.position_embeddings.weight[: tokens.shape[1]]
        return self.LayerNorm(self.word_embeddings(tokens) + positions + self.token_type_embeddings.weight[0])


class AlbertAttention(nn.Module):
    """Self-attention with its residual and LayerNorm."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.heads = config.num_attention_heads
        self.query, self.key, self.value, self.dense = (nn.Linear(size, size) for _ in range(4))
        self.LayerNorm = nn.LayerNorm(size, config.layer_norm_eps)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(B, T, C) to the same; ``bias`` (B, 1, 1, T) is added to the scores, -inf past the end."""
        batch, steps, size = x.shape

        def split(y: Tensor) -> Tensor:  # (B, heads, T, C / heads)
            return y.view(batch, steps, self.heads, size // self.heads).transpose(1, 2)

        scores = split(self.query(x)) @ split(self.key(x)).transpose(2, 3) * (size // self.heads) ** -0.5
        heard = (scores + bias).softmax(dim=-1) @ split(self.value(x))
        return self.LayerNorm(x + self.dense(heard.transpose(1, 2).reshape(batch, steps, size)))


class AlbertLayer(nn.Module):
    """Attention and feed-forward; all depths share it."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.full_layer_layer_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention = AlbertAttention(config)
        self.ffn = nn.Linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(B, T, C) to the same."""
        x = self.attention(x, bias)
        return self.full_layer_layer_norm(x + self.ffn_output(F.gelu(self.ffn(x), approximate="tanh")))


class Albert(nn.Module):
    """ALBERT (Lan et al. 2019) without its pooler, trained on phonemes (PL-BERT, Li et al. 2023)."""

    def __init__(self, config: AlbertConfig, n_token: int) -> None:
        super().__init__()
        self.depth = config.num_hidden_layers
        self.embeddings = AlbertEmbeddings(config, n_token)
        group = nn.ModuleDict({"albert_layers": nn.ModuleList([AlbertLayer(config)])})
        self.encoder = nn.ModuleDict(
            {
                "embedding_hidden_mapping_in": nn.Linear(config.embedding_size, config.hidden_size),
                "albert_layer_groups": nn.ModuleList([group]),
            }
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, T) symbols and their (B, 1, T) mask to (B, T, hidden_size)."""
        bias = ((1 - mask) * torch.finfo(mask.dtype).min)[:, None]  # (B, 1, 1, T)
        x = self.encoder["embedding_hidden_mapping_in"](self.embeddings(tokens))
        layer = self.encoder["albert_layer_groups"][0]["albert_layers"][0]  # type: ignore[index]
        for _ in range(self.depth):
            x = layer(x, bias)
        return x


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of (B, C, T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.empty(channels)), nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to the same."""
        return F.layer_norm(x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta, NORM_EPS).transpose(1, 2)


class TextEncoder(nn.Module):
    """Symbols to the features that the decoder speaks: convolutions and an LSTM."""

    def __init__(self, config: KokoroConfig) -> None:
        super().__init__()
        size = config.hidden
        self.embedding = nn.Embedding(config.n_token, size)
        layers = [
            nn.Sequential(NormedConv(size, size, config.text_kernel), ChannelNorm(size), nn.LeakyReLU(0.2))
            for _ in range(config.n_layer)
        ]
        self.cnn = nn.ModuleList(layers)
        self.lstm = BiLSTM(size, size)

    def forward(self, tokens: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """(B, T) to (B, T, hidden)."""
        x = self.embedding(tokens).transpose(1, 2) * mask
        for layer in self.cnn:
            x = layer(x) * mask
        return self.lstm(x.transpose(1, 2), lengths)


class AdaLayerNorm(nn.Module):
    """LayerNorm over channels whose scale and shift come from the style."""

    def __init__(self, style: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.fc = nn.Linear(style, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, T, C) to the same."""
        scale, shift = self.fc(style)[:, None].chunk(2, dim=2)
        return (1 + scale) * F.layer_norm(x, (self.channels,), eps=NORM_EPS) + shift


class DurationEncoder(nn.Module):
    """LSTMs with the style beside every step."""

    def __init__(self, config: KokoroConfig) -> None:
        super().__init__()
        self.lstms = nn.ModuleList()
        for _ in range(config.n_layer):
            self.lstms.append(BiLSTM(config.hidden + config.style, config.hidden))
            self.lstms.append(AdaLayerNorm(config.style, config.hidden))

    def forward(self, x: Tensor, style: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, hidden) to (B, T, hidden + style)."""
        beside = style[:, None].expand(-1, x.shape[1], -1)
        x = torch.cat([x, beside], dim=2)
        for i in range(0, len(self.lstms), 2):
            x = self.lstms[i + 1](self.lstms[i](x, lengths), style)
            x = torch.cat([x, beside], dim=2)
        return x


class LinearLayer(nn.Module):
    """A linear layer one name deeper, as hexgrad's ``LinearNorm``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        return self.linear_layer(x)


class ProsodyPredictor(nn.Module):
    """Durations from text features; pitch and energy from the features of each frame."""

    def __init__(self, config: KokoroConfig) -> None:
        super().__init__()
        size, style = config.hidden, config.style
        self.text_encoder = DurationEncoder(config)
        self.lstm = BiLSTM(size + style, size)
        self.duration_proj = LinearLayer(size, config.max_dur)
        self.shared = BiLSTM(size + style, size)

        def curve() -> nn.ModuleList:
            return nn.ModuleList(
                [
                    ResBlock(size, size, style),
                    ResBlock(size, size // 2, style, upsample=True),
                    ResBlock(size // 2, size // 2, style),
                ]
            )

        self.F0, self.N = curve(), curve()
        self.F0_proj = nn.Conv1d(size // 2, 1, 1)
        self.N_proj = nn.Conv1d(size // 2, 1, 1)

    def durations(self, x: Tensor, style: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, hidden) to durations in frames at speed 1 (B, T), not rounded, and features (B, T, hidden + style)."""
        features = self.text_encoder(x, style, lengths)
        return self.duration_proj(self.lstm(features, lengths)).sigmoid().sum(dim=2), features

    def curves(self, frames: Tensor, style: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, hidden + style) to pitch in Hz and energy, (B, 2 F) each."""
        steps = frames.shape[1]
        single, double = mask_of(lengths, steps, frames.dtype), mask_of(2 * lengths, 2 * steps, frames.dtype)
        shared = self.shared(frames, lengths).transpose(1, 2)
        made = []
        for blocks, project in ((self.F0, self.F0_proj), (self.N, self.N_proj)):
            x = blocks[0](shared, style, single, single)
            x = blocks[1](x, style, single, double)
            x = blocks[2](x, style, double, double)
            made.append(project(x)[:, 0])
        return made[0], made[1]
