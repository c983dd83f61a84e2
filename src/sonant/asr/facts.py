"""What the flow has to know of a Whisper checkpoint, read off its config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sonant.engines.base import Seq2Seq
from sonant.errors import CorruptFile, UnsupportedCheckpoint
from sonant.text.bpe import WhisperTokenizer, tokenizer
from sonant.weights.checkpoint import Checkpoint

__all__ = ["ModelFacts", "alignment_heads", "facts_of"]

ENGLISH_VOCAB = 51_864  # ids of the .en models; multilingual ones have 51 865, and one more for each further language
MULTILINGUAL_BASE = 51_766  # ids of a multilingual model besides its languages


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Sizes of a model.

    Attributes:
        n_mels: mel bins of the features.
        multilingual: whether it knows languages and translation.
        language_count: language tokens in its vocabulary.
        context: most tokens its decoder holds.
        decoder_layers, decoder_heads: of the decoder.
        translates: whether it was trained to translate (turbo, distil and .en models were not).
    """

    n_mels: int
    multilingual: bool
    language_count: int
    context: int
    decoder_layers: int
    decoder_heads: int
    translates: bool = True

    @property
    def tokenizer(self) -> WhisperTokenizer:
        """The vocabulary."""
        return tokenizer(self.multilingual, self.language_count)


def facts_of(engine: Seq2Seq, checkpoint: Checkpoint) -> ModelFacts:
    """Read the engine's config.

    Raises:
        UnsupportedCheckpoint: the vocabulary is not one of Whisper's.
    """
    config = engine.config
    vocabulary = int(config.vocab_size)
    multilingual = vocabulary != ENGLISH_VOCAB
    languages = vocabulary - MULTILINGUAL_BASE if multilingual else 99
    if languages not in (99, 100):
        raise UnsupportedCheckpoint(
            f"{checkpoint.id} has a vocabulary of {vocabulary}; Whisper's have 51864 (.en), 51865, 51866 (large-v3 on)"
        )
    return ModelFacts(
        n_mels=config.num_mel_bins,
        multilingual=multilingual,
        language_count=languages,
        context=config.max_target_positions,
        decoder_layers=config.decoder_layers,
        decoder_heads=config.decoder_attention_heads,
        translates=multilingual and bool(checkpoint.catalog.get("translates", not _without_translation(checkpoint.id))),
    )


def _without_translation(name: str) -> bool:
    """Whether a model by this name learnt to transcribe only (model cards of turbo and distil-whisper)."""
    return any(part in name.lower() for part in ("turbo", "distil"))


def alignment_heads(checkpoint: Checkpoint, facts: ModelFacts) -> list[tuple[int, int]]:
    """(layer, head) pairs of the cross-attention that follow the words in time.

    From the catalog, else the checkpoint's generation_config.json, else its config, else all heads of the last half
    of the layers (openai-whisper ``model.py``).

    Raises:
        CorruptFile: generation_config.json is no JSON.
    """
    given: Sequence[Any] | None = checkpoint.catalog.get("alignment_heads")
    if not given:
        path = checkpoint.folder / "generation_config.json"
        if checkpoint.weights and path.is_file():
            try:
                given = json.loads(path.read_text(encoding="utf-8")).get("alignment_heads")
            except ValueError as error:
                raise CorruptFile(f"{path} is not JSON ({error}); fetch the model again") from error
    given = given or checkpoint.config.get("alignment_heads")
    if given:
        return [(int(layer), int(head)) for layer, head in given]
    half = range(facts.decoder_layers // 2, facts.decoder_layers)
    return [(layer, head) for layer in half for head in range(facts.decoder_heads)]
