"""The seam: three protocols, by kind of network. Only what stands behind them knows a framework.

Legend: B windows or utterances, R decoder rows (B times beams), L tokens, V vocabulary, T feature frames, F output
frames, N samples. All that crosses the seam is NumPy, but ``Memory``, which stays on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["BegunSynth", "Ctc", "EngineOptions", "Memory", "Seq2Seq", "Synth"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a checkpoint is opened.

    Attributes:
        engine: "auto", "openvino", "onnxruntime", "torch" or "fake".
        device: "auto", "cpu", "cuda", "mps".
        dtype: "auto", "float32", "bfloat16", "float16", "int16" or "int8" (weights).
        threads: CPU threads; 0 lets the runtime choose.
    """

    engine: str = "auto"
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0


class Memory(Protocol):
    """What the encoder heard, and the decoder's caches. Opaque: only the engine that made it can read it.

    Rows of one window stand together: row r belongs to window r // beams.
    """

    @property
    def windows(self) -> int:
        """How many windows it heard."""

    @property
    def beams(self) -> int:
        """Rows of each window."""

    @property
    def length(self) -> int:
        """Tokens decoded so far, the same for every row."""


class Seq2Seq(Protocol):
    """Encoder and autoregressive decoder (the Whisper family)."""

    config: Any  # models.whisper.config.WhisperConfig
    description: str  # engine, device and dtype, for `sonant doctor` and reports

    def encode(self, features: NDArray[np.float32]) -> Memory:
        """Hear (B, n_mels, 3000) log-mel windows; the memory has one row a window and no tokens yet."""

    def fork(self, memory: Memory, windows: Sequence[int], beams: int = 1) -> Memory:
        """A fresh decoder state (no tokens) for these windows, ``beams`` rows each; the encoder's output is shared."""

    def step(self, memory: Memory, tokens: NDArray[np.int64], every: bool = False) -> NDArray[np.float32]:
        """Append (R, L) tokens to the caches; logits of the last one (R, V), or of every one (R, L, V)."""

    def reorder(self, memory: Memory, rows: NDArray[np.int64]) -> None:
        """Let row r continue from what row ``rows[r]`` has decoded; it must stay inside its window."""

    def rewind(self, memory: Memory, length: int) -> None:
        """Forget all tokens after the first ``length``."""

    def align(
        self, memory: Memory, window: int, tokens: NDArray[np.int64], heads: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run (L,) tokens through one window afresh.

        Returns:
            Cross-attention scores before the softmax of the (layer, head) pairs, (heads, L, F), and logits (L, V).
        """


class Synth(Protocol):
    """Text to waveform in one pass (Kokoro)."""

    sample_rate: int
    description: str

    def synthesize(
        self,
        tokens: Sequence[NDArray[np.int64]],
        styles: NDArray[np.float32],
        speeds: NDArray[np.float32],
        seeds: Sequence[int],
    ) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """Speak B utterances; what each gives does not depend on the others.

        Args:
            tokens: B arrays (T_i,) of symbol ids without pads; the engine adds a 0 before and after.
            styles: (B, 256), one style row each.
            speeds: (B,), 1.0 is natural; larger is faster.
            seeds: B seeds of the excitation noise and phase; a negative one switches the noise off.

        Returns:
            B pairs: waveform (N_i,) float32 at 24 kHz, and frames (T_i + 2,) int64, durations in frames of 600 samples.
        """

    def begin(
        self, tokens: NDArray[np.int64], style: NDArray[np.float32], speed: float, seed: int
    ) -> BegunSynth | None:
        """One utterance to be heard from its beginning; arguments as in ``synthesize``. None where it can't be."""


class BegunSynth(Protocol):
    """An utterance of which all is known but the sound.

    Attributes:
        frames: (T + 2,) int64, durations in frames of 600 samples.
        share: of the speech that an opening has at least, lest the rest come too late.
    """

    frames: NDArray[np.int64]
    share: float

    def opening(self, end: int) -> NDArray[np.float32]:
        """The sound of the first ``end`` frames, in a fraction of the time, and nearly the same as in the whole."""

    def rest(self) -> NDArray[np.float32]:
        """The sound behind the opening; all of it, to the last bit what ``synthesize`` gives, where none was made."""


class Ctc(Protocol):
    """Waveform to per-frame symbol log-probabilities (wav2vec 2.0 family)."""

    config: Any  # models.wav2vec2.config.Wav2Vec2Config
    description: str

    def log_probs(
        self,
        waveforms: NDArray[np.float32],
        lengths: NDArray[np.int64],
        languages: Sequence[str] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Hear a zero-padded batch of 16 kHz waveforms.

        Args:
            waveforms: (B, N) float32, normalised as the checkpoint wants.
            lengths: (B,) samples.
            languages: adapter of each row, for checkpoints that have adapters (MMS); a batch may mix them.

        Returns:
            (B, F, V) log-probabilities, -inf past the symbols of a row's language, and (B,) frame counts.
        """

    def hidden_states(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64], layers: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Outputs of K layers (0 is the input of the first): (K, B, F, D) float32, and (B,) frame counts."""

    def classify(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Log-probabilities (B, labels) of a checkpoint with a classifier (MMS language identification).

        Raises:
            BadInput: the checkpoint has no classifier.
        """

    def units(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Discrete units of a pretraining checkpoint: (B, F, G) entries of its G codebooks, and (B,) frame counts.

        Raises:
            BadInput: the checkpoint has no quantiser.
        """
