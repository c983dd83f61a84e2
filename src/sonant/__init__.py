"""sonant speaks and listens, offline.

    import sonant
    sonant.load_tts("kokoro-82m").speak("Hello.", voice="af_heart").save("hello.wav")
    print(sonant.load_asr("whisper-base").transcribe("hello.wav").text)

Importing it loads no framework: every public name is found when it is first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "api": [
        "align",
        "features",
        "load_asr",
        "load_tts",
        "list_languages",
        "list_models",
        "list_voices",
        "realign",
        "speak",
        "transcribe",
        "transcribe_dataset",
        "units",
    ],
    "records": ["Audio", "Segment", "Speech", "SpeechChunk", "Transcript", "Voice", "Window", "Word"],
    "errors": [
        "BadInput",
        "CorruptFile",
        "MissingExtra",
        "ModelFileMissing",
        "OutputError",
        "SonantError",
        "UnknownName",
        "UnreadableAudio",
        "UnspeakableText",
        "UnsupportedCheckpoint",
    ],
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]

if TYPE_CHECKING:
    from sonant.api import *  # noqa: F403
    from sonant.errors import *  # noqa: F403
    from sonant.records import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'sonant' has no attribute {name!r}")
    return getattr(importlib.import_module(f"sonant.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
