"""Training a CTC recogniser of the wav2vec 2.0 family, from scratch or from a checkpoint, on a CPU.

CTC loss after Graves et al. 2006; spans of frames are masked in the latent space as wav2vec 2.0 fine-tuning does
(Baevski et al. 2020, section 4.3). Where the words' times are known, frame targets are taught beside CTC: each letter
gets its share of its word. They carry the network past the long plateau at which CTC alone writes nothing but blanks,
and a small rest of them keeps its letters where they are spoken. What is kept is a running mean of the weights
(Polyak and Juditsky 1992).

A run is measured in hours of sound heard, not in time, so that pauses don't matter; it can be killed and goes on.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from sonant.asr.ctc import normalise
from sonant.decode.ctc import greedy
from sonant.errors import BadInput
from sonant.models.wav2vec2.config import SAMPLE_RATE, Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.models.wav2vec2.pretrain_torch import sample_masks
from sonant.text.evaluation import word_errors
from sonant.text.vocab import CtcVocabulary
from sonant.train.data import Augment, Stringing, Utterance, batches, load
from sonant.train.snapshot import read_state, write_folder, write_state

__all__ = ["CtcRecipe", "Progress", "Trainer", "initialise"]

log = logging.getLogger(__name__)
BLANK_SHARE = 0.35  # of each letter's time that the frame targets call blank, so that CTC's peaks come easily


@dataclass(frozen=True)
class CtcRecipe:
    """Everything that decides a training run; saved beside its result.

    Attributes:
        hours: of sound to hear; the learning rate follows it, so a run that reaches them ends well.
        warmup: share of them in which the learning rate rises.
        framed: share of them in which the weight of the frame targets falls from 1 to ``framed_rest``.
        framed_rest: their weight from there on.
        masked_from: share of them after which frames are masked.
        peak_rate: largest learning rate.
        weight_decay: of AdamW, on matrices alone.
        batch_s: seconds of sound a step.
        clip: largest norm of the gradient.
        averaged: share of the steps so far that the running mean of the weights spans.
        measures: times that the held-out speech is measured on the way.
        seed: of weights, order and augmentation.
        threads: CPU threads.
        bfloat16: run the network in bfloat16 where the CPU has it.
        augment: what makes the speech harder.
        stringing: how utterances are joined.
    """

    hours: float = 15.0
    warmup: float = 0.05
    framed: float = 1.0
    framed_rest: float = 0.1
    masked_from: float = 0.15
    peak_rate: float = 1.5e-3
    weight_decay: float = 0.05
    batch_s: float = 12.0
    clip: float = 1.0
    averaged: float = 0.04
    measures: int = 20
    seed: int = 0
    threads: int = 2
    bfloat16: bool = True
    augment: Augment = field(default_factory=Augment)
    stringing: Stringing = field(default_factory=Stringing)

    def rate(self, done: float) -> float:
        """Learning rate after a share ``done`` of the hours: linear rise, then a half cosine to a hundredth."""
        if done < self.warmup:
            return self.peak_rate * done / self.warmup
        fallen = (done - self.warmup) / (1 - self.warmup)
        return self.peak_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(fallen, 1.0))))

    def framed_weight(self, done: float) -> float:
        """Weight of the frame targets after a share ``done`` of the hours."""
        return max(self.framed_rest, 1.0 - done / self.framed) if self.framed else self.framed_rest


@dataclass(frozen=True)
class Progress:
    """Where a run stands: hours heard, share of all, step, CPU time so far, loss of the last steps, measured WER."""

    hours: float
    done: float
    step: int
    cpu_s: float
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


@contextmanager
def _settings(threads: int) -> Iterator[None]:
    """Torch's settings of the process while a network learns; they are as they were afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # young gradients are full of denormals, which cost some CPUs 100 times as much
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


class Trainer:
    """One run: a network, its vocabulary, its speech."""

    def __init__(self, net: Wav2Vec2ForCTC, vocabulary: CtcVocabulary, recipe: CtcRecipe) -> None:
        """Prepare the optimiser; matrices decay, vectors don't."""
        self.net, self.vocabulary, self.recipe = net, vocabulary, recipe
        self.mean = copy.deepcopy(net).eval()
        matrices = [parameter for parameter in net.parameters() if parameter.ndim > 1]
        vectors = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=True)
        self.random = np.random.default_rng(recipe.seed)
        self.step, self.heard_s, self.cpu_s = 0, 0.0, 0.0
        self.curve: list[Progress] = []

    @property
    def done(self) -> float:
        """Share of the hours that is heard."""
        return self.heard_s / (3600 * self.recipe.hours)

    def fit(
        self,
        training: Sequence[Utterance],
        held_out: Sequence[Utterance],
        report: Callable[[Progress], None] | None = None,
    ) -> list[Progress]:
        """Train until the hours are heard; measure on ``held_out`` on the way and at the end.

        Args:
            training: what is learned.
            held_out: what the WER is measured on; nothing is chosen by it.
            report: called after every step.

        Returns:
            The learning curve, that of earlier runs which this one continues included.
        """
        if not training:
            raise BadInput("no utterance to train on")
        with _settings(self.recipe.threads):
            self._learn(training, held_out, report)
        return self.curve

    def _learn(
        self,
        training: Sequence[Utterance],
        held_out: Sequence[Utterance],
        report: Callable[[Progress], None] | None,
    ) -> None:
        """``fit``, under torch's settings for it."""
        sounds = list(load(training))
        losses: list[float] = []
        measured = math.floor(self.done * self.recipe.measures)
        while self.done < 1.0:
            strings = self.recipe.stringing.plan([utterance.duration_s for utterance in training], self.random)
            lengths = [sum(training[i].duration_s for i in string) for string in strings]
            for group in batches(lengths, self.recipe.batch_s, self.random):
                started = time.process_time()
                losses.append(self._step([self._string(strings[place], training, sounds) for place in group]))
                self.cpu_s += time.process_time() - started
                error_rate = None
                if math.floor(self.done * self.recipe.measures) > measured:
                    measured = math.floor(self.done * self.recipe.measures)
                    error_rate = self.word_error_rate(held_out)
                self._note(float(np.mean(losses[-20:])), error_rate, report)
                if self.done >= 1.0:
                    break

    def _note(self, loss: float, error_rate: float | None, report: Callable[[Progress], None] | None) -> None:
        """Add a point to the learning curve."""
        hours = self.heard_s / 3600
        point = Progress(round(hours, 4), round(self.done, 5), self.step, round(self.cpu_s, 1), loss, error_rate)
        self.curve.append(point)
        if report:
            report(point)

    def _string(
        self, string: Sequence[int], training: Sequence[Utterance], sounds: Sequence[NDArray[np.float32]]
    ) -> tuple[Utterance, NDArray[np.float32], float]:
        """Joined and made harder: what is said, the samples, by how much they became longer."""
        stringing = self.recipe.stringing
        utterance, samples = stringing.join([training[i] for i in string], [sounds[i] for i in string], self.random)
        samples, stretch = self.recipe.augment(samples, self.random)
        return utterance, samples, stretch

    def _step(self, hard: Sequence[tuple[Utterance, NDArray[np.float32], float]]) -> float:
        """One update; the loss a frame."""
        recipe, done = self.recipe, self.done
        scores, frames = self._scores([samples for _, samples, _ in hard], done >= recipe.masked_from)
        targets = [self.vocabulary.encode(utterance.text) for utterance, _, _ in hard]
        spelled = functional.ctc_loss(
            scores.transpose(0, 1),
            torch.tensor([symbol for target in targets for symbol in target]),
            frames,
            torch.tensor([len(target) for target in targets]),
            blank=self.vocabulary.blank,
            reduction="sum",
            zero_infinity=True,
        )
        loss = spelled / frames.sum()
        if weight := recipe.framed_weight(done):
            loss = loss + weight * self._framed(scores, hard)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate(done)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self.optimiser.step()
        self.step += 1
        self.heard_s += sum(len(samples) for _, samples, _ in hard) / SAMPLE_RATE
        self._average()
        return float(loss.detach())

    def _scores(self, sounds: Sequence[NDArray[np.float32]], masking: bool) -> tuple[Tensor, Tensor]:
        """Log-probabilities (B, F, V) float32 and frame counts (B,) of a batch in training."""
        config = self.net.config
        waveforms, lengths = padded(sounds)
        masked = None
        if masking and config.mask_time_prob:
            counts = np.array([config.frames(len(samples)) for samples in sounds])
            masked = torch.from_numpy(sample_masks(counts, config, self.random, least=0))
        self.net.train()
        with ExitStack() as stack:
            # Short rows: plain attention is several times as fast backwards as the fused one of the CPU.
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            stack.enter_context(torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16))
            heard = self.net.wav2vec2(waveforms, lengths, masked)
            logits = self.net.lm_head(heard.last)
        return logits.float().log_softmax(2), heard.frames

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running mean towards the weights; young weights change fast, so the mean grows with the steps."""
        keep = 1 - 1 / (1 + self.recipe.averaged * self.step)
        means = [tensor for tensor in self.mean.state_dict().values() if tensor.is_floating_point()]
        new = [tensor for tensor in self.net.state_dict().values() if tensor.is_floating_point()]
        torch._foreach_lerp_(means, new, 1 - keep)

    def _framed(self, scores: Tensor, hard: Sequence[tuple[Utterance, NDArray[np.float32], float]]) -> Tensor:
        """Cross-entropy against letters spread evenly over their words; utterances without times don't count."""
        goals = np.full(scores.shape[:2], -100, np.int64)
        delimiter = self.vocabulary.ids.get(self.vocabulary.delimiter, self.vocabulary.blank)
        hop_s = self.net.config.samples_per_frame / SAMPLE_RATE
        for line, (utterance, samples, stretch) in zip(goals, hard, strict=True):
            if utterance.words:
                line[: self.net.config.frames(len(samples))] = self.vocabulary.blank
            for place, (text, start_s, end_s) in enumerate(utterance.words):
                symbols = self.vocabulary.encode(text)
                edges = np.linspace(start_s * stretch, end_s * stretch, len(symbols) + 1) / hop_s
                for symbol, start, end in zip(symbols, edges[:-1], edges[1:], strict=True):
                    first = round(start)
                    last = max(first + 1, round(start + (end - start) * (1 - BLANK_SHARE)))
                    line[first:last] = symbol
                if place:
                    line[max(round(edges[0]) - 1, 0)] = delimiter  # the last frame before a word
        if (goals < 0).all():
            return scores.sum() * 0.0
        return functional.cross_entropy(scores.flatten(0, 1), torch.from_numpy(goals).flatten(), ignore_index=-100)

    @torch.inference_mode()
    def word_error_rate(self, utterances: Sequence[Utterance]) -> float:
        """Share of words wrong on clean utterances, by the mean weights, decoded greedily."""
        wrong = total = 0
        for group in batches([utterance.duration_s for utterance in utterances], 20.0, np.random.default_rng(0)):
            chosen = [utterances[i] for i in group]
            waveforms, lengths = padded(list(load(chosen)))
            logits, frames = self.mean(waveforms, lengths)
            for utterance, scores, count in zip(chosen, logits, frames.tolist(), strict=True):
                heard = self.vocabulary.text(greedy(scores[:count].numpy(), self.vocabulary.blank).ids)
                wrong += word_errors(utterance.text, heard)
                total += len(utterance.text.split())
        return wrong / max(total, 1)

    def save(self, folder: Path, dtype: torch.dtype = torch.float16) -> None:
        """Write the mean weights as a checkpoint folder that opens like any other of the family."""
        write_folder(folder, dict(self.mean.state_dict()), self.net.config, self.vocabulary, dtype)
        (folder / "recipe.json").write_text(json.dumps(asdict(self.recipe), indent=1) + "\n", encoding="utf-8")

    def save_state(self, path: Path) -> None:
        """Write everything that the run needs to go on."""
        state = {
            "net": self.net.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "counts": {"step": self.step, "heard_s": self.heard_s, "cpu_s": self.cpu_s},
            "random": json.dumps(self.random.bit_generator.state),
            "curve": json.dumps([asdict(point) for point in self.curve]),
        }
        write_state(path, state)

    def load_state(self, path: Path) -> None:
        """Go on from what ``save_state`` wrote."""
        state = read_state(path)
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.heard_s, self.cpu_s = (state["counts"][name] for name in ("step", "heard_s", "cpu_s"))
        self.random.bit_generator.state = json.loads(state["random"])
        self.curve = [Progress(**point) for point in json.loads(state["curve"])]


def padded(sounds: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Normalised samples as a zero-padded batch: (B, N) float32, (B,) int64."""
    lengths = [len(samples) for samples in sounds]
    waveforms = torch.zeros(len(sounds), max(lengths))
    for line, samples in enumerate(sounds):
        waveforms[line, : lengths[line]] = torch.from_numpy(normalise(samples))
    return waveforms, torch.tensor(lengths)
