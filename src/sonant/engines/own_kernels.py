"""What "auto" means where our own kernels are faster than any runtime.

They run Kokoro, Whisper's encoder, and wav2vec 2.0 but for what languages and units need (``kernel_parts``).
"""

from __future__ import annotations

from sonant.engines import cpu
from sonant.kernels import best

__all__ = ["LARGE", "auto_dtype", "speech_dtype", "whisper_dtypes"]

LARGE = 1024  # channels of Whisper medium and large, whose encoder takes as long in int16, and twice the memory


def auto_dtype(bfloat16: bool | None = None) -> tuple[str, str]:
    """What "auto" means for wav2vec 2.0: dtype and reason; ``bfloat16`` as in ``cpu.auto_dtype``."""
    dtype, reason = cpu.auto_dtype(bfloat16)
    if dtype == "float32":
        found = best.library()
        if found is None:
            return dtype, f"{reason}, and {best.missing()}"
        if "int16" in found.dtypes:
            return "int16", f"{reason}; sonant's kernels ({found.level}) multiply int16 faster than float32"
    return dtype, reason


def speech_dtype(bfloat16: bool | None = None) -> tuple[str, str]:
    """The same for Kokoro: without AMX int16 on polynomials is as fast as bfloat16 tap by tap, and more exact."""
    dtype, reason = auto_dtype(bfloat16)
    found = best.library()
    if dtype == "bfloat16" and found and "int16" in found.dtypes and "bfloat16" not in found.dtypes:
        return (
            "int16",
            f"sonant's kernels ({found.level}) are nearer to float32 than bfloat16, and no slower without AMX",
        )
    return dtype, reason


def whisper_dtypes(channels: int) -> cpu.Dtypes:
    """What "auto" means for Whisper, of so many channels."""
    chosen, found = cpu.whisper_dtypes(), best.library()
    if chosen.encoder == "bfloat16" and found and "int8" in found.dtypes:
        words = "AMX; bytes for the encoder's inner parts, a quarter of the weights to read for each token"
        return cpu.Dtypes("int8", "int8", words)
    whole = chosen.encoder == "float32" or (chosen.encoder == "int8" and channels < LARGE)
    if whole and found and "int16" in found.dtypes:
        words = f"sonant's kernels ({found.level}) for the encoder, a quarter of the weights to read for each token"
        return cpu.Dtypes("int16", chosen.decoder, words)
    return chosen
