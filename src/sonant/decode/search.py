"""Search for the likeliest text of windows: greedy, sampling, and beams, many windows at once.

Every window keeps its own state and stops by itself: what it gets in a batch is what it gets alone. Source of the
rules: openai-whisper ``decoding.py`` (``DecodingTask``, ``GreedyDecoder``, ``MaximumLikelihoodRanker``).
Legend: W windows, R rows (W times beams), V vocabulary, t tokens written.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.decode.beam import BeamSearch, Candidate, until_end
from sonant.decode.options import TranscribeOptions
from sonant.decode.ranking import rank
from sonant.decode.rules import Rule
from sonant.engines.base import Memory, Seq2Seq
from sonant.errors import BadInput
from sonant.text.bpe import WhisperTokenizer

__all__ = ["Hypothesis", "Request", "Search", "compression_ratio", "log_softmax"]


@dataclass(frozen=True, slots=True)
class Request:
    """One window to decode.

    Attributes:
        window: its row in the memory.
        tokens: what stands before the text: context, start tokens, prefix.
        language: code, for the record.
        start_frame: where the window starts in the file, 10 ms each; seeds its samples.
        given: how many of the last tokens are the beginning of the text.
    """

    window: int
    tokens: tuple[int, ...]
    language: str | None
    start_frame: int = 0
    given: int = 0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What was decoded for a window.

    Attributes:
        tokens: text and times, without start and end tokens.
        text: without outer white space.
        avg_logprob: mean log-probability of the tokens and the end token; NaN where the network gave NaN, and no text.
        no_speech_prob: probability of the no-speech token at the start.
        compression_ratio: bytes of the text over bytes of its zlib compression.
        temperature: that it was decoded at.
        language: code, or None.
    """

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    language: str | None


def compression_ratio(text: str) -> float:
    """Bytes of a text over bytes of its zlib compression; repetitions score high."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) / len(zlib.compress(data))


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities over the last axis, float32."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class Picker(Protocol):
    """Chooses next tokens, and knows when each window is done."""

    def choose(
        self, logits: NDArray[np.float32], written: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Next token of each row (R,), and the row that each continues (R,), or None where each continues itself."""

    @property
    def done(self) -> bool:
        """Whether every window is complete."""

    def candidates(self, window: int, written: NDArray[np.int64]) -> list[Candidate]:
        """The window's texts, for ranking."""


@dataclass(frozen=True, slots=True)
class Search:
    """Decodes windows with one engine, one set of rules and options.

    Attributes:
        engine: the network.
        tokenizer: its vocabulary.
        options: beams, samples, penalties.
        rules: on tokens, in order.
        context: most tokens that the decoder can hold (448).
    """

    engine: Seq2Seq
    tokenizer: WhisperTokenizer
    options: TranscribeOptions
    rules: Sequence[Rule]
    context: int = 448

    def decode(self, memory: Memory, requests: Sequence[Request], temperature: float) -> list[Hypothesis]:
        """Decode these windows once at a temperature; windows with equally long prompts share the network's calls.

        Raises:
            BadInput: a prompt leaves no room for text.
        """
        results: dict[int, Hypothesis] = {}
        by_length: dict[tuple[int, int], list[int]] = {}
        for index, request in enumerate(requests):
            by_length.setdefault((len(request.tokens), request.given), []).append(index)
        for indices in by_length.values():
            group = [requests[index] for index in indices]
            results.update(zip(indices, self._decode_group(memory, group, temperature), strict=True))
        return [results[index] for index in range(len(requests))]

    def _decode_group(self, memory: Memory, requests: list[Request], temperature: float) -> list[Hypothesis]:
        picker, beams = self._picker(requests, temperature)
        prompt = self._prompt(requests, beams)
        state = self.engine.fork(memory, [request.window for request in requests], beams)
        logits, no_speech = self._hear_prompt(state, prompt, beams)
        before = prompt.shape[1] - requests[0].given
        written = prompt[:, before:]
        broken = np.zeros(len(requests), bool)  # windows for which the network gave NaN
        ours = np.empty(logits.shape, np.float32)
        for _ in range(self.options.max_new_tokens or self.context // 2):
            ours[:] = logits  # the engine's buffer is not ours to change
            if np.isnan(ours.max()):
                broken |= np.isnan(ours.max(axis=1)).reshape(-1, beams).any(axis=1)
            ending = np.repeat(broken, beams) if broken.any() else None
            if ending is not None:
                ours[ending] = 0.0
            for rule in self.rules:
                rule(ours, written)
            if ending is not None:  # going on would write one token for ever, or draw one that doesn't exist
                ours[ending] = -np.inf
                ours[ending, self.tokenizer.eot] = 0.0
            tokens, rows = picker.choose(ours, written)
            written = np.concatenate([written if rows is None else written[rows], tokens[:, None]], axis=1)
            if picker.done or before + written.shape[1] > self.context:
                break
            if rows is not None:
                self.engine.reorder(state, rows)
            logits = self.engine.step(state, tokens[:, None])
        return [
            Hypothesis((), "", math.nan, math.nan, 0.0, temperature, request.language)
            if broken[index]
            else self._best(picker.candidates(index, written), float(no_speech[index]), temperature, request)
            for index, request in enumerate(requests)
        ]

    def _prompt(self, requests: list[Request], beams: int) -> NDArray[np.int64]:
        """The tokens before the text, (R, t)."""
        prompt = np.repeat(np.array([request.tokens for request in requests], np.int64), beams, axis=0)
        if prompt.shape[1] >= self.context:
            raise BadInput(f"the prompt has {prompt.shape[1]} tokens; the decoder holds {self.context} with the text")
        return prompt

    def _hear_prompt(
        self, state: Memory, prompt: NDArray[np.int64], beams: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Feed the prompt: logits after it (R, V), and the no-speech probability at the start token (W,)."""
        start = int(np.flatnonzero(prompt[0] == self.tokenizer.sot)[0]) + 1
        logits = self.engine.step(state, prompt[:, :start])
        no_speech = np.exp(log_softmax(logits[::beams]))[:, self.tokenizer.no_speech]
        if start < prompt.shape[1]:
            logits = self.engine.step(state, prompt[:, start:])
        return logits, no_speech

    def _picker(self, requests: list[Request], temperature: float) -> tuple[Picker, int]:
        options, eot = self.options, self.tokenizer.eot
        if temperature > 0:
            samples = options.best_of or 1
            seeds = [(options.seed, request.start_frame, round(temperature * 1000)) for request in requests]
            return Sampler(len(requests), samples, eot, temperature, seeds), samples
        beams, patience = options.beam_size or 1, options.patience or 1.0
        if beams * patience > 1:
            return BeamSearch(len(requests), beams, eot, patience), beams
        return Sampler(len(requests), 1, eot, 0.0, ()), 1  # one beam takes the likeliest token, too

    def _best(self, candidates: list[Candidate], no_speech: float, temperature: float, request: Request) -> Hypothesis:
        """The candidate with the highest log-probability, long ones made up for by the length penalty."""
        alpha, power = self.options.length_penalty, self.options.length_power
        scores = []
        for tokens, logprob in candidates:
            length = len(tokens)
            # an empty text divides by nothing: the reference gets nan or -inf there, and so never prefers it
            penalty = ((5 + length) / 6) ** alpha if alpha is not None else length ** (1.0 if power is None else power)
            scores.append(logprob / penalty if penalty else -np.inf)
        tokens, logprob = candidates[int(np.argmax(scores))]
        text = self.tokenizer.decode(tokens).strip()
        average = logprob / (len(tokens) + 1)
        return Hypothesis(tokens, text, average, no_speech, compression_ratio(text), temperature, request.language)


class Sampler:
    """The likeliest token (temperature 0), or one drawn from the distribution; ``samples`` rows a window."""

    def __init__(
        self, windows: int, samples: int, eot: int, temperature: float, seeds: Sequence[tuple[int, ...]]
    ) -> None:
        """Begin; each window draws from its own generator, so that its batch doesn't change its samples."""
        self._samples, self._eot, self._temperature = samples, eot, temperature
        self._sums = np.zeros(windows * samples, np.float32)
        self._ended = np.zeros(windows * samples, bool)
        self._generators = [np.random.default_rng(seed) for seed in seeds]

    @property
    def done(self) -> bool:
        """Whether every row has ended."""
        return bool(self._ended.all())

    def choose(
        self,
        logits: NDArray[np.float32],
        written: NDArray[np.int64],  # noqa: ARG002
    ) -> tuple[NDArray[np.int64], None]:
        """Next token of each row; rows that have ended repeat the end token."""
        likeliest, values, total = rank(logits)
        chosen, logit = likeliest[:, 0], values[:, 0]
        if self._temperature > 0:
            chosen = self._draw(logits)
            logit = logits[np.arange(len(logits)), chosen]
        gained = logit - total
        self._sums += np.where(self._ended, np.float32(0), gained)
        tokens = np.where(self._ended, self._eot, chosen).astype(np.int64)
        self._ended |= tokens == self._eot
        return tokens, None

    def _draw(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        uniform = np.concatenate([generator.random(self._samples) for generator in self._generators])
        chosen = np.empty(len(logits), np.int64)
        for row, point in enumerate(uniform):
            scaled = logits[row].astype(np.float64) / self._temperature
            cumulative = np.cumsum(np.exp(scaled - scaled.max()))
            chosen[row] = np.searchsorted(cumulative, point * cumulative[-1], side="right")
        return chosen

    def candidates(self, window: int, written: NDArray[np.int64]) -> list[Candidate]:
        """The window's rows up to their end token, with their log-probabilities."""
        rows = range(window * self._samples, (window + 1) * self._samples)
        return [(until_end(written[row], self._eot), float(self._sums[row])) for row in rows]
