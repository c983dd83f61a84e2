"""Speculative decoding: a small model proposes tokens, the large one checks them all in one pass.

Every token is the large model's own choice under the same rules, so the text is exactly what it writes alone; only the
number of its passes falls. Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding",
arXiv:2211.17192; for Whisper and distil-whisper: Gandhi et al., arXiv:2311.00430. It serves greedy decoding; beams and
samples go the usual way. Legend: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.decode.search import Hypothesis, Request, Search, log_softmax
from sonant.engines.base import Memory, Seq2Seq
from sonant.errors import BadInput

__all__ = ["PairedEngine", "Speculation", "SpeculativeSearch"]


@dataclass(slots=True)
class Speculation:
    """How well the small model guessed.

    Attributes:
        proposed: tokens that it proposed.
        accepted: those that the large one would have written too.
        passes: passes of the large model over text; without proposals it makes one a token.
    """

    proposed: int = 0
    accepted: int = 0
    passes: int = 0

    @property
    def acceptance(self) -> float:
        """Accepted tokens over proposed ones; 0 where none were proposed."""
        return self.accepted / self.proposed if self.proposed else 0.0


@dataclass(frozen=True, slots=True)
class PairedMemory:
    """What both models heard."""

    main: Memory
    draft: Memory

    @property
    def windows(self) -> int:
        """Windows heard."""
        return self.main.windows

    @property
    def beams(self) -> int:
        """Rows a window."""
        return self.main.beams

    @property
    def length(self) -> int:
        """Tokens decoded so far."""
        return self.main.length


class PairedEngine:
    """A ``Seq2Seq`` that is the large model, and lets the small one hear the same windows."""

    def __init__(self, main: Seq2Seq, draft: Seq2Seq) -> None:
        """Pair two open engines.

        Raises:
            BadInput: they differ in vocabulary or mel bins.
        """
        for name, meaning in (("vocab_size", "tokens"), ("num_mel_bins", "mel bins")):
            sizes = getattr(main.config, name), getattr(draft.config, name)
            if sizes[0] != sizes[1]:
                raise BadInput(f"the draft model has {sizes[1]} {meaning}, the main one {sizes[0]}; they must be equal")
        self.main, self.draft = main, draft
        self.config: Any = main.config
        self.description = f"{main.description}; draft: {draft.description}"

    def encode(self, features: NDArray[np.float32]) -> PairedMemory:
        """Both models hear the windows."""
        return PairedMemory(self.main.encode(features), self.draft.encode(features))

    def fork(self, memory: Any, windows: Sequence[int], beams: int = 1) -> Memory:
        """A fresh state of the large model."""
        return self.main.fork(memory.main, windows, beams)

    def step(self, memory: Memory, tokens: NDArray[np.int64], every: bool = False) -> NDArray[np.float32]:
        """See ``Seq2Seq``."""
        return self.main.step(memory, tokens, every)

    def reorder(self, memory: Memory, rows: NDArray[np.int64]) -> None:
        """See ``Seq2Seq``."""
        self.main.reorder(memory, rows)

    def rewind(self, memory: Memory, length: int) -> None:
        """See ``Seq2Seq``."""
        self.main.rewind(memory, length)

    def align(
        self, memory: Any, window: int, tokens: NDArray[np.int64], heads: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See ``Seq2Seq``."""
        return self.main.align(memory.main, window, tokens, heads)


@dataclass(frozen=True, slots=True)
class SpeculativeSearch(Search):
    """A search over a ``PairedEngine``.

    Attributes:
        proposals: tokens that the small model proposes at a time.
        count: how well it guessed, over all windows.
    """

    proposals: int = 5
    count: Speculation = field(default_factory=Speculation)

    def _decode_group(self, memory: Any, requests: list[Request], temperature: float) -> list[Hypothesis]:
        if temperature > 0 or self.options.beam_size is not None:
            return Search._decode_group(self, memory, requests, temperature)
        return [self._greedy(memory, request) for request in requests]

    def _greedy(self, memory: PairedMemory, request: Request) -> Hypothesis:
        """One window: the rows of a batch would have to agree on how many tokens are accepted."""
        engine = self.engine
        assert isinstance(engine, PairedEngine)
        prompt = self._prompt([request], 1)
        main = engine.fork(memory, [request.window])
        logits, no_speech = self._hear_prompt(main, prompt, 1)
        before = prompt.shape[1] - request.given
        draft = Draft(
            self, engine.draft, engine.draft.fork(memory.draft, [request.window]), prompt[0, :before].tolist()
        )
        written: list[int] = prompt[0, before:].tolist()
        total = self._take(logits[0], written)
        limit = min(request.given + (self.options.max_new_tokens or self.context // 2), self.context + 1 - before)
        while written[-1] != self.tokenizer.eot and len(written) < limit:
            room = limit - len(written) - 1  # the pass writes one token of its own after the proposed ones
            proposed = draft.propose(written, min(self.proposals, room))
            asked = np.array([[written[-1], *proposed]], np.int64)
            for place, logits in enumerate(engine.step(main, asked, every=True)[0]):
                total += self._take(logits, written)
                agreed = place < len(proposed) and written[-1] == proposed[place]
                self.count.accepted += agreed
                if not agreed or written[-1] == self.tokenizer.eot:
                    break
            self.count.proposed += len(proposed)
            self.count.passes += 1
            engine.rewind(main, before + len(written) - 1)
        text = tuple(written[:-1] if written[-1] == self.tokenizer.eot else written)
        return self._best([(text, float(total))], float(no_speech[0]), 0.0, request)

    def _take(self, logits: NDArray[np.float32], written: list[int]) -> np.float32:
        """Write the token that (V,) logits and the rules choose; its log-probability. NaN ends the text."""
        if np.isnan(logits.max()):
            written.append(self.tokenizer.eot)
            return np.float32(np.nan)
        ruled = self.ruled(logits, written)
        token = int(ruled.argmax())
        written.append(token)
        return np.float32(log_softmax(ruled)[token])

    def ruled(self, logits: NDArray[np.float32], written: list[int]) -> NDArray[np.float32]:
        """(V,) logits after the rules, given what was written."""
        rows = np.array(logits[None], np.float32)
        for rule in self.rules:
            rule(rows, np.array([written], np.int64).reshape(1, -1))
        return rows[0]


class Draft:
    """The small model beside one window: what it has been fed, and what it proposes next."""

    def __init__(self, search: SpeculativeSearch, engine: Seq2Seq, state: Memory, prompt: list[int]) -> None:
        """Feed nothing yet."""
        self._search, self._engine, self._state = search, engine, state
        self._prompt, self._fed = prompt, list[int]()

    def propose(self, written: list[int], count: int) -> list[int]:
        """Up to ``count`` tokens after those that were written, by the same rules; fewer where the text ends."""
        if count < 1:
            return []
        text = [*self._prompt, *written]
        known = next((at for at, (a, b) in enumerate(zip(self._fed, text, strict=False)) if a != b), len(self._fed))
        known = min(known, len(text) - 1)  # the last token is fed anew: its logits are wanted
        if known < len(self._fed):
            self._engine.rewind(self._state, known)
        logits = self._engine.step(self._state, np.array([text[known:]], np.int64))
        self._fed = text
        proposed: list[int] = []
        while True:
            proposed.append(int(self._search.ruled(logits[0], [*written, *proposed]).argmax()))
            if len(proposed) == count or proposed[-1] == self._search.tokenizer.eot:
                return proposed
            logits = self._engine.step(self._state, np.array([[proposed[-1]]], np.int64))
            self._fed = [*self._fed, proposed[-1]]
