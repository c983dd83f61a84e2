"""``faster_whisper.vad``: where somebody speaks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.audio.vad import VadOptions, speech_spans

__all__ = ["VadOptions", "get_speech_timestamps"]


def get_speech_timestamps(
    audio: NDArray[np.float32], vad_options: VadOptions | None = None, **changes: Any
) -> list[dict[str, int]]:
    """Stretches of speech in 16 kHz samples: ``[{"start": samples, "end": samples}]``."""
    options = vad_options or VadOptions(**changes)
    return [{"start": start, "end": end} for start, end in speech_spans(np.asarray(audio, np.float32), options)]
