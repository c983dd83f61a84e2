"""Compiled models in the cache, so that opening a model again doesn't build, bind, quantise and optimise it again.

Kept are int8 models, whose blob is about as large as the int8 weights, and replaces the int8 twin on disk; and Kokoro's
parts, whose compiling is most of the time to the first sound. OpenVINO writes the constants of other dtypes than int8
as float32.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sonant.engines import pages
from sonant.engines.engine_openvino.lean import ov
from sonant.engines.engine_openvino.runtime import Compiled, core
from sonant.engines.kept import Place

__all__ = ["Blob"]

log = logging.getLogger(__name__)

FILE = "model.blob"
BUSY_S = 3600  # seconds


class Blob:
    """A place in the cache for one compiled model.

    Args:
        part: what it is, "encoder" for instance.
        files: the checkpoint's files; path, size and time of change stand for their content.
        properties: OpenVINO's compile properties.
        makers: names of the modules whose source decides what the model is; a change of one makes another blob.
        facts: whatever else decides it.
        most: blobs of this part that the cache keeps where facts differ; 0 keeps all. One that wasn't used for an hour
            makes room. (To take the oldest at once would be to write each again and again, where a program needs one
            more in turn.)
    """

    def __init__(
        self,
        part: str,
        files: Iterable[Path],
        properties: Mapping[str, Any],
        makers: Iterable[str],
        facts: Iterable[object] = (),
        most: int = 0,
    ) -> None:
        self.properties = dict(properties)
        known = {key: value for key, value in self.properties.items() if key != "INFERENCE_NUM_THREADS"}
        facts = [sorted(known.items()), *facts]
        self.place = Place(part, files, _machine(), makers, ov.__version__, facts, FILE)
        self.most = most

    def load(self) -> Compiled | None:
        """The model over the mapped blob; None where there is none, or OpenVINO refuses it."""
        path = self.place.path
        if not path.is_file():
            return None
        mapped = np.memmap(path, np.uint8, "r")
        try:
            with pages.forgetting([mapped]):  # matrices are packed into copies one after the other
                blob = ov.Tensor(mapped, ov.Shape(mapped.shape), ov.Type.u8)
                model = core().import_model(blob, "CPU", self.properties)
        except RuntimeError as error:
            log.warning("the compiled model %s can't be used and is made again: %s", path, str(error).splitlines()[0])
            shutil.rmtree(path.parent, ignore_errors=True)
            return None
        self.place.used()
        return Compiled(model, [mapped])

    def keep(self, compiled: Compiled) -> bool:
        """Write the model; whether it lies in the cache now. A full disk only makes the next start slow."""

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                stream.write(compiled.model.export_model().getbuffer())

        try:
            self.place.forget_unused()
            if not self._room():
                return False
            self.place.keep(write)
        except (OSError, RuntimeError) as error:  # RuntimeError: OpenVINO can't write it
            log.warning("a compiled model can't be cached, so the next start is slower: %s", error)
            return False
        return True

    def _room(self) -> bool:
        """Whether this one may be kept; the one that was used least recently may have to go."""
        others = sorted(self.place.others(self.place.make), key=lambda path: path.stat().st_mtime)
        if not self.most or len(others) < self.most:
            return True
        if time.time() - others[0].stat().st_mtime < BUSY_S:
            return False
        shutil.rmtree(others[0].parent, ignore_errors=True)
        return True


def _machine() -> str:
    """The processor, and the limit that oneDNN is under."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "") + os.environ.get("DNNL_MAX_CPU_ISA", "")
    return f"{platform.machine()} {core().get_property('CPU', 'FULL_DEVICE_NAME')} {limit}"
