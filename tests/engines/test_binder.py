"""Templates over checkpoints: types, errors, no copies."""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from sonant.engines import binder, pages, quantize
from sonant.engines.base import EngineOptions
from sonant.engines.engine_onnxruntime import runtime as onnxruntime
from sonant.engines.engine_openvino import runtime as openvino
from sonant.errors import CorruptFile, ModelFileMissing, UnsupportedCheckpoint
from sonant.models.graph_builder import GraphBuilder
from sonant.weights.tensors import Tensor, write_file

SHAPES = {"table.weight": (40, 16), "layer.weight": (24, 16), "layer.bias": (24,)}


def template():
    """Look rows up, project them, compare them with the table: a lookup and two products."""
    graph = GraphBuilder("toy", SHAPES)
    rows = graph.op("Gather", graph.weight("table.weight"), graph.input("rows", "int64", ("N",)), axis=0)
    graph.output("projected", graph.linear(rows, "layer"), "float32", ("N", 24))
    graph.output("scores", graph.matmul(rows, "table.weight"), "float32", ("N", 40))
    return graph.build()


@pytest.fixture
def numbers():
    random = np.random.default_rng(0)
    return {key: random.normal(size=shape).astype(np.float32) for key, shape in SHAPES.items()}


def checkpoint(folder: Path, numbers, kind: str):
    """The numbers as stored, and the file."""
    folder.mkdir(exist_ok=True)
    path = folder / "model.safetensors"
    if kind == "BF16":
        bits = {key: (array.view(np.uint32) >> 16).astype(np.uint16) for key, array in numbers.items()}
        write_file(path, [Tensor(key, "BF16", array.shape, lambda a=array: a) for key, array in bits.items()])
        return {key: (array.astype(np.uint32) << 16).view(np.float32) for key, array in bits.items()}, path
    stored = {key: array.astype({"F32": np.float32, "F16": np.float16}[kind]) for key, array in numbers.items()}
    save_file(stored, path)
    return {key: array.astype(np.float32) for key, array in stored.items()}, path


def expected(numbers, rows):
    found = numbers["table.weight"][rows]
    return found @ numbers["layer.weight"].T + numbers["layer.bias"], found @ numbers["table.weight"].T


def run(engine, tensors, rows, dtype="float32"):
    options = EngineOptions(dtype=dtype)
    if engine == "openvino":
        plan = openvino.plan(options)
        compiled = openvino.compile_model(openvino.read(template(), tensors, "toy"), plan.properties)
        request = compiled.model.create_infer_request()
        request.infer({"rows": rows})
        return [request.get_tensor(name).data.copy() for name in ("projected", "scores")]
    session = onnxruntime.open_session(template(), tensors, "toy", onnxruntime.plan(options))
    return session.run.run(["projected", "scores"], {"rows": rows})


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_every_float_type_is_read_as_it_lies(tmp_path, numbers, engine, kind):
    stored, path = checkpoint(tmp_path, numbers, kind)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    rows = np.array([3, 39, 0, 3])
    for found, wanted in zip(run(engine, pages.tensors_of([path]), rows), expected(stored, rows), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_int8_twins_are_made_once_and_lookups_stay_exact(tmp_path, numbers, monkeypatch, engine):
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "cache"))
    stored, path = checkpoint(tmp_path / "model", numbers, "F16")
    keys = quantize.matrices([template()])
    assert keys == ["layer.weight", "table.weight"]
    tensors = quantize.with_int8(pages.tensors_of([path]), keys, [path])
    (made,) = (tmp_path / "cache" / "int8").rglob("*.safetensors")
    stamp = made.stat().st_mtime_ns
    again = quantize.with_int8(pages.tensors_of([path]), keys, [path])
    assert made.stat().st_mtime_ns == stamp
    assert again.keys() == tensors.keys()
    rows = np.array([3, 39, 0])
    for found, wanted in zip(run(engine, tensors, rows, "int8"), expected(stored, rows), strict=True):
        assert np.linalg.norm(found - wanted) < 0.02 * np.linalg.norm(wanted)
        assert np.linalg.norm(found - wanted) > 1e-4 * np.linalg.norm(wanted)  # it is int8 that was computed with
    adapted = binder.adapt(template(), tensors, "toy")
    assert {row.name: row.data_type for row in adapted.graph.initializer}["table.weight"] == onnx.TensorProto.FLOAT16
    os.utime(path)
    quantize.with_int8(pages.tensors_of([path]), keys, [path])
    assert len(list((tmp_path / "cache" / "int8").rglob("*.safetensors"))) == 2


def test_int8_works_where_the_cache_cannot_be_written(tmp_path, numbers, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "file"))
    _, path = checkpoint(tmp_path / "model", numbers, "F32")
    tensors = quantize.with_int8(pages.tensors_of([path]), ["layer.weight"], [path])
    assert tensors["layer.weight.int8"].read().dtype == np.int8
    assert "can't be cached" in caplog.text


def test_rows_to_int8_is_within_half_a_step():
    matrix = np.random.default_rng(0).normal(size=(9, 31)).astype(np.float32)
    matrix[4] = 0
    whole, scale = quantize.rows_to_int8(matrix)
    assert whole.dtype == np.int8
    assert (np.abs(whole).max(1) == np.where(np.arange(9) == 4, 0, 127)).all()
    assert (np.abs(whole * scale[:, None] - matrix) <= 0.5001 * scale[:, None]).all()


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"layer.bias": None}, UnsupportedCheckpoint, "toy lacks the parameter 'layer.bias'"),
        ({"layer.bias": np.zeros(23, np.float32)}, UnsupportedCheckpoint, r"\[23\], the network \[24\]"),
        ({"layer.bias": np.zeros(24, np.int32)}, UnsupportedCheckpoint, "stored as I32"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, numbers, change, error, says):
    tensors = {key: array for key, array in (numbers | change).items() if array is not None}
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(error, match=says):
        binder.adapt(template(), pages.tensors_of([tmp_path / "model.safetensors"]), "toy")


def test_files_are_checked(tmp_path, numbers):
    with pytest.raises(ModelFileMissing, match="missing"):
        pages.tensors_of([tmp_path / "absent.safetensors"])
    _, path = checkpoint(tmp_path, numbers, "F32")
    with pytest.raises(CorruptFile, match="occurs twice"):
        pages.tensors_of([path, path])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CorruptFile, match="doesn't fit"):
        pages.tensors_of([path])


def test_an_exported_graph_becomes_a_template(tmp_path, numbers):
    exported = template()
    for row in exported.graph.initializer:
        if row.name in numbers:
            row.CopyFrom(onnx.numpy_helper.from_array(numbers[row.name], row.name))
    assert not binder.parameters(exported)
    whole = exported.ByteSize()
    binder.strip(exported, numbers.keys())
    assert binder.parameters(exported).keys() == numbers.keys()
    assert exported.ByteSize() < whole - sum(array.nbytes for array in numbers.values()) + 200


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system doesn't tell resident pages")
def test_a_float32_file_is_not_copied_by_reading(tmp_path):
    """Opening 64 MB touches none of it: pages are shared with the file until a runtime packs them."""
    wide = np.ones((4096, 4096), np.float32)
    save_file({"w.weight": wide}, tmp_path / "model.safetensors")
    graph = GraphBuilder("wide", {"w.weight": (4096, 4096)})
    graph.output("y", graph.matmul(graph.input("x", "float32", ("N", 4096)), "w.weight"), "float32", ("N", 4096))
    built, tensors = graph.build(), pages.tensors_of([tmp_path / "model.safetensors"])
    openvino.core()

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    bound = openvino.read(built, tensors, "wide")
    assert resident() - before < 16_000_000
    assert bound.arrays[0].base is not None


@pytest.mark.parametrize("large", [True, False])
def test_pages_go_back_at_the_first_inference_and_of_a_large_model_at_every_long_one(large, tmp_path, monkeypatch):
    (tmp_path / "pages").write_bytes(bytes(1 << 16))
    mapped = np.memmap(tmp_path / "pages", np.uint8, "r")
    given_back = []
    monkeypatch.setattr(pages, "forget_pages", lambda arrays: given_back.append(len(arrays)))
    monkeypatch.setattr(openvino, "LARGE", 1 if large else 1 << 30)

    def times(brief):
        compiled = openvino.Compiled(None, [mapped])
        found = []
        for _ in range(3):
            given_back.clear()
            with compiled.running(brief):
                pass
            found.append(bool(given_back))
        return found

    assert times(brief=False) == [True, large, large]
    assert times(brief=True) == [True, False, False]
