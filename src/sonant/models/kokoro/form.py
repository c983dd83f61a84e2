"""What is to be known of Kokoro's graphs without building them: their form, and the dimensions of what goes in and out.

Legend: B utterances, T symbols, F frames, N spectrum columns, all dynamic; numbers are sizes of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sonant.models.kokoro.config import KokoroConfig

__all__ = ["Dims", "Form", "Part", "Ports", "ports"]

Part = Literal["text", "prosody", "decoder"]
Dims = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """Which of several equal graphs is built (``graph_layers``).

    Attributes:
        channels_last: activations are (B, T, C), as OpenVINO fuses them; else (B, C, T), as ONNX's operators take them.
        masked: utterances of a batch may be of several lengths.
        dressed: what the style makes of every AdaIN is an input (``dress.Dressing``); else the style is.
    """

    channels_last: bool = False
    masked: bool = True
    dressed: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """Dimensions of what grows with an utterance, by name; every part also takes a style or dressing, and lengths."""

    inputs: Mapping[str, Dims]
    outputs: Mapping[str, Dims]


def ports(part: Part, config: KokoroConfig) -> Ports:
    """The ports of a part."""
    hidden, both = config.hidden, config.hidden + config.style
    curve, columns = ("B", "2F"), ("B", "N", config.generator.n_fft + 2)
    if part == "text":
        outputs = {"durations": ("B", "T"), "prosody": ("B", "T", both), "text": ("B", "T", hidden)}
        return Ports({"tokens": ("B", "T")}, outputs)
    if part == "prosody":
        return Ports({"frames": ("B", "F", both)}, {"pitch": curve, "energy": curve})
    inputs = {"text": ("B", "F", hidden), "pitch": curve, "energy": curve, "source": columns}
    return Ports(inputs, {"spectra": columns})
