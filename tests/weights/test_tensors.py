"""Our safetensors reader and writer against the reference library, and against damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sonant.errors import CorruptFile
from sonant.weights.tensors import Tensor, of_array, read_file, to_float32, write_file

ARRAYS = {
    "b": np.arange(6, dtype=np.float16).reshape(2, 3),
    "a": np.linspace(0, 1, 5, dtype=np.float32),
    "scalar": np.array(3, np.int64),
    "empty": np.zeros((0, 4), np.float32),
    "odd": np.arange(3, dtype=np.uint8),
    "ü": np.arange(4, dtype=np.int32).reshape(2, 2).T,
}


def test_what_we_write_the_library_reads(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_file(path, [of_array(key, array) for key, array in ARRAYS.items()])
    loaded = load_file(path)
    assert loaded.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded[key], array)
        assert loaded[key].dtype == array.dtype


def test_what_the_library_writes_we_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({key: np.asarray(array, order="C") for key, array in ARRAYS.items()}, path)
    found = {tensor.key: tensor for tensor in read_file(path)}
    assert found.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(found[key].read(), array)
        assert found[key].shape == array.shape


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    rows = [of_array(key, array) for key, array in ARRAYS.items()]
    write_file(tmp_path / "one", rows)
    write_file(tmp_path / "two", rows[::-1])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_numbers_are_aligned_to_their_size(tmp_path: Path) -> None:
    write_file(tmp_path / "x", [of_array(key, array) for key, array in ARRAYS.items()])
    data = (tmp_path / "x").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    sizes = {"F32": 4, "F16": 2, "I64": 8, "U8": 1, "I32": 4}
    assert int.from_bytes(data[:8], "little") % 8 == 0
    for key, row in header.items():
        if key != "__metadata__":
            assert row["data_offsets"][0] % sizes[row["dtype"]] == 0


def test_bfloat16_is_read_as_the_upper_half_of_float32(tmp_path: Path) -> None:
    numbers = np.array([1.0, -2.5, 3.140625, 0.0], np.float32)
    bits = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    write_file(tmp_path / "x", [Tensor("x", "BF16", (2, 2), lambda: bits.reshape(2, 2))])
    (tensor,) = read_file(tmp_path / "x")
    assert tensor.dtype == "BF16"
    np.testing.assert_array_equal(to_float32(tensor), numbers.reshape(2, 2))


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_file(
        tmp_path / "x", [of_array("a", np.zeros(10, np.float32))], lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (40, 40)


def _raw(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        (1 << 60).to_bytes(8, "little") + b"{}",
        _raw([1, 2]),
        (3).to_bytes(8, "little") + b"{{{",
        _raw({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234"),
        _raw({"a": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}, b"12345678"),
        _raw({"a": {"dtype": "F32", "shape": [-2, -1], "data_offsets": [0, 8]}}, b"12345678"),
        _raw({"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}, b"12345678"),
        _raw({"a": {"dtype": "F32", "shape": "x", "data_offsets": [0, 8]}}, b"12345678"),
        _raw({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, b"12345678"),
        _raw({"a": 7}),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match=r"x\.safetensors"):
        list(read_file(path))


def test_a_name_twice_or_a_wrong_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="'a' occurs twice"):
        write_file(tmp_path / "x", [of_array("a", np.zeros(1)), of_array("a", np.zeros(1))])
    with pytest.raises(CorruptFile, match=r"'a' should be \[3\], is \[2\]"):
        write_file(tmp_path / "x", [Tensor("a", "F32", (3,), lambda: np.zeros(2, np.float32))])
    with pytest.raises(CorruptFile, match="complex128"):
        of_array("a", np.zeros(1, np.complex128))
