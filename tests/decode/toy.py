"""A small world for tests of search: 24 tokens, and an engine whose logits are a fixed function of what was written."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

EOT, SOT, NO_SPEECH, SIZE = 10, 11, 12, 24  # ids below EOT are text


class ToyTokenizer:
    eot, sot, no_speech, size = EOT, SOT, NO_SPEECH, SIZE

    def decode(self, tokens):
        return "".join(f" w{token}" for token in tokens if token < EOT)


@dataclass
class ToyMemory:
    windows: int
    beams: int
    names: list
    tokens: np.ndarray

    @property
    def length(self):
        return self.tokens.shape[1]


class ToyEngine:
    """Logits depend on the window's name and all tokens of the row; ``calls`` counts rows and steps."""

    description = "toy"

    def __init__(self, end_bias=0.0, blur=0.0):
        self.end_bias, self.blur, self.calls = end_bias, blur, []
        self.config = SimpleNamespace(vocab_size=SIZE, num_mel_bins=80)

    def encode(self, names):
        return ToyMemory(len(names), 1, list(names), np.zeros((len(names), 0), np.int64))

    def fork(self, memory, windows, beams=1):
        names = [memory.names[window] for window in windows]
        return ToyMemory(len(names), beams, names, np.zeros((len(names) * beams, 0), np.int64))

    def step(self, memory, tokens, every=False):
        self.calls.append(tokens.shape)
        before = memory.length if every else memory.length + tokens.shape[1] - 1
        memory.tokens = np.concatenate([memory.tokens, tokens], axis=1)
        logits = np.stack(
            [
                [self.logits(memory.names[row // memory.beams], text[: at + 1]) for at in range(before, memory.length)]
                for row, text in enumerate(memory.tokens)
            ]
        )
        return logits if every else logits[:, 0]

    def rewind(self, memory, length):
        assert length <= memory.length
        memory.tokens = memory.tokens[:, :length]

    def reorder(self, memory, rows):
        assert all(row // memory.beams == at // memory.beams for at, row in enumerate(rows))
        memory.tokens = memory.tokens[rows]

    def logits(self, name, text):
        rng = np.random.default_rng([name, *(int(token) + 1 for token in text)])
        logits = rng.normal(size=SIZE).astype(np.float32) * 2
        logits[EOT] += self.end_bias
        logits += np.random.default_rng([7, name, len(text)]).normal(size=SIZE).astype(np.float32) * self.blur
        logits[SOT:] = -np.inf
        logits[NO_SPEECH] = rng.normal()
        return logits
