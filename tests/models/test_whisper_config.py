"""Sizes of Whisper from config.json."""

import pytest

from sonant.errors import UnsupportedCheckpoint
from sonant.models.whisper.config import WhisperConfig

SIZES = {
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "num_mel_bins": 80,
    "vocab_size": 51865,
}


@pytest.mark.parametrize(
    ("vocabulary", "multilingual", "languages"), [(51864, False, 1), (51865, True, 99), (51866, True, 100)]
)
def test_the_vocabulary_tells_the_languages(vocabulary, multilingual, languages):
    config = WhisperConfig.from_hf(SIZES | {"vocab_size": vocabulary, "dropout": 0.0, "suppress_tokens": [1]})
    assert (config.multilingual, config.languages) == (multilingual, languages)
    assert (config.frames, config.head_size, config.max_target_positions) == (3000, 16, 448)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "wav2vec2"}, "wav2vec2"),
        ({"activation_function": "relu"}, "relu"),
        ({"decoder_attention_heads": 5}, "64 can't be split into 5"),
        ({"encoder_attention_heads": 0}, "into 0"),
    ],
)
def test_what_the_network_lacks_is_said(change, says):
    with pytest.raises(UnsupportedCheckpoint, match=says):
        WhisperConfig.from_hf(SIZES | change)


def test_missing_fields_are_named():
    config = {key: value for key, value in SIZES.items() if key not in ("d_model", "vocab_size")}
    with pytest.raises(UnsupportedCheckpoint, match="lacks d_model, vocab_size"):
        WhisperConfig.from_hf(config)
