"""Sizes of the tiny random wav2vec 2.0 networks of the tests, as config.json spells them."""

SMALL = {  # group norm, as wav2vec2-base-960h
    "model_type": "wav2vec2",
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
SMALL_LAYER = SMALL | {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}  # as XLSR, MMS
