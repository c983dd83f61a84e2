"""OpenVINO's IR of a Whisper model for openvino-genai, written by optimum-intel as its users do.

    python benchmarks/convert_openvino.py FOLDER OUT DTYPE

optimum-intel needs an older transformers than the other peers: its packages lie in a folder of their own, put before
the benchmark's on the path of the process that converts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["to_openvino"]

PINS = Path(__file__).parent.parent / "requirements-bench-convert.txt"
PACKAGES = "convert-packages"
END = "<|endoftext|>"


def packages(beside: Path) -> Path:
    """The folder of the converter's packages, installed when it is not there."""
    folder = beside / PACKAGES
    if not folder.exists():
        scratch = folder.with_suffix(".part")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(scratch)]
        subprocess.run([*pip, "-r", str(PINS)], check=True)
        scratch.rename(folder)
    return folder


def to_openvino(folder: Path, out: Path) -> None:
    """A folder for ``openvino_genai.WhisperPipeline``; its weights are as wide as its name ends: fp16 or int8."""
    scratch = out.with_name(f"{out.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    environment = os.environ | {"PYTHONPATH": str(packages(out.parent).resolve())}
    command = [sys.executable, __file__, str(folder), str(scratch), out.name.rpartition("-")[2]]
    subprocess.run(command, env=environment, check=True)
    scratch.rename(out)


def convert(folder: Path, out: Path, dtype: str) -> None:
    """Write the networks, the tokenizer and what openvino-genai reads beside them."""
    from optimum.intel import OVModelForSpeechSeq2Seq

    model = OVModelForSpeechSeq2Seq.from_pretrained(folder, export=True, compile=False, load_in_8bit=dtype == "int8")
    model.save_pretrained(out)
    write_tokenizer(folder, out)
    write_features(folder, out)


def write_tokenizer(folder: Path, out: Path) -> None:
    """The tokenizer of ``folder`` as two more networks."""
    import openvino
    import openvino_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), bos_token=END, eos_token=END, pad_token=END, unk_token=END
    )
    tokenizer.save_pretrained(out)
    forth, back = openvino_tokenizers.convert_tokenizer(tokenizer, with_detokenizer=True)
    openvino.save_model(forth, out / "openvino_tokenizer.xml")
    openvino.save_model(back, out / "openvino_detokenizer.xml")


def write_features(folder: Path, out: Path) -> None:
    """The numbers of the log-mel features; their names are those of transformers' WhisperFeatureExtractor."""
    bins = json.loads((folder / "config.json").read_text())["num_mel_bins"]
    features = {"feature_size": bins, "sampling_rate": 16000, "hop_length": 160, "n_fft": 400, "chunk_length": 30}
    whole = {"n_samples": 30 * 16000, "nb_max_frames": 3000}
    (out / "preprocessor_config.json").write_text(json.dumps(features | whole))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
