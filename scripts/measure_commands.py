"""Measure the small recogniser of ours on held-out sentences said by held-out voices.

    python scripts/measure_commands.py MODEL SPEECH [--clips FOLDER]

MODEL is the checkpoint folder, SPEECH the folder ``speech/test`` that ``train_commands.py`` made. Prints word error
rates (greedy, beam with a language model of the domain, live, in noise) and the error of aligned word times against
the synthesiser's own. ``--clips`` also writes some of the recordings as small files for the tests.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import sonant
from sonant.asr.ctc import CtcRecognizer
from sonant.asr.ctc_stream import CtcStream, StreamOptions
from sonant.audio import io
from sonant.decode.ngram import estimate
from sonant.records import Audio, Word
from sonant.text.evaluation import word_errors
from sonant.train.data import DRY, SAMPLE_RATE, Utterance, read_manifest, write_manifest
from sonant.train.domain import exercises

BLOCK = 1600  # samples that a live stream is fed at a time
CLIPS_A_VOICE = 6


def error_rate(utterances: Sequence[Utterance], hear: Callable[[Utterance], str]) -> float:
    """Share of words wrong."""
    wrong = sum(word_errors(utterance.text, hear(utterance)) for utterance in utterances)
    return wrong / sum(len(utterance.text.split()) for utterance in utterances)


def live(asr: CtcRecognizer, utterance: Utterance, options: StreamOptions) -> str:
    """What a live stream makes of it."""
    samples = io.read(utterance.audio, SAMPLE_RATE).samples
    stream = CtcStream(asr, options)
    updates = stream.run(samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK))
    return " ".join(word.text.strip() for update in updates for word in update.committed)


def noisy(utterance: Utterance, ratio_db: float) -> Audio:
    """The recording in noise of this signal-to-noise ratio, the same at every call."""
    samples = io.read(utterance.audio, SAMPLE_RATE).samples
    augment = replace(DRY, noise_db=(ratio_db, ratio_db), noise_share=1.0)
    return Audio(augment(samples, np.random.default_rng(len(samples)))[0], SAMPLE_RATE)


def time_errors_ms(asr: CtcRecognizer, utterances: Sequence[Utterance]) -> tuple[list[float], list[float]]:
    """Errors of the starts and of the ends of all words, in milliseconds, absolute."""
    starts, ends = [], []
    for utterance in utterances:
        words: list[Word] = [word for one in asr.align(utterance.audio, utterance.text).segments for word in one.words]
        for word, (_, start_s, end_s) in zip(words, utterance.words, strict=True):
            starts.append(1000 * abs(word.start_s - start_s))
            ends.append(1000 * abs(word.end_s - end_s))
    return starts, ends


def write_clips(utterances: Sequence[Utterance], folder: Path) -> None:
    """The first recordings of each voice that have word times, as Ogg Vorbis, with their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for voice in sorted({utterance.voice for utterance in utterances}):
        own = [utterance for utterance in utterances if utterance.voice == voice and utterance.words]
        for number, utterance in enumerate(own[:CLIPS_A_VOICE]):
            path = io.write(folder / f"{voice}-{number}.ogg", io.read(utterance.audio, SAMPLE_RATE))
            kept.append(replace(utterance, audio=path))
    write_manifest(folder / "manifest.jsonl", kept)


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("speech", type=Path)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--clips", type=Path)
    chosen = parser.parse_args()
    utterances = read_manifest(chosen.speech / "manifest.jsonl")
    asr = sonant.load_asr(chosen.model, engine=chosen.engine, dtype="float32")
    texts = frozenset(utterance.text for utterance in utterances)
    model = estimate((text.split() for text in exercises(20_000, 9, texts)), 3)

    words = sum(len(text.split()) for text in texts)
    voices = len({utterance.voice for utterance in utterances})
    print(f"{len(utterances)} sentences, {words} words, {voices} voices; {asr.engine.description}")
    figures = {
        "greedy": lambda one: asr.transcribe(one.audio).text,
        "beam and language model": lambda one: asr.transcribe(one.audio, beam_size=24, language_model=model).text,
        "live, 0.48 s delay": lambda one: live(asr, one, StreamOptions()),
        "noise 10 dB": lambda one: asr.transcribe(noisy(one, 10.0)).text,
    }
    for name, hear in figures.items():
        print(f"WER {name}: {100 * error_rate(utterances, hear):.2f} %", flush=True)
    starts, ends = time_errors_ms(asr, [utterance for utterance in utterances if utterance.words])
    for name, errors in (("start", starts), ("end", ends), ("both", starts + ends)):
        print(
            f"alignment, {name} of {len(starts)} words: median {np.median(errors):.0f} ms, "
            f"90 % within {np.quantile(errors, 0.9):.0f} ms"
        )
    if chosen.clips:
        write_clips(utterances, chosen.clips)


if __name__ == "__main__":
    main()
