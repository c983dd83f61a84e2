"""mms-1b-all in int8, true shape, random weights: memory, adapter switches, mixed batches. Writes a 3.9 GB folder.

python benchmarks/mms.py FOLDER [--engine openvino]      makes FOLDER where it is missing, then measures, each part in a
                                                         process of its own; results as a table in Markdown

Weights are random, so that words mean nothing; sizes, times and memory are those of the published model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant import api
from sonant.models.wav2vec2.adapters import AdapterCache
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.fold import folded_adapter
from sonant.models.wav2vec2.graph import shapes
from sonant.weights.tensors import Tensor, write_file

CONFIG = {  # facebook/mms-1b-all, config.json
    "architectures": ["Wav2Vec2ForCTC"],
    "model_type": "wav2vec2",
    "hidden_size": 1280,
    "num_hidden_layers": 48,
    "num_attention_heads": 16,
    "intermediate_size": 5120,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "vocab_size": 154,
    "adapter_attn_dim": 16,
    "pad_token_id": 0,
}
LANGUAGES = {"eng": 154, "pol": 60, "fra": 97, "deu": 70}  # symbols of each head, made up
POOL = 1 << 22  # random numbers that all weights are cut from: filling 965 M one by one would take a minute


def make(folder: Path) -> None:
    """A folder as the publisher's, float32, random numbers."""
    folder.mkdir(parents=True)
    config = Wav2Vec2Config.from_hf(CONFIG)
    random = np.random.default_rng(0)
    pool = (random.standard_normal(POOL) * 0.02).astype(np.float32)

    def tensors(wanted: dict[str, tuple[int, ...]]) -> Iterator[Tensor]:
        for key, shape in wanted.items():
            start = int(random.integers(POOL // 2))

            def numbers(shape: tuple[int, ...] = shape, key: str = key, start: int = start) -> NDArray[np.float32]:
                count = int(np.prod(shape))
                if key.endswith(("norm.weight", "original0")):
                    return np.ones(shape, np.float32)
                return np.resize(pool[start:], count).reshape(shape)

            yield Tensor(key, "F32", shape, numbers)

    every = shapes(config)
    write_file(folder / "model.safetensors", tensors(every))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True}))
    symbols = ["<pad>", "<s>", "</s>", "<unk>", "|", *(chr(0x4E00 + index) for index in range(200))]
    vocabulary = {code: {s: i for i, s in enumerate(symbols[:count])} for code, count in LANGUAGES.items()}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    for code, count in LANGUAGES.items():
        own = {key: shape for key, shape in every.items() if "adapter_layer" in key}
        own |= {"lm_head.weight": (count, config.hidden_size), "lm_head.bias": (count,)}
        write_file(folder / f"adapter.{code}.safetensors", tensors(own))


def memory_mb(field: str) -> float:
    """VmHWM (peak) or VmRSS of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def sound(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Noise."""
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * 16000)).astype(np.float32)


def hear(folder: Path, engine: str, chunk_s: float = 16.0, context_s: float = 2.0) -> dict[str, float]:
    """Open in int8 and write down 40 s in windows of a size; memory and time."""
    start = time.perf_counter()
    model = api.load_asr(folder, engine=engine, dtype="int8", threads=2)
    opened = time.perf_counter()
    model.transcribe(sound(40), language="pol", chunk_s=chunk_s, context_s=context_s)
    return {
        "open_s": opened - start,
        "hear_40_s": time.perf_counter() - opened,
        "after_rss_mb": memory_mb("VmRSS"),
        "peak_rss_mb": memory_mb("VmHWM"),
    }


def hear_short(folder: Path, engine: str) -> dict[str, float]:
    """The same in windows of 8 s."""
    return hear(folder, engine, 6.0, 1.0)


def switch(folder: Path, _engine: str) -> dict[str, float]:
    """Seconds from one language to another: the adapter from its file, and from the cache."""
    config = Wav2Vec2Config.from_hf(CONFIG)
    from_file, from_cache = [], []
    for _ in range(5):
        cache = AdapterCache(folder, config, folded_adapter)
        for timings in (from_file, from_cache):
            for code in LANGUAGES:
                start = time.perf_counter()
                cache.get(code)
                timings.append(time.perf_counter() - start)
    return {"file_ms": float(np.median(from_file)) * 1e3, "cache_ms": float(np.median(from_cache)) * 1e3}


def mixed(folder: Path, engine: str) -> dict[str, float]:
    """The largest relative difference between a row of a mixed batch and that row alone."""
    model = api.load_asr(folder, engine=engine, dtype="int8", threads=2)
    codes, worst = list(LANGUAGES)[:3], 0.0
    waveforms, lengths = np.stack([sound(3, seed) for seed in range(3)]), np.full(3, 48000)
    together, _ = model.engine.log_probs(waveforms, lengths, codes)
    for row, code in enumerate(codes):
        alone, _ = model.engine.log_probs(waveforms[row : row + 1], lengths[:1], [code])
        found = together[row, :, : alone.shape[2]]
        worst = max(worst, float(np.linalg.norm(found - alone[0]) / np.linalg.norm(alone[0])))
    return {"worst_relative": worst, "peak_rss_mb": memory_mb("VmHWM")}


PARTS = {"first": hear_short, "hear8": hear_short, "hear20": hear, "switch": switch, "mixed": mixed}


def main() -> None:
    """Make what is missing, run every part, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--inside", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(PARTS[given.inside](given.folder, given.engine)))
        return
    if not given.folder.exists():
        make(given.folder)
    for part in given.parts.split(","):
        command = [sys.executable, __file__, str(given.folder), "--engine", given.engine, "--inside", part]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"| {part} | {', '.join(f'{name} {value:.4g}' for name, value in found.items())} |", flush=True)


if __name__ == "__main__":
    main()
