"""What the parity tests share: tiny checkpoints and the tolerances."""

import tomllib
from pathlib import Path

import pytest
from whisper_nets import WHISPERS, whisper_folder


@pytest.fixture(scope="session")
def tiny_whispers(tmp_path_factory):
    """Checkpoints by the names of WHISPERS."""
    root = tmp_path_factory.mktemp("whispers")
    return {name: whisper_folder(root / name, config, seed) for seed, (name, config) in enumerate(WHISPERS.items())}


@pytest.fixture(scope="session")
def tolerances():
    """tolerances.toml: relative errors that each engine and dtype may have."""
    return tomllib.loads((Path(__file__).parent / "tolerances.toml").read_text())
