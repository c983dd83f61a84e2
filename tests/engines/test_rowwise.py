"""Matrices in int8 on both sides: each row of the input to its own range."""

import numpy as np
import openvino as ov
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from openvino import opset13

from sonant.engines import cpu
from sonant.engines.engine_openvino import runtime
from sonant.engines.engine_openvino.rowwise import narrow_rows
from sonant.engines.quantize import rows_to_int8

pytestmark = pytest.mark.skipif(not cpu.detect().int8, reason="this CPU has no VNNI")
ROWS, WIDTH, OUT = 12, 64, 32
RNG = np.random.default_rng(0)
MATRICES = RNG.normal(size=(2, OUT, WIDTH)).astype(np.float32)


def compiled(gelu, joined):
    """Rows times two int8 matrices, by themselves or joined, and what the products come to in float64."""
    values = opset13.parameter([1, ROWS, WIDTH], np.float32)
    source = opset13.gelu(values, "erf") if gelu else opset13.add(values, opset13.constant(np.float32(0)))
    turned, exact = [], []
    for matrix in MATRICES:
        whole, scale = rows_to_int8(matrix)
        exact.append(whole.astype(np.float64) * scale[:, None])
        wide = opset13.multiply(opset13.convert(opset13.constant(whole), "f32"), opset13.constant(scale[:, None]))
        turned.append(opset13.transpose(wide, opset13.constant([1, 0])))
    turned = [opset13.concat(turned, 1)] if joined else turned
    model = ov.Model([opset13.matmul(source, one, False, False) for one in turned], [values])
    narrow_rows(model)
    request = runtime.core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()

    def products(rows):
        request.infer({0: rows[None]})
        return np.concatenate([tensor.data[0] for tensor in request.output_tensors], -1)

    return products, np.concatenate(exact)


CASES = {(gelu, joined): compiled(gelu, joined) for gelu in (False, True) for joined in (False, True)}


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("joined", [False, True])
@given(seed=st.integers(0, 2**32 - 1), powers=st.lists(st.integers(-4, 4), min_size=ROWS, max_size=ROWS))
def test_a_row_is_as_exact_whatever_lies_in_the_others(gelu, joined, seed, powers):
    rows = np.random.default_rng(seed).normal(size=(ROWS, WIDTH)) * 10.0 ** np.array(powers)[:, None]
    rows = rows.astype(np.float32)
    products, matrix = CASES[gelu, joined]
    inputs = torch.nn.functional.gelu(torch.from_numpy(rows)).numpy() if gelu else rows
    exact = inputs.astype(np.float64) @ matrix.T
    if gelu:
        steps = np.maximum(inputs.max(-1), 0.17 * 223 / 32) / 223
    else:
        steps = np.abs(inputs).max(-1) / 127
    errors, noise = np.abs(products(rows) - exact), 1e-5 * np.abs(exact) + 1e-6
    most = (
        0.501 * steps[:, None] * np.abs(matrix).sum(-1)
    )  # half a step of each input, times what it is multiplied with
    assert (errors <= most + noise).all()
    usual = steps / np.sqrt(12) * np.sqrt((matrix**2).sum(-1).mean())  # rounding errors are spread evenly
    times = np.sqrt((errors**2).mean(-1)) / (usual + noise.max(-1))  # of a row, whose 64 roundings all outputs share
    assert times.mean() <= 1.2
    assert times.max() <= 2


@pytest.mark.parametrize("joined", [False, True])
def test_a_row_of_zeros_stays_zero(joined):
    products, _ = CASES[False, joined]
    assert not products(np.zeros((ROWS, WIDTH), np.float32)).any()


def test_other_products_stay_as_they_are():
    values = opset13.parameter([1, ROWS, WIDTH], np.float32)
    model = ov.Model([opset13.matmul(values, opset13.constant(MATRICES[0]), False, True)], [values])
    narrow_rows(model)
    assert not [node for node in model.get_ops() if node.get_type_name() == "FakeQuantize"]
