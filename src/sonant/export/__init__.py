"""Models as ONNX files that need nothing of sonant: ``export.whisper``, ``export.kokoro``. Imports no framework itself."""
