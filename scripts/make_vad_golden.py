"""Write the golden probabilities of the voice activity test with the original ONNX file under onnxruntime.

python scripts/make_vad_golden.py silero_vad_16k_sequence.onnx
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))


def main(source: str) -> None:
    from tests.audio.test_vad import GOLDEN, babble

    sound = babble(12)
    sound = np.concatenate([sound, np.zeros(-len(sound) % 512, np.float32)])
    before = np.concatenate([np.zeros(64, np.float32), sound])
    frames = np.stack([before[first : first + 576] for first in range(0, len(sound), 512)])
    state = np.zeros((1, 1, 128), np.float32)
    session = onnxruntime.InferenceSession(source)
    probabilities, _, _ = session.run(None, {"input": frames, "h": state, "c": state})
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, probabilities=probabilities.ravel())


if __name__ == "__main__":
    main(sys.argv[1])
