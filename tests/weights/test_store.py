"""Names and paths to checkpoints: folders opened in place, single files imported once, clear refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from weight_files import TINY_WHISPER, ctranslate2_bytes, ctranslate2_variables, whisper_arrays, write_json

from sonant.errors import CorruptFile, ModelFileMissing, OutputError, UnknownName, UnsupportedCheckpoint
from sonant.models.kokoro import names as kokoro_names
from sonant.weights import cache, catalog, store
from sonant.weights.cache import Lock
from sonant.weights.catalog import Row
from sonant.weights.tensors import Tensor, of_array, read_file, write_file


def _whisper_folder(folder: Path, config: dict[str, Any] = TINY_WHISPER, **changes: np.ndarray | None) -> Path:
    folder.mkdir(exist_ok=True)
    arrays = {k: a for k, a in (whisper_arrays() | changes).items() if a is not None}
    write_file(folder / "model.safetensors", [of_array(key, array) for key, array in arrays.items()])
    write_json(folder / "config.json", config)
    return folder


def test_a_folder_opens_where_it_lies(tmp_path: Path, cache_root: Path) -> None:
    folder = _whisper_folder(tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    for name in (folder, str(folder)):
        checkpoint = store.resolve(name)
        assert (checkpoint.id, checkpoint.family, checkpoint.folder) == ("mine", "whisper", folder)
        assert checkpoint.weights == (folder / "model.safetensors",)
        assert checkpoint.config == TINY_WHISPER
        assert checkpoint.catalog == {}
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert not cache_root.exists()


def test_a_relative_folder_has_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_whisper_folder(tmp_path / "mine"))
    assert store.resolve(".").id == "mine"


def test_an_output_projection_kept_twice_is_no_stranger(tmp_path: Path) -> None:
    tied = whisper_arrays()["model.decoder.embed_tokens.weight"]
    assert store.resolve(_whisper_folder(tmp_path / "m", **{"proj_out.weight": tied})).family == "whisper"


def test_shards_open_in_order(tmp_path: Path) -> None:
    folder = _whisper_folder(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    arrays = whisper_arrays()
    table = {key: f"model-0000{1 + i % 3}-of-00003.safetensors" for i, key in enumerate(sorted(arrays))}
    for name in sorted(set(table.values())):
        write_file(folder / name, [of_array(key, arrays[key]) for key in arrays if table[key] == name])
    write_json(folder / "model.safetensors.index.json", {"weight_map": table})
    assert [path.name for path in store.resolve(folder).weights] == sorted(set(table.values()))
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ModelFileMissing, match=r"lacks model-00002-of-00003\.safetensors"):
        store.resolve(folder)


def test_the_first_wrong_key_or_shape_is_named(tmp_path: Path) -> None:
    key = "model.encoder.layers.1.fc2.bias"
    with pytest.raises(UnsupportedCheckpoint, match=rf"lacks 1 tensor.*{key}"):
        store.resolve(_whisper_folder(tmp_path / "a", **{key: None}))
    with pytest.raises(UnsupportedCheckpoint, match=r"the network lacks, first 'lora\.A'"):
        store.resolve(_whisper_folder(tmp_path / "b", **{"lora.A": np.zeros(2, np.float32)}))
    with pytest.raises(UnsupportedCheckpoint, match=rf"'{key}' has shape \[3\], the network \[64\]"):
        store.resolve(_whisper_folder(tmp_path / "c", **{key: np.zeros(3, np.float16)}))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"model_type": "llama"}', "model_type 'llama'"),
        ("{}", "model_type None"),
        ("[1]", "not a JSON object"),
        ("{", "not JSON"),
        (None, r"no config\.json"),
    ],
)
def test_other_folders_are_refused(tmp_path: Path, config: str | None, message: str) -> None:
    folder = _whisper_folder(tmp_path / "mine")
    (folder / "config.json").unlink()
    if config is not None:
        (folder / "config.json").write_text(config)
    with pytest.raises((UnsupportedCheckpoint, CorruptFile), match=message):
        store.resolve(folder)


def test_a_folder_without_weights_is_refused(tmp_path: Path, cache_root: Path) -> None:
    folder = _whisper_folder(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UnsupportedCheckpoint, match="no weights that sonant reads"):
        store.resolve(folder)


def test_names_and_paths_that_lead_nowhere(tmp_path: Path, cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONANT_OFFLINE", "1")
    with pytest.raises(UnknownName, match="nearest: whisper-base"):
        store.resolve("whisper-baze")
    for path in (str(tmp_path / "absent"), "./absent", "absent.pt", tmp_path / "absent.bin"):
        with pytest.raises(ModelFileMissing, match="absent"):
            store.resolve(path)
    with pytest.raises(ModelFileMissing, match="SONANT_OFFLINE"):
        store.resolve("base")
    with pytest.raises(ModelFileMissing, match="sonant models fetch whisper-base"):
        store.resolve("base", offline=True)
    (tmp_path / "talk.mp3").write_bytes(b"x")
    with pytest.raises(UnsupportedCheckpoint, match=r"talk\.mp3"):
        store.resolve(tmp_path / "talk.mp3")


def _openai_file(path: Path) -> Path:
    """A .pt as openai-whisper saves it, spelled out here by its own names."""
    layer = {
        "self_attn.q_proj": "attn.query", "self_attn.k_proj": "attn.key", "self_attn.v_proj": "attn.value",
        "self_attn.out_proj": "attn.out", "self_attn_layer_norm": "attn_ln", "encoder_attn.q_proj": "cross_attn.query",
        "encoder_attn.k_proj": "cross_attn.key", "encoder_attn.v_proj": "cross_attn.value",
        "encoder_attn.out_proj": "cross_attn.out", "encoder_attn_layer_norm": "cross_attn_ln",
        "fc1": "mlp.0", "fc2": "mlp.2", "final_layer_norm": "mlp_ln",
    }  # fmt: skip
    outer = {
        "model.encoder.embed_positions.weight": "encoder.positional_embedding",
        "model.decoder.embed_positions.weight": "decoder.positional_embedding",
        "model.decoder.embed_tokens.weight": "decoder.token_embedding.weight",
        "model.encoder.layer_norm.": "encoder.ln_post.",
        "model.decoder.layer_norm.": "decoder.ln.",
    }
    state = {}
    for key, array in whisper_arrays().items():
        name = key
        for old, new in outer.items():
            name = name.replace(old, new)
        if ".layers." in name:
            side, index, rest = name.removeprefix("model.").replace(".layers", "").split(".", 2)
            part, end = rest.rsplit(".", 1)
            name = f"{side}.blocks.{index}.{layer[part]}.{end}"
        state[name.removeprefix("model.")] = torch.from_numpy(array)
    torch.save({"dims": {"n_audio_head": 4, "n_text_head": 2, "n_mels": 8}, "model_state_dict": state}, path)
    return path


def _same_as(checkpoint_file: Path, arrays: dict[str, np.ndarray]) -> None:
    found = {tensor.key: tensor.read() for tensor in read_file(checkpoint_file)}
    assert found.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)


@pytest.mark.parametrize("kind", ["model.bin", "mini.pt"])
def test_a_foreign_file_is_imported_once(tmp_path: Path, cache_root: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "model.bin":
        path.write_bytes(ctranslate2_bytes(ctranslate2_variables(whisper_arrays())))
    else:
        _openai_file(path)
    labels: set[str] = set()
    first = store.resolve(path, progress=lambda label, *_: labels.add(label))
    assert labels == {f"hash {kind}", "import whisper"}
    assert first.family == "whisper"
    assert first.id == path.stem
    assert first.folder.parent == cache_root / "imports"
    _same_as(first.weights[0], whisper_arrays())
    heads = first.config["encoder_attention_heads"], first.config["decoder_attention_heads"]
    assert heads == ((4, 2) if kind == "mini.pt" else (1, 1))
    made = first.weights[0].stat().st_mtime_ns
    labels.clear()
    assert store.resolve(str(path), progress=lambda label, *_: labels.add(label)).weights == first.weights
    assert labels == set()  # neither hashed nor imported again
    moved = path.rename(tmp_path / f"other{path.suffix}")
    assert store.resolve(moved).weights == first.weights  # found by content
    assert first.weights[0].stat().st_mtime_ns == made
    moved.write_bytes(moved.read_bytes()[:-30])
    with pytest.raises(CorruptFile):  # changed content is never taken for the old
        store.resolve(moved)


def test_a_ctranslate2_folder_brings_its_alignment_heads(tmp_path: Path, cache_root: Path) -> None:
    settings = TINY_WHISPER | {"vocab_size": 51864}
    (tmp_path / "model.bin").write_bytes(ctranslate2_bytes(ctranslate2_variables(whisper_arrays(settings))))
    write_json(tmp_path / "config.json", {"alignment_heads": [[0, 0]], "lang_ids": [50259]})
    checkpoint = store.resolve(tmp_path)
    assert checkpoint.config["vocab_size"] == 51864
    made = json.loads((checkpoint.folder / "generation_config.json").read_text())
    assert made["alignment_heads"] == [[0, 0]]
    assert made["no_timestamps_token_id"] == 50362


def test_a_known_file_brings_its_row(tmp_path: Path, cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _openai_file(tmp_path / "base.pt")
    row = catalog.find("base")
    facts = {name: getattr(row, name) for name in Row.__slots__} | {
        "raw": dict(row.raw) | {"original_sha256": cache.sha256_of(path)}
    }
    monkeypatch.setattr(catalog, "_table", lambda: (Row(**facts),))
    checkpoint = store.resolve(path)
    assert checkpoint.id == "whisper-base"
    assert checkpoint.licence == "MIT"
    assert checkpoint.catalog["alignment_heads"] == row.raw["alignment_heads"]


def test_a_bad_file_leaves_nothing(tmp_path: Path, cache_root: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(ctranslate2_bytes(ctranslate2_variables(whisper_arrays()))[:-100])
    with pytest.raises(CorruptFile, match=r"model\.bin"):
        store.resolve(path)
    assert not list((cache_root / "imports").glob("*/*.safetensors"))


_RLIMIT_SCRIPT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
from sonant.errors import OutputError
from sonant.weights import store
try:
    store.resolve(sys.argv[1])
except OutputError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path, cache_root: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(ctranslate2_bytes(ctranslate2_variables(whisper_arrays())))
    done = subprocess.run(
        [sys.executable, "-c", _RLIMIT_SCRIPT, str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 7, done.stderr
    assert "SONANT_CACHE" in done.stdout
    assert done.stdout.count("\n") == 1
    assert not [p for p in (cache_root / "imports").rglob("*") if "safetensors" in p.name]


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SONANT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.delenv("SONANT_OFFLINE", raising=False)
    with pytest.raises(OutputError, match="SONANT_CACHE"):
        store.resolve("base")


MINI_KOKORO: dict[str, Any] = {
    "style_dim": 2, "n_token": 5, "hidden_dim": 16, "n_layer": 1, "max_dur": 3, "text_encoder_kernel_size": 3,
    "n_mels": 4, "vocab": {"a": 1},
    "plbert": {"hidden_size": 4, "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 6,
               "num_hidden_layers": 1, "embedding_size": 2},
    "istftnet": {"upsample_kernel_sizes": [4, 4], "upsample_rates": [2, 2], "gen_istft_hop_size": 2,
                 "gen_istft_n_fft": 4, "resblock_dilation_sizes": [[1, 3, 5]], "resblock_kernel_sizes": [3],
                 "upsample_initial_channel": 8},
}  # fmt: skip


@pytest.fixture
def kokoro_arrays() -> dict[str, np.ndarray]:
    """Random numbers of a small Kokoro."""
    random = np.random.default_rng(5)
    shapes = kokoro_names.shapes(MINI_KOKORO)
    return {key: random.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()}


def test_a_canonical_kokoro_folder_opens_in_place(
    tmp_path: Path, cache_root: Path, kokoro_arrays: dict[str, np.ndarray]
) -> None:
    write_json(tmp_path / "config.json", MINI_KOKORO)
    write_file(tmp_path / "model.safetensors", [of_array(k, a) for k, a in kokoro_arrays.items()])
    checkpoint = store.resolve(tmp_path)
    assert checkpoint.family == "kokoro"
    assert checkpoint.weights == (tmp_path / "model.safetensors",)
    assert not cache_root.exists()


def _hexgrad_tree(arrays: dict[str, np.ndarray], prefix: str = "module.") -> dict[str, dict[str, torch.Tensor]]:
    tree: dict[str, dict[str, torch.Tensor]] = {part: {} for part in kokoro_names.PARTS}
    for key, array in arrays.items():
        part, rest = key.split(".", 1)
        tree[part][prefix + rest] = torch.from_numpy(array)
    tree["bert"][prefix + "pooler.weight"] = torch.zeros(4, 4)
    tree["bert"][prefix + "pooler.bias"] = torch.zeros(4)
    return tree


def test_hexgrads_archive_is_imported(tmp_path: Path, cache_root: Path, kokoro_arrays: dict[str, np.ndarray]) -> None:
    write_json(tmp_path / "config.json", MINI_KOKORO)
    path = tmp_path / "kokoro-v1_0.pth"
    torch.save(_hexgrad_tree(kokoro_arrays), path)
    for name in (path, tmp_path):
        checkpoint = store.resolve(name)
        assert checkpoint.family == "kokoro"
        assert checkpoint.config["vocab"] == {"a": 1}
        _same_as(checkpoint.weights[0], kokoro_arrays)
    assert store.resolve(tmp_path).folder == tmp_path  # voices are found beside it
    norm = {
        "decoder.encode.norm1.norm.weight": np.ones(18, np.float32),
        "decoder.encode.norm1.norm.bias": np.zeros(18, np.float32),
    }
    torch.save(_hexgrad_tree(kokoro_arrays | norm, ""), path)
    _same_as(store.resolve(path).weights[0], kokoro_arrays)
    norm["decoder.encode.norm1.norm.bias"][2] = 0.5
    torch.save(_hexgrad_tree(kokoro_arrays | norm), path)
    with pytest.raises(UnsupportedCheckpoint, match=r"decoder\.encode\.norm1\.norm\.bias' is not 0"):
        store.resolve(path)
    torch.save({"text_encoder_v2": {"a": torch.zeros(1)}}, path)
    with pytest.raises(UnsupportedCheckpoint, match="text_encoder_v2"):
        store.resolve(path)


def test_mlx_spelling_and_layout_are_turned_back(
    tmp_path: Path, cache_root: Path, kokoro_arrays: dict[str, np.ndarray]
) -> None:
    write_json(tmp_path / "config.json", MINI_KOKORO)
    tensors = []
    for key, array in kokoro_arrays.items():
        bits = (array.view(np.uint32) >> 16).astype(np.uint16)
        name = key
        for old, new in (("weight_ih", "Wx"), ("weight_hh", "Wh")):
            if old in name:
                name = name.replace(f"{old}_l0_reverse", f"{new}_backward").replace(f"{old}_l0", f"{new}_forward")
        if bits.ndim == 3 and name.endswith("weight_v"):
            bits = bits.transpose(0, 2, 1)
        tensors.append(Tensor(name, "BF16", bits.shape, lambda bits=bits: bits))
    write_file(tmp_path / "kokoro-v1_0.safetensors", tensors)
    checkpoint = store.resolve(tmp_path)
    found = {tensor.key: tensor for tensor in read_file(checkpoint.weights[0])}
    assert found.keys() == kokoro_arrays.keys()
    for key, array in kokoro_arrays.items():
        assert found[key].dtype == "BF16"
        np.testing.assert_array_equal(found[key].read(), array.view(np.uint32) >> 16)


def _cached(root: Path, row_id: str = "whisper-base") -> Path:
    folder = root / "models" / row_id
    folder.parent.mkdir(parents=True)
    _whisper_folder(folder)
    sums = {path.name: cache.sum_of(path) for path in folder.iterdir()}
    cache.write_lock(folder, Lock(row_id, "whisper", "test", sums, {}))
    return folder


def test_verify_names_the_bad_file(cache_root: Path) -> None:
    folder = _cached(cache_root)
    assert store.cached() == ("whisper-base",)
    assert store.resolve("base", offline=True).folder == folder
    assert store.resolve("base").catalog["id"] == "whisper-base"
    store.verify("base")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-9] ^= 4
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(CorruptFile, match=r"model\.safetensors has sha256"):
        store.verify("base")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CorruptFile, match=r"model\.safetensors is missing"):
        store.verify("base")
    (folder / cache.LOCK_NAME).write_text("{}")
    with pytest.raises(CorruptFile, match=r"sonant\.lock\.json is damaged"):
        store.verify("base")
    with pytest.raises(ModelFileMissing, match="models fetch whisper-tiny"):
        store.verify("tiny")
    with pytest.raises(UnknownName):
        store.verify("nothing")


def test_a_wav2vec2_folder_opens_in_place(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"model_type": "wav2vec2"})
    write_file(tmp_path / "model.safetensors", [of_array("lm_head.bias", np.zeros(3, np.float32))])
    write_file(tmp_path / "adapter.pol.safetensors", [of_array("x", np.zeros(3, np.float32))])
    checkpoint = store.resolve(tmp_path)
    assert (checkpoint.family, [path.name for path in checkpoint.weights]) == ("wav2vec2", ["model.safetensors"])


def test_lock_files_say_what_came(cache_root: Path) -> None:
    folder = _cached(cache_root)
    raw = json.loads((folder / cache.LOCK_NAME).read_text())
    assert raw["files"]["model.safetensors"]["bytes"] == (folder / "model.safetensors").stat().st_size
    assert cache.read_lock(folder) == Lock(
        "whisper-base",
        "whisper",
        "test",
        {n: cache.FileSum(s["sha256"], s["bytes"]) for n, s in raw["files"].items()},
        {},
    )


@pytest.mark.peers
@pytest.mark.parametrize("shard", ["1GB", "50KB"])
def test_what_transformers_saves_opens_by_path(tmp_path: Path, shard: str) -> None:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(**{key: value for key, value in TINY_WHISPER.items() if key != "model_type"}, pad_token_id=0)
    WhisperForConditionalGeneration(config).save_pretrained(tmp_path, max_shard_size=shard)
    checkpoint = store.resolve(tmp_path)
    assert checkpoint.family == "whisper"
    assert (len(checkpoint.weights) > 1) == (shard == "50KB")
