"""Long and live audio for CTC networks: windows with context whose kept frames join without a seam.

A frame of the network is computed from ``receptive_field`` samples, one every ``samples_per_frame``; a window that
starts on a multiple of the latter has its frames where the whole file has them. Context is heard but not kept:

    |-- left context --|------ kept ------|-- right context --|
                       ^ skip             ^ skip + keep          (frames of the window)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonant.errors import BadInput

__all__ = ["FrameWindow", "FrameWindows"]


@dataclass(frozen=True, slots=True)
class FrameWindow:
    """Samples to hear, and which of their frames to keep.

    Attributes:
        samples: (n,) float32.
        start_frame: index in the whole file of the first frame to keep.
        skip: frames of left context.
        keep: frames to keep after those.
    """

    samples: NDArray[np.float32]
    start_frame: int
    skip: int
    keep: int


class FrameWindows:
    """Cuts a stream of blocks of any size into windows; holds no more than one window and one block."""

    def __init__(
        self, chunk: int, left: int, right: int, *, hop: int = 320, field: int = 400, fill: bool = False
    ) -> None:
        """Sizes in frames; ``hop`` and ``field`` in samples.

        With ``fill`` the first window keeps what it has no left context for, and the last what it has no right context
        for: all windows but the last hear ``left + chunk + right`` frames, and a stream no longer than that is one
        window. The first window then comes later, so live streams don't want it.

        Raises:
            BadInput: no frame to keep, or negative context.
        """
        if chunk < 1 or left < 0 or right < 0:
            raise BadInput(
                f"chunk {chunk}, left {left}, right {right} frames: chunk must be positive, context not negative"
            )
        self.chunk, self.left, self.right, self.hop, self.field = chunk, left, right, hop, field
        self.fill = fill
        self.buffer = np.zeros(0, np.float32)
        self.origin = 0  # frame at which the buffer starts
        self.kept = 0  # frames handed out

    def cut(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[FrameWindow]:
        """All windows of a whole stream."""
        for block in blocks:
            yield from self.push(block)
        yield from self.finish()

    def push(self, block: NDArray[np.float32]) -> Iterator[FrameWindow]:
        """Windows that are complete with this block."""
        self.buffer = np.concatenate([self.buffer, block])
        while self._known() >= (end := self.kept + self._keep() + self.right) + self.fill:  # is there more than that?
            yield self._window(self._keep(), end)

    def finish(self) -> Iterator[FrameWindow]:
        """The last windows: what is left has less right context, or none."""
        while (left_over := self._known() - self.kept) > 0:
            keep = min(self._keep() + self.fill * self.right, left_over)
            yield self._window(keep, min(self.kept + keep + self.right, self._known()))

    def _keep(self) -> int:
        """Frames that the next window keeps where it has its right context."""
        return self.chunk + self.fill * max(self.left - self.kept, 0)

    def _known(self) -> int:
        """Frames of the whole file that the samples so far determine."""
        return self.origin + max(0, (len(self.buffer) - self.field) // self.hop + 1)

    def _window(self, keep: int, end: int) -> FrameWindow:
        """The window that keeps ``keep`` frames and hears up to frame ``end``; forgets what no later one needs."""
        first = max(self.kept - self.left, 0)
        start = (first - self.origin) * self.hop
        stop = (end - self.origin - 1) * self.hop + self.field
        window = FrameWindow(self.buffer[start:stop].copy(), self.kept, self.kept - first, keep)
        self.kept += keep
        origin = max(self.kept - self.left, 0)
        self.buffer = self.buffer[(origin - self.origin) * self.hop :]
        self.origin = origin
        return window
