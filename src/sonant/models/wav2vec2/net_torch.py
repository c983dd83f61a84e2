"""The wav2vec 2.0 network in torch: the float32 reference of the family.

Baevski, Zhou, Mohamed, Auli: "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations" (2020);
adapters: Pratap et al., "Scaling Speech Technology to 1,000+ Languages" (2023), section 4. Parameter names are those of
Hugging Face checkpoints, so that a state dict loads with ``strict=True``.

Legend: B utterances, N samples, F frames, C convolution channels, D hidden size, H heads, V symbols.

What differs on purpose: a batch gives what its members give alone. The group norm of the first convolution takes its
statistics over the valid frames of each utterance only, and padded frames are zeroed and never attended to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sonant.models.wav2vec2.config import Wav2Vec2Config

__all__ = [
    "AdapterWeights",
    "Headless",
    "Heard",
    "Wav2Vec2ForCTC",
    "Wav2Vec2ForSequenceClassification",
    "Wav2Vec2Model",
    "frame_mask",
]

MASKED = -1e4  # a score that no frame can outweigh, finite so that a row of padding alone stays a number


@dataclass(frozen=True)
class AdapterWeights:
    """One language's adapters, stacked over the rows of a batch so that a batch may mix languages.

    Attributes:
        norm_weight: (L, B, D) for L layers; norm_bias alike.
        down_weight: (L, B, A, D); down_bias: (L, B, A).
        up_weight: (L, B, D, A); up_bias: (L, B, D).
    """

    norm_weight: Tensor
    norm_bias: Tensor
    down_weight: Tensor
    down_bias: Tensor
    up_weight: Tensor
    up_bias: Tensor


@dataclass(frozen=True)
class Heard:
    """What the network made of a batch.

    Attributes:
        last: (B, F, D), what the heads read.
        states: hidden states (B, F, D): the input of the first layer, then the output of every layer.
        features: (B, F, C) normed convolution features, what pretraining quantises.
        frames: (B,) valid frames.
    """

    last: Tensor
    states: list[Tensor]
    features: Tensor
    frames: Tensor


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """(B,) valid lengths -> (B, F) bool, True where a frame is real."""
    return torch.arange(frames, device=lengths.device)[None, :] < lengths[:, None]


class ConvLayer(nn.Module):
    """One strided convolution of the feature encoder, with the norm of its kind, then GELU."""

    def __init__(self, config: Wav2Vec2Config, index: int) -> None:
        super().__init__()
        channels_in = config.conv_dim[index - 1] if index else 1
        channels = config.conv_dim[index]
        self.kernel, self.stride = config.conv_kernel[index], config.conv_stride[index]
        self.conv = nn.Conv1d(channels_in, channels, self.kernel, self.stride, bias=config.conv_bias)
        self.layer_norm: nn.LayerNorm | nn.GroupNorm | None = None
        if config.feat_extract_norm == "layer":
            self.layer_norm = nn.LayerNorm(channels)
        elif index == 0:
            self.layer_norm = nn.GroupNorm(channels, channels)

    def forward(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C_in, N), (B,) -> (B, C, N'), (B,)."""
        hidden = self.conv(hidden)
        lengths = torch.div(lengths - self.kernel, self.stride, rounding_mode="floor") + 1
        if isinstance(self.layer_norm, nn.LayerNorm):
            hidden = self.layer_norm(hidden.transpose(1, 2)).transpose(1, 2)
        elif isinstance(self.layer_norm, nn.GroupNorm):
            hidden = self._masked_group_norm(hidden, lengths, self.layer_norm)
        return functional.gelu(hidden), lengths

    @staticmethod
    def _masked_group_norm(hidden: Tensor, lengths: Tensor, norm: nn.GroupNorm) -> Tensor:
        """Normalise every channel over its valid frames: one group a channel, so the mean runs over time alone."""
        mask = frame_mask(lengths, hidden.shape[2])[:, None, :].to(hidden.dtype)  # (B, 1, F)
        count = lengths[:, None, None].to(hidden.dtype)
        mean = (hidden * mask).sum(2, keepdim=True) / count
        variance = ((hidden - mean).square() * mask).sum(2, keepdim=True) / count
        normed = (hidden - mean) * torch.rsqrt(variance + norm.eps)
        return normed * norm.weight[:, None] + norm.bias[:, None]


class FeatureEncoder(nn.Module):
    """Waveform to frames: seven convolutions, 25 ms of sound every 20 ms."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(ConvLayer(config, index) for index in range(len(config.conv_dim)))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N), (B,) -> (B, F, C), (B,) frames."""
        hidden = waveforms[:, None]
        for layer in self.conv_layers:
            hidden, lengths = layer(hidden, lengths)
        return hidden.transpose(1, 2), lengths


class FeatureProjection(nn.Module):
    """Norm, then project to the transformer's width; the normed features are what pretraining quantises."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], eps=config.layer_norm_eps)
        self.projection = nn.Linear(config.conv_dim[-1], config.hidden_size)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, C) -> projected (B, F, D), normed (B, F, C)."""
        normed = self.layer_norm(hidden)
        return self.projection(normed), normed


class PositionalConvolution(nn.Module):
    """Relative position by a grouped, weight-normed convolution over the frames."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        kernel = config.num_conv_pos_embeddings
        conv = nn.Conv1d(
            config.hidden_size,
            config.hidden_size,
            kernel,
            padding=kernel // 2,
            groups=config.num_conv_pos_embedding_groups,
        )
        self.conv = nn.utils.parametrizations.weight_norm(conv, name="weight", dim=2)
        self.surplus = 1 if kernel % 2 == 0 else 0  # an even kernel makes one frame too many

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, F, D) -> (B, F, D)."""
        position = self.conv(hidden.transpose(1, 2))
        return functional.gelu(position[:, :, : position.shape[2] - self.surplus]).transpose(1, 2)


def _attended(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Scaled dot-product attention, spelled out: for short rows on a CPU, three times as fast to learn as torch's."""
    bias = torch.zeros(mask.shape, dtype=query.dtype, device=query.device).masked_fill(~mask, MASKED)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3) + bias
    return scores.softmax(3, dtype=scores.dtype) @ value


class Attention(nn.Module):
    """Multi-head self-attention over frames."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(B, F, D), mask (B, 1, 1, F) bool -> (B, F, D)."""
        query, key, value = (
            projection(hidden).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, H, F, D / H)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        attend = _attended if self.training else functional.scaled_dot_product_attention
        return self.out_proj(attend(query, key, value, mask).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.output_dense = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, F, D) -> (B, F, D)."""
        return self.output_dense(functional.gelu(self.intermediate_dense(hidden)))


class AdapterLayer(nn.Module):
    """A language's bottleneck at the end of a layer (MMS); its output is added to its input."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.linear_1 = nn.Linear(config.hidden_size, config.adapter_attn_dim)
        self.linear_2 = nn.Linear(config.adapter_attn_dim, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, F, D) -> (B, F, D)."""
        return self.linear_2(functional.relu(self.linear_1(self.norm(hidden))))

    def rows(self, hidden: Tensor, adapters: AdapterWeights, layer: int) -> Tensor:
        """The same with a set of weights for each row."""
        normed = functional.layer_norm(hidden, hidden.shape[-1:], eps=self.norm.eps)
        normed = normed * adapters.norm_weight[layer, :, None] + adapters.norm_bias[layer, :, None]
        down = torch.baddbmm(adapters.down_bias[layer, :, None], normed, adapters.down_weight[layer].transpose(1, 2))
        return torch.baddbmm(
            adapters.up_bias[layer, :, None], functional.relu(down), adapters.up_weight[layer].transpose(1, 2)
        )


class EncoderLayer(nn.Module):
    """A transformer layer: post-norm in base models, pre-norm ("stable") in large ones."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.attention = Attention(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.adapter_layer = AdapterLayer(config) if config.adapter_attn_dim else None

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(B, F, D), mask (B, 1, 1, F) -> (B, F, D), without the adapter."""
        if self.stable:
            hidden = hidden + self.attention(self.layer_norm(hidden), mask)
            return hidden + self.feed_forward(self.final_layer_norm(hidden))
        hidden = self.layer_norm(hidden + self.attention(hidden, mask))
        return self.final_layer_norm(hidden + self.feed_forward(hidden))


class Encoder(nn.Module):
    """The transformer over frames."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.pos_conv_embed = PositionalConvolution(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(
        self, hidden: Tensor, lengths: Tensor, adapters: AdapterWeights | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """What the heads read, (B, F, D), and all hidden states: the first layer's input, then every layer's output.

        In a pre-norm model the heads read the last state normed. Padded frames hold no meaning.
        """
        mask = frame_mask(lengths, hidden.shape[1])
        hidden = hidden * mask[:, :, None].to(hidden.dtype)
        hidden = hidden + self.pos_conv_embed(hidden)
        if not self.stable:
            hidden = self.layer_norm(hidden)
        states = [hidden]
        for index, layer in enumerate(cast("list[EncoderLayer]", self.layers)):
            hidden = layer(hidden, mask[:, None, None, :])
            if layer.adapter_layer is not None:
                adapter = layer.adapter_layer
                hidden = hidden + (adapter(hidden) if adapters is None else adapter.rows(hidden, adapters, index))
            states.append(hidden)
        return (self.layer_norm(hidden) if self.stable else hidden), states


class Wav2Vec2Model(nn.Module):
    """Feature encoder, projection and transformer: the part that every head shares."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.feature_extractor = FeatureEncoder(config)
        self.feature_projection = FeatureProjection(config)
        self.masked_spec_embed = nn.Parameter(torch.empty(config.hidden_size).uniform_())
        self.encoder = Encoder(config)

    def forward(
        self,
        waveforms: Tensor,
        lengths: Tensor,
        masked: Tensor | None = None,
        adapters: AdapterWeights | None = None,
    ) -> Heard:
        """Hear a zero-padded batch.

        Args:
            waveforms: (B, N) float32, normalised as the checkpoint wants, zeros after each length.
            lengths: (B,) samples.
            masked: (B, F) bool, frames to replace by the mask embedding (training).
            adapters: a set of adapters for each row; None uses those in the checkpoint, if any.
        """
        features, frames = self.feature_extractor(waveforms, lengths)
        hidden, normed = self.feature_projection(features)
        if masked is not None:
            hidden = torch.where(masked[:, :, None], self.masked_spec_embed.to(hidden.dtype), hidden)
        last, states = self.encoder(hidden, frames, adapters)
        return Heard(last, states, normed, frames)


class Wav2Vec2ForCTC(nn.Module):
    """The recogniser: a linear head over the last hidden state."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.wav2vec2 = Wav2Vec2Model(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(
        self,
        waveforms: Tensor,
        lengths: Tensor,
        adapters: AdapterWeights | None = None,
        heads: Sequence[tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(B, N), (B,) -> logits (B, F, V), frame counts (B,).

        ``heads`` gives each row its own (weight (V_i, D), bias (V_i,)); narrower ones are filled with -inf.
        """
        heard = self.wav2vec2(waveforms, lengths, adapters=adapters)
        if heads is None:
            return self.lm_head(heard.last), heard.frames
        logits = [functional.linear(row, weight, bias) for row, (weight, bias) in zip(heard.last, heads, strict=True)]
        width = max(row.shape[1] for row in logits)
        filled = [functional.pad(row, (0, width - row.shape[1]), value=-torch.inf) for row in logits]
        return torch.stack(filled), heard.frames


class Wav2Vec2ForSequenceClassification(nn.Module):
    """The classifier of whole utterances (MMS language identification): projected states, averaged, then a linear head.

    Pratap et al. 2023, section 5.
    """

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.wav2vec2 = Wav2Vec2Model(config)
        self.projector = nn.Linear(config.hidden_size, config.classifier_proj_size)
        self.classifier = nn.Linear(config.classifier_proj_size, len(config.labels))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """(B, N), (B,) -> logits (B, labels)."""
        heard = self.wav2vec2(waveforms, lengths)
        projected = self.projector(heard.last)
        real = frame_mask(heard.frames, projected.shape[1])[:, :, None].to(projected.dtype)
        return self.classifier((projected * real).sum(1) / real.sum(1))


class Headless(nn.Module):
    """A checkpoint of the shared part alone: features."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.wav2vec2 = Wav2Vec2Model(config)
