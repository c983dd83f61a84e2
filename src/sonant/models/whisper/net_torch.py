"""The Whisper network in torch: the float32 reference of the family.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022), section 2.2. Parameter names are
those that transformers' ``WhisperForConditionalGeneration.save_pretrained`` writes, so a state dict loads strictly.

Legend: B windows, K beams of each, R = B * K decoder rows, T feature frames, F encoder frames, L tokens of this call,
P tokens before, D width, H heads, E head size, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sonant.models.whisper.config import LAYER_NORM_EPS, WhisperConfig

__all__ = ["Cache", "Cross", "Whisper"]

FIRST_CAPACITY = 64  # tokens that a fresh cache has room for; it doubles when full


@dataclass
class Cross:
    """Keys and values of every decoder layer over the encoder's output, computed once per window.

    Attributes:
        keys: a (B, H, F, E) tensor per layer; values alike.
    """

    keys: list[Tensor]
    values: list[Tensor]

    def select(self, windows: list[int]) -> Cross:
        """These windows: views where they are a run, copies where they are picked."""
        first, count = windows[0], len(windows)
        if windows == list(range(first, first + count)):
            rows: slice | Tensor = slice(first, first + count)
        else:
            rows = torch.tensor(windows, device=self.keys[0].device)
        return Cross([key[rows] for key in self.keys], [value[rows] for value in self.values])


@dataclass
class Cache:
    """Keys and values of the decoded tokens.

    Attributes:
        length: tokens that are valid; what lies behind is forgotten or free room.
        keys: a (R, H, capacity, E) tensor per layer, empty before the first step; values alike.
    """

    length: int = 0
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write (R, H, L, E) behind the valid tokens and give all of (R, H, P + L, E); the caller moves ``length``."""
        end = self.length + key.shape[2]
        if layer == len(self.keys):
            self.keys.append(_room(key, max(FIRST_CAPACITY, end)))
            self.values.append(_room(value, max(FIRST_CAPACITY, end)))
        elif end > self.keys[layer].shape[2]:
            self.keys[layer] = self._grown(self.keys[layer], end)
            self.values[layer] = self._grown(self.values[layer], end)
        self.keys[layer][:, :, self.length : end] = key
        self.values[layer][:, :, self.length : end] = value
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]

    def reorder(self, rows: Tensor) -> None:
        """Row r continues from row ``rows[r]``."""
        for tensors in (self.keys, self.values):
            for layer, tensor in enumerate(tensors):
                grown = _room(tensor, tensor.shape[2])
                grown[:, :, : self.length] = tensor[:, :, : self.length].index_select(0, rows)
                tensors[layer] = grown

    def _grown(self, tensor: Tensor, end: int) -> Tensor:
        larger = _room(tensor, max(end, 2 * tensor.shape[2]))
        larger[:, :, : self.length] = tensor[:, :, : self.length]
        return larger


def _room(like: Tensor, capacity: int) -> Tensor:
    rows, heads, _, size = like.shape
    return like.new_empty(rows, heads, capacity, size)


class Attention(nn.Module):
    """Multi-head attention; the key projection has no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def split(self, hidden: Tensor) -> Tensor:
        """(N, L, D) -> (N, H, L, E)."""
        return hidden.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def project(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of (N, F, D): two (N, H, F, E)."""
        return self.split(self.k_proj(source)), self.split(self.v_proj(source))

    def attend(self, hidden: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, L, D) over (N, H, F, E) -> (N, L, D)."""
        mixed = functional.scaled_dot_product_attention(self.split(self.q_proj(hidden)), key, value, mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def attend_shared(self, hidden: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend from (B * K, L, D) to (B, H, F, E): a window's beams ask as one row, its keys are read once."""
        windows, (rows, length, width) = key.shape[0], hidden.shape
        folded = hidden.reshape(windows, rows // windows * length, width)  # (B, K * L, D)
        return self.attend(folded, key, value).reshape(rows, length, width)

    def scores(self, hidden: Tensor, key: Tensor) -> Tensor:
        """Scaled scores before the softmax: (N, L, D) over (N, H, F, E) -> (N, H, L, F)."""
        query = self.split(self.q_proj(hidden))
        return query @ key.transpose(2, 3) / math.sqrt(query.shape[3])


class EncoderLayer(nn.Module):
    """Pre-norm block: self-attention, then feed-forward."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width = config.d_model
        self.self_attn = Attention(width, config.encoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(width, LAYER_NORM_EPS)
        self.fc1 = nn.Linear(width, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width, LAYER_NORM_EPS)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, F, D) -> (B, F, D)."""
        normed = self.self_attn_layer_norm(hidden)
        hidden = hidden + self.self_attn.attend(normed, *self.self_attn.project(normed))
        return hidden + self.fc2(functional.gelu(self.fc1(self.final_layer_norm(hidden))))


class Encoder(nn.Module):
    """Two convolutions (the second halves the frames), fixed positions, blocks, a norm."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width = config.d_model
        self.conv1 = nn.Conv1d(config.num_mel_bins, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.max_source_positions, width)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.layer_norm = nn.LayerNorm(width, LAYER_NORM_EPS)

    def forward(self, features: Tensor) -> Tensor:
        """(B, n_mels, T) -> (B, F, D)."""
        hidden = functional.gelu(self.conv2(functional.gelu(self.conv1(features))))
        hidden = hidden.transpose(1, 2) + self.embed_positions.weight
        for layer in self.layers:
            hidden = layer(hidden)
        return self.layer_norm(hidden)


class DecoderLayer(nn.Module):
    """Pre-norm block: causal self-attention, attention to the encoder, feed-forward."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width, heads = config.d_model, config.decoder_attention_heads
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width, LAYER_NORM_EPS)
        self.encoder_attn = Attention(width, heads)
        self.encoder_attn_layer_norm = nn.LayerNorm(width, LAYER_NORM_EPS)
        self.fc1 = nn.Linear(width, config.decoder_ffn_dim)
        self.fc2 = nn.Linear(config.decoder_ffn_dim, width)
        self.final_layer_norm = nn.LayerNorm(width, LAYER_NORM_EPS)


class Decoder(nn.Module):
    """Learned positions, blocks, a norm; the token embedding is also the output projection."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width = config.d_model
        self.scale = math.sqrt(width) if config.scale_embedding else 1.0
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.embed_positions = nn.Embedding(config.max_target_positions, width)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.layer_norm = nn.LayerNorm(width, LAYER_NORM_EPS)

    @property
    def blocks(self) -> list[DecoderLayer]:
        """The layers, typed."""
        return cast("list[DecoderLayer]", list(self.layers))

    def cross(self, encoded: Tensor) -> Cross:
        """Keys and values of every layer over (B, F, D)."""
        pairs = [layer.encoder_attn.project(encoded) for layer in self.blocks]
        return Cross([key for key, _ in pairs], [value for _, value in pairs])

    def forward(
        self, tokens: Tensor, cross: Cross, cache: Cache, scores_of: Collection[int] = ()
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Append (R, L) tokens: normed hidden states (R, L, D), and (R, H, L, F) scores of the layers ``scores_of``."""
        past, length = cache.length, tokens.shape[1]
        hidden = self.embed_tokens(tokens) * self.scale + self.embed_positions.weight[past : past + length]
        mask = _causal(past, length, hidden.device) if length > 1 else None
        scores: dict[int, Tensor] = {}
        for index, layer in enumerate(self.blocks):
            normed = layer.self_attn_layer_norm(hidden)
            key, value = cache.append(index, *layer.self_attn.project(normed))
            hidden = hidden + layer.self_attn.attend(normed, key, value, mask)
            normed = layer.encoder_attn_layer_norm(hidden)
            if index in scores_of:
                scores[index] = layer.encoder_attn.scores(normed, cross.keys[index])
            hidden = hidden + layer.encoder_attn.attend_shared(normed, cross.keys[index], cross.values[index])
            hidden = hidden + layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(hidden))))
        cache.length = past + length
        return self.layer_norm(hidden), scores


def _causal(past: int, length: int, device: torch.device) -> Tensor:
    """(L, P + L) bool, True where a token may look."""
    return torch.ones(length, past + length, dtype=torch.bool, device=device).tril(past)


class Model(nn.Module):
    """Encoder and decoder under the prefix ``model.`` that checkpoints have."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)


class Whisper(nn.Module):
    """The whole network.

    ``encode`` hears windows, ``decode`` appends tokens; ``forward`` does both at once (training, teacher forcing).
    """

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Model(config)
        self.proj_out = None if config.tie_word_embeddings else nn.Linear(config.d_model, config.vocab_size, bias=False)

    def encode(self, features: Tensor) -> Cross:
        """(B, n_mels, T) log-mel -> keys and values of every decoder layer."""
        return self.model.decoder.cross(self.model.encoder(features))

    def decode(self, tokens: Tensor, cross: Cross, cache: Cache, every: bool = False) -> Tensor:
        """Append (R, L) tokens; logits of the last (R, V), or of every one (R, L, V)."""
        hidden, _ = self.model.decoder(tokens, cross, cache)
        return self.project(hidden if every else hidden[:, -1])

    def project(self, hidden: Tensor) -> Tensor:
        """(..., D) -> logits (..., V)."""
        if self.proj_out is None:
            return functional.linear(hidden, self.model.decoder.embed_tokens.weight)
        return self.proj_out(hidden)

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(B, n_mels, T) and (B, L) -> logits (B, L, V)."""
        return self.decode(tokens, self.encode(features), Cache(), every=True)
