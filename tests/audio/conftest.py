"""Sounds made on the spot: no test of this room needs a file from elsewhere."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile


def tone(seconds=1.0, rate=16_000, hz=440.0, level=0.3):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def names_in(folder):
    """Names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def wav(samples, rate=16_000, **options):
    """The bytes of a wav by libsndfile: (N,) or (N, C)."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", **options)
    return file.getvalue()


def av_file(samples, rate, container, codec, layout="mono", options=None):
    """The bytes of any container by FFmpeg's libraries: samples (C, N) float32."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"  # a real one: FFmpeg reads some containers again to finish them
        with av.open(str(path), "w", format=container, options=options or {}) as output:
            stream = output.add_stream(codec, rate=rate)
            stream.layout = layout
            packed = np.ascontiguousarray(np.asarray(samples, np.float32).T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.pts = rate, 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path.read_bytes()


def silent_video():
    """An mp4 with pictures and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture
def warnings_of():
    """A list to pass as ``warn=warnings_of.append``."""
    return []
