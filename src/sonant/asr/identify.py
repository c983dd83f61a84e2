"""Which language is spoken, by a classifier of the wav2vec 2.0 family (MMS-LID).

Pratap et al., "Scaling Speech Technology to 1,000+ Languages" (2023), section 5; its labels are ISO 639-3 codes.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sonant.asr.ctc_sound import SAMPLE_RATE, Sounding, blocks_of, normalise, wants_normalised
from sonant.asr.language import LanguageGuess
from sonant.engines.base import Ctc
from sonant.errors import UnreadableAudio
from sonant.text.mms_languages import candidates
from sonant.weights.checkpoint import Checkpoint

__all__ = ["LanguageIdentifier", "adapter_for"]

HEARD_S = 30.0  # of a recording's beginning; the classifiers were trained on utterances of at most that length


class LanguageIdentifier:
    """A classifier that is ready to listen."""

    def __init__(self, engine: Ctc, checkpoint: Checkpoint) -> None:
        """Hold an open engine.

        Raises:
            BadInput: the checkpoint is no classifier.
        """
        engine.config.need("classifier")
        self.engine, self.checkpoint = engine, checkpoint
        self.normalise = wants_normalised(checkpoint)

    def detect(self, audio: Sounding, heard_s: float = HEARD_S) -> LanguageGuess:
        """The language of a recording, with the probabilities of all that the classifier knows, likeliest first.

        Args:
            audio: a file, an ``Audio`` of any rate, or (N,) float32 samples at 16 kHz.
            heard_s: seconds of its beginning to hear.

        Raises:
            UnreadableAudio: there is less than one frame of sound.
        """
        wanted, held = round(heard_s * SAMPLE_RATE), []
        for block in blocks_of(audio):
            held.append(block[:wanted])
            wanted -= len(held[-1])
            if wanted <= 0:
                break
        samples = np.concatenate(held)
        field = self.engine.config.receptive_field
        if len(samples) < field:
            raise UnreadableAudio(f"the audio is shorter than one frame of {field / SAMPLE_RATE * 1000:.0f} ms")
        samples = normalise(samples) if self.normalise else samples
        chances = np.exp(self.engine.classify(samples[None], np.array([len(samples)]))[0])
        order = np.argsort(-chances, kind="stable")
        found = {self.engine.config.labels[index]: float(chances[index]) for index in order}
        best = next(iter(found))
        return LanguageGuess(best, found[best], found)


def adapter_for(guess: LanguageGuess, known: Collection[str]) -> tuple[str, float, tuple[str, ...]] | None:
    """The likeliest label that some of the ``known`` adapters are for: label, probability, adapters; None for none."""
    for label, probability in guess.probabilities.items():
        if found := candidates(label, known):
            return label, probability, found
    return None
