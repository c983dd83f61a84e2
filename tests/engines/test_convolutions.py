"""Weights of convolutions as bfloat16: the same numbers that the kernels round to, in half of the room."""

import numpy as np
import openvino as ov
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from openvino import opset13

from sonant.engines.engine_openvino import runtime
from sonant.engines.engine_openvino.convolutions import halve, to_bfloat16


@given(arrays(np.float32, 8, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_the_nearest_bfloat16(values):
    wanted = torch.from_numpy(values).bfloat16().view(torch.uint16).numpy()
    np.testing.assert_array_equal(to_bfloat16(values), wanted)


def model(weights):
    sound = opset13.parameter([1, 64, 50], np.float32)
    made = sound
    for one in weights:
        made = opset13.convolution(made, opset13.constant(one), [1], [1], [1], [1])
    return ov.Model([made], [sound])


@pytest.mark.skipif(not runtime.has_bfloat16(), reason="this CPU has no bfloat16 arithmetic")
def test_halved_weights_give_the_same_numbers_in_half_of_the_room():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(64, 64, 3)).astype(np.float32) / 14 for _ in range(3)]
    plain, halved = model(weights), model(weights)
    halve(halved)
    weights.clear()
    sound = rng.normal(size=(1, 64, 50)).astype(np.float32)
    heard, sizes = [], []
    for one in (plain, halved):
        compiled = runtime.core().compile_model(one, "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
        heard.append(compiled([sound])[0])
        sizes.append(len(compiled.export_model().getbuffer()))
    np.testing.assert_array_equal(heard[0], heard[1])
    assert np.abs(heard[0]).max() > 0.1
    assert sizes[0] - sizes[1] > 0.8 * 2 * 3 * 64 * 64 * 3
