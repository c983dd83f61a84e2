"""The torch reader gives what torch saved, and refuses whatever else a file may hold."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonant.errors import CorruptFile, SonantError, UnsupportedCheckpoint
from sonant.weights import torch_archive
from sonant.weights.tensors import to_float32

TREE: dict[str, Any] = {
    "dims": {"n_mels": 80, "x": 2.5, "none": None, "list": [1, 2, (3,)], "big": 2**40, "flag": True, "text": "ü"},
    "state": OrderedDict(a=torch.arange(12.0).reshape(3, 4), b=torch.randn(5).half()),
    "turned": torch.arange(12).reshape(3, 4).T,
    "part": torch.randn(10)[3:7],
    "bits": torch.tensor([1.5, -2.0, 1e30]).bfloat16(),
    "parameter": torch.nn.Parameter(torch.ones(2, 2)),
    "scalar": torch.tensor(3.25, dtype=torch.float64),
    "empty": torch.zeros(0, 3),
    "flags": torch.tensor([True, False]),
    "small": torch.tensor([-1, 2], dtype=torch.int8),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch") / "x.pt"
    torch.save(TREE, path)
    return path


def test_everything_comes_back(archive: Path) -> None:
    tree = torch_archive.load(archive)
    assert tree["dims"] == TREE["dims"]
    found = {tensor.key: tensor for tensor in torch_archive.flatten(tree)}
    expected = {"state.a": TREE["state"]["a"], "state.b": TREE["state"]["b"]}
    expected |= {key: value for key, value in TREE.items() if isinstance(value, torch.Tensor)}
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert found[key].shape == tuple(tensor.shape)
        if tensor.dtype == torch.bfloat16:
            np.testing.assert_array_equal(to_float32(found[key]), tensor.float().numpy())
        else:
            np.testing.assert_array_equal(found[key].read(), tensor.detach().numpy())


def test_a_module_with_its_versions_comes_back(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.LSTM(4, 5))
    torch.save(module.state_dict(), tmp_path / "m.pt")
    found = {t.key: t.read() for t in torch_archive.flatten(torch_archive.load(tmp_path / "m.pt"))}
    assert found.keys() == module.state_dict().keys()
    for key, tensor in module.state_dict().items():
        np.testing.assert_array_equal(found[key], tensor.numpy())


def _rewritten(archive: Path, target: Path, changes: dict[str, bytes | None], compression: int = 0) -> Path:
    """A copy with entries replaced (None: left out, new names: added)."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            data = changes.pop(name.split("/", 1)[1], old.read(name))
            if data is not None:
                new.writestr(name, data)
        for name, data in changes.items():
            new.writestr(name, data or b"")
    return target


def _pickled(archive: Path) -> bytes:
    with zipfile.ZipFile(archive) as file:
        return file.read(next(name for name in file.namelist() if name.endswith("data.pkl")))


class _Runs:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def _hostile(mark: Path) -> dict[str, bytes]:
    import os
    import subprocess

    command = f"touch {mark}"
    return {
        "posix.system": pickle.dumps({"a": _Runs(os.system, command)}, 2),
        "__builtin__.eval": pickle.dumps(_Runs(eval, f"open({str(mark)!r}, 'w')"), 2),
        "commands.Popen": pickle.dumps([_Runs(subprocess.Popen, ["touch", str(mark)])], 2),
        "STACK_GLOBAL": pickle.dumps({"a": _Runs(os.system, command)}, 4),
        "__builtin__.getattr": pickle.dumps(_Runs(getattr, "x", "upper"), 2),
        "opcode INST": b"(S'touch'\nios\nsystem\n.",
        "opcode OBJ": b"\x80\x02(cos\nsystem\n",
        "torch._utils._rebuild_device_tensor": b"\x80\x02ctorch._utils\n_rebuild_device_tensor_from_numpy\n.",
        "torch.load": b"\x80\x02ctorch\nload\n.",
        "opcode EXT1": b"\x80\x02\x82\x01.",
        "opcode NEWOBJ": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        "opcode PERSID": b"Pstorage\n.",
    }


def test_nothing_in_the_pickle_runs(archive: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for name, data in _hostile(mark).items():
        path = _rewritten(archive, tmp_path / "bad.pt", {"data.pkl": data})
        with pytest.raises(CorruptFile) as caught:
            torch_archive.load(path)
        assert "bad.pt" in str(caught.value)
        if name.startswith(("posix", "__builtin__", "commands", "torch")):
            assert name in str(caught.value)
        assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02K\x01Q.",  # a persistent id that is a number
        b"\x80\x02(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuU\x01xtQ.",  # a count that is text
        b"\x80\x02(U\x05wrongctorch\nFloatStorage\nU\x010U\x03cpuK\x01tQ.",  # another kind
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",  # a tensor without arguments
        b"\x80\x02]}K\x01s.",  # a value set on a list
        b"\x80\x02}(K\x01u.",  # a key without a value
        b"\x80\x02}]K\x01s.",  # a key that is no name
        b"\x80\x02h\x05.",  # a value that was never stored
        b"\x80\x02K\x01K\x02.",  # two results
        b"\x80\x02.",  # none
        b"\x80\x02",  # cut
        b"",
    ],
)
def test_damaged_pickles_are_refused(archive: Path, tmp_path: Path, data: bytes) -> None:
    path = _rewritten(archive, tmp_path / "bad.pt", {"data.pkl": data})
    with pytest.raises(CorruptFile, match=r"bad\.pt"):
        torch_archive.load(path)


def _tensor_pickle(key: bytes, count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """The pickle of one float tensor, field by field."""

    def number(value: int) -> bytes:
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(number(value) for value in values) + b"t"

    storage = b"(U\x07storagectorch\nFloatStorage\nU" + bytes([len(key)]) + key + b"U\x03cpu" + number(count) + b"tQ"
    arguments = (
        b"(" + storage + number(offset) + numbers(size) + numbers(stride) + b"\x89ccollections\nOrderedDict\n)Rt"
    )
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


@pytest.mark.parametrize(
    ("key", "count", "offset", "size", "stride"),
    [
        (b"0", 4, 0, (5,), (1,)),  # more numbers than the storage has
        (b"0", 4, 2, (3,), (1,)),  # past its end
        (b"0", 4, -1, (2,), (1,)),  # before its start
        (b"0", 4, 0, (2, 2), (4, 1)),  # a stride that leaves it
        (b"0", 4, 0, (2,), (-1,)),
        (b"0", 4, 0, (-2,), (1,)),
        (b"0", 4, 0, (2**40,), (0,)),  # a few bytes posing as terabytes
        (b"0", 4, 0, (2, 2), (1,)),
        (b"0", 2**40, 0, (2**40,), (1,)),
        (b"0", 3, 0, (2,), (1,)),  # the entry has 16 bytes
        (b"0", -4, 0, (2,), (1,)),
        (b"9", 4, 0, (2,), (1,)),  # no such entry
        (b"../../secret", 4, 0, (2,), (1,)),
        (b"/etc/passwd", 4, 0, (2,), (1,)),
    ],
)
def test_tensors_that_lie_outside_are_refused(
    tmp_path: Path, key: bytes, count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    path = tmp_path / "bad.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bad/data.pkl", _tensor_pickle(key, count, offset, size, stride))
        archive.writestr("bad/data/0", bytes(16))
        archive.writestr("bad/data/../../secret", bytes(16))
    with pytest.raises(CorruptFile, match=r"bad\.pt"):
        torch_archive.load(path)


def test_the_handmade_tensor_is_read_when_it_is_right(tmp_path: Path) -> None:
    path = tmp_path / "good.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good/data.pkl", _tensor_pickle(b"0", 4, 1, (3,), (1,)))
        archive.writestr("good/data/0", np.arange(4, dtype="<f4").tobytes())
    np.testing.assert_array_equal(torch_archive.load(path).read(), [1, 2, 3])


def test_nothing_is_written_outside_the_archive(archive: Path, tmp_path: Path) -> None:
    path = _rewritten(archive, tmp_path / "x.pt", {})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("../../escaped", b"x")
        file.writestr(f"{tmp_path}/escaped", b"x")
    before = set(tmp_path.rglob("*"))
    for tensor in torch_archive.flatten(torch_archive.load(path)):
        tensor.read()
    assert set(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "escaped").exists()


def test_flipped_numbers_are_noticed(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    numbers = np.arange(12, dtype="<f4").tobytes()
    data[data.index(numbers) + 5] ^= 0xFF
    path = tmp_path / "flipped.pt"
    path.write_bytes(data)
    tree = torch_archive.load(path)
    with pytest.raises(CorruptFile, match=r"flipped\.pt"):
        tree["state"]["a"].read()


def test_other_formats_are_refused_clearly(archive: Path, tmp_path: Path) -> None:
    legacy = tmp_path / "old.pt"
    torch.save(TREE["part"], legacy, _use_new_zipfile_serialization=False)
    with pytest.raises(UnsupportedCheckpoint, match=r"before 1\.6"):
        torch_archive.load(legacy)
    text = tmp_path / "text.pt"
    text.write_text("<html>not found</html>")
    with pytest.raises(CorruptFile, match="no torch archive"):
        torch_archive.load(text)
    cut = tmp_path / "cut.pt"
    cut.write_bytes(archive.read_bytes()[:-300])
    with pytest.raises(CorruptFile, match=r"cut\.pt"):
        torch_archive.load(cut)
    plain = tmp_path / "plain.zip"
    with zipfile.ZipFile(plain, "w") as file:
        file.writestr("a.txt", b"x")
    with pytest.raises(CorruptFile, match=r"0 entries named data\.pkl"):
        torch_archive.load(plain)
    with pytest.raises(UnsupportedCheckpoint, match="big-endian"):
        torch_archive.load(_rewritten(archive, tmp_path / "big.pt", {"byteorder": b"big"}))
    with pytest.raises(CorruptFile, match="compressed"):
        torch_archive.load(_rewritten(archive, tmp_path / "deflated.pt", {}, zipfile.ZIP_DEFLATED))


def test_a_dictionary_that_holds_itself_ends(archive: Path, tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    path = _rewritten(archive, tmp_path / "loop.pt", {"data.pkl": pickle.dumps(loop, 2)})
    with pytest.raises(CorruptFile, match="nested"):
        list(torch_archive.flatten(torch_archive.load(path)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10**9), value=st.integers(0, 255))
def test_one_wrong_byte_never_does_worse_than_an_error(archive: Path, position: int, value: int) -> None:
    data = bytearray(_pickled(archive))
    data[position % len(data)] = value
    path = _rewritten(archive, archive.with_name("mutated.pt"), {"data.pkl": bytes(data)})
    try:
        for tensor in torch_archive.flatten(torch_archive.load(path)):
            tensor.read()
    except SonantError:
        pass


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_random_pickles_never_do_worse_than_an_error(archive: Path, data: bytes) -> None:
    path = _rewritten(archive, archive.with_name("random.pt"), {"data.pkl": b"\x80\x02" + data})
    with pytest.raises(SonantError):  # noqa: PT012
        torch_archive.load(path)
        raise SonantError("a harmless pickle")


def test_the_fixture_is_what_torch_reads(archive: Path) -> None:
    assert torch.load(io.BytesIO(archive.read_bytes()), weights_only=True)["dims"] == TREE["dims"]
