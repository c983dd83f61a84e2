"""kokoro's surface (hexgrad/kokoro 0.9.4) over sonant: ``from sonant.compat.kokoro import KPipeline``.

Same names, arguments, defaults and results. What differs, all of it on purpose:

- No torch is needed. Where the script has imported torch, results are torch tensors; else they are NumPy arrays that
  also know ``numpy()``, ``cpu()``, ``detach()``, ``to()``, ``unsqueeze()`` and the like (``tensors.Tensor``).
- Nothing is cut off: what the original truncates at 510 phonemes is spoken in several results.
- Tokens and their times come in all nine languages.
- The noise has a seed (``KModel.seed``): the same text gives the same samples.
- Warnings go to ``logging``; nothing is printed.
"""

from __future__ import annotations

from sonant.compat.kokoro.model import KModel
from sonant.compat.kokoro.pipeline import ALIASES, LANG_CODES, KPipeline
from sonant.compat.kokoro.tokens import MToken

__version__ = "0.9.4"

__all__ = ["ALIASES", "LANG_CODES", "KModel", "KPipeline", "MToken"]
