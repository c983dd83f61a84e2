"""What shapes a Kokoro: hexgrad's config.json, checked and named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sonant.errors import UnsupportedCheckpoint

__all__ = ["AlbertConfig", "GeneratorConfig", "KokoroConfig"]

SAMPLE_RATE = 24_000
HARMONICS = 9  # the fundamental and 8 overtones, fixed in hexgrad/kokoro istftnet.Generator


@dataclass(frozen=True, slots=True)
class AlbertConfig:
    """The phoneme encoder (PL-BERT); defaults are transformers' AlbertConfig's, as hexgrad leaves them out."""

    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    num_hidden_layers: int
    embedding_size: int = 128
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """The iSTFTNet vocoder."""

    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    n_fft: int
    hop: int

    @property
    def bins(self) -> int:
        """Frequency bins of a spectrum."""
        return self.n_fft // 2 + 1

    @property
    def columns_per_half_frame(self) -> int:
        """Spectrum columns made of one value of the pitch curve."""
        return math.prod(self.upsample_rates)

    @property
    def samples_per_half_frame(self) -> int:
        """Samples made of one value of the pitch curve: 300 in Kokoro-82M."""
        return self.columns_per_half_frame * self.hop


@dataclass(frozen=True, slots=True)
class KokoroConfig:
    """A Kokoro.

    ``hidden`` fixes the widths of the decoder, which hexgrad writes as numbers: 2 x hidden inside, hidden into the
    generator, hidden / 8 for the text kept beside (1024, 512 and 64 in Kokoro-82M).
    """

    hidden: int
    style: int
    n_token: int
    n_layer: int
    max_dur: int
    text_kernel: int
    albert: AlbertConfig
    generator: GeneratorConfig

    @property
    def samples_per_frame(self) -> int:
        """Samples of one frame of a duration: 600 in Kokoro-82M."""
        return 2 * self.generator.samples_per_half_frame

    @property
    def max_tokens(self) -> int:
        """Symbols of one call, both pads counted."""
        return self.albert.max_position_embeddings

    @classmethod
    def from_hexgrad(cls, config: Mapping[str, Any]) -> KokoroConfig:
        """Read hexgrad's config.json.

        Raises:
            UnsupportedCheckpoint: a field is missing or has a value that the network can't be built with.
        """
        try:
            return cls(
                hidden=config["hidden_dim"],
                style=config["style_dim"],
                n_token=config["n_token"],
                n_layer=config["n_layer"],
                max_dur=config["max_dur"],
                text_kernel=config["text_encoder_kernel_size"],
                albert=_albert(config["plbert"]),
                generator=_generator(config["istftnet"], config["hidden_dim"]),
            )
        except KeyError as error:
            raise UnsupportedCheckpoint(f"Kokoro's config.json lacks the field {error.args[0]!r}") from None


def _albert(fields: Mapping[str, Any]) -> AlbertConfig:
    for name, built in (("num_hidden_groups", 1), ("inner_group_num", 1), ("hidden_act", "gelu_new")):
        if fields.get(name, built) != built:
            raise UnsupportedCheckpoint(f"Kokoro's plbert has {name} {fields[name]!r}; only {built!r} is built")
    config = AlbertConfig(
        hidden_size=fields["hidden_size"],
        num_attention_heads=fields["num_attention_heads"],
        intermediate_size=fields["intermediate_size"],
        max_position_embeddings=fields["max_position_embeddings"],
        num_hidden_layers=fields["num_hidden_layers"],
        embedding_size=fields.get("embedding_size", 128),
        type_vocab_size=fields.get("type_vocab_size", 2),
        layer_norm_eps=fields.get("layer_norm_eps", 1e-12),
    )
    if config.hidden_size % config.num_attention_heads:
        raise UnsupportedCheckpoint(
            f"Kokoro's plbert: {config.hidden_size} channels do not divide into {config.num_attention_heads} heads"
        )
    return config


def _generator(fields: Mapping[str, Any], hidden: int) -> GeneratorConfig:
    config = GeneratorConfig(
        upsample_rates=tuple(fields["upsample_rates"]),
        upsample_kernel_sizes=tuple(fields["upsample_kernel_sizes"]),
        upsample_initial_channel=fields["upsample_initial_channel"],
        resblock_kernel_sizes=tuple(fields["resblock_kernel_sizes"]),
        resblock_dilation_sizes=tuple(tuple(sizes) for sizes in fields["resblock_dilation_sizes"]),
        n_fft=fields["gen_istft_n_fft"],
        hop=fields["gen_istft_hop_size"],
    )
    if config.upsample_initial_channel != hidden:
        raise UnsupportedCheckpoint(
            f"Kokoro's istftnet.upsample_initial_channel is {config.upsample_initial_channel}; "
            f"it must be hidden_dim, {hidden}"
        )
    kernels = zip(config.upsample_kernel_sizes, config.upsample_rates, strict=True)
    if any(kernel != 2 * rate for kernel, rate in kernels):
        raise UnsupportedCheckpoint("Kokoro's istftnet.upsample_kernel_sizes must be twice the upsample_rates")
    if any(rate % 2 for rate in config.upsample_rates):
        raise UnsupportedCheckpoint(f"Kokoro's istftnet.upsample_rates must be even: {list(config.upsample_rates)}")
    if config.n_fft != 4 * config.hop:
        raise UnsupportedCheckpoint(
            f"Kokoro's istftnet: gen_istft_n_fft {config.n_fft} must be 4 x gen_istft_hop_size {config.hop}"
        )
    return config
