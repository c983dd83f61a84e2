"""Delays and revisions of live words, as each policy gives them on any machine.

    python benchmarks/live.py                      the spoken corpus of benchmarks/words.py, English
    python benchmarks/live.py FILE ... --language fr

Hearing is counted as if it took no time (``sonant listen --simulate FILE --instant`` does the same): the lag is the
sound between a word's end and its commit. Errors are of the committed words against the words of the whole recording
heard at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import sonant
from sonant.asr.live import LiveOptions
from sonant.asr.pipeline import Recognizer
from sonant.asr.simulate import SimulateOptions, simulate
from sonant.audio import io
from sonant.text.evaluation import word_errors

RATE = 16_000


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=sorted(Path("build/bench/words").glob("[ab]*.wav")))
    parser.add_argument("--language", default="en")
    parser.add_argument("--models", nargs="+", default=["whisper-tiny.en", "whisper-base"])
    arguments = parser.parse_args()
    print("| model | policy | mean lag | 95 % | revised of shown | errors of words |\n|---|---|---|---|---|---|")
    for model in arguments.models:
        asr = sonant.load_asr(model, threads=2)
        if not isinstance(asr, Recognizer):
            parser.error(f"{model} is no Whisper model")
        wholes = [asr.transcribe(path, language=arguments.language).text for path in arguments.files]
        for policy in ("local-agreement", "align-att"):
            lags, shown, revised, wrong, count = list[float](), 0, 0, 0, 0
            for path, whole in zip(arguments.files, wholes, strict=True):
                live = LiveOptions(language=arguments.language, policy=policy)
                result = simulate(asr, io.read(path, RATE).samples, live, SimulateOptions(instant=True))
                lags += [word.lag_s for word in result.words]
                shown, revised = shown + result.shown, revised + result.revised
                wrong += word_errors(whole, " ".join(one.word.text for one in result.words))
                count += len(whole.split())
            late = np.percentile(lags, 95)
            rates = f"{revised / shown:.1%} | {wrong / count:.1%}"
            print(f"| {model} | {policy} | {np.mean(lags):.2f} s | {late:.2f} s | {rates} |", flush=True)


if __name__ == "__main__":
    main()
