"""Voices in every spelling, found beside a checkpoint or lent by the catalog's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sonant.errors import CorruptFile, ModelFileMissing, UnknownName, UnsupportedCheckpoint
from sonant.weights import voices
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import of_array, write_file
from sonant.weights.voice_files import pack_names, read_pack, read_voice

STYLES = np.random.default_rng(1).standard_normal((510, 256)).astype(np.float32)


def _write(path: Path, styles: np.ndarray = STYLES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        write_file(path, [of_array("styles", styles)])
    elif path.suffix == ".pt":
        torch.save(torch.from_numpy(styles.reshape(510, 1, 256).copy()), path)
    else:
        path.write_bytes(styles.astype("<f4").tobytes())
    return path


def _checkpoint(folder: Path, row: str = "mine") -> Checkpoint:
    return Checkpoint(row, "kokoro", folder, (), {})


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin"])
def test_each_spelling_gives_the_same_numbers(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"af_mine{suffix}")
    np.testing.assert_array_equal(read_voice(path), STYLES)
    voice = voices.load(_checkpoint(tmp_path), str(path))
    assert (voice.name, voice.language, voice.styles.dtype) == ("af_mine", "a", np.float32)


def test_half_precision_and_mlx_voices(tmp_path: Path) -> None:
    write_file(tmp_path / "v.safetensors", [of_array("voice", STYLES.reshape(510, 1, 256).astype(np.float16))])
    np.testing.assert_array_equal(read_voice(tmp_path / "v.safetensors"), STYLES.astype(np.float16))


def test_a_voice_is_found_beside_its_checkpoint(tmp_path: Path, cache_root: Path) -> None:
    _write(tmp_path / "voices" / "bm_own.safetensors")
    _write(tmp_path / "voices" / "bm_own.pt", STYLES + 1)  # ours comes first
    np.savez(tmp_path / "voices-v1.0.npz", jf_packed=STYLES.reshape(510, 1, 256) * 2, ef_other=STYLES)
    checkpoint = _checkpoint(tmp_path)
    np.testing.assert_array_equal(voices.load(checkpoint, "bm_own").styles, STYLES)
    packed = voices.load(checkpoint, "jf_packed")
    np.testing.assert_array_equal(packed.styles, STYLES * 2)
    assert packed.language == "j"
    assert {"bm_own", "jf_packed", "ef_other", "af_heart"} <= set(voices.names(checkpoint))
    assert not cache_root.exists()


def test_published_voices_are_lent(tmp_path: Path, cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(cache_root / "models" / "kokoro-82m" / "voices" / "af_heart.safetensors")
    monkeypatch.setenv("SONANT_OFFLINE", "1")
    np.testing.assert_array_equal(voices.load(_checkpoint(tmp_path), "af_heart").styles, STYLES)
    assert voices.load(_checkpoint(tmp_path, "kokoro-82m-bf16"), "af_heart").language == "a"
    with pytest.raises(ModelFileMissing, match="bf_emma"):
        voices.load(_checkpoint(tmp_path), "bf_emma")
    with pytest.raises(UnknownName, match=r"'af_hart'.*af_heart.*sonant voices"):
        voices.load(_checkpoint(tmp_path), "af_hart")
    with pytest.raises(ModelFileMissing, match=r"no voice file .*gone\.pt"):
        voices.load(_checkpoint(tmp_path), str(tmp_path / "gone.pt"))


def test_each_row_has_its_own_names(tmp_path: Path) -> None:
    assert len(voices.names(_checkpoint(tmp_path, "kokoro-82m"))) == 54
    assert "zf_001" in voices.names(_checkpoint(tmp_path, "kokoro-82m-v1.1-zh"))
    assert "af_heart" not in voices.names(_checkpoint(tmp_path, "kokoro-82m-v1.1-zh"))


def test_damaged_voices_are_refused(tmp_path: Path) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(bytes(100))
    with pytest.raises(CorruptFile, match=r"short\.bin has 100 bytes"):
        read_voice(short)
    with pytest.raises(CorruptFile, match="not finite"):
        read_voice(_write(tmp_path / "nan.bin", np.full((510, 256), np.nan)))
    write_file(tmp_path / "wide.safetensors", [of_array("styles", np.zeros((511, 256), np.float32))])
    with pytest.raises(CorruptFile, match=r"F32\[511, 256\]"):
        read_voice(tmp_path / "wide.safetensors")
    write_file(tmp_path / "two.safetensors", [of_array(name, STYLES) for name in "ab"])
    with pytest.raises(CorruptFile, match="holds 2 tensors"):
        read_voice(tmp_path / "two.safetensors")
    (tmp_path / "voice.wav").write_bytes(b"RIFF")
    with pytest.raises(UnsupportedCheckpoint, match=r"voice\.wav is no voice file"):
        read_voice(tmp_path / "voice.wav")


def test_packs(tmp_path: Path) -> None:
    pack = tmp_path / "voices-v1.0.bin"
    with pack.open("wb") as file:
        np.savez(file, af_a=STYLES.reshape(510, 1, 256), bad=np.zeros((3, 3)), text=np.array(["x"]))
    assert pack_names(pack) == ("af_a", "bad", "text")
    np.testing.assert_array_equal(read_pack(pack, "af_a"), STYLES)
    for name in ("bad", "text"):
        with pytest.raises(CorruptFile, match=r"voices-v1\.0\.bin"):
            read_pack(pack, name)
    with pytest.raises(UnknownName, match="af_a"):
        read_pack(pack, "af_b")
    objects = tmp_path / "objects.npz"
    np.savez(objects, af_a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(CorruptFile, match="no array of floats"):
        read_pack(objects, "af_a")
    assert pack_names(_write(tmp_path / "raw.bin")) == ()
