"""wav2vec 2.0 over our own kernels."""

from __future__ import annotations

from collections.abc import Mapping

from sonant.engines import cpu, own_kernels, pages
from sonant.engines.ctc_flow import Make, Run
from sonant.errors import BadInput
from sonant.kernels import best
from sonant.kernels.team import Team
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_kernels import Network
from sonant.weights.tensors import Tensor

__all__ = ["dtype_of", "open_network", "team_for"]


def dtype_of(config: Wav2Vec2Config, dtype: str, bfloat16: bool | None = None) -> tuple[str, str]:
    """What a dtype means for a wav2vec 2.0: dtype and reason; ``bfloat16`` as in ``cpu.auto_dtype``.

    Raises:
        BadInput: int16, where this network or machine can't have it.
    """
    there = Network.has(config)
    if dtype == "auto":
        found, reason = own_kernels.auto_dtype(bfloat16)
        return (found, reason) if there or found != "int16" else cpu.auto_dtype(bfloat16)
    if dtype == "int16" and not there:
        raise BadInput(
            "int16 has neither language adapters nor units; allowed for this checkpoint: auto, float32, int8"
        )
    if dtype == "int16" and best.find("int16") is None:
        raise BadInput(f"int16 needs sonant's kernels: {best.missing()}; allowed here: auto, float32, int8")
    return dtype, "asked for"


def team_for(config: Wav2Vec2Config, dtype: str, threads: int) -> Team | None:
    """What runs a network of this dtype, where that is the kernels; ``dtype_of`` made sure that int16 has them."""
    there = Network.has(config) and dtype in ("int16", "bfloat16")
    return best.find(dtype, threads) if there else None


def open_network(config: Wav2Vec2Config, stored: Mapping[str, Tensor], team: Team) -> Make:
    """The parts of a wav2vec 2.0, each packed when it is first needed; the file's pages are given back."""
    network = Network(config, stored, team)
    mapped = [one.read() for one in stored.values()]

    def make(kind: str, states: tuple[int, ...] | None) -> Run:
        with pages.forgetting(mapped):
            return network.part(kind, states)

    return make
