"""What instruction sets the CPU has, and which levels of the kernels they allow; nothing heavy is imported."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path

from sonant.kernels import build

__all__ = ["levels", "limit", "usable"]

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
    "sse4a": "SSE41",  # AMD alone has it
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


def levels() -> list[str]:
    """Levels of the kernels that this CPU has (``build.LEVELS``), best first, under the limit of ONEDNN_MAX_CPU_ISA."""
    if build.machine() == "aarch64":  # all of them have it
        return list(build.LEVELS["aarch64"])
    found = usable() or set()
    long = {"avx512f", "avx512bw", "fma", "f16c"}
    short = {"avx2", "fma", "f16c"}
    needed = {
        "amx": long | {"amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni"},
        "avx512-vnni": long | {"avx512_vnni"},
        "avx512": long,
        "avx2-vnni": short | {"avx_vnni"},
        "avx2": short,
    }
    return [level for level, flags in needed.items() if flags <= found]


def limit() -> str:
    """The value of ONEDNN_MAX_CPU_ISA or of its older name, in capitals."""
    return (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "").upper()


def usable() -> set[str] | None:
    """Instruction sets that are there and within the limit; None where the system doesn't tell."""
    flags, limited = _flags(), limit()
    if flags is None:
        return None
    rank = LEVELS.index(limited) if limited in LEVELS else len(LEVELS)
    return {flag for flag, level in NEEDS.items() if flag in flags and LEVELS.index(level) <= rank}


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
