"""Self-supervised pretraining of wav2vec 2.0 in torch: quantiser, contrastive task, masks.

Baevski et al. 2020, section 2 (product quantisation with Gumbel softmax, equation 1) and 3 (contrastive loss,
equation 3, and diversity loss, equation 4). Parameter names are those of Hugging Face's ``Wav2Vec2ForPreTraining``.

Legend: B utterances, F frames, C convolution channels, G codebook groups, E entries a group, P projected width,
K negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2Model

__all__ = ["Pretraining", "Wav2Vec2ForPreTraining", "sample_masks", "sample_negatives"]


class Quantizer(nn.Module):
    """Product quantiser: each frame picks one entry in every group."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.groups, self.entries = config.num_codevector_groups, config.num_codevectors_per_group
        width = config.codevector_dim // self.groups
        self.codevectors = nn.Parameter(torch.empty(1, self.groups * self.entries, width).uniform_())
        self.weight_proj = nn.Linear(config.conv_dim[-1], self.groups * self.entries)
        self.temperature = 2.0  # tau, annealed by the training loop towards 0.5

    def forward(self, features: Tensor, masked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, F, C), masked (B, F) -> quantised (B, F, G * width), codes (B, F, G) int64, perplexity ().

        Training picks entries by hard Gumbel softmax; evaluation by the largest logit. The perplexity is that of the
        mean choice over masked frames, summed over the groups.
        """
        logits = self._logits(features)
        codes = logits.argmax(3)
        if self.training:
            choice = functional.gumbel_softmax(logits.float(), tau=self.temperature, hard=True).to(logits.dtype)
            usage = logits.float().softmax(3)
        else:
            choice = functional.one_hot(codes, self.entries).to(logits.dtype)
            usage = choice
        mean = usage[masked].mean(0)  # (G, E)
        perplexity = torch.exp(-(mean * (mean + 1e-7).log()).sum(1)).sum()
        books = self.codevectors.view(self.groups, self.entries, -1)
        quantised = torch.einsum("bfge,gew->bfgw", choice, books).flatten(2)
        return quantised, codes, perplexity

    def codes(self, features: Tensor) -> Tensor:
        """(B, F, C) -> (B, F, G) int64, the entry of each codebook that fits best: discrete units."""
        return self._logits(features).argmax(3)

    def _logits(self, features: Tensor) -> Tensor:
        return self.weight_proj(features).unflatten(2, (self.groups, self.entries))  # (B, F, G, E)


@dataclass(frozen=True)
class Pretraining:
    """One step's outcome.

    Attributes:
        loss: contrastive + weight * diversity, summed over masked frames; None without negatives.
        contrastive: the contrastive part.
        diversity: the diversity part.
        predicted: (B, F, P) projected transformer output.
        quantised: (B, F, P) projected targets.
        codes: (B, F, G) int64, the discrete units.
        perplexity: how many entries are in use, at most G * E.
    """

    loss: Tensor | None
    contrastive: Tensor | None
    diversity: Tensor | None
    predicted: Tensor
    quantised: Tensor
    codes: Tensor
    perplexity: Tensor


class Wav2Vec2ForPreTraining(nn.Module):
    """The network with its pretraining heads."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.config = config
        self.wav2vec2 = Wav2Vec2Model(config)
        self.quantizer = Quantizer(config)
        self.project_hid = nn.Linear(config.hidden_size, config.proj_codevector_dim)
        self.project_q = nn.Linear(config.codevector_dim, config.proj_codevector_dim)

    def forward(
        self, waveforms: Tensor, lengths: Tensor, masked: Tensor, negatives: Tensor | None = None
    ) -> Pretraining:
        """Predict the quantised features of masked frames.

        Args:
            waveforms: (B, N) zero-padded.
            lengths: (B,) samples.
            masked: (B, F) bool, see ``sample_masks``.
            negatives: (B, F, K) int64 indices into the B * F flattened frames, see ``sample_negatives``.
        """
        heard = self.wav2vec2(waveforms, lengths, masked=masked)
        predicted = self.project_hid(heard.last)
        quantised, codes, perplexity = self.quantizer(heard.features, masked)
        targets = self.project_q(quantised.to(self.project_q.weight.dtype))
        if negatives is None:
            return Pretraining(None, None, None, predicted, targets, codes, perplexity)
        contrastive = self._contrastive(predicted, targets, negatives, masked)
        entries = self.quantizer.groups * self.quantizer.entries
        diversity = (entries - perplexity) / entries * masked.sum()
        loss = contrastive + self.config.diversity_loss_weight * diversity
        return Pretraining(loss, contrastive, diversity, predicted, targets, codes, perplexity)

    def _contrastive(self, predicted: Tensor, targets: Tensor, negatives: Tensor, masked: Tensor) -> Tensor:
        """InfoNCE over cosine similarity, summed over masked frames; a negative equal to the target does not count."""
        distractors = targets.flatten(0, 1)[negatives]  # (B, F, K, P)
        candidates = torch.cat([targets[:, :, None], distractors], 2)  # (B, F, 1 + K, P)
        similarity = functional.cosine_similarity(predicted[:, :, None].float(), candidates.float(), dim=3)
        logits = similarity / self.config.contrastive_logits_temperature
        same = (distractors == targets[:, :, None]).all(3)
        logits = torch.cat([logits[:, :, :1], logits[:, :, 1:].masked_fill(same, -torch.inf)], 2)
        return -logits.log_softmax(2)[:, :, 0][masked].sum()


def sample_masks(
    frames: NDArray[np.int64], config: Wav2Vec2Config, random: np.random.Generator, least: int = 2
) -> NDArray[np.bool_]:
    """Choose spans of frames to mask, each utterance on its own.

    Every valid start is drawn with probability ``mask_time_prob / mask_time_length`` (rounded at random to a whole
    number of spans), and ``mask_time_length`` frames from it are masked; spans may overlap (Baevski et al., 3.1).

    Args:
        frames: (B,) valid frames.
        config: gives probability and length.
        random: source of the draws.
        least: spans that every utterance long enough gets at least.

    Returns:
        (B, F) bool, F the largest of ``frames``.
    """
    masked = np.zeros((len(frames), int(frames.max())), bool)
    for row, count in enumerate(frames.tolist()):
        length = min(config.mask_time_length, count)
        spans = max(int(config.mask_time_prob * count / length + random.random()), least)
        spans = min(spans, count // length)
        starts = random.choice(count - length + 1, spans, replace=False)
        masked[row, (starts[:, None] + np.arange(length)).ravel()] = True
    return masked


def sample_negatives(masked: NDArray[np.bool_], negatives: int, random: np.random.Generator) -> NDArray[np.int64]:
    """For each masked frame, other masked frames of the same utterance, drawn uniformly.

    Returns:
        (B, F, K) int64 indices into the B * F flattened frames; rows of frames that are not masked are 0.
    """
    batch, frames = masked.shape
    chosen = np.zeros((batch, frames, negatives), np.int64)
    for row in range(batch):
        places = np.flatnonzero(masked[row])
        if len(places) < 2:
            continue
        draws = random.integers(0, len(places) - 1, (len(places), negatives))
        draws += draws >= np.arange(len(places))[:, None]  # never the frame itself
        chosen[row, places] = places[draws] + row * frames
    return chosen
