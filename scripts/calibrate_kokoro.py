"""Measure how loud the inputs of the vocoder's convolutions become: src/sonant/models/kokoro/int8_ranges.json.

    .venv-dev/bin/python scripts/calibrate_kokoro.py        # minutes

The decoder runs in float32 for a dozen sentences, each with another voice, at speeds from 0.8 to 1.3. Kept are the
smallest and largest number of every channel and a sample of columns, to which the ranges are fitted
(``models.kokoro.ranges.fit``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonant.engines.base import EngineOptions
from sonant.engines.engine_openvino import runtime, synth_graphs
from sonant.engines.engine_openvino.convolutions import convolutions
from sonant.engines.synth_graph import Run, open_graphs, stored_tensors
from sonant.models.kokoro import ranges
from sonant.models.kokoro.form import Form
from sonant.tts.pipeline import Speaker
from sonant.weights import store, voices
from sonant.weights.checkpoint import Checkpoint
from sonant.weights.tensors import Tensor

FILE = Path(ranges.__file__).parent / ranges.FILE
LAYERS = re.compile(r"decoder\.generator\.(resblocks|noise_res)\.")
SAID = (
    ("af_heart", 1.0, "The old lighthouse keeper climbed the stairs slowly."),
    ("am_michael", 1.1, "How many times have I told you not to do that?"),
    ("bm_george", 0.9, "Prices fell by 3.5 percent in March, didn't they?"),
    ("bf_emma", 1.0, "Wow, what a beautiful garden you have here!"),
    ("af_bella", 1.3, "She whispered something, then quietly closed the door."),
    ("am_adam", 0.8, "Fresh bread, a bit of cheese and some soup."),
    ("ff_siwis", 1.0, "The judge will hear both sides before noon."),
    ("zf_xiaobei", 1.0, "Nobody knew why the music stopped so early."),
    ("jm_kumo", 1.0, "Six ships sailed past the harbour this morning."),
    ("hf_alpha", 1.2, "Thank you, that is all I wanted to ask."),
    ("im_nicola", 1.0, "Zebras, giraffes and a very angry ostrich!"),
    ("pf_dora", 0.9, "No, we shall be there on the twenty-first."),
)
COLUMNS = 100  # sampled of each layer and call

Floats = NDArray[np.float32]


class Heard:
    """What went into each layer so far."""

    def __init__(self) -> None:
        self.lowest: dict[str, list[Floats]] = defaultdict(list)
        self.highest: dict[str, list[Floats]] = defaultdict(list)
        self.sampled: dict[str, list[Floats]] = defaultdict(list)
        self.random = np.random.default_rng(0)

    def add(self, key: str, values: Floats) -> None:
        """(C, T) of one call."""
        self.lowest[key].append(values.min(1))
        self.highest[key].append(values.max(1))
        self.sampled[key].append(values[:, self.random.choice(values.shape[1], COLUMNS)])

    def fitted(self) -> dict[str, ranges.Range]:
        """The range of each layer."""
        return {
            key: ranges.fit(
                np.concatenate(self.sampled[key], 1), np.min(self.lowest[key], 0), np.max(self.highest[key], 0)
            )
            for key in sorted(self.sampled)
        }


class Listening(synth_graphs.Graphs):
    """Opens a decoder that tells what goes into its layers."""

    def __init__(self, checkpoint: Checkpoint, heard: Heard) -> None:
        """Put what is heard into ``heard``."""
        super().__init__(checkpoint, runtime.plan(EngineOptions("openvino", dtype="float32")))
        self.heard = heard

    def rungs(
        self,
        tensors: Mapping[str, Tensor],  # noqa: ARG002  nothing is rounded
        bind: Callable[[synth_graphs.Sizes], runtime.Bound],
    ) -> Callable[[synth_graphs.Sizes], Run]:
        """Compiled anew, with an output for each input of a layer."""

        def make(sizes: synth_graphs.Sizes) -> Run:
            bound = bind(sizes)
            layers = [(key, node) for key, node in convolutions(bound.model) if LAYERS.match(key)]
            bound.model.add_outputs([node.input_value(0) for _, node in layers])
            compiled = runtime.compile_model(bound, {"INFERENCE_PRECISION_HINT": "f32"})  # owns the weights

            def run(feeds: synth_graphs.Arrays) -> list[NDArray[np.float32]]:
                request = compiled.model.create_infer_request()
                request.infer(dict(feeds))
                share = feeds["lengths"][0] / feeds["text"].shape[1]
                for place, (key, _) in enumerate(layers, 1):
                    values = request.get_output_tensor(place).data[0]
                    self.heard.add(key, values[:, : int(values.shape[1] * share)])
                return [request.get_output_tensor(0).data.copy()]

            return run

        return make


def main() -> None:
    checkpoint = store.resolve("kokoro-82m")
    heard = Heard()
    form = Form(channels_last=True, dressed=True)
    engine = open_graphs(checkpoint, Listening(checkpoint, heard), form, "openvino, listened to")
    speaker = Speaker(engine, checkpoint, partial(voices.load, checkpoint))
    for voice, speed, text in SAID:
        speech = speaker.speak(text, voice, speed=speed, language="en-us")
        print(f"{voice} {speech.audio.duration_s:.1f} s", flush=True)
    FILE.write_text(ranges.dumps(stored_tensors(checkpoint), heard.fitted()), encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
