"""Take the weights of Silero's voice activity detector out of its ONNX file into the file that sonant ships.

python scripts/make_vad.py silero_vad_16k_sequence.onnx     (from the wheel silero-vad 6.2.3, MIT)

The wheel's own .safetensors holds another training run than its ONNX files, so the ONNX file is the source.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

PLACE = Path(__file__).parent.parent / "src/sonant/audio/data/silero_vad.safetensors"
LSTM_INPUT, LSTM_HIDDEN, LSTM_BIAS = "onnx::LSTM_209", "onnx::LSTM_210", "onnx::LSTM_211"


def main(source: Path) -> None:
    data = source.read_bytes()
    tensors = {item.name: numpy_helper.to_array(item) for item in onnx.load_from_string(data).graph.initializer}
    kept = {"stft.weight": tensors["stft.forward_basis_buffer"][:, 0]}  # (258, 256): 129 cosines, 129 sines
    for layer in range(4):
        for part in ("weight", "bias"):
            kept[f"encoder.{layer}.{part}"] = tensors[f"encoder.{layer}.{part}"]
    kept["lstm.weight_ih"], kept["lstm.weight_hh"] = tensors[LSTM_INPUT][0], tensors[LSTM_HIDDEN][0]
    kept["lstm.bias"] = tensors[LSTM_BIAS][0].reshape(2, 512).sum(axis=0)  # ONNX keeps two, which are only ever added
    kept["output.weight"], kept["output.bias"] = tensors["output.weight"][:, :, 0], tensors["output.bias"]
    about = {
        "source": "silero-vad 6.2.3, silero_vad_16k_sequence.onnx",
        "sha256": hashlib.sha256(data).hexdigest(),
        "licence": "MIT, Copyright (c) 2020-present Silero Team",
        "lstm_gates": "input, output, forget, cell (ONNX order)",
    }
    PLACE.parent.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in kept.items()}, PLACE, metadata=about)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
