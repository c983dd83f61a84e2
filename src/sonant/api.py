"""The public functions: resolve a name, open an engine, hand both to the flow. CLI and server call only this."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonant.doctor import Doctor, examine
from sonant.engines.base import EngineOptions
from sonant.engines.choose import check, open_engine
from sonant.errors import BadInput
from sonant.records import Audio, LanguageRow, Speech, Transcript
from sonant.text import languages as spoken
from sonant.weights import catalog, store, voices
from sonant.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from sonant.asr.ctc import CtcRecognizer, Features, Units
    from sonant.asr.datasets import DatasetOptions, Item
    from sonant.asr.identify import LanguageIdentifier
    from sonant.asr.pipeline import Recognizer
    from sonant.tts.pipeline import Speaker

__all__ = [
    "align",
    "doctor",
    "family",
    "features",
    "fetch",
    "list_languages",
    "list_models",
    "list_voices",
    "load_asr",
    "load_ctc",
    "load_tts",
    "path",
    "realign",
    "speak",
    "transcribe",
    "transcribe_dataset",
    "units",
    "verify",
]

IDENTIFIER = "mms-lid-126"  # the published classifier with the fewest languages: the surest on those
Progress = Callable[[str, int, int], None]  # label, done, total (bytes)


def load_tts(
    model: str | Path = "kokoro-82m",
    *,
    engine: str = "auto",
    device: str = "auto",
    dtype: str = "auto",
    threads: int = 0,
    progress: Progress | None = None,
) -> Speaker:
    """Open a speech synthesiser.

    Args:
        model: catalog id or alias, or a folder that holds a Kokoro checkpoint.
        engine: "auto", "openvino", "onnxruntime", "torch" or "fake".
        device: "auto", "cpu", "cuda" or "mps".
        dtype: "auto", "float32", "bfloat16", "float16", "int16" or "int8".
        threads: CPU threads, 0 for the runtime's choice.
        progress: called with (label, bytes done, bytes in all) while weights are fetched.

    Raises:
        UnknownName: no such model, or no such engine; the engine and dtype are checked before anything is fetched.
        MissingExtra: the engine isn't installed.
        ModelFileMissing: its files can't be had.
        BadInput: it is no synthesiser, or the engine has no such dtype for speech; int8 needs openvino, kokoro-82m's
            own weights and a CPU with VNNI.
    """
    options = EngineOptions(engine, device, dtype, threads)
    checkpoint = _resolve(model, ("kokoro",), options, progress)
    opened = open_engine(checkpoint, options)
    from sonant.tts.pipeline import Speaker  # while weights are packed

    return Speaker(opened, checkpoint, partial(voices.load, checkpoint))


def load_asr(
    model: str | Path = "whisper-base",
    *,
    engine: str = "auto",
    device: str = "auto",
    dtype: str = "auto",
    threads: int = 0,
    progress: Progress | None = None,
    identifier: str | Path | None = IDENTIFIER,
) -> Recognizer | CtcRecognizer:
    """Open a speech recogniser of the Whisper or the wav2vec 2.0 family.

    The arguments are those of ``load_tts``, and ``identifier``: of a model with language adapters, what tells the
    language when ``language="auto"`` is asked for: a classifier of the wav2vec 2.0 family, opened then; None switches
    "auto" off.
    """
    options = EngineOptions(engine, device, dtype, threads)
    checkpoint = _resolve(model, ("whisper", "wav2vec2"), options, progress)
    opened = open_engine(checkpoint, options)
    if checkpoint.family == "whisper":
        from sonant.asr.pipeline import Recognizer

        return Recognizer(opened, checkpoint)
    from sonant.asr.ctc import CtcRecognizer

    opener = None if identifier is None else partial(_identifier, identifier, options, progress)
    return CtcRecognizer(opened, checkpoint, opener)


def load_ctc(model: str | Path, **opening: Any) -> CtcRecognizer:
    """Open a recogniser of the wav2vec 2.0 family; the arguments are those of ``load_asr``.

    Raises:
        BadInput: the model is of another family.
    """
    from sonant.asr.ctc import CtcRecognizer

    if family(model) != "wav2vec2":
        raise BadInput(f"{model} is no CTC model; this needs one of the wav2vec 2.0 family")
    recognizer = load_asr(model, **opening)
    assert isinstance(recognizer, CtcRecognizer)
    return recognizer


def speak(text: str, voice: str = "af_heart", *, model: str | Path = "kokoro-82m", **options: Any) -> Speech:
    """Say a text once. To say several, keep what ``load_tts`` returns."""
    return load_tts(model).speak(text, voice, **options)


def transcribe(
    audio: str | Path | Audio, *, model: str | Path = "whisper-base", align: str | Path | None = None, **options: Any
) -> Transcript:
    """Write down one recording. For several, keep what ``load_asr`` returns.

    Args:
        audio: the recording.
        model: catalog id or alias, or a folder.
        align: a CTC model that gives words and characters their times; see ``realign``.
        **options: of the model's kind: ``TranscribeOptions`` or ``CtcOptions``.
    """
    transcript = load_asr(model).transcribe(audio, **options)
    return transcript if align is None else realign(transcript, audio, model=align)


def transcribe_dataset(
    source: str | Path,
    *,
    model: str | Path = "whisper-base",
    dataset: DatasetOptions | None = None,
    **options: Any,
) -> Iterator[tuple[Item, Transcript]]:
    """Write down a dataset, one recording after the other; CTC models hear several at a time.

    Args:
        source: a folder, a manifest, or "hf:owner/name"; see ``sonant.asr.datasets.open_dataset``.
        model: catalog id or alias, or a folder.
        dataset: which part, and what its columns are called.
        **options: of the model's kind: ``TranscribeOptions`` or ``CtcOptions``. A language named here is taken for all;
            else each recording's own, where the dataset names it.

    Raises:
        BadInput: no such dataset; UnreadableAudio: a recording that can't be decoded ends the run (``sonant transcribe
            --dataset`` goes on).
    """
    from sonant.asr.ctc import CtcRecognizer
    from sonant.asr.datasets import open_dataset

    items, recognizer = open_dataset(source, dataset), load_asr(model)
    fixed = options.pop("language", None)
    if not isinstance(recognizer, CtcRecognizer):
        for item in items:
            yield item, recognizer.transcribe(item.sound(), language=fixed or item.language, **options)
        return
    drawn: deque[Item] = deque()

    def draw() -> Iterator[tuple[Path | Audio, str | None]]:
        for item in items:
            drawn.append(item)
            yield item.sound(), fixed or item.language

    sounds, languages = (map(itemgetter(part), copy) for part, copy in enumerate(itertools.tee(draw())))
    for transcript in recognizer.transcribe_many(sounds, languages=languages, **options):
        yield drawn.popleft(), transcript


def realign(
    transcript: Transcript, audio: str | Path | Audio, *, model: str | Path = "wav2vec2-base-960h", **opening: Any
) -> Transcript:
    """The transcript with the word times that a CTC model hears; see ``sonant.asr.realign``.

    Raises:
        BadInput: the model is no CTC model, or doesn't know the language.
    """
    from sonant.asr.realign import realign as place

    return place(transcript, audio, load_ctc(model, **opening))


def align(
    audio: str | Path | Audio,
    text: str,
    *,
    model: str | Path = "wav2vec2-base-960h",
    language: str | None = None,
    **opening: Any,
) -> Transcript:
    """Give each word of a known text its time, with a CTC model.

    Args:
        audio: the recording.
        text: what is said in it; each line becomes a segment.
        model: a checkpoint of the wav2vec 2.0 family.
        language: of the text. One of the nine that sonant speaks has its numbers and symbols written out first;
            checkpoints with adapters take it as their adapter.
        **opening: engine, device, dtype, threads, progress, as for ``load_asr``.

    Raises:
        UnspeakableText: no letter in the text.
        BadInput: the audio is too short for the text, or the model is no CTC model.
    """
    from sonant.asr.realign import iso_of, normaliser_for

    recognizer = load_ctc(model, **opening)
    return recognizer.align(audio, text, language=iso_of(language), normaliser=normaliser_for(language))


def features(
    audio: str | Path | Audio,
    layers: int | Sequence[int] = -1,
    *,
    model: str | Path = "wav2vec2-base-960h",
    **opening: Any,
) -> Features:
    """Hidden states of a recording; see ``CtcRecognizer.features``, and ``load_asr`` for what ``opening`` takes."""
    return load_ctc(model, **opening).features(audio, layers)


def units(audio: str | Path | Audio, *, model: str | Path, **opening: Any) -> Units:
    """Discrete units of a recording, with a pretraining checkpoint; see ``CtcRecognizer.units``."""
    return load_ctc(model, **opening).units(audio)


def family(model: str | Path) -> str:
    """What a model is, without fetching it: "whisper", "wav2vec2" or "kokoro".

    Raises:
        UnknownName: no such model.
        UnsupportedCheckpoint: a folder that holds none of them.
    """
    is_name = isinstance(model, str) and not Path(model).expanduser().exists() and not store.looks_like_path(model)
    return catalog.find(str(model)).family if is_name else store.resolve(model).family


def list_models() -> tuple[catalog.Row, ...]:
    """Every checkpoint of the catalog."""
    return catalog.rows()


def list_languages(model: str | Path = "whisper-base") -> tuple[LanguageRow, ...]:
    """Every language of a model, nothing fetched; for a synthesiser those of its voices.

    Raises:
        UnknownName: no such model.
    """
    from sonant.asr.model_languages import languages_of

    if family(model) == "kokoro":
        return tuple(LanguageRow(row.code, row.name, (row.tag, *row.aliases)) for row in spoken.LANGUAGES.values())
    is_name = isinstance(model, str) and not Path(model).expanduser().exists() and not store.looks_like_path(model)
    return languages_of(catalog.find(str(model)) if is_name else store.resolve(model))


def list_voices(model: str = "kokoro-82m") -> tuple[catalog.VoiceRow, ...]:
    """Every voice of a synthesiser, with language, gender and grade."""
    return catalog.find(model).voices


def fetch(model: str, progress: Progress | None = None) -> Checkpoint:
    """Bring a model into the cache, verified; nothing happens when it is there."""
    return store.resolve(model, progress=progress)


def verify(model: str) -> None:
    """Hash a cached model's files again.

    Raises:
        CorruptFile: names the file that differs.
    """
    store.verify(model)


def path(model: str) -> Path:
    """Folder of a cached model.

    Raises:
        ModelFileMissing: it has not been fetched yet.
    """
    return store.resolve(model, offline=True).folder


def doctor() -> Doctor:
    """What this machine has, what would be chosen, and why."""
    return examine()


def _identifier(model: str | Path, options: EngineOptions, progress: Progress | None) -> LanguageIdentifier:
    """What tells a language, opened."""
    from sonant.asr.identify import LanguageIdentifier

    checkpoint = _resolve(model, ("wav2vec2",), options, progress)
    return LanguageIdentifier(open_engine(checkpoint, options), checkpoint)


def _resolve(
    model: str | Path, families: tuple[str, ...], options: EngineOptions, progress: Progress | None
) -> Checkpoint:
    """The checkpoint of a name or folder, checked to be of a wanted family; the fake engine needs no files."""
    check(options, families)
    if options.engine == "fake" and not Path(model).is_dir():
        return Checkpoint(f"fake-{families[0]}", families[0], Path(), (), {})
    checkpoint = store.resolve(model, progress=progress)
    if checkpoint.family not in families:
        raise BadInput(f"{checkpoint.id} is a {checkpoint.family} model; this task needs {' or '.join(families)}")
    return checkpoint
