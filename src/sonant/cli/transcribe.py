"""``sonant transcribe``: recordings in, text out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from sonant.asr.datasets import DatasetOptions, Score, open_dataset
from sonant.asr.writers.options import CaptionOptions
from sonant.cli.ending import BAD_INPUT, fail, guarded, warn
from sonant.cli.engine_flags import Device, Dtype, Engine, Threads
from sonant.cli.fields import changed_by_flags, descriptions
from sonant.cli.hearing import Ear, Orders, Outcome, outcomes
from sonant.cli.progress import Bars
from sonant.cli.recordings import Recording, recordings
from sonant.decode.ctc_options import CtcOptions
from sonant.decode.options import TranscribeOptions
from sonant.errors import BadInput, SonantError, UnknownName
from sonant.files import write_text

__all__ = ["transcribe"]

SHARED = ("language", "batch_size", "beam_size", "hotwords")  # flags that both families of models have
DATASET_HELP = {name: f"With --dataset: {text}" for name, (text, _) in descriptions(DatasetOptions).items()}
CTC_HELP = {name: f"CTC models: {text}" for name, (text, _) in descriptions(CtcOptions).items() if name not in SHARED}


@changed_by_flags("heard", TranscribeOptions)
@changed_by_flags("heard_ctc", CtcOptions, skip=SHARED, types_of={"language_model": str | None}, help_of=CTC_HELP)
@changed_by_flags("part", DatasetOptions, help_of=DATASET_HELP)
@changed_by_flags("layout", CaptionOptions)
@guarded
def transcribe(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Recordings, folders (with --recursive), or - for standard input.", metavar="FILE..."),
    ] = None,
    model: Annotated[str, typer.Option(help="Id of the catalog, or a folder.", metavar="MODEL")] = "whisper-base",
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="txt srt vtt tsv csv json jsonl ass lrc aud; several with commas.",
            metavar="NAME,...",
        ),
    ] = "txt",
    out_dir: Annotated[
        Path | None,
        typer.Option(help="Folder to write into; without it the text goes to standard output.", metavar="DIR"),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Take the recordings of folders inside folders.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave out recordings whose results are in --out-dir already.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Tell on standard error what became of each window of sound.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Recordings heard at once, each in a process.", metavar="N", min=1)] = 1,
    align: Annotated[
        str,
        typer.Option(help="CTC model that gives each word and character its time, of Whisper's too.", metavar="MODEL"),
    ] = "",
    identifier: Annotated[
        str,
        typer.Option(help="CTC models: what --language auto asks; an MMS-LID model or a folder.", metavar="MODEL"),
    ] = "",
    dataset: Annotated[
        str,
        typer.Option(
            help="Instead of files: a folder, a .csv, .tsv or .jsonl manifest, or hf:owner/name, streamed; with "
            "references, WER and CER are told at the end.",
            metavar="SOURCE",
        ),
    ] = "",
    engine: Engine = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    threads: Threads = 0,
    *,
    layout: dict[str, Any],
    part: dict[str, Any],
    heard_ctc: dict[str, Any],
    heard: dict[str, Any],
) -> None:
    """Write down recordings: sonant transcribe talk.mp3 --format srt --out-dir captions."""
    from sonant import api

    names = _formats(formats)
    if out_dir is None and (len(names) > 1 or resume):
        raise typer.BadParameter("several formats and --resume need --out-dir DIR")
    captions = CaptionOptions().changed(**layout)
    heard |= heard_ctc
    if align and api.family(align) != "wav2vec2":
        raise BadInput(f"--align {align}: this is no CTC model; give one of the wav2vec 2.0 family")
    options = CtcOptions() if api.family(model) == "wav2vec2" else TranscribeOptions()
    options.changed(**heard)  # a wrong value is told before a model is fetched
    if bool(files) == bool(dataset):
        raise typer.BadParameter("give recordings, or --dataset SOURCE")
    if part and not dataset:
        raise typer.BadParameter(f"--{next(iter(part)).replace('_', '-')} needs --dataset SOURCE")
    found = _items(dataset, part) if dataset else recordings(files or [], recursive)
    kept = (item for item in found if not (resume and _is_written(item, names, out_dir)))
    todo: Iterable[Recording] = kept if dataset else list(kept)
    count = 0 if dataset else len(list(todo))
    opened: dict[str, Any] = {"engine": engine, "device": device, "dtype": dtype, "threads": threads}
    if identifier:
        opened["identifier"] = identifier
    failed, score = 0, Score()
    with Bars() as bars:
        ear = Ear(Orders(model, opened, heard, names, captions, align), bars.fetching)
        for number, outcome in enumerate(outcomes(ear, todo, min(jobs, count or jobs), bars.hearing), 1):
            bars.hide()
            failed += not _deliver(outcome, out_dir, report)
            said = outcome.item.item.text if outcome.item.item else None
            if said is not None and not outcome.error:
                score.add(said, outcome.heard)
            if count > 1 or dataset:
                bars.counting(number, count or None)
    if score.recordings:
        left_out = f", {failed} left out because of errors" if failed else ""
        counts = f"{score.word_errors} of {score.words} words, {score.recordings} recordings{left_out}"
        print(f"WER {score.wer:.2%}, CER {score.cer:.2%} ({counts})", file=sys.stdout if out_dir else sys.stderr)
    if failed:
        raise typer.Exit(BAD_INPUT)


def _items(dataset: str, part: dict[str, Any]) -> Iterator[Recording]:
    """The recordings of a dataset, drawn as they are heard."""
    for item in open_dataset(dataset, DatasetOptions(**part)):
        yield Recording(str(item.audio) if isinstance(item.audio, Path) else item.name, Path(item.name), item)


def _formats(text: str) -> tuple[str, ...]:
    from sonant.asr.writers import FORMATS

    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names or ("",):
        if name not in FORMATS:
            raise typer.BadParameter(str(UnknownName("format", name, FORMATS)), param_hint="'--format'")
    return names


def _is_written(item: Recording, names: tuple[str, ...], out_dir: Path | None) -> bool:
    assert out_dir is not None  # checked before
    return all((out_dir / f"{item.stem}.{name}").is_file() for name in names)


def _deliver(outcome: Outcome, out_dir: Path | None, report: bool) -> bool:
    """Results to files or standard output, the rest to standard error; whether all went well."""
    item, error = outcome.item, outcome.error
    try:
        for name, text in outcome.texts.items():
            if out_dir is None:
                print(text, end="", flush=True)
                continue
            target = out_dir / f"{item.stem}.{name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, text)
    except BrokenPipeError:
        raise
    except (SonantError, OSError) as found:
        error = str(found)
    if error:  # one bad recording doesn't stop the others
        fail(error if item.source in error else f"{item.source}: {error}")
    warn(f"{item.label}: {line}" for line in outcome.warnings)
    if report and not error:
        print("\n".join(f"{item.label}: {line}" for line in outcome.report), file=sys.stderr)
    return not error
