"""Compiles the kernels when sonant is built or installed; where that can't be done, sonant does without them."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Kernels(BuildHookInterface[Any]):
    """Hatchling's build hook "custom"."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make the wheel one for this kind of machine."""
        del version
        path = Path(self.root) / "src" / "sonant" / "kernels" / "build.py"
        spec = importlib.util.spec_from_file_location("build_kernels", path)
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        tried = made.build()
        for level, reason in tried.items():
            if reason:  # an older compiler may lack the newest instructions alone
                self.app.display_warning(f"sonant is built without its kernels for {level}, and slower there: {reason}")
        found = [made.file_of(level).name for level, reason in tried.items() if not reason]
        if not found:
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        build_data["artifacts"] += [f"src/sonant/kernels/{name}" for name in found]


def _platform() -> str:
    """This machine as wheels' names have it."""
    from packaging.tags import sys_tags

    return next(
        tag.platform for tag in sys_tags() if "manylinux" not in tag.platform and "musllinux" not in tag.platform
    )
