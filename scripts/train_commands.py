"""Build the small wav2vec 2.0 recogniser of ours from nothing: speak the corpus, train, measure, save. One command.

    python scripts/train_commands.py OUT [--minutes 30] [--sentences 2400]

Kokoro speaks sentences of ``sonant.train.domain`` in many voices and speeds; some voices and all test sentences are
kept for the test alone. OUT receives the checkpoint (``model/``), the speech (``speech/``), and the learning curve.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import Progress as Bar
from rich.progress import TimeRemainingColumn

import sonant
from sonant.audio import io
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.text.vocab import CtcVocabulary
from sonant.train.ctc import CtcRecipe, Progress, Trainer, initialise
from sonant.train.data import Utterance, read_manifest, write_manifest
from sonant.train.domain import sentences

VOCABULARY = CtcVocabulary(("<pad>", "<unk>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
CONFIG = Wav2Vec2Config(
    vocab_size=len(VOCABULARY.symbols),
    hidden_size=192,
    num_hidden_layers=6,
    num_attention_heads=6,
    intermediate_size=768,
    conv_dim=(64, 64, 96, 96, 128, 128, 160),
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
    num_conv_pos_embeddings=64,
    mask_time_prob=0.08,
)
# A voice of each accent and gender is never heard in training.
TEST_VOICES = ("af_nicole", "am_puck", "bf_isabella", "bm_lewis")
TEST_SENTENCES, TEST_SEED, TRAINING_SEED = 160, 1, 2
BATCH = 8  # sentences spoken in one call


def speak(texts: Sequence[str], voices: Sequence[str], folder: Path, seed: int, label: str) -> list[Utterance]:
    """Speak each text once, voices in turn; a folder that is complete already is read back."""
    manifest = folder / "manifest.jsonl"
    if manifest.exists():
        return read_manifest(manifest)
    folder.mkdir(parents=True, exist_ok=True)
    tts = sonant.load_tts("kokoro-82m")
    random = np.random.default_rng(seed)
    found = []
    with Bar(*Bar.get_default_columns(), TimeRemainingColumn()) as bar:
        task = bar.add_task(label, total=len(texts))
        for first in range(0, len(texts), BATCH):
            batch = texts[first : first + BATCH]
            voice = voices[first // BATCH % len(voices)]
            speed = float(random.uniform(0.8, 1.25))
            spoken = tts.speak_batch([text.lower() + "." for text in batch], voice, speed=speed, seed=seed + first)
            for number, (text, speech) in enumerate(zip(batch, spoken, strict=True), first):
                path = folder / f"{number:05}.flac"
                io.write(path, speech.audio, sample_rate=16_000)
                words = tuple((word.text.strip(".").upper(), word.start_s, word.end_s) for word in speech.words)
                known = words if " ".join(word for word, _, _ in words) == text else ()
                found.append(Utterance(path, text, speech.audio.duration_s, known, voice))
            bar.advance(task, len(batch))
    write_manifest(manifest, found)
    return found


def plot(curve: Sequence[Progress], path: Path) -> None:
    """Loss and word error rate over the steps."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, left = plt.subplots(figsize=(7, 4))
    left.semilogy([point.step for point in curve], [point.loss for point in curve], color="#34495e")
    left.set_xlabel("step")
    left.set_ylabel("loss a frame")
    measured = [point for point in curve if point.word_error_rate is not None]
    right = left.twinx()
    right.plot([p.step for p in measured], [100 * p.word_error_rate for p in measured], "o-", color="#c0392b")
    right.set_ylabel("WER %, held-out voices and sentences", color="#c0392b")
    right.set_ylim(0)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Speak, train, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=CtcRecipe.minutes, help="of training")
    parser.add_argument("--sentences", type=int, default=2400, help="to train on")
    chosen = parser.parse_args()
    english = [voice.name for voice in sonant.list_voices() if voice.name[0] in "ab"]
    training_voices = [voice for voice in english if voice not in TEST_VOICES]
    test_texts = sentences(TEST_SENTENCES, TEST_SEED)
    training_texts = sentences(chosen.sentences, TRAINING_SEED, frozenset(test_texts))
    test = speak(test_texts, TEST_VOICES, chosen.out / "speech" / "test", TEST_SEED, "test speech")
    training = speak(training_texts, training_voices, chosen.out / "speech" / "train", TRAINING_SEED, "training speech")
    hours = sum(utterance.duration_s for utterance in training) / 3600
    print(f"{len(training)} sentences, {hours:.2f} h, {len(training_voices)} voices; test: {len(test)} sentences")

    recipe = CtcRecipe(minutes=chosen.minutes)
    net = initialise(CONFIG, recipe.seed)
    trainer = Trainer(net, VOCABULARY, recipe)
    print(f"{sum(parameter.numel() for parameter in net.parameters()) / 1e6:.2f} M parameters")
    with Bar(*Bar.get_default_columns(), TimeRemainingColumn()) as bar:
        task = bar.add_task("training", total=1.0)

        def report(point: Progress) -> None:
            bar.update(task, completed=point.done, description=f"step {point.step}, loss {point.loss:.3f}")
            if point.word_error_rate is not None:
                bar.console.print(f"step {point.step}: WER {100 * point.word_error_rate:.1f} %")

        curve = trainer.fit(training, test, report)
    trainer.save(chosen.out / "model")
    with (chosen.out / "curve.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["done", "step", "loss", "word_error_rate"])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(point) for point in curve)
    plot(curve, chosen.out / "curve.png")
    print(f"WER on held-out sentences and voices: {100 * curve[-1].word_error_rate:.2f} %")
    sys.exit(0 if curve[-1].word_error_rate < 0.10 else 1)


if __name__ == "__main__":
    main()
