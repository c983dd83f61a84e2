"""Sound out of a loudspeaker, as it comes.

with Player(24_000) as player:
    for chunk in speaker.stream(text): player.play(chunk.audio.samples)

The package sounddevice (PortAudio) does the work; it is the extra ``play``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sonant.audio.loudness import Limiter
from sonant.errors import BadInput, need

__all__ = ["Open", "Output", "Player", "check", "open_loudspeaker"]

BLOCK_S = 0.05  # written at once: so long does a Ctrl-C wait at most


class Output(Protocol):
    """What plays: the part of ``sounddevice.OutputStream`` that is needed."""

    def start(self) -> Any:
        """Begin to play."""

    def write(self, samples: NDArray[np.float32], /) -> Any:
        """Take (N, 1) samples; waits while the buffer is full."""

    def stop(self) -> Any:
        """Wait until the last sample is heard, and end."""

    def abort(self) -> Any:
        """End at once; what isn't heard yet is dropped."""

    def close(self) -> Any:
        """Give the loudspeaker back."""


Open = Callable[[int], Output]
"""Opens an output for a sample rate in Hz."""


def open_loudspeaker(sample_rate: int, device: str | None = None) -> Output:
    """A loudspeaker.

    Args:
        sample_rate: in Hz.
        device: name or number; None for the system's.

    Raises:
        MissingExtra: sounddevice isn't installed.
        BadInput: there is no such loudspeaker, or it can't be used.
    """
    hint = "write a file instead: --out FILE"
    try:
        sounddevice: Any = need("sounddevice", "play")
    except OSError as error:  # the package is there, PortAudio isn't
        raise BadInput(f"no loudspeaker can be used: {error}; install PortAudio, or {hint}") from error
    chosen = int(device) if device is not None and device.isdecimal() else device
    try:
        opened: Output = sounddevice.OutputStream(sample_rate, device=chosen, channels=1, dtype="float32")
    except (ValueError, sounddevice.PortAudioError) as error:
        name = f"loudspeaker {device}" if device is not None else "loudspeaker"
        raise BadInput(f"no {name} at {sample_rate} Hz: {error}; {hint}") from error
    return opened


def check(sample_rate: int, open_output: Open) -> None:
    """Open a loudspeaker and give it back, so that a missing one is told before a model is fetched."""
    open_output(sample_rate).close()


class Player:
    """Plays blocks one after the other; a context manager that ends at once after an error or Ctrl-C.

    Peaks above full scale are turned down as in files (``loudness.Limiter``).
    """

    def __init__(self, sample_rate: int, open_output: Open = open_loudspeaker) -> None:
        """Open the loudspeaker; errors are those of ``open_loudspeaker``."""
        self.sample_rate = sample_rate
        self._block = round(BLOCK_S * sample_rate)
        self._limiter = Limiter(sample_rate)
        self._output = open_output(sample_rate)
        self._output.start()

    def play(self, samples: NDArray[np.float32]) -> None:
        """Take (N,) samples; returns when the last of them are in the loudspeaker's buffer."""
        self._write(self._limiter.push(samples))

    def finish(self) -> None:
        """Wait until all is heard."""
        self._write(self._limiter.push(np.zeros(0, np.float32), last=True))
        self._output.stop()
        self._output.close()

    def cancel(self) -> None:
        """Be silent at once."""
        self._output.abort()
        self._output.close()

    def _write(self, samples: NDArray[np.float32]) -> None:
        for start in range(0, len(samples), self._block):
            self._output.write(np.ascontiguousarray(samples[start : start + self._block, None], np.float32))

    def __enter__(self) -> Player:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Play to the end, or end at once after an error."""
        if kind is not None:
            self.cancel()
            return
        try:
            self.finish()
        except BaseException:  # Ctrl-C while the last words are heard
            self.cancel()
            raise
