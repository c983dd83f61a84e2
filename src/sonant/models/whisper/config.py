"""The shape of a Whisper checkpoint, read off its ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sonant.errors import UnsupportedCheckpoint

__all__ = ["LAYER_NORM_EPS", "WhisperConfig"]

LAYER_NORM_EPS = 1e-5  # transformers' and OpenAI's, not in any config
FIRST_MULTILINGUAL_VOCAB = 51865  # the English-only vocabulary is one token smaller (openai-whisper, model.py)
NON_LANGUAGE_TOKENS = 51765  # text, task and timestamp tokens of the English vocabulary without its one language


@dataclass(frozen=True, slots=True)
class WhisperConfig:
    """Sizes of the network; the names are those of Hugging Face's ``config.json``.

    Attributes:
        d_model: width of the residual stream.
        encoder_layers: encoder blocks.
        decoder_layers: decoder blocks (2 in the distilled models).
        encoder_attention_heads: heads of each encoder block.
        decoder_attention_heads: heads of each decoder block.
        encoder_ffn_dim: inner width of the encoder's feed-forward layers.
        decoder_ffn_dim: the same of the decoder.
        num_mel_bins: mel bands, 80, or 128 from large-v3 on.
        vocab_size: tokens, timestamps included.
        max_source_positions: encoder frames of one window (1500, 20 ms each); features have twice as many.
        max_target_positions: the most tokens the decoder can hold (448).
        scale_embedding: whether token embeddings are multiplied by sqrt(d_model).
        tie_word_embeddings: whether the output projection is the token embedding.
    """

    d_model: int
    encoder_layers: int
    decoder_layers: int
    encoder_attention_heads: int
    decoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_ffn_dim: int
    num_mel_bins: int
    vocab_size: int
    max_source_positions: int = 1500
    max_target_positions: int = 448
    scale_embedding: bool = False
    tie_word_embeddings: bool = True

    @classmethod
    def from_hf(cls, config: Mapping[str, Any]) -> WhisperConfig:
        """Read Hugging Face's fields; those that only matter to training are left out.

        Raises:
            UnsupportedCheckpoint: a field is missing, or asks for something that the network doesn't have.
        """
        if config.get("model_type", "whisper") != "whisper":
            raise UnsupportedCheckpoint(
                f"config.json says model_type {config['model_type']!r}; this network is whisper"
            )
        activation = config.get("activation_function", "gelu")
        if activation != "gelu":
            raise UnsupportedCheckpoint(f"activation_function {activation!r} is not supported; Whisper's is 'gelu'")
        names = cls.__dataclass_fields__
        given = {name: config[name] for name in names if name in config}
        try:
            made = cls(**given)
        except TypeError:
            missing = [name for name, field in names.items() if name not in given and not _has_default(field)]
            raise UnsupportedCheckpoint(f"Whisper's config.json lacks {', '.join(missing)}") from None
        for heads in (made.encoder_attention_heads, made.decoder_attention_heads):
            if heads <= 0 or made.d_model % heads:
                raise UnsupportedCheckpoint(f"d_model {made.d_model} can't be split into {heads} attention heads")
        return made

    @property
    def frames(self) -> int:
        """Feature frames of one window (3000, 10 ms each)."""
        return 2 * self.max_source_positions

    @property
    def head_size(self) -> int:
        """Width of one decoder head."""
        return self.d_model // self.decoder_attention_heads

    @property
    def multilingual(self) -> bool:
        """Whether the vocabulary has language tokens beside English."""
        return self.vocab_size >= FIRST_MULTILINGUAL_VOCAB

    @property
    def languages(self) -> int:
        """Languages the vocabulary has (99, or 100 from large-v3 on; 1 for English-only models)."""
        return self.vocab_size - NON_LANGUAGE_TOKENS - self.multilingual if self.multilingual else 1


def _has_default(field: Any) -> bool:
    from dataclasses import MISSING

    return field.default is not MISSING
