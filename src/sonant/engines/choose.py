"""Which engine opens a checkpoint, and why: engines are named by string and imported on use."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from sonant.engines.base import EngineOptions
from sonant.errors import BadInput, MissingExtra, UnknownName
from sonant.weights.checkpoint import Checkpoint

__all__ = ["ENGINES", "HEARING_DTYPES", "SPEECH_DTYPES", "available", "check", "open_engine", "pick"]

ENGINES = {
    "openvino": "openvino",
    "onnxruntime": "onnxruntime",
    "torch": "torch",
    "fake": "numpy",
}  # engine: its package
DTYPES = ("auto", "float32", "bfloat16", "float16", "int16", "int8")
# Kokoro is nearly all convolutions: OpenVINO has them in int8, our kernels beside it in int16, the other engines have
# only products of matrices.
SPEECH_DTYPES = {
    "openvino": ("auto", "float32", "bfloat16", "int16", "int8"),
    "onnxruntime": ("auto", "float32"),
    "torch": ("auto", "float32", "bfloat16", "float16"),
}
HEARING_DTYPES = {  # of Whisper and wav2vec 2.0
    "openvino": SPEECH_DTYPES["openvino"],
    "onnxruntime": (*SPEECH_DTYPES["onnxruntime"], "int8"),
    "torch": SPEECH_DTYPES["torch"],
}
Kind = Literal["seq2seq", "synth", "ctc"]
KIND_OF = {"whisper": "seq2seq", "kokoro": "synth", "wav2vec2": "ctc"}


def available() -> list[str]:
    """Names of the engines whose package is installed, best first; nothing is imported."""
    return [name for name, package in ENGINES.items() if importlib.util.find_spec(package) is not None]


def pick(options: EngineOptions) -> tuple[str, str]:
    """Name of the engine for these options, and the reason in words.

    Raises:
        UnknownName: no engine of that name.
        MissingExtra: it is known but not installed.
    """
    if options.engine != "auto":
        if options.engine not in ENGINES:
            raise UnknownName("engine", options.engine, ENGINES)
        if options.engine not in available():
            raise MissingExtra(f"engine {options.engine} is not installed; run: pip install 'sonant[{options.engine}]'")
        return options.engine, "asked for"
    installed = available()
    if options.device == "cuda" or (options.device == "auto" and "torch" in installed and _nvidia()):
        return "torch", "CUDA is there and torch is installed"
    for name in ("openvino", "onnxruntime", "torch"):
        if name in installed:
            return name, f"the fastest engine installed for the {platform.machine()} CPU"
    raise MissingExtra("no engine is installed; run: pip install sonant")


def check(options: EngineOptions, families: Sequence[str]) -> str:
    """Refuse what can't be opened whatever the checkpoint holds, so that nothing is fetched in vain.

    Args:
        options: as they were given.
        families: of the checkpoints that will do.

    Returns:
        Name of the engine.

    Raises:
        UnknownName: no engine of that name.
        MissingExtra: it is known but not installed.
        BadInput: no such dtype, or not for these families.
    """
    if options.dtype not in DTYPES:
        raise BadInput(f"dtype {options.dtype!r} is not known; allowed: {', '.join(DTYPES)}")
    engine, _reason = pick(options)
    kinds = {KIND_OF[family] for family in families}
    if kinds == {"synth"}:
        _check_dtype(engine, options.dtype, SPEECH_DTYPES, "speech")
    elif "synth" not in kinds:
        _check_dtype(engine, options.dtype, HEARING_DTYPES, "recognition")
    return engine


def _check_dtype(engine: str, dtype: str, table: Mapping[str, tuple[str, ...]], task: str) -> None:
    """Say which engine has a dtype where this one doesn't."""
    allowed = table.get(engine, DTYPES)
    if dtype in allowed:
        return
    others = [name for name, dtypes in table.items() if dtype in dtypes]
    hint = f"; --engine {others[0]} has it" if others else ""
    raise BadInput(f"the {engine} engine has no {dtype} for {task}; allowed: {', '.join(allowed)}{hint}")


def open_engine(checkpoint: Checkpoint, options: EngineOptions) -> Any:
    """Open a checkpoint with the engine that the options ask for.

    Returns:
        A ``Seq2Seq``, ``Synth`` or ``Ctc`` (see ``engines.base``), by the checkpoint's family.
    """
    engine = check(options, (checkpoint.family,))
    module = importlib.import_module(f"sonant.engines.engine_{engine}.{KIND_OF[checkpoint.family]}")
    return module.open(checkpoint, replace(options, engine=engine))


def _nvidia() -> bool:
    """Whether an NVIDIA driver is there and torch can use it; torch is imported only where a driver is."""
    if shutil.which("nvidia-smi") is None:
        return False
    return bool(importlib.import_module("torch").cuda.is_available())
