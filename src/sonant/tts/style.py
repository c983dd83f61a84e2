"""Voices: the row rule, blends, arrays and files of the user's own, and saving a blend.

A voice is a table of 510 style vectors, one for each length of a phoneme string. **Row n - 1 is for n phonemes**, the
pads not counted (``KPipeline.infer`` of hexgrad/kokoro 0.9.4); several ports take row n. This module alone knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from sonant.errors import BadInput, UnknownName
from sonant.files import whole_file
from sonant.records import Voice
from sonant.text.languages import of_voice
from sonant.weights import voice_files

__all__ = ["VoiceLike", "blend", "parse", "read_voice", "resolve", "save_voice", "style_row"]

ROWS, WIDTH = voice_files.ROWS, 256

VoiceLike = str | Path | Voice | NDArray | Mapping[str, float]
"""A name, a blend of names ("af_bella(2)+af_sky"), a voice file, a record, an array, or weights by name."""

Load = Callable[[str], Voice]

_SUFFIXES = (".safetensors", ".pt", ".bin")
_FILE = r"[^()+,]*?\.(?:safetensors|pt|bin)(?=\s*(?:[-+,(]|$))"  # a path may hold spaces and hyphens
_TERM = re.compile(rf"\s*(?P<name>{_FILE}|[^\s()+,]+?)\s*(?:\(\s*(?P<weight>[^()]*)\s*\))?\s*(?P<joint>[-+,]|$)")


def style_row(voice: Voice, phoneme_count: int) -> NDArray[np.float32]:
    """The style of an utterance: (256,) float32 for ``phoneme_count`` symbols, 1 to 510.

    Raises:
        BadInput: no row has this length.
    """
    if not 1 <= phoneme_count <= ROWS:
        raise BadInput(f"an utterance has {phoneme_count} phonemes; allowed: 1 to {ROWS}")
    row: NDArray[np.float32] = voice.styles[phoneme_count - 1]
    return row


def parse(text: str) -> dict[str, float]:
    """Weights by voice name of a blend, as they are written: "af_bella(2)+af_sky(1)" -> {"af_bella": 2, "af_sky": 1}.

    ``+`` adds, ``-`` subtracts, ``,`` is a plain mean; a voice named twice counts twice.

    Raises:
        BadInput: it is no such expression.
    """
    weights: dict[str, float] = {}
    place, sign = 0, 1.0
    while True:
        term = _TERM.match(text, place)
        if term is None:
            raise BadInput(
                f"voice {text!r} can't be read at character {place + 1}; write a name, or a blend like "
                "af_bella(2)+af_sky(1), af_bella-af_sky(0.3), af_bella,af_sky"
            )
        weights[term["name"]] = weights.get(term["name"], 0.0) + sign * _weight(text, term["weight"])
        place = term.end()
        if not term["joint"]:
            return weights
        sign = -1.0 if term["joint"] == "-" else 1.0


def _weight(text: str, written: str | None) -> float:
    if written is None:
        return 1.0
    try:
        weight = float(written)
    except ValueError:
        weight = float("nan")
    if not 0 < weight < 1e6:
        raise BadInput(f"voice {text!r} has the weight {written!r}; allowed: a number above 0")
    return weight


def blend(weights: Mapping[str, float], load: Load, name: str | None = None) -> Voice:
    """Mix voices: the weighted sum of their tables, the weights divided by their sum so that it stays a voice.

    A negative weight moves away from that voice. The language is that of the voice with the largest weight.

    Raises:
        UnknownName: no such voice.
        BadInput: no voice is named, or the weights don't sum to more than 0.
    """
    total = sum(weights.values())
    if not weights or not np.isfinite(total) or total <= 1e-6:
        raise BadInput(f"the weights of a blend must sum to more than 0: {dict(weights)}")
    voices = {part: load(part) for part in weights}
    if len(voices) == 1:
        return next(iter(voices.values()))
    styles = sum(voices[part].styles.astype(np.float64) * (weight / total) for part, weight in weights.items())
    leader = max(weights, key=lambda part: weights[part])
    return Voice(name or _spelled(weights), np.asarray(styles, np.float32), voices[leader].language)


def _spelled(weights: Mapping[str, float]) -> str:
    parts = [f"{'-' if weight < 0 else '+'}{name}({abs(weight):g})" for name, weight in weights.items()]
    return "".join(parts).removeprefix("+")


def resolve(voice: VoiceLike, load: Load) -> Voice:
    """The table of whatever stands for a voice.

    Args:
        voice: see ``VoiceLike``. An array is (510, 256), (510, 1, 256), or one style (256,) for all lengths.
        load: gives a voice by its plain name.

    Raises:
        UnknownName: no such voice; lists the nearest.
        BadInput: an array of another shape, a blend that can't be read.
        CorruptFile: a voice file that holds no voice.
    """
    if isinstance(voice, Voice):
        return voice
    if isinstance(voice, Mapping):
        return blend(voice, load)
    if isinstance(voice, Path) or (isinstance(voice, str) and _is_file(voice)):
        return read_voice(voice)
    if isinstance(voice, str):
        if not voice.strip():
            raise BadInput("the voice's name is empty; `sonant voices` lists all")
        if re.fullmatch(r"\w+", voice):
            return load(voice)
        return blend(parse(voice), lambda part: read_voice(part) if part.endswith(_SUFFIXES) else load(part), voice)
    return Voice("custom", _table(np.asarray(voice)))


def _is_file(voice: str) -> bool:
    """Whether a string is the path of a voice file and no blend."""
    return voice.endswith(_SUFFIXES) and (Path(voice).is_file() or not re.search(r"[+(),]", voice))


def read_voice(path: str | Path) -> Voice:
    """A voice file: safetensors (ours), .pt (hexgrad's), or raw float32 (.bin).

    Its language is the one it was saved with, else that of a name of the usual spelling ("af_..."), else English.

    Raises:
        UnknownName: no such file.
        CorruptFile: it holds no table of the right shape.
    """
    path = Path(path)
    if not path.is_file():
        raise UnknownName(
            "voice file", str(path), [], "give a name that `sonant voices` lists, or a file that is there"
        )
    styles = voice_files.read_voice(path)
    saved: dict[str, str] = {}
    if path.suffix.lower() == ".safetensors":
        with safe_open(path, "np") as file:
            saved = file.metadata() or {}
    return Voice(path.stem, styles, saved.get("language") or of_voice(path.stem) or "a")


def _table(array: NDArray) -> NDArray[np.float32]:
    """An array of the caller's as (510, 256) float32."""
    shape = array.shape
    if shape in ((WIDTH,), (1, WIDTH)):
        array = np.broadcast_to(array, (ROWS, WIDTH))
    elif shape == (ROWS, 1, WIDTH):
        array = array[:, 0]
    if array.shape != (ROWS, WIDTH) or array.dtype.kind not in "fiu":
        raise BadInput(f"the voice has shape {shape} and type {array.dtype}; give ({ROWS}, {WIDTH}) float32")
    table = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(table).all():
        raise BadInput("the voice holds numbers that are not finite")
    return table


def save_voice(voice: Voice, path: str | Path) -> Path:
    """Write a voice as safetensors (tensor ``styles``), to be spoken with later by its path.

    Raises:
        BadInput: the suffix is not .safetensors.
        OutputError: it couldn't be written whole.
    """
    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        raise BadInput(f"{path.name}: voices are saved as .safetensors")
    data = save({"styles": np.ascontiguousarray(voice.styles)}, {"name": voice.name, "language": voice.language})
    with whole_file(path) as file:
        file.write(data)
    return path
