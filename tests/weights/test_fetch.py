"""From a catalog row to a folder in the cache, through real clients: the Hub's library, pip and npm."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from servers import COMMIT, HubServer, NpmServer, npm_package, running
from weight_files import TINY_WHISPER, ctranslate2_bytes, ctranslate2_variables, wheel, whisper_arrays

from sonant.errors import CorruptFile, ModelFileMissing, UnsupportedCheckpoint
from sonant.weights import cache, catalog, fetch, hub, store
from sonant.weights.catalog import Assembly, HubSource, NpmSource, PypiSource, Row, VoiceRow
from sonant.weights.tensors import of_array, read_file, write_file

REPO = "owner/whisper-mini"


def _row(*sources: Any, **changes: Any) -> Row:
    facts: dict[str, Any] = {
        "id": "whisper-mini", "family": "whisper", "aliases": (), "licence": "MIT", "languages": ("en",),
        "sample_rate": 16_000, "parameters": 0, "sources": sources, "voices": (), "voices_of": "whisper-mini",
        "voice_sources": (), "default_voice": "", "config_name": "", "raw": {"id": "whisper-mini"},
    }  # fmt: skip
    return Row(**(facts | changes))


HUB = HubSource(
    REPO,
    "huggingface",
    weights=("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"),
    files=("config.json",),
    optional=("tokenizer.json", "absent.json"),
)


def _repo(tmp_path: Path, **changes: bytes | None) -> dict[str, bytes]:
    write_file(tmp_path / "w", [of_array(key, array) for key, array in whisper_arrays().items()])
    files: dict[str, bytes | None] = {
        "config.json": json.dumps(TINY_WHISPER).encode(),
        "model.safetensors": (tmp_path / "w").read_bytes(),
        "tokenizer.json": b"{}",
        "README.md": b"#",
    }
    (tmp_path / "w").unlink()
    return {name: data for name, data in (files | changes).items() if data is not None}


@pytest.fixture
def hub_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_root: Path) -> Iterator[HubServer]:
    with running(HubServer({REPO: _repo(tmp_path)})) as server:
        assert isinstance(server, HubServer)
        _point_at(server.url, monkeypatch)
        yield server


def _point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_root: Path) -> PypiSource:
    """A source of two wheels that pip finds in a folder, network off."""
    house = tmp_path / "wheels"
    house.mkdir()
    data = ctranslate2_bytes(ctranslate2_variables(whisper_arrays()))
    half = len(data) // 2
    wheel(house, "mini-one", "1.0", {"mini_one/part1": data[:half], "mini_one/tokenizer.json": b"{}"})
    wheel(house, "mini-two", "1.0", {"mini_two/part2": data[half:]})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    parts = (("mini-one", "mini_one/part1"), ("mini-two", "mini_two/part2"))
    files = (
        Assembly("model.bin", parts, hashlib.sha256(data).hexdigest(), len(data)),
        Assembly("tokenizer.json", (("mini-one", "mini_one/tokenizer.json"),), hashlib.sha256(b"{}").hexdigest(), 2),
    )
    return PypiSource("ctranslate2", (("mini-one", "1.0", 10), ("mini-two", "1.0", 10)), files)


def _holds_the_arrays(folder: Path) -> None:
    arrays = whisper_arrays()
    found = {tensor.key: tensor.read() for tensor in read_file(folder / "model.safetensors")}
    assert found.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)


def _left(root: Path) -> set[str]:
    """Every file in the cache but locks."""
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.parent.name != "locks"}


def test_from_the_hub(hub_server: HubServer, cache_root: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}
    folder = fetch.fetch(_row(HUB), lambda label, done, total: seen.update({label: (done, total)}))
    assert folder == cache_root / "models" / "whisper-mini"
    _holds_the_arrays(folder)
    lock = cache.read_lock(folder)
    assert lock is not None
    assert lock.source == f"hub {REPO}@{COMMIT}"
    assert set(lock.files) == {"config.json", "model.safetensors", "tokenizer.json"}
    assert lock.downloads["model.safetensors"].sha256 == cache.sha256_of(folder / "model.safetensors")
    assert seen["model.safetensors"][0] == seen["model.safetensors"][1] > 0
    asked = len(hub_server.asked)
    fetch.fetch(_row(HUB))
    assert len(hub_server.asked) == asked  # nothing is asked twice
    assert _left(cache_root) == {f"models/whisper-mini/{name}" for name in (*lock.files, cache.LOCK_NAME)}


def test_a_broken_download_goes_on_where_it_stopped(hub_server: HubServer) -> None:
    hub_server.break_once = 5000
    _holds_the_arrays(fetch.fetch(_row(HUB)))
    ranges = [header for path, header in hub_server.asked if "/cdn/" in path and "safetensors" in path]
    assert ranges == ["", "bytes=5000-"]


def test_a_server_that_cannot_resume_starts_over(hub_server: HubServer) -> None:
    hub_server.break_once, hub_server.ranges = 5000, False
    _holds_the_arrays(fetch.fetch(_row(HUB)))


def test_an_interrupted_fetch_leaves_nothing_and_is_resumed(hub_server: HubServer, cache_root: Path) -> None:
    def stop(label: str, done: int, total: int) -> None:
        if label == "model.safetensors":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(_row(HUB), stop)
    assert all(name.startswith("partial/") for name in _left(cache_root))
    assert store.cached() == ()
    _holds_the_arrays(fetch.fetch(_row(HUB)))
    assert not any(name.startswith("partial/") for name in _left(cache_root))


def test_the_token_stays_with_its_host(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch.fetch(_row(HUB))
    for path, token in hub_server.tokens:
        assert bool(token) != path.startswith("/cdn/"), path


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_wrong_bytes_are_refused_by_name(hub_server: HubServer, cache_root: Path, name: str) -> None:
    data = bytearray(hub_server.repos[REPO][name])
    data[-1] ^= 1
    hub_server.swap[name] = bytes(data)
    with pytest.raises(CorruptFile, match=name.replace(".", r"\.")):
        fetch.fetch(_row(HUB))
    assert _left(cache_root) == set()


def test_the_catalogs_checksum_comes_before_the_hubs(hub_server: HubServer) -> None:
    source = HubSource(REPO, "huggingface", HUB.weights, HUB.files, sha256={"model.safetensors": "0" * 64})
    with pytest.raises(CorruptFile, match="not 0000"):
        fetch.fetch(_row(source))


def test_shards_come_with_their_index(hub_server: HubServer, tmp_path: Path) -> None:
    arrays = whisper_arrays()
    keys, repo = sorted(arrays), hub_server.repos[REPO]
    del repo["model.safetensors"]
    for number, part in enumerate((keys[::2], keys[1::2]), 1):
        write_file(tmp_path / "w", [of_array(key, arrays[key]) for key in part])
        repo[f"model-{number:05}-of-00002.safetensors"] = (tmp_path / "w").read_bytes()
    table = {key: f"model-{1 + i % 2:05}-of-00002.safetensors" for i, key in enumerate(keys)}
    repo["model.safetensors.index.json"] = json.dumps({"weight_map": table}).encode()
    folder = fetch.fetch(_row(HUB))
    assert len(list(folder.glob("*.safetensors"))) == 2
    repo["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": "../outside.safetensors"}}).encode()
    shutil.rmtree(folder)
    with pytest.raises(CorruptFile, match="no plain file name"):
        fetch.fetch(_row(HUB))


def test_an_old_bin_becomes_safetensors(hub_server: HubServer, tmp_path: Path) -> None:
    state = {key: torch.from_numpy(array) for key, array in whisper_arrays().items()}
    torch.save(state | {"proj_out.weight": state["model.decoder.embed_tokens.weight"]}, tmp_path / "w.bin")
    repo = hub_server.repos[REPO]
    del repo["model.safetensors"]
    repo["pytorch_model.bin"] = (tmp_path / "w.bin").read_bytes()
    folder = fetch.fetch(_row(HUB))
    _holds_the_arrays(folder)
    assert not (folder / "pytorch_model.bin").exists()


def test_a_checkpoint_that_is_not_what_its_config_says_is_refused(hub_server: HubServer, cache_root: Path) -> None:
    hub_server.repos[REPO]["config.json"] = json.dumps(TINY_WHISPER | {"encoder_layers": 3}).encode()
    with pytest.raises(UnsupportedCheckpoint, match=r"model\.encoder\.layers\.2\."):
        fetch.fetch(_row(HUB))
    assert store.cached() == ()


def test_from_wheels(wheels: PypiSource, cache_root: Path) -> None:
    folder = fetch.fetch(_row(wheels))
    _holds_the_arrays(folder)
    lock = cache.read_lock(folder)
    assert lock is not None
    assert lock.source == "pypi mini-one==1.0, mini-two==1.0"
    assert _left(cache_root) == {f"models/whisper-mini/{name}" for name in (*lock.files, cache.LOCK_NAME)}
    assert set(lock.files) == {"config.json", "model.safetensors", "tokenizer.json"}


def test_a_relative_cache(wheels: PypiSource, cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cache_root.parent)
    monkeypatch.setenv("SONANT_CACHE", cache_root.name)  # pip runs in a folder of its own
    _holds_the_arrays(fetch.fetch(_row(wheels)))


def test_a_dead_hub_falls_through_in_seconds(wheels: PypiSource, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _point_at(f"http://127.0.0.1:{port}", monkeypatch)
    start = time.monotonic()
    lock = cache.read_lock(fetch.fetch(_row(HUB, wheels)))
    assert time.monotonic() - start < 10
    assert lock is not None
    assert lock.source.startswith("pypi")


def test_a_silent_hub_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ANSWER_LIMIT_S", 0.5)
    with socket.socket() as silent:  # takes the call and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        _point_at(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        start = time.monotonic()
        with pytest.raises(hub.SourceUnavailable):
            hub.listing(HUB)
    assert time.monotonic() - start < 3


def test_half_a_source_leaves_no_trace_in_the_next(hub_server: HubServer, wheels: PypiSource) -> None:
    hub_server.swap["model.safetensors"] = b"x" * len(hub_server.repos[REPO]["model.safetensors"])
    hub_server.repos[REPO]["preprocessor_config.json"] = b"{}"
    source = HubSource(REPO, "huggingface", HUB.weights, (*HUB.files, "preprocessor_config.json"))
    folder = fetch.fetch(_row(source, wheels))
    _holds_the_arrays(folder)
    assert not (folder / "preprocessor_config.json").exists()


def test_every_reason_is_told(wheels: PypiSource, hub_server: HubServer) -> None:
    missing = PypiSource("ctranslate2", (("no-such-wheel", "9", 1),), wheels.files)
    absent = HubSource("owner/absent", "huggingface", HUB.weights)
    with pytest.raises(ModelFileMissing, match=r"hub owner/absent.*no-such-wheel") as caught:
        fetch.fetch(_row(absent, missing))
    assert "\n" not in str(caught.value)


def test_a_wheel_with_wrong_bytes_is_refused(wheels: PypiSource, cache_root: Path) -> None:
    file = wheels.files[0]
    other = Assembly(file.name, file.parts, "f" * 64, file.nbytes)
    with pytest.raises(CorruptFile, match=r"model\.bin.*not ffff"):
        fetch.fetch(_row(PypiSource("ctranslate2", wheels.packages, (other,))))
    short = Assembly(file.name, file.parts, file.sha256, file.nbytes - 1)
    with pytest.raises(CorruptFile, match="longer than the catalog says"):
        fetch.fetch(_row(PypiSource("ctranslate2", wheels.packages, (short,))))
    gone = Assembly(file.name, (("mini-one", "mini_one/part9"),), file.sha256, file.nbytes)
    with pytest.raises(CorruptFile, match="no member mini_one/part9"):
        fetch.fetch(_row(PypiSource("ctranslate2", wheels.packages, (gone,))))
    assert _left(cache_root) == set()


def test_offline_never_asks(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONANT_OFFLINE", "1")
    with pytest.raises(ModelFileMissing, match="SONANT_OFFLINE"):
        fetch.fetch(_row(HUB))
    assert hub_server.asked == []
    monkeypatch.setenv("SONANT_OFFLINE", "0")
    fetch.fetch(_row(HUB))
    monkeypatch.setenv("SONANT_OFFLINE", "1")
    fetch.fetch(_row(HUB))  # what is there works without a network


def test_one_more_file_of_the_same_commit(
    hub_server: HubServer, cache_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_server.repos[REPO]["adapter.pol.safetensors"] = b"pol"
    row = _row(HUB)
    path = fetch.fetch_file(row, "adapter.pol.safetensors")  # brings the model too
    assert path.read_bytes() == b"pol"
    assert path.parent == fetch.fetch(row)
    assert hub_server.asked[-2][0].startswith(f"/{REPO}/resolve/{COMMIT}/")
    lock = cache.read_lock(path.parent)
    assert lock is not None
    assert lock.files[path.name] == cache.sum_of(path)
    assert [p.name for p in (cache_root / "models").iterdir()] == ["whisper-mini"]
    asked = len(hub_server.asked)
    fetch.fetch_file(row, path.name)
    assert len(hub_server.asked) == asked
    with pytest.raises(ModelFileMissing, match=r"has no file adapter\.xyz\.safetensors"):
        fetch.fetch_file(row, "adapter.xyz.safetensors")
    with pytest.raises(ModelFileMissing):
        fetch.fetch_file(row, "../config.json.new")
    monkeypatch.setenv("SONANT_OFFLINE", "1")
    with pytest.raises(ModelFileMissing, match="SONANT_OFFLINE"):
        fetch.fetch_file(row, "adapter.deu.safetensors")


def test_a_row_that_borrows_voices_fetches_the_lenders(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    _voice_repo(hub_server)
    source = HubSource("owner/voices", "voice-pt", member="voices/{voice}.pt")
    lender = _row(id="kokoro-mini", voices=_voice_rows(), voices_of="kokoro-mini", voice_sources=(source,))
    monkeypatch.setattr(catalog, "_table", lambda: (lender,))
    folder = fetch.fetch(_row(HUB, voices=_voice_rows(), voices_of="kokoro-mini"))
    assert not (folder / "voices").exists()
    assert {path.name for path in (folder.parent.parent / "voices" / "kokoro-mini").iterdir()} == {
        f"{name}.safetensors" for name in VOICES
    }


_FETCH_SCRIPT = """
import os, sys
sys.path.insert(0, {here!r})
from test_fetch import HUB, _row
from sonant.weights import fetch
def tick(label, done, total):
    if sys.argv[1] == "die" and label == "model.safetensors":
        os._exit(9)
fetch.fetch(_row(HUB), tick)
"""


def _process(hub_server: HubServer, what: str) -> subprocess.Popen[bytes]:
    script = _FETCH_SCRIPT.format(here=str(Path(__file__).parent))
    environment = os.environ | {"HF_ENDPOINT": hub_server.url}
    return subprocess.Popen([sys.executable, "-c", script, what], env=environment)


def test_two_processes_fetch_once(hub_server: HubServer, cache_root: Path) -> None:
    both = [_process(hub_server, "fetch") for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    _holds_the_arrays(cache_root / "models" / "whisper-mini")
    assert sum("/cdn/" in path and "model.safetensors" in path for path, _ in hub_server.asked) == 1


def test_what_a_killed_process_left_is_swept(hub_server: HubServer, cache_root: Path) -> None:
    assert _process(hub_server, "die").wait(60) == 9
    assert store.cached() == ()
    assert list((cache_root / "models").glob(".whisper-mini.*"))
    fetch.fetch(_row(HUB))
    assert [path.name for path in (cache_root / "models").iterdir()] == ["whisper-mini"]


VOICES = {
    name: np.random.default_rng(i).standard_normal((510, 256)).astype("<f4") for i, name in enumerate(("af_x", "bm_y"))
}


def _voice_rows() -> tuple[VoiceRow, ...]:
    return tuple(
        VoiceRow(name, name[0], "female", "A", hashlib.sha256(styles.tobytes()).hexdigest())
        for name, styles in VOICES.items()
    )


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_voices_from_npm(cache_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    members = {f"package/voices/{name}.bin": styles.tobytes() for name, styles in VOICES.items()}
    ball = npm_package("mini-voices", "1.2.3", members)
    source = NpmSource(
        "voice-raw", "mini-voices", "1.2.3", "package/voices/{voice}.bin", hashlib.sha256(ball).hexdigest(), len(ball)
    )
    row = _row(id="kokoro-mini", family="kokoro", voices=_voice_rows(), voice_sources=(source,))
    with running(NpmServer("mini-voices", "1.2.3", ball)) as server:
        assert isinstance(server, NpmServer)
        monkeypatch.setenv("npm_config_registry", server.url)
        folder = fetch.fetch_voices(row, ["af_x"])["af_x"].parent
        asked = len(server.asked)
        fetch.fetch_voices(row, ["af_x"])
        assert len(server.asked) == asked
        assert [path.name for path in folder.iterdir()] == ["af_x.safetensors"]
        fetch.fetch_voices(row, VOICES)
        for name, styles in VOICES.items():
            (tensor,) = read_file(folder / f"{name}.safetensors")
            assert tensor.key == "styles"
            np.testing.assert_array_equal(tensor.read(), styles)
        wrong = NpmSource(source.format, source.package, source.version, source.member, "a" * 64, len(ball))
        shutil.rmtree(folder)
        with pytest.raises(CorruptFile, match=r"mini-voices-1\.2\.3\.tgz has sha256"):
            fetch.fetch_voices(_row(id="kokoro-mini", voices=_voice_rows(), voice_sources=(wrong,)), VOICES)
    assert not any("voices" in name and name.endswith(".bin") for name in _left(cache_root))


def _voice_repo(server: HubServer) -> None:
    repo = server.repos["owner/voices"] = {}
    for name, styles in VOICES.items():
        torch.save(torch.from_numpy(styles.reshape(510, 1, 256).copy()), out := io.BytesIO())
        repo[f"voices/{name}.pt"] = out.getvalue()


def test_voices_from_the_hub(hub_server: HubServer) -> None:
    _voice_repo(hub_server)
    source = HubSource("owner/voices", "voice-pt", member="voices/{voice}.pt")
    files = fetch.fetch_voices(_row(id="kokoro-mini", voices=_voice_rows(), voice_sources=(source,)), VOICES)
    for name, styles in VOICES.items():
        (tensor,) = read_file(files[name])
        np.testing.assert_array_equal(tensor.read(), styles)


def test_every_hub_source_of_the_catalog_names_files() -> None:
    for row in catalog.rows():
        for source in row.sources:
            if isinstance(source, HubSource):
                assert source.weights
                assert "config.json" in source.files
