"""Whisper's decoder over our own kernels, weights in int8: the same rules as ``graph.decoder``."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sonant.kernels.decoder import Decoder, Narrow, Rows, Sizes
from sonant.kernels.team import Team
from sonant.models.whisper.config import WhisperConfig
from sonant.weights.tensors import Tensor, to_float32

__all__ = ["make_decoder", "sizes"]

NORMS = ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")


def sizes(config: WhisperConfig) -> Sizes:
    """As the kernels want them."""
    return Sizes(
        config.decoder_attention_heads, config.head_size, config.max_source_positions, config.max_target_positions
    )


def make_decoder(config: WhisperConfig, tensors: Mapping[str, Tensor], team: Team) -> Decoder:
    """Pack the weights of a checkpoint, by canonical key."""

    def rows(key: str, factor: float = 1.0) -> Rows:
        weight, bias = tensors[f"{key}.weight"], tensors.get(f"{key}.bias")
        return Rows(weight.read(), weight.dtype, None if bias is None else to_float32(bias), factor)

    def norm(key: str) -> list[np.ndarray]:
        return [to_float32(tensors[f"{key}.{part}"]) for part in ("weight", "bias")]

    asking = 1 / math.sqrt(config.head_size)  # queries are scaled for the scores
    matrices, norms = [], []
    for layer in (f"model.decoder.layers.{number}" for number in range(config.decoder_layers)):
        own, cross = f"{layer}.self_attn", f"{layer}.encoder_attn"
        joined = [rows(f"{own}.{part}_proj", asking if part == "q" else 1.0) for part in "qkv"]
        singles = [(f"{own}.out_proj", 1.0), (f"{cross}.q_proj", asking), (f"{cross}.out_proj", 1.0)]
        singles += [(f"{layer}.{name}", 1.0) for name in ("fc1", "fc2")]
        matrices += [Narrow(team, joined), *(Narrow(team, [rows(key, factor)]) for key, factor in singles)]
        norms += [norm(f"{layer}.{name}") for name in NORMS]
    output = "model.decoder.embed_tokens" if config.tie_word_embeddings else "proj_out"
    matrices.append(Narrow(team, [rows(output)]))
    norms.append(norm("model.decoder.layer_norm"))
    return Decoder(team, matrices, np.array(norms), sizes(config))
