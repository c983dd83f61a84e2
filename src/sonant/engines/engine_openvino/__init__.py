"""OpenVINO, imported without its telemetry: the package reports every import to its maker, and sonant is offline."""

from __future__ import annotations

import sys


def _import_in_silence() -> None:
    """Import openvino as if ``openvino_telemetry`` weren't installed; it has a stub of its own for that case."""
    if "openvino" in sys.modules or "openvino_telemetry" in sys.modules:
        return
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's way to say "can't be imported"
    try:
        import openvino  # noqa: F401
    finally:
        del sys.modules["openvino_telemetry"]


_import_in_silence()
