"""What the CPU multiplies fast, and so which dtype "auto" means; nothing heavy is imported, so doctor can ask."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sonant.kernels import build

__all__ = ["Cpu", "Dtypes", "auto_dtype", "detect", "kernel_levels", "whisper_dtypes"]

# Levels of ONEDNN_MAX_CPU_ISA, rising (oneDNN, "CPU dispatcher control"); an unknown or absent one limits nothing.
LEVELS = (
    "SSE41",
    "AVX",
    "AVX2",
    "AVX2_VNNI",
    "AVX2_VNNI_2",
    "AVX512_CORE",
    "AVX512_CORE_VNNI",
    "AVX512_CORE_BF16",
    "AVX512_CORE_FP16",
    "AVX512_CORE_AMX",
)
NEEDS = {  # flag of the kernel's cpuinfo -> level that allows its use
    "f16c": "AVX2",
    "fma": "AVX2",
    "avx2": "AVX2",
    "avx512f": "AVX512_CORE",
    "avx512bw": "AVX512_CORE",
    "avx_vnni": "AVX2_VNNI",
    "avx512_vnni": "AVX512_CORE_VNNI",
    "avx512_bf16": "AVX512_CORE_BF16",
    "amx_bf16": "AVX512_CORE_AMX",
    "amx_int8": "AVX512_CORE_AMX",
}


@dataclass(frozen=True, slots=True)
class Cpu:
    """Arithmetic that is there and may be used.

    Attributes:
        known: whether the system tells; where it doesn't, the rest is False.
        bfloat16: products of bfloat16 (AVX512_BF16 or AMX).
        int8: dot products of int8 (VNNI), on AVX-512 or on AVX2.
        amx: tiles, which make bfloat16 the fastest of all for large matrices.
    """

    known: bool
    bfloat16: bool
    int8: bool
    amx: bool


@dataclass(frozen=True, slots=True)
class Dtypes:
    """Dtypes of a Whisper: "float32", "bfloat16" or "int8" (weights), and the reason in words."""

    encoder: str
    decoder: str
    reason: str


def detect() -> Cpu:
    """This machine's CPU, under the limit that ONEDNN_MAX_CPU_ISA sets now."""
    usable, limit = _usable(), _limit()
    if usable is None:
        return Cpu(False, False, False, False)
    return Cpu(
        known=True,
        bfloat16=bool(usable & {"avx512_bf16", "amx_bf16"}),
        # a limit that names AVX-512 leaves the shorter registers' VNNI out
        int8="avx512_vnni" in usable or ("avx_vnni" in usable and not limit.startswith("AVX512")),
        amx="amx_bf16" in usable,
    )


def kernel_levels() -> list[str]:
    """Levels of our own kernels that this CPU has (``kernels.build.LEVELS``), best first, under the same limit."""
    if build.machine() == "aarch64":  # all of them have it
        return list(build.LEVELS["aarch64"])
    usable = _usable() or set()
    long = {"avx512f", "avx512bw", "fma", "f16c"}
    needed = {
        "amx": long | {"amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni"},
        "avx512": long,
        "avx2": {"avx2", "fma", "f16c"},
    }
    return [level for level, flags in needed.items() if flags <= usable]


def _limit() -> str:
    return (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "").upper()


def _usable() -> set[str] | None:
    """Instruction sets that are there and within the limit; None where the system doesn't tell."""
    flags, limit = _flags(), _limit()
    if flags is None:
        return None
    rank = LEVELS.index(limit) if limit in LEVELS else len(LEVELS)
    return {flag for flag, level in NEEDS.items() if flag in flags and LEVELS.index(level) <= rank}


def auto_dtype(bfloat16: bool | None = None) -> tuple[str, str]:
    """What "auto" means for one network of large matrices: dtype and reason.

    Args:
        bfloat16: whether the CPU multiplies bfloat16, where a runtime knows it; None to look.
    """
    if detect().bfloat16 if bfloat16 is None else bfloat16:
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


@cache
def _flags() -> frozenset[str] | None:
    """The kernel's list of instruction sets; None where the system has none (anything but Linux on x86)."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return frozenset(found[1].split()) if found else None
