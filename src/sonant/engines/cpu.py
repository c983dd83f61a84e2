"""What the CPU multiplies fast, and so which dtype "auto" means; nothing heavy is imported, so doctor can ask."""

from __future__ import annotations

from dataclasses import dataclass

from sonant.kernels import instructions

__all__ = ["Cpu", "Dtypes", "auto_dtype", "detect", "whisper_dtypes"]


@dataclass(frozen=True, slots=True)
class Cpu:
    """Arithmetic that is there and may be used.

    Attributes:
        known: whether the system tells; where it doesn't, the rest is False.
        bfloat16: products of bfloat16 (AVX512_BF16 or AMX).
        int8: dot products of int8 (VNNI), on AVX-512 or on AVX2.
        amx: tiles, which make bfloat16 the fastest of all for large matrices.
        amd: whose AVX512_BF16 multiplies twice as many numbers as float32's instructions; Intel's takes as long.
    """

    known: bool
    bfloat16: bool
    int8: bool
    amx: bool
    amd: bool


@dataclass(frozen=True, slots=True)
class Dtypes:
    """Dtypes of a Whisper: "float32", "bfloat16" or "int8" (weights), and the reason in words."""

    encoder: str
    decoder: str
    reason: str


def detect() -> Cpu:
    """This machine's CPU, under the limit that ONEDNN_MAX_CPU_ISA sets now."""
    usable, limit = instructions.usable(), instructions.limit()
    if usable is None:
        return Cpu(False, False, False, False, False)
    return Cpu(
        known=True,
        bfloat16=bool(usable & {"avx512_bf16", "amx_bf16"}),
        # a limit that names AVX-512 leaves the shorter registers' VNNI out
        int8="avx512_vnni" in usable or ("avx_vnni" in usable and not limit.startswith("AVX512")),
        amx="amx_bf16" in usable,
        amd="sse4a" in usable,
    )


def auto_dtype(bfloat16: bool | None = None) -> tuple[str, str]:
    """What "auto" means for one network of large matrices: dtype and reason.

    Args:
        bfloat16: whether the CPU multiplies bfloat16, where a runtime knows it; None to look.
    """
    found = detect()
    if found.bfloat16 if bfloat16 is None else bfloat16:
        if found.known and not (found.amx or found.amd):
            return "float32", "without AMX the CPU multiplies bfloat16 no faster"
        return "bfloat16", "the CPU multiplies bfloat16"
    return "float32", "the CPU has no bfloat16 arithmetic"


def whisper_dtypes() -> Dtypes:
    """What "auto" means for Whisper.

    The decoder reads all of its weights for every token, so int8 pays on any CPU. The encoder multiplies large
    matrices: with AMX bfloat16 is the fastest way, with VNNI int8, else what the CPU has (docs/performance.md).
    """
    cpu = detect()
    if cpu.amx:
        return Dtypes("bfloat16", "int8", "AMX for the encoder, a quarter of the weights to read for each token")
    if cpu.int8:
        return Dtypes("int8", "int8", "VNNI, a quarter of the weights to read for each token")
    dtype, reason = auto_dtype()
    return Dtypes(dtype, "int8", f"{reason}; a quarter of the weights to read for each token")
