"""Models as ONNX files that need nothing of sonant; ``whisper`` and ``kokoro`` do it, nothing is imported here."""
