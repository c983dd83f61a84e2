"""What this machine has, what sonant would choose on it, and why."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import sonant
from sonant.engines import own_kernels
from sonant.engines.base import EngineOptions
from sonant.engines.choose import pick
from sonant.errors import MissingExtra
from sonant.weights import store

__all__ = ["Doctor", "Package", "examine"]

# What each optional package is for; the name is the import name, the value (distribution, purpose).
PACKAGES = {
    "openvino": ("openvino", "default engine on CPUs"),
    "onnxruntime": ("onnxruntime", "second engine"),
    "torch": ("torch", "reference engine, training, CUDA"),
    "soundfile": ("soundfile", "wav flac mp3 ogg"),
    "av": ("av", "every other container"),
    "espeakng_loader": ("espeakng-loader", "es fr hi it pt-br (GPL-3, optional)"),
    "pyopenjtalk": ("pyopenjtalk-plus", "Japanese"),
    "pypinyin": ("pypinyin", "Mandarin"),
    "sounddevice": ("sounddevice", "microphone and loudspeaker"),
}


@dataclass(frozen=True, slots=True)
class Package:
    """An installed or missing package: ``version`` is empty when it is missing."""

    name: str
    version: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """The findings, in the order they are shown.

    Attributes:
        version: of sonant.
        python: version of the interpreter.
        system: operating system and processor.
        cpu_count: cores this process may use.
        cpu_flags: instruction sets that decide speed, where they can be read.
        packages: found and missing ones.
        engine: the engine that "auto" means here, or "" when none is installed.
        reason: why that engine.
        dtypes: what dtype "auto" means in the default engine, by family, with the reason.
        cache: folder of the weights.
        cached: ids of the models that lie there.
        offline: whether SONANT_OFFLINE forbids the network.
    """

    version: str
    python: str
    system: str
    cpu_count: int
    cpu_flags: tuple[str, ...]
    packages: tuple[Package, ...]
    engine: str
    reason: str
    dtypes: tuple[tuple[str, str], ...]
    cache: Path
    cached: tuple[str, ...]
    offline: bool


def _dtypes(engine: str) -> tuple[tuple[str, str], ...]:
    if engine == "torch":
        return (("every family", "float32 on the CPU, float16 on other devices"),)
    if engine != "openvino":
        return (("every family", "float32: what this engine computes in"),) if engine else ()
    small, large = (own_kernels.whisper_dtypes(channels) for channels in (1, own_kernels.LARGE))
    sizes = {"whisper": small} if small == large else {"whisper tiny to small": small, "whisper medium, large": large}
    return (
        ("kokoro", ": ".join(own_kernels.speech_dtype())),
        *((name, f"encoder {each.encoder}, decoder {each.decoder}: {each.reason}") for name, each in sizes.items()),
        ("wav2vec2", ": ".join(own_kernels.auto_dtype())),
    )


def examine() -> Doctor:
    """Look at this machine; nothing heavy is imported."""
    try:
        engine, reason = pick(EngineOptions())
    except MissingExtra as error:
        engine, reason = "", str(error)
    return Doctor(
        version=sonant.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu_count=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu_flags=cpu_flags(),
        packages=tuple(Package(name, _version(name, dist), purpose) for name, (dist, purpose) in PACKAGES.items()),
        engine=engine,
        reason=reason,
        dtypes=_dtypes(engine),
        cache=store.cache_folder(),
        cached=store.cached(),
        offline=store.offline(),
    )


def cpu_flags() -> tuple[str, ...]:
    """The instruction sets that decide speed, on Linux; empty where the system doesn't tell."""
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ()
    words = {
        word for line in text.splitlines() if line.lower().startswith(("flags", "features")) for word in line.split()
    }
    return tuple(flag for flag in wanted if flag in words)


def _version(module: str, distribution: str) -> str:
    """Version of an installed package, "" when it is missing."""
    if find_spec(module) is None:
        return ""
    from importlib import metadata  # here, because opening a model passes by

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
