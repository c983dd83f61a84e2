"""kokoro-onnx's files: each layer, quantised the way ONNX Runtime does it, comes back under hexgrad's key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sonant.errors import CorruptFile, UnsupportedCheckpoint
from sonant.weights import onnx_kokoro

RANDOM = np.random.default_rng(3)
Made = tuple[list[Any], dict[str, np.ndarray]]  # nodes, initializers


def _asymmetric(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint8 with a zero point, a scale for all."""
    low, high = min(weight.min(), 0), max(weight.max(), 0)
    scale = np.float32((high - low) / 255)
    zero = np.uint8(np.rint(-low / scale))
    return np.clip(np.rint(weight / scale) + zero, 0, 255).astype(np.uint8), scale, zero


def _symmetric(weight: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """int8, zero point 0, a scale for each index of the axes that are kept."""
    scale = (np.abs(weight).max(axes, keepdims=True) / 127).astype(np.float32)
    kept = np.squeeze(scale, axes)
    return np.rint(weight / scale).astype(np.int8), kept, np.zeros(kept.shape, np.int8)


def _linear(path: str, key: str, weight: np.ndarray, bias: np.ndarray) -> Made:
    whole, scale, zero = _symmetric(weight.T, (0,))
    node = helper.make_node("MatMulInteger", ["x", f"{key}.weight_quantized", "xz", f"{key}.weight_zero_point"], ["y"])
    node.name = f"{path}/Gemm_MatMul_quant"
    names = {"_quantized": whole, "_scale": scale, "_zero_point": zero}
    return [node], {f"{key}.weight{end}": array for end, array in names.items()} | {f"{key}.bias": bias}


def _conv(path: str, stored: str, weight: np.ndarray, key: str, bias: np.ndarray | None) -> Made:
    whole, scale, zero = _asymmetric(weight)
    node = helper.make_node("ConvInteger", ["x", f"{stored}_quantized", "xz", f"{stored}_zero_point"], ["y"])
    node.name = f"{path}/Conv_quant"
    made = {f"{stored}_quantized": whole, f"{stored}_scale": np.array(scale), f"{stored}_zero_point": np.array(zero)}
    return [node], made | ({f"{key}.bias": bias} if bias is not None else {})


def _onnx_gates(array: np.ndarray) -> np.ndarray:
    """torch's i f g o -> ONNX's i o f c."""
    i, f, g, o = np.split(array, 4)
    return np.concatenate((i, o, f, g))


def _lstm(path: str, torch_lstm: dict[str, np.ndarray], quantised: bool) -> Made:
    directions = ("", "_reverse")
    w, r = (np.stack([_onnx_gates(torch_lstm[f"weight_{n}_l0{d}"]) for d in directions]) for n in ("ih", "hh"))
    b = np.stack(
        [np.concatenate([_onnx_gates(torch_lstm[f"bias_{n}_l0{d}"]) for n in ("ih", "hh")]) for d in directions]
    )
    if not quantised:
        node = helper.make_node("LSTM", ["x", f"{path}W", f"{path}R", f"{path}B"], ["y"], f"{path}/LSTM")
        return [node], {f"{path}W": w, f"{path}R": r, f"{path}B": b}
    (qw, sw, zw), (qr, sr, zr) = (_symmetric(m.transpose(0, 2, 1), (1, 2)) for m in (w, r))
    inputs = ["x", "W_quantized", "R_quantized", "B", "", "", "", "", "W_scale", "W_zero", "R_scale", "R_zero"]
    node = helper.make_node("DynamicQuantizeLSTM", inputs, ["y"], f"{path}/LSTM_quant", domain="com.microsoft")
    arrays = (qw, qr, b, sw, zw, sr, zr)
    return [node], dict(zip([name for name in inputs[1:] if name], arrays, strict=True))


def _save(path: Path, *made: Made) -> Path:
    nodes = [node for part, _ in made for node in part]
    arrays = {name: array for _, part in made for name, array in part.items()}
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(
        nodes, "kokoro", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], tensors
    )
    onnx.save(helper.make_model(graph), str(path))
    return path


def _read(path: Path) -> dict[str, np.ndarray]:
    tensors = list(onnx_kokoro.read(path))
    assert len({tensor.key for tensor in tensors}) == len(tensors)
    return {tensor.key: tensor.read() for tensor in tensors}


def _near(found: np.ndarray, truth: np.ndarray, levels: int) -> None:
    assert found.shape == truth.shape
    assert np.abs(found - truth).max() <= np.abs(truth).max() * 2 / levels


def _normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def test_quantised_layers_come_back(tmp_path: Path) -> None:
    fc, fc_bias, conv, bias, plain = _normal(6, 4), _normal(6), _normal(5, 3, 7), _normal(5), _normal(2, 3, 1)
    lstm = {f"weight_ih_l0{d}": _normal(16, 6) for d in ("", "_reverse")}
    lstm |= {f"weight_hh_l0{d}": _normal(16, 4) for d in ("", "_reverse")}
    lstm |= {f"bias_{n}_l0{d}": _normal(16) for n in ("ih", "hh") for d in ("", "_reverse")}
    block = "decoder.decoder.generator.resblocks.4"
    found = _read(
        _save(
            tmp_path / "k.onnx",
            _linear("/decoder/decoder/generator/resblocks.4/adain2.2/fc", f"{block}.adain2.2.fc", fc, fc_bias),
            _conv(
                "/encoder/text_encoder/cnn.1/cnn.1.0",
                "/encoder/text_encoder/cnn.1/Mul_output_0",
                conv,
                "encoder.text_encoder.cnn.1.0",
                bias,
            ),
            _conv("/encoder/F0_proj", "encoder.predictor.F0_proj.weight", plain, "encoder.predictor.F0_proj", None),
            _lstm("/encoder/shared", lstm, quantised=True),
        )
    )
    _near(found["decoder.generator.resblocks.4.adain2.2.fc.weight"], fc, 255)
    np.testing.assert_array_equal(found["decoder.generator.resblocks.4.adain2.2.fc.bias"], fc_bias)
    _near(found["predictor.F0_proj.weight"], plain, 255)
    _near(found["text_encoder.cnn.1.0.weight_v"], conv, 255)
    norms = np.sqrt((found["text_encoder.cnn.1.0.weight_v"] ** 2).sum((1, 2), keepdims=True))
    np.testing.assert_allclose(found["text_encoder.cnn.1.0.weight_g"], norms, rtol=1e-6)
    np.testing.assert_array_equal(found["text_encoder.cnn.1.0.bias"], bias)
    for name, array in lstm.items():
        _near(found[f"predictor.shared.{name}"], array, 255)
    assert len(found) == 3 + 1 + 2 + len(lstm)


def test_embeddings_take_the_zero_point_of_their_dequantiser(tmp_path: Path) -> None:
    table, scale = RANDOM.integers(-100, 100, (9, 4)).astype(np.int8), np.array(0.5, np.float32)
    name = "encoder.bert.embeddings.word_embeddings.weight"
    nodes = [
        helper.make_node("Gather", [f"{name}_quantized", "tokens"], ["rows"], "/encoder/bert/Gather_quant"),
        helper.make_node("DequantizeLinear", ["rows", f"{name}_scale", "shared_zero"], ["y"], "/encoder/bert/D"),
    ]
    arrays = {f"{name}_quantized": table, f"{name}_scale": scale, "shared_zero": np.array(3, np.int8)}
    found = _read(_save(tmp_path / "k.onnx", (nodes, arrays)))
    np.testing.assert_allclose(found["bert.embeddings.word_embeddings.weight"], (table.astype(np.float32) - 3) * 0.5)


def test_a_row_that_became_zeros_has_no_nan(tmp_path: Path) -> None:
    weight = _normal(3, 2, 3)
    weight[1] = 0
    found = _read(
        _save(
            tmp_path / "k.onnx",
            _conv("/decoder/decoder/encode/conv1", "q", weight, "decoder.decoder.encode.conv1", None),
        )
    )
    g, v = found["decoder.encode.conv1.weight_g"], found["decoder.encode.conv1.weight_v"]
    norm = np.sqrt((v**2).sum((1, 2), keepdims=True))
    assert (norm > 0).all()
    _near(g * v / norm, weight, 255)
    assert not (g * v / norm)[1].any()


def test_float_files_come_back(tmp_path: Path) -> None:
    gemm, matmul, conv, g, v = _normal(6, 4), _normal(1, 9), _normal(4, 2, 12), _normal(5, 1, 1), _normal(5, 3, 3)
    lstm = {f"weight_{n}_l0{d}": _normal(8, w) for n, w in (("ih", 3), ("hh", 2)) for d in ("", "_reverse")}
    lstm |= {f"bias_{n}_l0{d}": _normal(8) for n in ("ih", "hh") for d in ("", "_reverse")}
    nodes = [
        helper.make_node("Gemm", ["x", "g1", "b1"], ["y1"], "/decoder/decoder/encode/norm1/fc/Gemm", transB=1),
        helper.make_node("MatMul", ["x", "m1"], ["y2"], "/decoder/decoder/generator/m_source/l_linear/MatMul"),
        helper.make_node("ConvTranspose", ["x", "c1"], ["y3"], "/decoder/decoder/generator/ups.1/ConvTranspose"),
        helper.make_node("Conv", ["x", "computed"], ["y4"], "/encoder/N.1/conv1/Conv"),
    ]
    arrays = {
        "g1": gemm,
        "m1": matmul.T.copy(),
        "c1": conv.astype(np.float16),
        "encoder.predictor.N.1.conv1.weight_g": g,
        "encoder.predictor.N.1.conv1.parametrizations.weight.original1": v,
        "decoder.decoder.generator.stft.istft.stft.inverse_basis": _normal(22, 1, 20),
    }
    found = _read(_save(tmp_path / "k.onnx", (nodes, arrays), _lstm("/encoder/predictor/lstm", lstm, quantised=False)))
    np.testing.assert_array_equal(found["decoder.encode.norm1.fc.weight"], gemm)
    np.testing.assert_array_equal(found["decoder.generator.m_source.l_linear.weight"], matmul)
    np.testing.assert_array_equal(found["decoder.generator.ups.1.weight_v"], conv.astype(np.float16))
    assert found["decoder.generator.ups.1.weight_v"].dtype == np.float32
    np.testing.assert_array_equal(found["predictor.N.1.conv1.weight_g"], g)
    np.testing.assert_array_equal(found["predictor.N.1.conv1.weight_v"], v)
    for name, array in lstm.items():
        np.testing.assert_array_equal(found[f"predictor.lstm.{name}"], array)
    assert len(found) == 6 + len(lstm)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"<html>nothing</html>" * 100)
    with pytest.raises(CorruptFile, match=r"bad\.onnx"):
        list(onnx_kokoro.read(path))
    foreign = _save(tmp_path / "other.onnx", _linear("/gpt/h.0/mlp", "gpt.h.0.mlp", _normal(2, 2), _normal(2)))
    with pytest.raises(UnsupportedCheckpoint, match=r"/gpt/h\.0/mlp"):
        list(onnx_kokoro.read(foreign))
    nodes, arrays = _linear(
        "/decoder/decoder/encode/norm1/fc", "decoder.decoder.encode.norm1.fc", _normal(2, 2), _normal(2)
    )
    arrays = {name: array for name, array in arrays.items() if not name.endswith("_scale")}
    with pytest.raises(CorruptFile, match=r"fc\.weight_scale' is missing"):
        list(onnx_kokoro.read(_save(tmp_path / "half.onnx", (nodes, arrays))))
