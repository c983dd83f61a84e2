"""What options come to on this machine, as far as OpenVINO needn't be asked."""

from __future__ import annotations

from sonant.engines import cpu
from sonant.engines.base import EngineOptions
from sonant.errors import BadInput

__all__ = ["check_device", "has_bfloat16"]


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 by itself, so that it is faster than float32."""
    found = cpu.detect()
    if found.known:  # OpenVINO names it for CPUs that only emulate it too (30 times slower)
        return found.bfloat16
    from sonant.engines.engine_openvino.runtime import core  # here, because kernels may do without OpenVINO

    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def check_device(options: EngineOptions) -> None:
    """Refuse a device that this engine doesn't have."""
    if options.device not in ("auto", "cpu"):
        raise BadInput(f"the openvino engine runs on the CPU; device {options.device!r} needs --engine torch")
