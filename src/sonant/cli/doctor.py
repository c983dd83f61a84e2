"""``sonant doctor``: what was found, what would be chosen, and why."""

from __future__ import annotations

import dataclasses

from sonant.cli.ending import guarded
from sonant.cli.table import Json, as_json

__all__ = ["doctor"]


@guarded
def doctor(json: Json = False) -> None:
    """Show what this machine has, and what sonant would choose on it."""
    from sonant import api

    found = api.doctor()
    if json:
        print(as_json(dataclasses.asdict(found)))
        return
    print(f"sonant    {found.version}")
    print(f"python    {found.python}")
    print(f"system    {found.system}, {found.cpu_count} cores {' '.join(found.cpu_flags)}".rstrip())
    print(f"engine    {found.engine or 'none'}: {found.reason}")
    for family, dtype in found.dtypes:
        print(f"dtype     {family}: {dtype}")
    print(f"cache     {found.cache}{' (offline)' if found.offline else ''}")
    print(f"models    {', '.join(found.cached) or 'none fetched yet; run: sonant models fetch kokoro-82m'}")
    print("packages")
    for package in found.packages:
        print(f"  {package.name:16} {package.version or 'missing':12} {package.purpose}")
