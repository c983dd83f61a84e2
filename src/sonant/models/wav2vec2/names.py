"""Foreign spellings of wav2vec 2.0 keys -> the ones our network has.

Weight norm was first spelled ``weight_g`` and ``weight_v`` by torch, and ``parametrizations.weight.original0/1`` since
2.0; Hugging Face files hold either.
"""

from __future__ import annotations

__all__ = ["HEADLESS", "canonical"]

HEADLESS = "wav2vec2."  # prefix of the shared part; checkpoints of the bare model lack it
WEIGHT_NORM = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
SHARED = ("feature_extractor.", "feature_projection.", "encoder.", "masked_spec_embed")


def canonical(key: str) -> str:
    """Our spelling of a checkpoint's key; an unknown one comes back as it is, for the loader to refuse."""
    stem, _, last = key.rpartition(".")
    if last in WEIGHT_NORM:
        key = f"{stem}.{WEIGHT_NORM[last]}"
    return HEADLESS + key if key.startswith(SHARED) else key
