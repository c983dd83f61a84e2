"""Foreign keys to canonical ones, and the tables of canonical keys against the original packages."""

from __future__ import annotations

import pytest

from sonant.errors import UnsupportedCheckpoint
from sonant.models.kokoro import names as kokoro
from sonant.models.whisper import names as whisper
from sonant.weights import catalog

CONFIG = catalog.config("kokoro-82m.json")


@pytest.mark.parametrize(
    ("openai", "canonical"),
    [
        ("encoder.conv1.weight", "model.encoder.conv1.weight"),
        ("encoder.positional_embedding", "model.encoder.embed_positions.weight"),
        ("encoder.blocks.3.attn.key.weight", "model.encoder.layers.3.self_attn.k_proj.weight"),
        ("encoder.blocks.11.mlp.2.bias", "model.encoder.layers.11.fc2.bias"),
        ("encoder.ln_post.bias", "model.encoder.layer_norm.bias"),
        ("decoder.token_embedding.weight", "model.decoder.embed_tokens.weight"),
        ("decoder.blocks.0.cross_attn.value.bias", "model.decoder.layers.0.encoder_attn.v_proj.bias"),
        ("decoder.blocks.0.cross_attn_ln.weight", "model.decoder.layers.0.encoder_attn_layer_norm.weight"),
        ("decoder.ln.weight", "model.decoder.layer_norm.weight"),
    ],
)
def test_openai_keys(openai: str, canonical: str) -> None:
    assert whisper.from_openai(openai) == canonical


@pytest.mark.parametrize(
    "key", ["encoder.blocks.0.attn.rope.weight", "encoder.blocks.x.mlp.0.weight", "lm_head.weight"]
)
def test_foreign_openai_keys_are_named(key: str) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=key.replace(".", r"\.")):
        whisper.from_openai(key)


def test_config_says_what_is_missing() -> None:
    network = catalog.find("tiny").raw["network"]
    shapes = whisper.shapes(network)
    assert {k: whisper.config(shapes)[k] for k in network} == network
    del shapes["model.encoder.layers.1.fc1.weight"]
    for key in list(shapes):
        if key.startswith("model.encoder.layers.1."):
            del shapes[key]
    with pytest.raises(UnsupportedCheckpoint, match=r"encoder's layers are numbered \[0, 2, 3\]"):
        whisper.config(shapes)
    with pytest.raises(UnsupportedCheckpoint, match="embed_tokens"):
        whisper.config({})
    with pytest.raises(UnsupportedCheckpoint, match="num_mel_bins"):
        whisper.shapes({"d_model": 1, "vocab_size": 2})


def test_token_ids_follow_the_vocabulary() -> None:
    made = {
        size: whisper.generation_config(whisper.config(whisper.shapes(catalog.find(size).raw["network"])), (1, 2), None)
        for size in ("tiny.en", "tiny", "large-v3")
    }
    assert made["tiny.en"]["no_timestamps_token_id"] == 50362
    assert made["tiny"]["no_timestamps_token_id"] == 50363
    assert made["large-v3"]["no_timestamps_token_id"] == 50364
    assert made["tiny"]["lang_to_id"]["<|pl|>"] == 50269
    assert made["large-v3"]["lang_to_id"]["<|yue|>"] == 50358
    assert made["large-v3"]["task_to_id"] == {"translate": 50359, "transcribe": 50360}
    assert "lang_to_id" not in made["tiny.en"]
    assert made["tiny"]["suppress_tokens"] == [1, 2, 50258, 50358, 50359, 50360, 50361, 50362]


@pytest.mark.parametrize(
    ("node", "module"),
    [
        ("/encoder/text_encoder/cnn.0/cnn.0.0/Conv_quant", "text_encoder.cnn.0.0"),
        ("/encoder/F0.1/conv1x1/Conv_quant", "predictor.F0.1.conv1x1"),
        ("/encoder/predictor/text_encoder/lstms.4/LSTM_quant", "predictor.text_encoder.lstms.4"),
        ("/encoder/shared/LSTM_quant", "predictor.shared"),
        ("/encoder/bert_encoder/MatMul_quant", "bert_encoder"),
        (
            "/encoder/bert/encoder/albert_layer_groups.0/albert_layers.0/attention/query_11/MatMul_quant",
            "bert.encoder.albert_layer_groups.0.albert_layers.0.attention.query",
        ),
        ("/decoder/decoder/asr_res/asr_res.0/Conv_quant", "decoder.asr_res.0"),
        ("/decoder/decoder/generator/noise_res.1/convs2.2/Conv_quant", "decoder.generator.noise_res.1.convs2.2"),
        ("/decoder/decoder/generator/ups.0/ConvTranspose", "decoder.generator.ups.0"),
    ],
)
def test_kokoro_onnx_nodes(node: str, module: str) -> None:
    assert kokoro.from_onnx_node(node) == module


def test_kokoro_spellings() -> None:
    assert kokoro.canonical("decoder", "module.F0_conv.weight_g") == "decoder.F0_conv.weight_g"
    assert kokoro.canonical("decoder", "F0_conv.parametrizations.weight.original1") == "decoder.F0_conv.weight_v"
    assert kokoro.from_mlx("predictor.lstm.Wx_backward") == "predictor.lstm.weight_ih_l0_reverse"
    assert kokoro.from_mlx("text_encoder.lstm.bias_hh_forward") == "text_encoder.lstm.bias_hh_l0"
    assert kokoro.from_mlx("text_encoder.cnn.2.1.weight") == "text_encoder.cnn.2.1.gamma"
    assert kokoro.from_mlx("text_encoder.cnn.2.1.beta") == "text_encoder.cnn.2.1.beta"
    assert kokoro.from_onnx_initializer("decoder.decoder.encode.conv1.bias") == "decoder.encode.conv1.bias"
    assert kokoro.from_onnx_initializer("decoder.decoder.generator.stft.window_sum") is None
    assert kokoro.from_onnx_initializer("onnx::MatMul_6993") is None
    for key in kokoro.shapes(CONFIG):
        assert kokoro.from_mlx(key) == key
        assert not kokoro.is_unused(key)
        assert not kokoro.is_identity_norm(key)
    with pytest.raises(UnsupportedCheckpoint, match="vocoder"):
        kokoro.canonical("vocoder", "x")
    with pytest.raises(UnsupportedCheckpoint, match="lacks the field 'style_dim'"):
        kokoro.shapes({})


@pytest.mark.peers
def test_kokoros_keys_and_shapes_equal_the_package() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from kokoro.istftnet import Decoder
        from kokoro.modules import CustomAlbert, ProsodyPredictor, TextEncoder
        from transformers import AlbertConfig

        with torch.device("meta"):
            parts = {
                "bert": CustomAlbert(AlbertConfig(vocab_size=CONFIG["n_token"], **CONFIG["plbert"])),
                "bert_encoder": torch.nn.Linear(CONFIG["plbert"]["hidden_size"], CONFIG["hidden_dim"]),
                "predictor": ProsodyPredictor(
                    CONFIG["style_dim"], CONFIG["hidden_dim"], CONFIG["n_layer"], CONFIG["max_dur"]
                ),
                "text_encoder": TextEncoder(
                    CONFIG["hidden_dim"], CONFIG["text_encoder_kernel_size"], CONFIG["n_layer"], CONFIG["n_token"]
                ),
                "decoder": Decoder(CONFIG["hidden_dim"], CONFIG["style_dim"], CONFIG["n_mels"], **CONFIG["istftnet"]),
            }
    theirs = {
        kokoro.canonical(part, key): tuple(tensor.shape)
        for part, module in parts.items()
        for key, tensor in module.state_dict().items()
    }
    dropped = {key for key in theirs if kokoro.is_unused(key) or kokoro.is_identity_norm(key)}
    assert len(dropped) == 142  # 2 of the pooler, 140 of norms
    assert kokoro.shapes(CONFIG) == {key: shape for key, shape in theirs.items() if key not in dropped}


@pytest.mark.peers
@pytest.mark.parametrize("size", ["tiny.en", "large-v3-turbo"])
def test_whispers_keys_and_shapes_equal_both_packages(size: str) -> None:
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration
    from whisper.model import ModelDimensions, Whisper

    network = catalog.find(size).raw["network"]
    ours = whisper.shapes(network)
    with torch.device("meta"):
        theirs = WhisperForConditionalGeneration(WhisperConfig(**network))
    state = {key: tuple(t.shape) for key, t in theirs.state_dict().items() if key != "proj_out.weight"}
    assert ours == state
    if network["d_model"] > 512:
        return  # OpenAI's module can't be made without its numbers
    dims = ModelDimensions(
        n_mels=network["num_mel_bins"],
        n_audio_ctx=1500,
        n_audio_state=network["d_model"],
        n_audio_head=network["encoder_attention_heads"],
        n_audio_layer=network["encoder_layers"],
        n_vocab=network["vocab_size"],
        n_text_ctx=448,
        n_text_state=network["d_model"],
        n_text_head=network["decoder_attention_heads"],
        n_text_layer=network["decoder_layers"],
    )
    assert ours == {whisper.from_openai(key): tuple(t.shape) for key, t in Whisper(dims).state_dict().items()}
