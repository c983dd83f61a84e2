"""The rows of the benchmark: what is done, on what, by whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sonant.engines import cpu, own_kernels
from sonant.kernels import best, instructions

__all__ = ["Entry", "Row", "rows"]

# How each library is told to leave AMX, or AVX-512, alone. ONNX Runtime and whisper.cpp can't be told, and OpenVINO
# 2026.4 fails to compile a Softmax without AVX-512, so they are left out.
LIMITS = {
    "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16", "MKL_ENABLE_INSTRUCTIONS": "AVX512_E3"},
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "CT2_FORCE_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
    },
}
WITHOUT = {"avx512": ("amx", "AMX"), "avx2": ("avx512", "AVX-512")}  # the level that is left alone, and its name
GREEDY = {"do": "hear", "language": "en", "batch": 1, "beam": 1}
SPEAK = {"do": "speak", "seed": 0}


@dataclass(frozen=True)
class Entry:
    """One system in a row: its name in ``systems.SYSTEMS``, what opens it, and how the table calls it."""

    label: str
    system: str
    opened_with: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        id: name on the command line.
        title: name in the table.
        material: names of the items (see ``material``).
        request: what every request carries beside its item.
        entries: the systems; the first is ours.
        repeats: rounds; each round runs every system once on every item.
        items: at most so many.
        environment: of the systems' processes.
        asked: whether it is measured only where its id is given.
    """

    id: str
    title: str
    material: str
    entries: tuple[Entry, ...]
    request: dict[str, Any] = field(default_factory=dict)
    repeats: int = 5
    items: int = 1000
    environment: dict[str, str] = field(default_factory=dict)
    asked: bool = False


def heard(model: str, weights: Path) -> tuple[Entry, ...]:
    """Ours and the peers on one Whisper model."""
    return (
        Entry("sonant", "sonant", {"model": model}),
        Entry("faster-whisper int8", "faster-whisper", {"weights": str(weights / f"{model}.ct2"), "dtype": "int8"}),
        Entry(
            "faster-whisper float32", "faster-whisper", {"weights": str(weights / f"{model}.ct2"), "dtype": "float32"}
        ),
        Entry("whisper.cpp f16", "whisper.cpp", {"weights": str(weights / f"{model}.ggml.bin")}),
        Entry("openai-whisper float32", "openai-whisper", {"weights": str(weights / f"{model}.pt")}),
        Entry("openvino-genai int8", "openvino-genai", {"weights": str(weights / f"{model}.openvino-int8")}),
        Entry("openvino-genai fp16", "openvino-genai", {"weights": str(weights / f"{model}.openvino-fp16")}),
        Entry("sherpa-onnx int8", "sherpa-onnx", {"weights": str(weights / f"{model}.sherpa-int8")}),
        Entry(
            "sherpa-onnx int8, 30 s", "sherpa-onnx", {"weights": str(weights / f"{model}.sherpa-int8"), "padding": 3000}
        ),
    )


def only(entries: tuple[Entry, ...], *systems: str) -> tuple[Entry, ...]:
    """The entries of these systems."""
    return tuple(entry for entry in entries if entry.system in systems)


def spoken(weights: Path) -> tuple[Entry, ...]:
    """Ours and the peers on Kokoro."""
    voice = str(weights / "kokoro" / "voices.npz")
    asked = ["int8"] if cpu.detect().int8 else []
    if best.find("int16") and own_kernels.speech_dtype()[0] != "int16":
        asked.append("int16")
    return (
        Entry("sonant", "sonant", {"model": "kokoro-82m"}),
        Entry("kokoro (torch float32)", "kokoro", {"weights": str(weights / "kokoro")}),
        Entry("kokoro-onnx int8", "kokoro-onnx", {"weights": str(weights / "kokoro-int8.onnx"), "voices": voice}),
        Entry("sherpa-onnx int8", "sherpa-onnx", {"weights": str(weights / "kokoro.sherpa-int8")}),
        # Of sonant's export, because nobody else's float32 graph can be had here.
        Entry("sherpa-onnx float32", "sherpa-onnx", {"weights": str(weights / "kokoro.sherpa-float32")}),
        *(Entry(f"sonant {dtype}", "sonant", {"model": "kokoro-82m", "dtype": dtype}) for dtype in asked),
    )


def shaped(size: str, weights: Path) -> tuple[Entry, ...]:
    """Ours and faster-whisper on random weights of a size."""
    return (
        Entry("sonant", "sonant", {"model": str(weights / size)}),
        Entry("faster-whisper int8", "faster-whisper", {"weights": str(weights / f"{size}.ct2"), "dtype": "int8"}),
    )


def letters(size: str, weights: Path) -> tuple[Entry, ...]:
    """Ours and transformers on random weights of a wav2vec 2.0."""
    folder = str(weights / size)
    dtypes = ("float32", "bfloat16") if cpu.detect().bfloat16 else ("float32",)  # emulated, it takes a minute
    return (
        Entry("sonant", "sonant-ctc", {"model": folder}),
        *(Entry(f"transformers {dtype}", "transformers-ctc", {"weights": folder, "dtype": dtype}) for dtype in dtypes),
    )


def rows(weights: Path) -> tuple[Row, ...]:
    """All rows, with the peers' weights in ``weights``."""
    base, tiny = heard("whisper-base", weights), heard("whisper-tiny.en", weights)
    kokoro = spoken(weights)
    # sherpa-onnx has no beams for Whisper, and hears the first 30 s alone.
    beams = only(base, "sonant", "faster-whisper", "whisper.cpp", "openai-whisper", "openvino-genai")
    long, short = (only(one, "sonant", "faster-whisper", "openvino-genai") for one in (base, tiny))
    forced = {"do": "force", "mels": 128, "tokens": 200}
    found = (
        Row("kokoro", "Kokoro, paragraphs of 100-400 phonemes", "paragraphs", kokoro, SPEAK, 3, 2),
        Row("kokoro-first", "Kokoro, first sound of 300 characters", "text", (kokoro[0], kokoro[2]), {"do": "stream"}),
        Row(
            "kokoro-batch",
            "Kokoro, eight sentences",
            "sentences",
            (kokoro[0], replace(kokoro[0], label="sonant, one by one", system="sonant-singly")),
            {"do": "speak_many", "seed": 0},
            3,
        ),
        Row("tiny-greedy", "Whisper tiny.en, short clips, greedy", "clips", tiny, GREEDY, 3, 6),
        Row("base-greedy", "Whisper base, short clips, greedy", "clips", base, GREEDY, 3, 6),
        Row("base-beam", "Whisper base, short clips, beam 5", "clips", beams, GREEDY | {"beam": 5}, 3, 6),
        Row("base-long", "Whisper base, 5 minutes, sequential, greedy", "talk", long, GREEDY, 2),
        Row("base-lecture", "Whisper base, 20 minutes, sequential, greedy", "lecture", long, GREEDY, 1, asked=True),
        Row("base-batch", "Whisper base, 5 minutes, batches of 8", "talk", base[:2], GREEDY | {"batch": 8}, 2),
        Row("tiny-long", "Whisper tiny.en, 5 minutes, sequential, greedy", "talk", short, GREEDY, 2),
        Row("tiny-batch", "Whisper tiny.en, 5 minutes, batches of 8", "talk", tiny[:2], GREEDY | {"batch": 8}, 2),
        Row("turbo", "large-v3-turbo shape, 30 s, 200 tokens", "window", shaped("large-v3-turbo", weights), forced, 2),
        Row(
            "distil", "distil-large-v3 shape, 30 s, 200 tokens", "window", shaped("distil-large-v3", weights), forced, 2
        ),
        Row("ctc-base", "wav2vec 2.0 base shape, 20 s", "noise", letters("wav2vec2-base", weights), GREEDY, 3),
        Row("ctc-large", "wav2vec 2.0 large shape, 20 s", "noise", letters("wav2vec2-large", weights), GREEDY, 3),
        *(
            Row(
                f"ctc-{size}-long",
                f"wav2vec 2.0 {size} shape, 10 minutes",
                "long noise",
                letters(f"wav2vec2-{size}", weights),
                GREEDY,
                1,
                asked=True,
            )
            for size in ("base", "large")
        ),
    )
    here = instructions.levels()
    return (*found, *(row for level in LIMITS if WITHOUT[level][0] in here for row in limited(level, weights)))


def limited(level: str, weights: Path) -> tuple[Row, ...]:
    """Rows at a level below this CPU's, with the systems that can be told."""
    (_, without), limit = WITHOUT[level], LIMITS[level]
    base, letter = heard("whisper-base", weights), letters("wav2vec2-base", weights)
    if level == "avx2":
        told, letter = base[:3], letter[:2]  # bfloat16 would be emulated
    else:
        told = only(base, "sonant", "faster-whisper", "openvino-genai")
    return (
        Row(f"{level}-kokoro", f"Kokoro, without {without}", "paragraphs", spoken(weights)[:2], SPEAK, 2, 2, limit),
        Row(f"{level}-base", f"Whisper base, short clips, without {without}", "clips", told, GREEDY, 3, 6, limit),
        Row(
            f"{level}-ctc",
            f"wav2vec 2.0 base shape, 20 s, without {without}",
            "noise",
            letter,
            GREEDY,
            3,
            environment=limit,
        ),
    )
