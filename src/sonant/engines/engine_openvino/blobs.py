"""Compiled models in the cache, so that opening a model again doesn't build, bind, quantise and optimise it again.

Only int8 models are kept: their blob is about as large as the int8 weights, and replaces the int8 twin on disk.
OpenVINO writes the constants of other dtypes as float32, up to twice the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import openvino as ov

from sonant.engines import binder
from sonant.engines.engine_openvino.runtime import Compiled, core
from sonant.errors import OutputError
from sonant.weights import cache

__all__ = ["Blob"]

log = logging.getLogger(__name__)

FILE = "model.blob"


class Blob:
    """A place in the cache for one compiled model.

    Args:
        part: what it is, "encoder" for instance.
        files: the checkpoint's files; path, size and time of change stand for their content.
        properties: OpenVINO's compile properties.
        makers: modules whose source decides what the model is; a change of one makes another blob.
        facts: whatever else decides it.
    """

    def __init__(
        self,
        part: str,
        files: Iterable[Path],
        properties: Mapping[str, Any],
        makers: Iterable[ModuleType],
        facts: Iterable[object] = (),
    ) -> None:
        self.properties = dict(properties)
        kept = {key: value for key, value in self.properties.items() if key != "INFERENCE_NUM_THREADS"}
        described: list[object] = [part, ov.__version__, _machine(), sorted(kept.items()), *facts]
        described += [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
        described += [hashlib.sha256(Path(str(maker.__file__)).read_bytes()).hexdigest() for maker in makers]
        name = hashlib.sha256(json.dumps(described, default=str).encode()).hexdigest()[:32]
        self.name, self.folder = f"{part}-{name}", cache.folder() / "compiled" / f"{part}-{name}"

    def load(self) -> Compiled | None:
        """The model over the mapped blob; None where there is none, or OpenVINO refuses it."""
        path = self.folder / FILE
        if not path.is_file():
            return None
        pages = np.memmap(path, np.uint8, "r")
        try:
            with binder.forgetting([pages]):  # matrices are packed into copies one after the other
                blob = ov.Tensor(pages, ov.Shape(pages.shape), ov.Type.u8)
                model = core().import_model(blob, "CPU", self.properties)
        except RuntimeError as error:
            log.warning("the compiled model %s can't be used and is made again: %s", path, str(error).splitlines()[0])
            shutil.rmtree(self.folder, ignore_errors=True)
            return None
        return Compiled(model, [pages])

    def keep(self, compiled: Compiled) -> bool:
        """Write the model; whether it lies in the cache now. A full disk only makes the next start slow."""
        try:
            with cache.locked(f"compiled-{self.name}"):
                if not (self.folder / FILE).is_file():
                    with cache.published(self.folder) as staging, (staging / FILE).open("wb") as stream:
                        stream.write(compiled.model.export_model().getbuffer())
        except OutputError as error:
            log.warning("a compiled model can't be cached, so the next start is slower: %s", error)
            return False
        return True


def _machine() -> str:
    """The processor, and the limit that oneDNN is under."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "") + os.environ.get("DNNL_MAX_CPU_ISA", "")
    return f"{platform.machine()} {core().get_property('CPU', 'FULL_DEVICE_NAME')} {limit}"
