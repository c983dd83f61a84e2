"""Speak a paragraph, hear it again, compare: the whole of sonant in one run. ``make demo`` calls it.

python examples/demo.py OUT_FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import sonant
from sonant.errors import SonantError
from sonant.text.evaluation import word_error_rate

PARAGRAPH = (
    "The old lighthouse keeper climbed the winding stairs every evening before sunset. "
    "He trimmed the lamp, wiped the glass, and wrote a short note about the weather in his book. "
    "On clear nights, he could see the harbor lights many miles away, and he never felt alone."
)


def progress(label: str, done: int, total: int) -> None:
    """One line on stderr that rewrites itself on a terminal; elsewhere a line when something is complete."""
    whole = total > 0 and done >= total
    if sys.stderr.isatty():
        share = f"{100 * done / total:3.0f} %" if total else f"{done / 1e6:.0f} MB"
        print(f"\r{label[:60]:60} {share}", end="\n" if whole else "", file=sys.stderr, flush=True)
    elif whole:
        print(label, file=sys.stderr)


def main(folder: Path) -> int:
    """Run the demo into a folder; the exit status says whether what was heard is what was said."""
    folder.mkdir(parents=True, exist_ok=True)
    tts = sonant.load_tts("kokoro-82m", progress=progress)
    asr = sonant.load_asr("whisper-base", progress=progress)

    started = time.perf_counter()
    speech = tts.speak(PARAGRAPH, voice="af_heart")
    speaking_s = time.perf_counter() - started
    speech.save(folder / "demo.wav")

    started = time.perf_counter()
    transcript = asr.transcribe(folder / "demo.wav", language="en")
    hearing_s = time.perf_counter() - started
    for suffix in ("txt", "srt", "json"):
        transcript.save(folder / f"demo.{suffix}")

    error_rate = word_error_rate(PARAGRAPH, transcript.text)
    duration_s = speech.audio.duration_s
    print(f"said:   {PARAGRAPH}")
    print(f"heard:  {transcript.text}")
    print(f"word error rate: {100 * error_rate:.1f} %")
    print(f"speaking: {duration_s:.1f} s of sound in {speaking_s:.2f} s, {duration_s / speaking_s:.1f} x real time")
    print(f"hearing:  {duration_s:.1f} s of sound in {hearing_s:.2f} s, {duration_s / hearing_s:.1f} x real time")
    print(f"files: {', '.join(str(folder / f'demo.{suffix}') for suffix in ('wav', 'txt', 'srt', 'json'))}")
    return 0 if error_rate == 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "out")))
    except SonantError as error:
        sys.exit(f"demo: {error}")
