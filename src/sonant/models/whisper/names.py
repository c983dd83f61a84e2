"""Whisper's keys in other spellings, and its config read off the shapes: OpenAI and CTranslate2 into Hugging Face.

Canonical is what transformers' ``WhisperForConditionalGeneration.save_pretrained`` writes ("model.encoder.conv1.weight"
...), the tied output projection left out. Pure tables: no tensors here.
Sources: openai-whisper ``model.py`` (module names), ctranslate2 ``specs/whisper_spec.py``, transformers
``models/whisper/convert_openai_to_hf.py`` and ``configuration_whisper.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonant.errors import UnsupportedCheckpoint
from sonant.text.whisper_languages import LANGUAGES

__all__ = ["Part", "config", "from_ctranslate2", "from_openai", "generation_config", "openai_config", "shapes"]

HEAD_SIZE = 64  # every published size has d_model / 64 heads
ENGLISH_VOCAB, MULTILINGUAL_VOCAB, V3_VOCAB = 51864, 51865, 51866
WITHOUT_LANGUAGES = 51766  # ids of a multilingual vocabulary besides its languages

_LAYER = {  # OpenAI's names inside a block -> Hugging Face's
    "attn.query": "self_attn.q_proj",
    "attn.key": "self_attn.k_proj",
    "attn.value": "self_attn.v_proj",
    "attn.out": "self_attn.out_proj",
    "attn_ln": "self_attn_layer_norm",
    "cross_attn.query": "encoder_attn.q_proj",
    "cross_attn.key": "encoder_attn.k_proj",
    "cross_attn.value": "encoder_attn.v_proj",
    "cross_attn.out": "encoder_attn.out_proj",
    "cross_attn_ln": "encoder_attn_layer_norm",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "mlp_ln": "final_layer_norm",
}
_OUTER = {  # and outside the blocks
    "encoder.positional_embedding": "model.encoder.embed_positions.weight",
    "decoder.positional_embedding": "model.decoder.embed_positions.weight",
    "decoder.token_embedding.weight": "model.decoder.embed_tokens.weight",
    "encoder.conv1.weight": "model.encoder.conv1.weight",
    "encoder.conv1.bias": "model.encoder.conv1.bias",
    "encoder.conv2.weight": "model.encoder.conv2.weight",
    "encoder.conv2.bias": "model.encoder.conv2.bias",
    "encoder.ln_post.weight": "model.encoder.layer_norm.weight",
    "encoder.ln_post.bias": "model.encoder.layer_norm.bias",
    "decoder.ln.weight": "model.decoder.layer_norm.weight",
    "decoder.ln.bias": "model.decoder.layer_norm.bias",
}
_BLOCK = re.compile(r"(encoder|decoder)\.blocks\.(\d+)\.(.+)\.(weight|bias)")


def from_openai(key: str) -> str:
    """The canonical key of an OpenAI state-dict key.

    Raises:
        UnsupportedCheckpoint: no Whisper has such a key.
    """
    if key in _OUTER:
        return _OUTER[key]
    match = _BLOCK.fullmatch(key)
    if match and match[3] in _LAYER:
        return f"model.{match[1]}.layers.{match[2]}.{_LAYER[match[3]]}.{match[4]}"
    raise UnsupportedCheckpoint(f"key {key!r} belongs to no Whisper checkpoint of OpenAI's")


@dataclass(frozen=True, slots=True)
class Part:
    """One canonical tensor inside a CTranslate2 variable that stacks several.

    Attributes:
        key: canonical key; "" for the key projection's bias, which is stored as zeros and has no counterpart.
        index: which of the stacked blocks of rows.
        count: how many blocks are stacked.
    """

    key: str
    index: int = 0
    count: int = 1


_CT2_OUTER = {
    "encoder/position_encodings/encodings": "model.encoder.embed_positions.weight",
    "decoder/position_encodings/encodings": "model.decoder.embed_positions.weight",
    "decoder/embeddings/weight": "model.decoder.embed_tokens.weight",
}
_CT2_STACKS = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention/linear_1": ("self_attn.out_proj",),
    "attention/linear_0": ("encoder_attn.q_proj",),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention/linear_2": ("encoder_attn.out_proj",),
    "ffn/linear_0": ("fc1",),
    "ffn/linear_1": ("fc2",),
    "self_attention/layer_norm": ("self_attn_layer_norm",),
    "attention/layer_norm": ("encoder_attn_layer_norm",),
    "ffn/layer_norm": ("final_layer_norm",),
}
# settings of the CTranslate2 engine, constant for Whisper or told by the shapes; no tensors of the network
CT2_SETTINGS = frozenset(
    f"{side}/{name}"
    for side in ("encoder", "decoder")
    for name in (
        "activation alibi alibi_use_positive_positions alignment_heads alignment_layer num_heads pre_norm "
        "scale_alibi scale_embeddings start_from_zero_embedding"
    ).split()
)
_CT2_ENDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
_CT2_LAYER = re.compile(r"(encoder|decoder)/layer_(\d+)/(.+)/(weight|bias|gamma|beta)")
_CT2_FLAT = re.compile(r"(encoder|decoder)/(conv1|conv2|layer_norm)/(weight|bias|gamma|beta)")


def from_ctranslate2(name: str) -> tuple[Part, ...]:
    """The canonical tensors stacked in a CTranslate2 variable, empty for a setting of the engine.

    Raises:
        UnsupportedCheckpoint: no Whisper spec has such a variable.
    """
    if name in CT2_SETTINGS:
        return ()
    if name in _CT2_OUTER:
        return (Part(_CT2_OUTER[name]),)
    if match := _CT2_FLAT.fullmatch(name):
        return (Part(f"model.{match[1]}.{match[2]}.{_CT2_ENDS[match[3]]}"),)
    match = _CT2_LAYER.fullmatch(name)
    if match is None or match[3] not in _CT2_STACKS:
        raise UnsupportedCheckpoint(f"variable {name!r} belongs to no Whisper model of CTranslate2")
    stack, end = _CT2_STACKS[match[3]], _CT2_ENDS[match[4]]
    prefix = f"model.{match[1]}.layers.{match[2]}."
    made = [f"{prefix}{part}.{end}" for part in stack]
    return tuple(Part("" if key.endswith("k_proj.bias") else key, index, len(made)) for index, key in enumerate(made))


def config(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Hugging Face's config.json of the Whisper that has these canonical keys and shapes.

    Raises:
        UnsupportedCheckpoint: a tensor is missing, or the vocabulary is none of Whisper's three.
    """
    try:
        vocab, d_model = shapes["model.decoder.embed_tokens.weight"]
        mels = shapes["model.encoder.conv1.weight"][1]
        sources = shapes["model.encoder.embed_positions.weight"][0]
        targets = shapes["model.decoder.embed_positions.weight"][0]
        encoder_ffn = shapes["model.encoder.layers.0.fc1.weight"][0]
        decoder_ffn = shapes["model.decoder.layers.0.fc1.weight"][0]
    except KeyError as error:
        raise UnsupportedCheckpoint(
            f"the checkpoint has no tensor {error.args[0]!r}, so it is no whole Whisper"
        ) from None
    english = vocab == ENGLISH_VOCAB
    end = 50256 if english else 50257
    heads = max(1, d_model // HEAD_SIZE)
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_dropout": 0.0,
        "activation_function": "gelu",
        "attention_dropout": 0.0,
        "begin_suppress_tokens": [220, end],
        "bos_token_id": 50257,
        "d_model": d_model,
        "decoder_attention_heads": heads,
        "decoder_ffn_dim": decoder_ffn,
        "decoder_layerdrop": 0.0,
        "decoder_layers": _depth(shapes, "decoder"),
        "decoder_start_token_id": end + 1,
        "dropout": 0.0,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": encoder_ffn,
        "encoder_layerdrop": 0.0,
        "encoder_layers": _depth(shapes, "encoder"),
        "eos_token_id": end,
        "init_std": 0.02,
        "is_encoder_decoder": True,
        "max_source_positions": sources,
        "max_target_positions": targets,
        "num_hidden_layers": _depth(shapes, "encoder"),
        "num_mel_bins": mels,
        "pad_token_id": end,
        "scale_embedding": False,
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": vocab,
    }


def openai_config(dims: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The config of an OpenAI checkpoint: like ``config``, with the heads that its ``dims`` name."""
    try:
        heads = {"encoder_attention_heads": dims["n_audio_head"], "decoder_attention_heads": dims["n_text_head"]}
    except (KeyError, TypeError) as error:
        raise UnsupportedCheckpoint(f"the checkpoint's dims lack {error}") from None
    return config(shapes) | heads


def generation_config(
    settings: Mapping[str, Any], non_speech: Sequence[int], alignment_heads: Sequence[Sequence[int]] | None
) -> dict[str, Any]:
    """Hugging Face's generation_config.json for a checkpoint that came without.

    Token ids follow from the vocabulary (openai-whisper ``tokenizer.py``): after the text come end, start, the
    languages, translate, transcribe, start of LM, start of previous text, no speech, no timestamps.

    Args:
        settings: config.json.
        non_speech: ids of symbols that are not spoken.
        alignment_heads: (layer, head) pairs of the decoder that follow the words, None where unknown.
    """
    vocab, end = settings["vocab_size"], settings["eos_token_id"]
    multilingual = vocab != ENGLISH_VOCAB
    languages = vocab - WITHOUT_LANGUAGES if multilingual else 99  # .en models hold the 99 ids too
    translate = end + 2 + languages
    made: dict[str, Any] = {
        "begin_suppress_tokens": [220, end],
        "bos_token_id": settings["bos_token_id"],
        "decoder_start_token_id": end + 1,
        "eos_token_id": end,
        "is_multilingual": multilingual,
        "max_initial_timestamp_index": 50,
        "max_length": settings["max_target_positions"],
        "no_timestamps_token_id": translate + 5,
        "pad_token_id": end,
        "prev_sot_token_id": translate + 3,
        "return_timestamps": False,
        "suppress_tokens": [*non_speech, end + 1, *range(translate, translate + 5)],
    }
    if alignment_heads:
        made["alignment_heads"] = [list(pair) for pair in alignment_heads]
    if multilingual:
        made["lang_to_id"] = {f"<|{code}|>": end + 2 + i for i, code in enumerate([*LANGUAGES][:languages])}
        made["task_to_id"] = {"transcribe": translate + 1, "translate": translate}
    return made


def _depth(shapes: Mapping[str, tuple[int, ...]], side: str) -> int:
    layers = {int(m[1]) for key in shapes if (m := re.match(rf"model\.{side}\.layers\.(\d+)\.", key))}
    if layers != set(range(len(layers))):
        raise UnsupportedCheckpoint(f"the {side}'s layers are numbered {sorted(layers)}: one is missing")
    return len(layers)


def shapes(settings: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every canonical key with its shape, for a Whisper with this config.json (Hugging Face's fields).

    Raises:
        UnsupportedCheckpoint: a field is missing.
    """
    try:
        width, vocab, mels = settings["d_model"], settings["vocab_size"], settings["num_mel_bins"]
        made: dict[str, tuple[int, ...]] = {
            "model.encoder.embed_positions.weight": (settings["max_source_positions"], width),
            "model.decoder.embed_positions.weight": (settings["max_target_positions"], width),
            "model.decoder.embed_tokens.weight": (vocab, width),
            "model.encoder.conv1.weight": (width, mels, 3),
            "model.encoder.conv2.weight": (width, width, 3),
        }
        if not settings.get("tie_word_embeddings", True):
            made["proj_out.weight"] = (vocab, width)
        for name in ("encoder.conv1.bias", "encoder.conv2.bias", *_ends("encoder"), *_ends("decoder")):
            made[f"model.{name}"] = (width,)
        for side in ("encoder", "decoder"):
            inner = settings[f"{side}_ffn_dim"]
            for layer in range(settings[f"{side}_layers"]):
                for part in _LAYER.values():
                    if side == "decoder" or not part.startswith("encoder_attn"):
                        made |= _layer(f"model.{side}.layers.{layer}.{part}", part, width, inner)
    except KeyError as error:
        raise UnsupportedCheckpoint(f"Whisper's config.json lacks the field {error.args[0]!r}") from None
    return made


def _ends(side: str) -> tuple[str, str]:
    return f"{side}.layer_norm.weight", f"{side}.layer_norm.bias"


def _layer(name: str, part: str, width: int, inner: int) -> dict[str, tuple[int, ...]]:
    """Weight and bias of one part of a layer."""
    if part.endswith("layer_norm"):
        return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    outputs, inputs = {"fc1": (inner, width), "fc2": (width, inner)}.get(part, (width, width))
    weight: dict[str, tuple[int, ...]] = {f"{name}.weight": (outputs, inputs)}
    return weight if part.endswith("k_proj") else weight | {f"{name}.bias": (outputs,)}
