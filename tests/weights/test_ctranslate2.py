"""CTranslate2's model.bin: every variable back under its Hugging Face key, and damaged files refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from weight_files import TINY_WHISPER, ctranslate2_bytes, ctranslate2_variables, whisper_arrays

from sonant.errors import CorruptFile, UnsupportedCheckpoint
from sonant.weights import ctranslate2_file, importers
from sonant.weights.tensors import to_float32


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_every_tensor_comes_back(tmp_path: Path) -> None:
    arrays = whisper_arrays()
    path = _write(tmp_path / "model.bin", ctranslate2_bytes(ctranslate2_variables(arrays)))
    imported = importers.whisper_ctranslate2(path)
    assert {t.key for t in imported.tensors} == set(arrays)
    for tensor in imported.tensors:
        assert tensor.dtype == "F16"
        np.testing.assert_array_equal(tensor.read(), arrays[tensor.key])
    for field in ("d_model", "encoder_layers", "decoder_layers", "vocab_size", "num_mel_bins", "encoder_ffn_dim"):
        assert imported.config[field] == TINY_WHISPER[field]


@pytest.mark.parametrize("per_row", [True, False])
def test_integers_are_divided_by_their_scale(tmp_path: Path, per_row: bool) -> None:
    arrays = whisper_arrays(dtype="float32")
    variables = ctranslate2_variables(arrays)
    for name in [n for n in variables if n.endswith("weight") and "layer_norm" not in n]:
        flat = variables[name].reshape(len(variables[name]), -1)
        if per_row:
            scale = (127 / np.abs(flat).max(1)).astype(np.float32)
            whole = np.rint(flat * scale[:, None]).astype(np.int8)
        else:
            scale = np.array(1024 / np.abs(flat).max(), np.float32)
            whole = np.rint(flat * scale).astype(np.int16)
        variables[name], variables[f"{name}_scale"] = whole.reshape(variables[name].shape), scale
    imported = importers.whisper_ctranslate2(_write(tmp_path / "model.bin", ctranslate2_bytes(variables)))
    largest = max(np.abs(array).max() for array in arrays.values())
    for tensor in imported.tensors:
        step = np.abs(arrays[tensor.key]).max() / 127 if per_row else largest / 1024
        assert tensor.dtype == "F32"
        assert np.abs(to_float32(tensor) - arrays[tensor.key]).max() <= step * 0.51


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = ctranslate2_bytes(ctranslate2_variables(whisper_arrays()))
    cuts = [*range(120), *range(200, len(whole), 9973), len(whole) - 1]
    for cut in cuts:
        with pytest.raises(CorruptFile, match=r"model\.bin"):
            ctranslate2_file.read(_write(tmp_path / "model.bin", whole[:cut]))


def test_bytes_after_the_end_are_refused(tmp_path: Path) -> None:
    whole = ctranslate2_bytes(ctranslate2_variables(whisper_arrays()))
    with pytest.raises(CorruptFile, match="2 bytes after the end"):
        ctranslate2_file.read(_write(tmp_path / "model.bin", whole + b"xx"))


def test_another_version_or_model_is_refused(tmp_path: Path) -> None:
    variables = ctranslate2_variables(whisper_arrays())
    with pytest.raises(UnsupportedCheckpoint, match="version 5"):
        importers.whisper_ctranslate2(_write(tmp_path / "a.bin", ctranslate2_bytes(variables, version=5)))
    with pytest.raises(UnsupportedCheckpoint, match="TransformerSpec"):
        importers.whisper_ctranslate2(_write(tmp_path / "b.bin", ctranslate2_bytes(variables, spec="TransformerSpec")))


def test_a_missing_or_foreign_variable_is_named(tmp_path: Path) -> None:
    variables = ctranslate2_variables(whisper_arrays())
    gone = {k: v for k, v in variables.items() if k != "decoder/layer_0/attention/linear_2/weight"}
    with pytest.raises(UnsupportedCheckpoint, match=r"lacks 1 tensor.*encoder_attn\.out_proj\.weight"):
        importers.whisper_ctranslate2(_write(tmp_path / "a.bin", ctranslate2_bytes(gone)))
    more = variables | {"decoder/layer_0/rotary/weight": np.zeros(1, np.float32)}
    with pytest.raises(UnsupportedCheckpoint, match="decoder/layer_0/rotary/weight"):
        importers.whisper_ctranslate2(_write(tmp_path / "b.bin", ctranslate2_bytes(more)))


def test_a_key_bias_that_is_not_zero_is_refused(tmp_path: Path) -> None:
    variables = ctranslate2_variables(whisper_arrays())
    bias = variables["encoder/layer_0/self_attention/linear_0/bias"].copy()
    bias[64] = 1
    variables["encoder/layer_0/self_attention/linear_0/bias"] = bias
    with pytest.raises(UnsupportedCheckpoint, match="key bias"):
        importers.whisper_ctranslate2(_write(tmp_path / "a.bin", ctranslate2_bytes(variables)))
