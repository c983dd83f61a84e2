"""Training a CTC recogniser of the wav2vec 2.0 family, from scratch or from a checkpoint, on a CPU or a GPU.

CTC loss after Graves et al. 2006; spans of frames are masked in the latent space as wav2vec 2.0 fine-tuning does
(Baevski et al. 2020, section 4.3). Training from scratch begins with a short phase of frame targets: where the words'
times are known, each letter's share of its word is taught directly. It carries the network past the long plateau at
which CTC alone writes nothing but blanks.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from sonant.asr.ctc import normalise
from sonant.decode.ctc import greedy
from sonant.errors import BadInput
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.models.wav2vec2.pretrain_torch import sample_masks
from sonant.text.evaluation import word_errors
from sonant.text.vocab import CtcVocabulary
from sonant.train.data import Augment, Utterance, batches, load

__all__ = ["CtcRecipe", "Progress", "Trainer", "initialise"]

log = logging.getLogger(__name__)
BLANK_SHARE = 0.35  # of each letter's time that the frame targets call blank, so that CTC's peaks come easily


@dataclass(frozen=True)
class CtcRecipe:
    """Everything that decides a training run; saved beside its result.

    Attributes:
        minutes: wall-clock time to spend; the learning rate follows it, so a run always ends well.
        warmup: share of the time in which the learning rate rises.
        framed: share of the time in which frame targets are taught beside CTC.
        peak_rate: largest learning rate.
        weight_decay: of AdamW, on matrices alone.
        batch_s: seconds of sound a step.
        clip: largest norm of the gradient.
        mask_share: share of frames masked.
        seed: of weights, order and augmentation.
        threads: CPU threads.
        bfloat16: run the network in bfloat16 where the CPU has it.
        augment: what makes the speech harder.
    """

    minutes: float = 30.0
    warmup: float = 0.08
    framed: float = 0.25
    peak_rate: float = 1.5e-3
    weight_decay: float = 0.01
    batch_s: float = 80.0
    clip: float = 1.0
    mask_share: float = 0.08
    seed: int = 0
    threads: int = 2
    bfloat16: bool = True
    augment: Augment = field(default_factory=Augment)

    def rate(self, done: float) -> float:
        """Learning rate after a share ``done`` of the time: linear rise, then a half cosine to a hundredth."""
        if done < self.warmup:
            return self.peak_rate * done / self.warmup
        fallen = (done - self.warmup) / (1 - self.warmup)
        return self.peak_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(fallen, 1.0))))


@dataclass(frozen=True)
class Progress:
    """Where a run stands: share of the time, steps, loss of the last steps, WER when it was measured."""

    done: float
    step: int
    loss: float
    word_error_rate: float | None = None


def initialise(config: Wav2Vec2Config, seed: int) -> Wav2Vec2ForCTC:
    """A fresh network: truncated-normal matrices, He-scaled convolutions, residual outputs scaled down with depth."""
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
    return net


class Trainer:
    """One run: a network, its vocabulary, its speech."""

    def __init__(self, net: Wav2Vec2ForCTC, vocabulary: CtcVocabulary, recipe: CtcRecipe) -> None:
        """Prepare the optimiser; matrices decay, vectors don't."""
        torch.set_num_threads(recipe.threads)
        torch.set_flush_denormal(True)  # young gradients are full of denormals, which cost some CPUs 100 times as much
        self.net, self.vocabulary, self.recipe = net, vocabulary, recipe
        matrices = [parameter for parameter in net.parameters() if parameter.ndim > 1]
        vectors = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=True)
        self.random = np.random.default_rng(recipe.seed)
        self.step = 0

    def fit(
        self,
        training: Sequence[Utterance],
        held_out: Sequence[Utterance],
        report: Callable[[Progress], None] | None = None,
    ) -> list[Progress]:
        """Train until the time is spent; measure on ``held_out`` five times on the way and at the end.

        Returns:
            The learning curve.
        """
        if not training:
            raise BadInput("no utterance to train on")
        sounds = list(load(training))
        started, curve, losses = time.monotonic(), [], []
        next_measure = 0.2
        done = 0.0
        while done < 1.0:
            for group in batches(training, self.recipe.batch_s, self.random):
                done = (time.monotonic() - started) / (60 * self.recipe.minutes)
                if done >= 1.0:
                    break
                losses.append(self._step([training[i] for i in group], [sounds[i] for i in group], done))
                error_rate = None
                if done >= next_measure:
                    error_rate = self.word_error_rate(held_out)
                    next_measure += 0.2
                curve.append(Progress(done, self.step, float(np.mean(losses[-20:])), error_rate))
                if report:
                    report(curve[-1])
        curve.append(Progress(1.0, self.step, float(np.mean(losses[-20:])), self.word_error_rate(held_out)))
        if report:
            report(curve[-1])
        return curve

    def _step(self, utterances: Sequence[Utterance], sounds: Sequence[NDArray[np.float32]], done: float) -> float:
        """One update; the loss a frame."""
        recipe, config = self.recipe, self.net.config
        hard = [recipe.augment(samples, self.random) for samples in sounds]
        waveforms, lengths = padded([samples for samples, _ in hard])
        frames = np.array([config.frames(int(length)) for length in lengths])
        masked = sample_masks(frames, config, self.random, least=0) if recipe.mask_share else None
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            heard = self.net.wav2vec2(waveforms, lengths, None if masked is None else torch.from_numpy(masked))
            logits = self.net.lm_head(heard.last)
        scores = logits.float().log_softmax(2)
        targets = [self.vocabulary.encode(utterance.text) for utterance in utterances]
        loss = (
            functional.ctc_loss(
                scores.transpose(0, 1),
                torch.tensor([symbol for target in targets for symbol in target]),
                heard.frames,
                torch.tensor([len(target) for target in targets]),
                blank=self.vocabulary.blank,
                reduction="sum",
                zero_infinity=True,
            )
            / heard.frames.sum()
        )
        if done < recipe.framed:
            share = 1.0 - done / recipe.framed
            loss = loss + share * self._framed(scores, utterances, [stretch for _, stretch in hard])
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate(done)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self.optimiser.step()
        self.step += 1
        return float(loss.detach())

    def _framed(self, scores: Tensor, utterances: Sequence[Utterance], stretches: Sequence[float]) -> Tensor:
        """Cross-entropy against letters spread evenly over their words."""
        goals = np.full(scores.shape[:2], -100, np.int64)
        hop_s = self.net.config.samples_per_frame / 16_000
        for row, (utterance, stretch) in enumerate(zip(utterances, stretches, strict=True)):
            count = math.ceil(utterance.duration_s * stretch / hop_s)
            if utterance.words:
                goals[row, : min(count, goals.shape[1])] = self.vocabulary.blank
            for text, start_s, end_s in utterance.words:
                symbols = self.vocabulary.encode(text)
                edges = np.linspace(start_s * stretch, end_s * stretch, len(symbols) + 1) / hop_s
                for symbol, start, end in zip(symbols, edges[:-1], edges[1:], strict=True):
                    first = round(start)
                    last = max(first + 1, round(start + (end - start) * (1 - BLANK_SHARE)))
                    goals[row, first:last] = symbol
        return functional.cross_entropy(scores.flatten(0, 1), torch.from_numpy(goals).flatten(), ignore_index=-100)

    @torch.inference_mode()
    def word_error_rate(self, utterances: Sequence[Utterance]) -> float:
        """Share of words wrong on clean utterances, decoded greedily."""
        self.net.eval()
        wrong = total = 0
        for group in batches(utterances, self.recipe.batch_s, np.random.default_rng(0)):
            chosen = [utterances[i] for i in group]
            waveforms, lengths = padded(list(load(chosen)))
            logits, frames = self.net(waveforms, lengths)
            for utterance, scores, count in zip(chosen, logits, frames.tolist(), strict=True):
                heard = self.vocabulary.text(greedy(scores[:count].numpy(), self.vocabulary.blank).ids)
                wrong += word_errors(utterance.text, heard)
                total += len(utterance.text.split())
        return wrong / max(total, 1)

    def save(self, folder: Path, dtype: torch.dtype = torch.float16) -> None:
        """Write a checkpoint folder that opens like any other of the family."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: tensor.to(dtype).contiguous() for name, tensor in self.net.state_dict().items()}
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        config = {
            "model_type": "wav2vec2",
            "architectures": ["Wav2Vec2ForCTC"],
            "hidden_act": "gelu",
            "do_normalize": True,
            **asdict(self.net.config),
        }
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        vocabulary = {symbol: index for index, symbol in enumerate(self.vocabulary.symbols)}
        (folder / "vocab.json").write_text(json.dumps(vocabulary) + "\n", encoding="utf-8")
        (folder / "recipe.json").write_text(json.dumps(asdict(self.recipe), indent=1) + "\n", encoding="utf-8")


def padded(sounds: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Normalised samples as a zero-padded batch: (B, N) float32, (B,) int64."""
    lengths = [len(samples) for samples in sounds]
    waveforms = torch.zeros(len(sounds), max(lengths))
    for row, samples in enumerate(sounds):
        waveforms[row, : lengths[row]] = torch.from_numpy(normalise(samples))
    return waveforms, torch.tensor(lengths)
