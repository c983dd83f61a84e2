"""Training a CTC recogniser of the wav2vec 2.0 family, from scratch or from a checkpoint, on a CPU.

CTC loss after Graves et al. 2006; spans of frames are masked in the latent space as wav2vec 2.0 fine-tuning does
(Baevski et al. 2020, section 4.3). Where times are known, frame targets are taught beside CTC (``targets``): letters to
the head, which carries the network past the long plateau at which CTC alone writes nothing but blanks, and phones to a
layer half-way, through a head of its own that is not kept. A small rest of the former keeps letters where they are
spoken. What is kept is a running mean of the weights (Polyak and Juditsky 1992).

A run is measured in hours of sound heard, not in time, so that pauses don't matter; it can be killed and goes on.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sonant.asr.ctc import normalise
from sonant.decode.ctc import greedy
from sonant.errors import BadInput
from sonant.models.wav2vec2.config import SAMPLE_RATE
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC
from sonant.models.wav2vec2.pretrain_torch import sample_masks
from sonant.text.evaluation import word_errors
from sonant.text.vocab import CtcVocabulary
from sonant.train import targets
from sonant.train.data import GRID_S, Augment, Stringing, Utterance, batches, load, rounds
from sonant.train.snapshot import read_state, write_folder, write_state

__all__ = ["CtcRecipe", "Progress", "Trainer"]

log = logging.getLogger(__name__)
Hard = tuple[Utterance, NDArray[np.float32], float]
"""What is said, the samples made harder, by how much they became longer."""
AVERAGE_EVERY = 4  # steps: the mean is as good, and it costs a quarter


@dataclass(frozen=True)
class CtcRecipe:
    """Everything that decides a training run; saved beside its result.

    Attributes:
        hours: of sound to hear; the learning rate follows it, so a run that reaches them ends well.
        warmup: share of them in which the learning rate rises.
        framed: share of them in which the weight of the letters' frame targets falls from 1 to ``framed_rest``.
        framed_rest: their weight from there on.
        phones: weight of the phones' frame targets, all the way.
        masked_from: share of them after which frames are masked.
        peak_rate: largest learning rate.
        weight_decay: of AdamW, on matrices alone.
        batch_s: seconds of sound a step.
        clip: largest norm of the gradient.
        averaged: share of the steps so far that the running mean of the weights spans.
        measures: times that the held-out speech is measured on the way.
        seed: of weights, order and augmentation.
        threads: parts of a batch that are learned at once, each on a CPU thread of its own.
        bfloat16: run the network in bfloat16 where the CPU has it.
        augment: what makes the speech harder.
        stringing: how utterances are joined.
    """

    hours: float = 15.0
    warmup: float = 0.05
    framed: float = 1.0
    framed_rest: float = 0.1
    phones: float = 0.5
    masked_from: float = 0.15
    peak_rate: float = 2e-3
    weight_decay: float = 0.05
    batch_s: float = 24.0
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
class Part:
    """What a part of a batch teaches: gradients of its share of the loss, that share, its seconds of sound."""

    gradients: tuple[Tensor | None, ...]
    loss: float
    heard_s: float


@dataclass(frozen=True)
class Progress:
    """Where a run stands: hours heard, share of all, step, CPU time so far, loss of the last steps, measured WER."""

    hours: float
    done: float
    step: int
    cpu_s: float
    loss: float
    word_error_rate: float | None = None


@contextmanager
def _workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute alone: small matrices gain more from it than from threads within an operation.

    Torch's settings of the process are afterwards as they were.
    """

    def alone() -> None:  # idle threads of operations would wait busily and take the workers' time
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)  # young gradients are full of denormals, which cost some CPUs 100 times as much

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with ThreadPoolExecutor(threads, initializer=alone) as pool:
        try:
            yield pool
        finally:
            torch.set_num_threads(before)


class Trainer:
    """One run: a network, its vocabulary, its speech."""

    def __init__(
        self, net: Wav2Vec2ForCTC, vocabulary: CtcVocabulary, recipe: CtcRecipe, phones: Sequence[str] = ()
    ) -> None:
        """Prepare the optimiser; matrices decay, vectors don't.

        Args:
            net: to train, in place.
            vocabulary: what its head writes.
            recipe: how.
            phones: all that the training speech names; without any, none are taught.
        """
        self.net, self.vocabulary, self.recipe = net, vocabulary, recipe
        self.mean = copy.deepcopy(net).eval()
        self.phones = {symbol: number for number, symbol in enumerate(phones, 1)}
        self.phone_head = nn.Linear(net.config.hidden_size, 1 + len(phones))
        self.parameters = [*net.parameters(), *(self.phone_head.parameters() if phones else ())]
        matrices = [parameter for parameter in self.parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in self.parameters if parameter.ndim <= 1]
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
        with _workers(self.recipe.threads) as pool:
            self._learn(pool, training, held_out, report)
        return self.curve

    def _learn(
        self,
        pool: ThreadPoolExecutor,
        training: Sequence[Utterance],
        held_out: Sequence[Utterance],
        report: Callable[[Progress], None] | None,
    ) -> None:
        """``fit``, with its workers."""
        sounds = list(load(training))
        losses: list[float] = []
        measured = math.floor(self.done * self.recipe.measures)
        while self.done < 1.0:
            hard = self._made_hard(pool, training, sounds)
            lengths = [len(samples) / SAMPLE_RATE for _, samples, _ in hard]
            parts = batches(lengths, self.recipe.batch_s / self.recipe.threads, self.random)
            for chosen in rounds(parts, lengths, self.recipe.threads, self.random):
                started = time.process_time()
                losses.append(self._step(pool, [[hard[i] for i in part] for part in chosen]))
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

    def _made_hard(
        self, pool: ThreadPoolExecutor, training: Sequence[Utterance], sounds: Sequence[NDArray[np.float32]]
    ) -> list[Hard]:
        """All utterances once: cut, strung together and made harder, as this time chance will have it."""
        recipe, started = self.recipe, time.process_time()
        strings = recipe.stringing.plan([utterance.duration_s for utterance in training], self.random)

        def make(string: Sequence[int], seed: int) -> Hard:
            random = np.random.default_rng(seed)
            joined, samples = recipe.stringing.join([training[i] for i in string], [sounds[i] for i in string], random)
            return (joined, *recipe.augment(samples, random))

        made = list(pool.map(make, strings, self.random.integers(2**63, size=len(strings)).tolist()))
        self.cpu_s += time.process_time() - started
        return made

    def _step(self, pool: ThreadPoolExecutor, parts: Sequence[Sequence[Hard]]) -> float:
        """One update; the loss a frame. Each worker learns a part of the batch; their gradients are added."""
        self.net.train()
        seeds = self.random.integers(2**63, size=len(parts)).tolist()
        frames = sum(self.net.config.frames(len(samples)) for part in parts for _, samples, _ in part)
        learned = list(pool.map(self._part, parts, seeds, repeat(frames)))
        for parameter, *gradients in zip(self.parameters, *(part.gradients for part in learned), strict=True):
            known = [gradient for gradient in gradients if gradient is not None]
            parameter.grad = sum(known[1:], start=known[0]) if known else None
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(self.done)
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimiser.step()
        self.step += 1
        self.heard_s += sum(part.heard_s for part in learned)
        if self.step % AVERAGE_EVERY == 0:
            self._average()
        return sum(part.loss for part in learned)

    def _part(self, hard: Sequence[Hard], seed: int, of: int) -> Part:
        """What a part of a batch of so many frames teaches."""
        scores, phones, frames = self._scores([samples for _, samples, _ in hard], np.random.default_rng(seed))
        loss = self._spelled(scores, frames, hard) + self.recipe.framed_weight(self.done) * self._framed(scores, hard)
        if self.phones:
            loss = loss + self.recipe.phones * self._sounded(phones, hard)
        loss = loss / of
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        heard_s = sum(len(samples) for _, samples, _ in hard) / SAMPLE_RATE
        return Part(gradients, float(loss.detach()), heard_s)

    def _scores(
        self, sounds: Sequence[NDArray[np.float32]], random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities (B, F, V), logits of the phones (B, F, P), frame counts (B,) of a batch in training."""
        config = self.net.config
        waveforms, lengths = padded(sounds)
        masked = None
        if self.done >= self.recipe.masked_from and config.mask_time_prob:
            counts = np.array([config.frames(len(samples)) for samples in sounds])
            spans = torch.from_numpy(sample_masks(counts, config, random, least=0))
            masked = functional.pad(spans, (0, config.frames(waveforms.shape[1]) - spans.shape[1]))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            heard = self.net.wav2vec2(waveforms, lengths, masked)
            phones = self.phone_head(heard.states[(config.num_hidden_layers + 1) // 2])
            logits = self.net.lm_head(heard.last)
        return logits.float().log_softmax(2), phones.float(), heard.frames

    def _spelled(self, scores: Tensor, frames: Tensor, hard: Sequence[Hard]) -> Tensor:
        """CTC loss, summed."""
        texts = [self.vocabulary.encode(utterance.text) for utterance, _, _ in hard]
        return functional.ctc_loss(
            scores.transpose(0, 1),
            torch.tensor([symbol for text in texts for symbol in text]),
            frames,
            torch.tensor([len(text) for text in texts]),
            blank=self.vocabulary.blank,
            reduction="sum",
            zero_infinity=True,
        )

    def _framed(self, scores: Tensor, hard: Sequence[Hard]) -> Tensor:
        """Cross-entropy against the letters' frame targets, summed."""
        return _frame_loss(
            scores, [targets.letters(one, self.vocabulary, *self._extent(long, by)) for one, long, by in hard]
        )

    def _sounded(self, logits: Tensor, hard: Sequence[Hard]) -> Tensor:
        """Cross-entropy against the phones' frame targets, summed."""
        return _frame_loss(
            logits, [targets.phones(one, self.phones, *self._extent(long, by)) for one, long, by in hard]
        )

    def _extent(self, samples: NDArray[np.float32], stretch: float) -> tuple[float, float, int]:
        """Stretch, seconds from frame to frame, and frames of a sound."""
        config = self.net.config
        return stretch, config.samples_per_frame / SAMPLE_RATE, config.frames(len(samples))

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running mean towards the weights; young weights change fast, so the mean grows with the steps."""
        keep = 1 - 1 / (1 + self.recipe.averaged * self.step / AVERAGE_EVERY)
        means = [tensor for tensor in self.mean.state_dict().values() if tensor.is_floating_point()]
        new = [tensor for tensor in self.net.state_dict().values() if tensor.is_floating_point()]
        torch._foreach_lerp_(means, new, 1 - keep)

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
            "phone_head": self.phone_head.state_dict(),
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
        self.phone_head.load_state_dict(state["phone_head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.heard_s, self.cpu_s = (state["counts"][name] for name in ("step", "heard_s", "cpu_s"))
        self.random.bit_generator.state = json.loads(state["random"])
        self.curve = [Progress(**point) for point in json.loads(state["curve"])]


def _frame_loss(scores: Tensor, lines: Sequence[NDArray[np.int64]]) -> Tensor:
    """Cross-entropy of (B, F, C) logits against a target for each frame, summed."""
    goals = torch.full(scores.shape[:2], targets.UNKNOWN)
    for goal, line in zip(goals, lines, strict=True):
        goal[: len(line)] = torch.from_numpy(line)
    return functional.cross_entropy(
        scores.flatten(0, 1), goals.flatten(), ignore_index=targets.UNKNOWN, reduction="sum"
    )


def padded(sounds: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Normalised samples as a batch, zero-padded to a multiple of ``GRID_S``: (B, N) float32, (B,) int64."""
    lengths = [len(samples) for samples in sounds]
    grid = round(GRID_S * SAMPLE_RATE)
    waveforms = torch.zeros(len(sounds), -(-max(lengths) // grid) * grid)
    for line, samples in enumerate(sounds):
        waveforms[line, : lengths[line]] = torch.from_numpy(normalise(samples))
    return waveforms, torch.tensor(lengths)
