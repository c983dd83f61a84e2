"""Build the small wav2vec 2.0 recogniser of ours from nothing: speak the corpus, train, measure, save. One command.

    python scripts/train_commands.py OUT [--sentences 5500] [--hours 88]

Kokoro speaks sentences of ``sonant.train.domain`` in many voices, blends and speeds; four voices and all test
sentences are kept for the test alone. OUT receives the checkpoint (``model/``), the speech (``speech/``), and the
learning curve (``curve.csv``, and ``curve.png`` where matplotlib is installed). A run that was killed goes on where it
was; the checkpoint of a run that is not finished opens as well.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

import sonant
from sonant.engines import cpu
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.text.vocab import CtcVocabulary
from sonant.train.corpus import Casting, plan, speak
from sonant.train.ctc import CtcRecipe, Progress, Trainer
from sonant.train.data import Utterance
from sonant.train.domain import exercises, sentences
from sonant.train.initial import initialise

VOCABULARY = CtcVocabulary(("<pad>", "<unk>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
# Three convolutions, the first of 25 ms at 100 frames a second, which begins as a filter bank: 19 million products a
# second of sound, where the published seven layers of 512 channels take 2,400. Frames of 30 ms learn from a third more
# sound in the same time than those of 20.
CONFIG = Wav2Vec2Config(
    vocab_size=len(VOCABULARY.symbols),
    hidden_size=192,
    num_hidden_layers=6,
    num_attention_heads=3,
    intermediate_size=768,
    conv_dim=(160, 192, 192),
    conv_kernel=(400, 3, 3),
    conv_stride=(160, 1, 3),
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
    num_conv_pos_embeddings=32,
    mask_time_prob=0.08,
    mask_time_length=5,
)
# A voice of each accent and gender is never heard in training, not even in a blend.
TEST_VOICES = ("af_sarah", "am_puck", "bf_isabella", "bm_lewis")
TEST_SENTENCES, TEST_SEED, TRAINING_SEED = 160, 1, 2
LISTS = 0.45  # share of the training texts that are lists of words: the domain alone says most of its words rarely
SAVE_EVERY_S = 120.0  # of CPU time


def speech(
    folder: Path, count: int, speed: tuple[float, float], threads: int, console: Console
) -> tuple[list[Utterance], list[Utterance]]:
    """Training and test speech; what is on the disk already is kept, at whatever speed it was made."""
    names = [voice.name for voice in sonant.list_voices()]
    heard = tuple(name for name in names if name[0] in "ab" and name not in TEST_VOICES)
    guests = tuple(name for name in names if name[0] not in "ab")
    test_texts = sentences(TEST_SENTENCES, TEST_SEED)
    texts = exercises(count, TRAINING_SEED, frozenset(test_texts), LISTS)
    castings = {
        "test": (test_texts, Casting(TEST_VOICES, speed=speed, seed=TEST_SEED)),
        "train": (texts, Casting(heard, guests, blended=0.6, speed=speed, seed=TRAINING_SEED)),
    }
    found = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console) as bar:
        for name, (wanted, casting) in castings.items():
            task = bar.add_task(f"{name} speech", total=len(wanted))
            # The cheapest that the CPU has: a recogniser doesn't hear the difference.
            dtype = "int8" if cpu.detect().int8 else "auto"
            opening = partial(sonant.load_tts, "kokoro-82m", threads=threads, dtype=dtype)
            report = partial(_advance, bar, task)
            found[name] = speak(plan(wanted, casting), opening, folder / name, report)
    return found["train"], found["test"]


def _advance(bar: Bar, task: int, done: int) -> None:
    """Tell the bar how far it is."""
    bar.update(task, completed=done)  # type: ignore[arg-type]


def train(trainer: Trainer, out: Path, parts: tuple[list[Utterance], list[Utterance]], console: Console) -> None:
    """Train to the end of the recipe; the checkpoint on the disk is never older than a few minutes."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    saved = trainer.cpu_s
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("training", total=1.0)

        def report(point: Progress) -> None:
            nonlocal saved
            bar.update(task, completed=point.done, description=f"step {point.step}, loss {point.loss:.3f}")
            if point.word_error_rate is not None:
                console.print(
                    f"{time.strftime('%H:%M')} step {point.step}, {point.hours:.2f} h heard, {point.cpu_s:.0f} CPU s, "
                    f"loss {point.loss:.3f}: WER {100 * point.word_error_rate:.1f} %"
                )
            if point.word_error_rate is not None or trainer.cpu_s - saved > SAVE_EVERY_S:
                saved = trainer.cpu_s
                save(trainer, out)

        trainer.fit(*parts, report)
    save(trainer, out)


def save(trainer: Trainer, out: Path) -> None:
    """Write checkpoint, state and learning curve."""
    trainer.save(out / "model")
    trainer.save_state(out / "state.pt")
    with (out / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Progress)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(point) for point in trainer.curve)


def plot(curve: Sequence[Progress], path: Path) -> None:
    """Loss and word error rate over the steps."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, left = plt.subplots(figsize=(7, 4))
    left.semilogy([point.step for point in curve], [point.loss for point in curve], color="#34495e")
    left.set_xlabel("step")
    left.set_ylabel("loss a frame")
    measured = [(point.step, 100 * point.word_error_rate) for point in curve if point.word_error_rate is not None]
    right = left.twinx()
    right.plot([step for step, _ in measured], [rate for _, rate in measured], "o-", color="#c0392b")
    right.set_ylabel("WER %, held-out voices and sentences", color="#c0392b")
    right.set_ylim(0)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Speak, train, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--sentences", type=int, default=5500, help="to train on")
    parser.add_argument("--hours", type=float, default=88.0, help="of sound to hear in training")
    parser.add_argument("--speed", type=float, nargs=2, default=Casting(()).speed, help="slowest and fastest speech")
    parser.add_argument("--threads", type=int, default=CtcRecipe.threads, help="CPU threads")
    chosen = parser.parse_args()
    console = Console(stderr=True)
    training, test = speech(chosen.out / "speech", chosen.sentences, tuple(chosen.speed), chosen.threads, console)
    hours = sum(utterance.duration_s for utterance in training) / 3600
    console.print(f"{len(training)} sentences, {hours:.2f} h of speech; test: {len(test)} sentences")

    recipe = CtcRecipe(hours=chosen.hours, threads=chosen.threads)
    net = initialise(CONFIG, recipe.seed)
    phones = sorted({symbol for utterance in training for symbol, _, _ in utterance.phones})
    trainer = Trainer(net, VOCABULARY, recipe, phones)
    if (chosen.out / "state.pt").exists():
        trainer.load_state(chosen.out / "state.pt")
    console.print(f"{sum(parameter.numel() for parameter in net.parameters()) / 1e6:.2f} M parameters")
    train(trainer, chosen.out, (training, test), console)
    if find_spec("matplotlib"):
        plot(trainer.curve, chosen.out / "curve.png")
    print(f"WER on held-out sentences and voices: {100 * (trainer.curve[-1].word_error_rate or 0):.2f} %")


if __name__ == "__main__":
    main()
