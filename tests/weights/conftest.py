from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def cache_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own, online."""
    root = tmp_path / "cache"
    monkeypatch.setenv("SONANT_CACHE", str(root))
    monkeypatch.delenv("SONANT_OFFLINE", raising=False)
    return root
