"""Nothing is reported to anybody: the default engine leaves no trace in the home folder and loads no telemetry."""

import os
import subprocess
import sys
from pathlib import Path


def test_openvinos_converter_is_there_for_who_asks(tmp_path):
    code = (
        "import sys, sonant.engines.engine_openvino.lean, openvino;"
        "assert 'openvino.tools.ovc' not in sys.modules;"
        "print(openvino.convert_model.__name__, hasattr(openvino, 'nothing'))"
    )
    home = {**os.environ, "HOME": str(tmp_path)}  # the converter may write into it
    found = subprocess.run([sys.executable, "-c", code], env=home, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["convert_model", "False"]


def test_openvino_is_imported_without_its_telemetry(tmp_path):
    code = (
        "import sys, sonant.engines.engine_openvino.runtime as r; r.core();"
        "print([m for m in sys.modules if 'openvino_telemetry' in m])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_importing_sonant_loads_no_framework():
    code = (
        "import sys, sonant, sonant.api, sonant.doctor; sonant.api.doctor();"
        "print([m for m in ('torch', 'onnxruntime', 'openvino', 'onnx', 'av', 'huggingface_hub') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_opening_what_is_there_loads_no_network_code():
    model = Path(__file__).parents[1] / "data" / "commands" / "model"
    code = (
        f"import sys, sonant; sonant.load_asr({str(model)!r}, engine='openvino');"
        "print([m for m in ('ssl', 'http.client', 'urllib.request') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
