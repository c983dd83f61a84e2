"""What the original returns as torch tensors: real ones where the script uses torch, else arrays that answer alike."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonant.records import Voice

__all__ = ["Tensor", "array_of", "tensor"]


class Tensor(np.ndarray):
    """A NumPy array with the methods of a torch tensor that scripts call on speech."""

    @property
    def device(self) -> str:  # type: ignore[override]
        """Always the CPU."""
        return "cpu"

    def numpy(self) -> NDArray[Any]:
        """The same numbers as a plain array."""
        return self.view(np.ndarray)

    def cpu(self) -> Tensor:
        """Itself."""
        return self

    def detach(self) -> Tensor:
        """Itself."""
        return self

    def clone(self) -> Tensor:
        """A copy."""
        return self.copy()

    def to(self, *_: Any, **__: Any) -> Tensor:
        """Itself: there is one device, and one type for each result."""
        return self

    def float(self) -> Tensor:
        """As float32."""
        return self.astype(np.float32).view(Tensor)

    def long(self) -> Tensor:
        """As int64."""
        return self.astype(np.int64).view(Tensor)

    def numel(self) -> int:
        """Count of numbers."""
        return int(np.prod(self.shape))

    def dim(self) -> int:
        """Count of axes."""
        return self.ndim

    def unsqueeze(self, dim: int) -> Tensor:
        """A new axis of length 1."""
        return np.expand_dims(self, dim).view(Tensor)


def tensor(array: NDArray[Any]) -> Any:
    """The array as the script wants it: a torch tensor where torch has been imported, else a ``Tensor``."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.from_numpy(np.require(array, requirements=["C", "W"]))  # torch warns of memory it may not write
    return np.asarray(array).view(Tensor)


def array_of(values: Any) -> NDArray[Any]:
    """Any spelling of numbers as a plain array: torch tensors, arrays, lists, a sonant voice."""
    if isinstance(values, Voice):
        return values.styles[:, None]
    if hasattr(values, "detach") and not isinstance(values, np.ndarray):
        values = values.detach().cpu().numpy()
    return np.asarray(values)
