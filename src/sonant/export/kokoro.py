"""Kokoro as one ONNX file: symbols in, sound and durations out.

The network's three parts (``models.kokoro``) are joined by what the engines do between them with NumPy
(``kokoro_signal``). Input and output names are those that the package kokoro-onnx 0.5.0 asks for: it feeds ``tokens``,
``style`` and ``speed`` and reads the first output. (A graph whose input is called ``input_ids`` gets a whole number as
its speed from that package, so ours isn't.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, numpy_helper

from sonant.engines.synth_graph import stored_tensors
from sonant.errors import ModelFileMissing, UnsupportedCheckpoint
from sonant.export import joined, metadata, pack
from sonant.export.kokoro_signal import Signal
from sonant.files import whole_file
from sonant.models.graph_builder import GraphBuilder
from sonant.models.kokoro import fold, graph_decoder, graph_text, names
from sonant.models.kokoro.config import SAMPLE_RATE, KokoroConfig
from sonant.models.kokoro.form import Form
from sonant.models.kokoro.graph_layers import Shapes
from sonant.models.kokoro.source import SourceWeights
from sonant.weights import voices
from sonant.weights.checkpoint import Checkpoint

__all__ = ["GRAPH", "OPSET", "VOICES", "KokoroExport", "export_kokoro", "template"]

OPSET = 20  # the first with Gelu: ONNX Runtime has it since 1.17
GRAPH, VOICES = "model.onnx", "voices.npz"
BESIDE = ["config.json"]


@dataclass(frozen=True, slots=True)
class KokoroExport:
    """What was written.

    Attributes:
        files: the graph first.
        voices: names of those in the voices file.
        voices_missing: names of those that the model has but that couldn't be had here.
    """

    files: tuple[Path, ...]
    voices: tuple[str, ...]
    voices_missing: tuple[str, ...]


def export_kokoro(
    checkpoint: Checkpoint, out: str | Path, dtype: str = "float32", largest_bytes: int = metadata.LARGEST_FILE_BYTES
) -> KokoroExport:
    """Write model.onnx, voices.npz and config.json.

    Args:
        checkpoint: a Kokoro.
        out: a folder, made where it isn't there; files of the same names are replaced.
        dtype: of the parameters, "float32", "float16" or "int8" (fp32 and fp16 too).
        largest_bytes: above this the numbers go into a file of their own.

    Raises:
        BadInput: no such dtype.
        UnsupportedCheckpoint: a key is missing, surplus or of another shape, or config.json has no symbols.
        OutputError: they couldn't be written.
    """
    dtype = pack.dtype_named(dtype)
    config = KokoroConfig.from_hexgrad(checkpoint.config)
    symbols = checkpoint.config.get("vocab")
    if not symbols:
        raise UnsupportedCheckpoint(f"{checkpoint.id}: config.json lacks the symbols, field 'vocab'")
    stored = stored_tensors(checkpoint)
    shapes = fold.derived_shapes(names.shapes(checkpoint.config))
    joint = template(config, shapes, fold.source_weights(stored, checkpoint.id))
    folder = metadata.folder_for(out)
    model = pack.fill(joint, fold.derived(stored, checkpoint.id), dtype, checkpoint.id)
    facts: dict[str, Any] = {
        "sample_rate": SAMPLE_RATE,
        "symbols": symbols,
        "max_tokens": config.max_tokens,
        "samples_per_frame": config.samples_per_frame,
        "inputs": "tokens: symbol ids, a 0 before and after; style: row (symbols - 1) of a voice; speed: 1 is natural",
        "outputs": "audio: samples in [-1, 1]; durations: frames of each token",
    }
    metadata.describe(model, checkpoint, dtype, facts)
    files = metadata.save(model, folder / GRAPH, largest_bytes)
    had, missing = _write_voices(checkpoint, folder / VOICES)
    files += [folder / VOICES, *metadata.copy_beside(folder, checkpoint.folder, BESIDE)]
    return KokoroExport(tuple(files), had, missing)


def template(config: KokoroConfig, shapes: Shapes, weights: SourceWeights) -> ModelProto:
    """The joint graph without parameters.

    Inputs: ``tokens`` (1, T) int64, a 0 before and after the symbols; ``style`` (1, 2 x style); ``speed`` (1,)
    float32 above 0; ``seed`` (1,) int64 of the noise, 0 where it isn't given, negative for none.
    Outputs: ``audio`` (samples,) float32; ``durations`` (T,) int64 frames.
    """
    graph = GraphBuilder("kokoro", shapes)
    form = Form(channels_last=False)
    tokens = graph.input("tokens", "int64", (1, "T"))
    style = graph.input("style", "float32", (1, 2 * config.style))
    speed = graph.input("speed", "float32", (1,))
    seed = graph.input("seed", "int64", (1,))
    signal = Signal(graph, config.generator, weights)
    length = graph.op("Shape", tokens, start=1, end=2)
    read = joined.inline(
        graph, graph_text.text(config, shapes, form), {"tokens": tokens, "style": style, "lengths": length}
    )
    durations = signal.durations(read["durations"], speed)
    places = signal.symbol_of_frame(durations)
    frames, text = (graph.op("Gather", read[name], places, axis=1) for name in ("prosody", "text"))
    common = {"style": style, "lengths": graph.op("Shape", places)}
    curves = joined.inline(graph, graph_text.prosody(config, shapes, form), {"frames": frames, **common})
    pitch = graph.op("Squeeze", curves["pitch"], graph.constant([0]))
    source = signal.source_spectrum(signal.excitation(pitch, seed))
    made = joined.inline(
        graph, graph_decoder.decoder(config, shapes, form), {"text": text, "source": source, **curves, **common}
    )
    graph.output("audio", signal.waveform(made["spectra"]), "float32", ("samples",))
    graph.output("durations", durations, "int64", ("T",))
    model = graph.build()
    joined.prune(model)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), "seed"))  # an input with a default
    del model.opset_import[:]
    model.opset_import.add(domain="", version=OPSET)
    return model


def _write_voices(checkpoint: Checkpoint, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All voices in one NumPy archive, (510, 1, 256) each as kokoro-onnx reads them; names written, names missing."""
    rows, missing = {}, []
    for name in voices.names(checkpoint):
        try:
            rows[name] = np.ascontiguousarray(voices.load(checkpoint, name).styles[:, None, :], np.float32)
        except ModelFileMissing:  # a published voice that no source has here: told in the result
            missing.append(name)
    with whole_file(path) as file:
        np.savez(file, **rows)  # type: ignore[arg-type]
    return tuple(rows), tuple(missing)
