"""A CTC recogniser without weights: it spells what it was told to spell. For tests of everything around the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonant.engines.base import EngineOptions
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.weights.checkpoint import Checkpoint

__all__ = ["HELLO_WORLD", "FakeCtc", "open"]

HELLO_WORLD = (11, 5, 15, 15, 8, 4, 18, 8, 13, 15, 14)  # HELLO|WORLD in the vocabulary of wav2vec2-base-960h
SURE, REST = 0.98, 0.02  # probability of the symbol that is meant, and of all others together


class FakeCtc:
    """The ``Ctc`` protocol: the script, spread evenly over the sound, blanks between its symbols.

    Args:
        script: ids of the symbols.
        config: sizes; those of wav2vec2-base-960h by default.
    """

    def __init__(self, script: Sequence[int] = HELLO_WORLD, config: Wav2Vec2Config | None = None) -> None:
        self.config = config or Wav2Vec2Config()
        self.script = tuple(script)
        self.description = "fake, canned symbols"

    def log_probs(
        self,
        waveforms: NDArray[np.float32],
        lengths: NDArray[np.int64],
        languages: Sequence[str] | None = None,  # noqa: ARG002
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``; silence (all zeros) is spelled as blanks, languages change nothing."""
        frames = np.array([self.config.frames(int(length)) for length in lengths], np.int64)
        symbols = self.config.vocab_size
        probs = np.full((len(frames), int(frames.max(initial=0)), symbols), REST / (symbols - 1), np.float32)
        for row, count in enumerate(frames):
            meant = np.full(count, self.config.pad_token_id)
            if waveforms[row].any():
                places = (np.arange(len(self.script)) + 0.5) * count / len(self.script)
                meant[places.astype(int)] = self.script
            probs[row, np.arange(count), meant] = SURE
        return np.log(probs), frames

    def classify(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:  # noqa: ARG002
        """See ``engines.base.Ctc``; the first class of those that the config names."""
        labels = len(self.config.labels)
        probs = np.full((len(waveforms), labels), REST / max(labels - 1, 1), np.float32)
        probs[:, 0] = SURE
        return np.log(probs)

    def units(
        self,
        waveforms: NDArray[np.float32],  # noqa: ARG002
        lengths: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See ``engines.base.Ctc``; the number of the frame, in every codebook."""
        frames = np.array([self.config.frames(int(length)) for length in lengths], np.int64)
        groups, entries = self.config.num_codevector_groups, self.config.num_codevectors_per_group
        shape = (len(frames), int(frames.max(initial=0)), groups)
        return np.broadcast_to(np.arange(shape[1])[None, :, None] % entries, shape).copy(), frames

    def hidden_states(
        self,
        waveforms: NDArray[np.float32],  # noqa: ARG002
        lengths: NDArray[np.int64],
        layers: Sequence[int],
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See ``engines.base.Ctc``; a slow wave per layer and channel."""
        frames = np.array([self.config.frames(int(length)) for length in lengths], np.int64)
        shape = (len(layers), len(frames), int(frames.max(initial=0)), self.config.hidden_size)
        _, _, time, channel = np.indices(shape, sparse=True)
        layer = np.asarray(layers).reshape(-1, 1, 1, 1)
        waves = np.sin(time * 0.1 + channel * 0.01 + layer).astype(np.float32)
        return np.broadcast_to(waves, shape).copy(), frames


def open(checkpoint: Checkpoint, options: EngineOptions) -> FakeCtc:  # noqa: A001, ARG001  the name and signature of all
    """A fake of this checkpoint's sizes; its config may hold ``fake_script``, a list of symbol ids."""
    sizes = Wav2Vec2Config.from_hf({k: v for k, v in checkpoint.config.items() if k != "fake_script"})
    return FakeCtc(checkpoint.config.get("fake_script", HELLO_WORLD), sizes)
