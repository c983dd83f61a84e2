"""``faster_whisper.utils``: names of models, downloads, times as text."""

from __future__ import annotations

import shutil
from pathlib import Path

from sonant import api
from sonant.errors import BadInput
from sonant.weights import catalog

__all__ = ["available_models", "download_model", "format_timestamp"]


def available_models() -> list[str]:
    """Names that ``WhisperModel`` takes, beside paths."""
    found = (row.id for row in catalog.rows() if row.family == "whisper")
    return [name.removeprefix("whisper-") for name in found]


def download_model(
    size_or_id: str, output_dir: str | None = None, local_files_only: bool = False, cache_dir: str | None = None
) -> str:
    """Fetch a model and give its folder; ``output_dir``, or a folder in ``cache_dir``, gets a copy of it."""
    known = {alias for row in catalog.rows() for alias in (row.id, *row.aliases)}
    name = f"whisper-{size_or_id}" if f"whisper-{size_or_id}" in known else size_or_id
    folder = api.path(name) if local_files_only else api.fetch(name).folder
    if output_dir is None and cache_dir is None:
        return str(folder)
    output_dir = output_dir or str(Path(cache_dir or "") / folder.name)
    Path(output_dir).mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.is_file():
            shutil.copyfile(file, Path(output_dir) / file.name)
    return output_dir


def format_timestamp(seconds: float, always_include_hours: bool = False, decimal_marker: str = ".") -> str:
    """Seconds as [HH:]MM:SS.mmm."""
    if seconds < 0:
        raise BadInput(f"a time of {seconds} seconds; times are not negative")
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    clock = f"{minutes:02}:{rest // 1000:02}{decimal_marker}{rest % 1000:03}"
    return f"{hours:02}:{clock}" if hours or always_include_hours else clock
