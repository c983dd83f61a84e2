"""``KModel``: phonemes and a style to sound, over a sonant ``Speaker``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonant import api
from sonant.compat.kokoro.tensors import array_of, tensor
from sonant.errors import BadInput
from sonant.tts.pipeline import Speaker

__all__ = ["KModel", "KModelForONNX"]

DEFAULT_REPO = "hexgrad/Kokoro-82M"

log = logging.getLogger(__name__)


class KModel:
    """The network, blind to languages. One serves any number of pipelines.

    Attributes:
        repo_id: where its weights are from.
        vocab: symbol ids.
        context_length: 512 tokens, pads included.
        seed: of the excitation noise; the original has none and sounds a little different each time.
        speaker: the sonant object under it.
    """

    MODEL_NAMES = {DEFAULT_REPO: "kokoro-v1_0.pth", "hexgrad/Kokoro-82M-v1.1-zh": "kokoro-v1_1-zh.pth"}  # noqa: RUF012

    @dataclass
    class Output:
        """What ``forward`` gives with ``return_output``.

        Attributes:
            audio: (N,) float32 at 24 kHz.
            pred_dur: (T + 2,) int64 durations in frames of 600 samples.
        """

        audio: Any
        pred_dur: Any = None

    def __init__(
        self,
        repo_id: str | None = None,
        config: Mapping[str, Any] | str | None = None,
        model: str | None = None,
        disable_complex: bool = False,  # noqa: ARG002  there is one way to make the waveform here
        device: str | None = None,
    ) -> None:
        """Open the weights.

        Args:
            repo_id: repository of the Hub, sonant's catalog id, or a folder; hexgrad/Kokoro-82M where it is left out.
            config: only its ``vocab`` is used, where it is given; the rest comes with the weights.
            model: a weight file (.pth, .safetensors, ...) in place of ``repo_id``.
            disable_complex: taken, and without effect.
            device: "cpu", "cuda", "mps" or None for the best; the original has it on the pipeline.
        """
        self.repo_id = _repo(repo_id)
        self.speaker: Speaker = api.load_tts(Path(model) if model else self.repo_id, device=device or "auto")
        given = json.loads(Path(config).read_text(encoding="utf-8")) if isinstance(config, str) else config
        self.vocab: dict[str, int] = dict((given or {}).get("vocab") or self.speaker.vocab)
        self.context_length = 512
        self.seed = 0

    @property
    def device(self) -> Any:
        """The CPU as far as tensors are concerned: whatever runs the network takes and gives arrays."""
        torch = sys.modules.get("torch")
        return torch.device("cpu") if torch is not None else "cpu"

    def to(self, *_: Any, **__: Any) -> KModel:
        """Itself; the device is chosen when it is opened."""
        return self

    def eval(self) -> KModel:
        """Itself: it is never trained."""
        return self

    def forward_with_tokens(self, input_ids: Any, ref_s: Any, speed: float = 1) -> tuple[Any, Any]:
        """(audio, durations) of symbol ids (1, T + 2), a pad (0) at each end.

        Raises:
            BadInput: no such pads, or more than ``context_length`` ids.
        """
        ids = array_of(input_ids).reshape(-1).astype(np.int64)
        if len(ids) < 3 or ids[0] or ids[-1]:
            raise BadInput("input_ids must begin and end with the pad 0, with one symbol or more between")
        if len(ids) > self.context_length:
            raise BadInput(f"{len(ids)} tokens, pads included; at most {self.context_length}")
        style = array_of(ref_s).reshape(1, -1).astype(np.float32)
        speeds = np.array([float(np.asarray(speed).reshape(-1)[0])], np.float32)
        ((audio, frames),) = self.speaker.engine.synthesize([ids[1:-1]], style, speeds, [self.seed])
        return tensor(audio), tensor(frames)

    def forward(self, phonemes: str, ref_s: Any, speed: float = 1, return_output: bool = False) -> Any:
        """Sound of a phoneme string: (N,) at 24 kHz, or ``Output`` with the durations too.

        Symbols that the alphabet lacks are left out, as in the original, with a warning in the log.
        """
        unknown = sorted({symbol for symbol in phonemes if symbol not in self.vocab})
        if unknown:
            log.warning("left out, because the alphabet has no such symbols: %s", " ".join(unknown))
        ids = [0, *(self.vocab[symbol] for symbol in phonemes if symbol in self.vocab), 0]
        audio, frames = self.forward_with_tokens(np.array([ids]), ref_s, speed)
        return self.Output(audio, frames) if return_output else audio

    __call__ = forward


class KModelForONNX:
    """The original's wrapper for its export; here ``sonant export kokoro-82m`` writes the ONNX file."""

    def __init__(self, kmodel: KModel) -> None:
        """Wrap ``kmodel``."""
        self.kmodel = kmodel

    def eval(self) -> KModelForONNX:
        """Itself."""
        return self

    def forward(self, input_ids: Any, ref_s: Any, speed: float = 1) -> tuple[Any, Any]:
        """(waveform, duration)."""
        return self.kmodel.forward_with_tokens(input_ids, ref_s, speed)

    __call__ = forward


def _repo(repo_id: str | None) -> str:
    if repo_id is None:
        log.warning("Defaulting repo_id to %s. Pass repo_id=%r to suppress this warning.", DEFAULT_REPO, DEFAULT_REPO)
        return DEFAULT_REPO
    return repo_id
