"""What all torch engines need: device, dtype, and a state dict that fits its network or says why not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sonant.engines.base import EngineOptions
from sonant.errors import BadInput, CorruptFile, UnsupportedCheckpoint

__all__ = ["device_of", "dtype_of", "fill", "read", "threads"]

Net = TypeVar("Net", bound=nn.Module)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_of(options: EngineOptions) -> torch.device:
    """The device that the options mean; "auto" is CUDA where there is one, else the CPU.

    Raises:
        BadInput: a device that this torch doesn't have.
    """
    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(name.split(":")[0], False):
        allowed = ", ".join(key for key, value in there.items() if value)
        raise BadInput(f"device {options.device!r} can't be used by this torch; allowed: auto, {allowed}")
    return torch.device(name)


def dtype_of(options: EngineOptions, device: torch.device) -> torch.dtype:
    """The dtype that the options mean; "auto" is float32 (the reference) on the CPU, float16 elsewhere.

    Raises:
        BadInput: a dtype that the torch engine doesn't compute in.
    """
    if options.dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if options.dtype not in DTYPES:
        raise BadInput(f"the torch engine has no {options.dtype}; allowed: auto, {', '.join(DTYPES)}")
    return DTYPES[options.dtype]


def read(files: tuple[Path, ...]) -> dict[str, Tensor]:
    """All tensors of a checkpoint's files, as stored.

    Raises:
        CorruptFile: a file is no safetensors file, or cut short.
    """
    state: dict[str, Tensor] = {}
    for file in files:
        try:
            state.update(load_file(file))
        except SafetensorError as error:
            raise CorruptFile(f"{file} is not a whole safetensors file: {error}") from error
    return state


def fill(net: Net, state: Mapping[str, Tensor], name: str) -> Net:
    """Give a network (built on the meta device) its parameters, strictly.

    Raises:
        UnsupportedCheckpoint: a key is missing, surplus, or of another shape; names it.
    """
    try:
        net.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UnsupportedCheckpoint(f"{name} does not fit its config.json: {reason[:300]}") from error
    return net.eval()


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Use this many CPU threads inside, 0 for torch's own choice; torch's setting is global, so it is put back."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count:
            torch.set_num_threads(before)
