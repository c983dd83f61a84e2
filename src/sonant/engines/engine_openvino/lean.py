"""OpenVINO, imported without its converter: that takes half of the import, and reports to its maker (telemetry).

sonant is offline, and builds its graphs itself. A program that wants ``openvino.convert_model`` beside sonant still
gets it: the converter is imported when it is asked for.

Every module of this engine has OpenVINO from here, or has none: where our kernels do all of the work, nothing of it is
imported.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["opset13", "ov", "passes"]

CONVERTER, TELEMETRY = "openvino.tools.ovc", "openvino_telemetry"


def _import_lean() -> None:
    """Import openvino as if its converter and telemetry weren't installed; it has a way of its own for that case."""
    if "openvino" in sys.modules:
        return
    hidden = [name for name in (CONVERTER, TELEMETRY) if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say "can't be imported"
    try:
        import openvino
    finally:
        for name in hidden:
            del sys.modules[name]
    if not hasattr(openvino, "convert_model"):
        openvino.__getattr__ = _converter


def _converter(name: str) -> Any:
    """What the module lacks at first."""
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    from openvino.tools.ovc import convert_model

    return convert_model


_import_lean()

import openvino as ov  # noqa: E402  lean by now
from openvino import opset13, passes  # noqa: E402
