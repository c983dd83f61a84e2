"""eSpeak NG by ctypes: one locked library for the whole process, correct from any number of threads.

eSpeak NG (GPL-3) is a separate shared library, found in the package ``espeakng-loader`` (extra ``espeak``) or in the
system; nothing here is loaded before the first call. Its C interface keeps one global state, which peers share between
threads unlocked and so mix up texts; here every call holds the lock from the choice of the voice to the last phoneme.

Source: ``speak_lib.h`` of eSpeak NG 1.52 (espeak_Initialize, espeak_SetVoiceByName, espeak_TextToPhonemes).
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import importlib.util
import logging
import os
import re
import tempfile
import threading
from pathlib import Path

from sonant.errors import BadInput, CorruptFile, MissingExtra, SonantError, UnknownName, need
from sonant.text.languages import LANGUAGES

__all__ = ["SWITCH", "Espeak", "available", "espeak", "to_english"]

logger = logging.getLogger(__name__)

_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: no sound device is opened
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report a bad data folder instead of ending the process
_UTF8 = 1
_IPA = 0x02
_TIE = 0x80 | (ord("^") << 8)  # bits 8-23 of phonememode: the tie put between the letters of one phoneme
_NAMES = {"en-gb": "en", "fr-fr": "fr"}  # spellings that eSpeak NG's own program takes, but not its library
_PATH_ROOM = 130  # eSpeak NG keeps its data path in 160 bytes, with file names behind it
SWITCH = re.compile(r"\((?:\^?[a-z0-9-]){2,24}\)")  # "(^e^n)", "(^e^n-^u^s)": the reading changes language


class Espeak:
    """The loaded library. Make it by ``espeak()``: the C state behind it is one per process."""

    def __init__(self, library: str, data: str | None) -> None:
        """Load and start the library.

        Args:
            library: path or name of the shared library.
            data: path of ``espeak-ng-data``, or None for the path built into the library.

        Raises:
            CorruptFile: the library or its data don't load.
        """
        if data is not None and not (Path(data) / "phontab").is_file():
            raise CorruptFile(f"no espeak-ng data in {data}: phontab is missing; reinstall espeakng-loader")
        self._lock = threading.Lock()
        self._voice = ""
        self._keep: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._c = ctypes.CDLL(library)
        except OSError as error:
            raise CorruptFile(f"espeak-ng library {library} doesn't load: {error}") from error
        self._declare()
        rate = self._c.espeak_Initialize(_SYNCHRONOUS, 0, self._short(data), _DONT_EXIT)
        if rate <= 0:
            raise CorruptFile(f"espeak-ng {library} didn't start (code {rate}) with data {data}")
        logger.debug("espeak-ng %s started, data %s", library, data)

    def _declare(self) -> None:
        """Argument types of the three calls."""
        self._c.espeak_Initialize.restype = ctypes.c_int
        self._c.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._c.espeak_SetVoiceByName.restype = ctypes.c_int
        self._c.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._c.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._c.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]

    def _short(self, data: str | None) -> bytes | None:
        """The data path as the library takes it; a long one goes through a link with a short name."""
        if data is None:
            return None
        if len(os.fsencode(data)) <= _PATH_ROOM:
            return os.fsencode(data)
        self._keep = tempfile.TemporaryDirectory(prefix="espeak-")
        link = Path(self._keep.name) / "espeak-ng-data"
        with contextlib.suppress(OSError):
            link.symlink_to(data, target_is_directory=True)
        if not link.exists():
            raise CorruptFile(f"the path of the espeak-ng data is over {_PATH_ROOM} bytes and can't be linked: {data}")
        return os.fsencode(link)

    def phonemes(self, text: str, voice: str) -> str:
        """IPA of a text: stress marks, length marks, "^" between the letters of one phoneme; clauses joined by a space.

        Punctuation is not in the result: split the text at it where it has to stay.

        Args:
            text: any text without NUL characters.
            voice: eSpeak NG's name of the language: "en-us", "en-gb", "es", "fr-fr", "hi", "it", "pt-br", ...

        Raises:
            UnknownName: eSpeak NG has no such voice.
            BadInput: the text holds a NUL character.
        """
        if "\0" in text:
            raise BadInput("text for espeak-ng holds a NUL character; remove it")
        encoded = text.encode("utf-8")
        clauses: list[str] = []
        with self._lock:
            self._choose(voice)
            pointer = ctypes.c_char_p(encoded)
            while pointer.value:
                found = self._c.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, _IPA | _TIE)
                if found is None:
                    raise SonantError(f"espeak-ng gave no phonemes for {text[:60]!r}")
                clauses.append(found.decode("utf-8"))
        return SWITCH.sub("", " ".join(clause.strip() for clause in clauses if clause.strip()))

    def _choose(self, voice: str) -> None:
        """Set the voice; the lock is held."""
        name = _NAMES.get(voice, voice)
        if name == self._voice:
            return
        self._voice = ""
        # The library keeps the voice it had when the name is unknown: the return code is the only sign.
        code = self._c.espeak_SetVoiceByName(name.encode("ascii", "replace"))
        if code != 0:
            known = [row.espeak for row in LANGUAGES.values()]
            raise UnknownName("espeak-ng voice", voice, known, f"espeak_SetVoiceByName returned {code}")
        self._voice = name


def available() -> bool:
    """Whether an eSpeak NG library is there; nothing is loaded."""
    return importlib.util.find_spec("espeakng_loader") is not None or ctypes.util.find_library("espeak-ng") is not None


_START = threading.Lock()


def espeak() -> Espeak:
    """The one instance of this process, started at the first call.

    Raises:
        MissingExtra: no library; the message is the pip command.
        CorruptFile: a library that doesn't load.
    """
    with _START:
        return _start()


@functools.cache
def _start() -> Espeak:
    try:
        loader = need("espeakng_loader", "espeak")
    except MissingExtra:
        system = ctypes.util.find_library("espeak-ng")
        if system is None:
            raise
        return Espeak(system, None)
    return Espeak(str(loader.get_library_path()), str(loader.get_data_path()))


# eSpeak NG's IPA -> Kokoro's English alphabet, longest first. The pairs are those that the voices were trained with:
# ``EspeakFallback.E2M`` of hexgrad/misaki 0.9.4 (Apache-2.0).
_TO_KOKORO = (
    ("ʔˌn\u0329", "ʔn"),
    ("ʔn\u0329", "ʔn"),
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ə^l", "ᵊl"),
    ("ʲo", "jo"),
    ("ʲə", "jə"),
    ("e", "A"),
    ("ʲ", ""),
    ("ɚ", "əɹ"),
    ("r", "ɹ"),
    ("x", "k"),
    ("ç", "k"),
    ("ɐ", "ə"),
    ("ɬ", "l"),
    ("\u0303", ""),
)
_BRITISH = (("e^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q"))
_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_BOTH = (("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"), ("^", ""))


def to_english(ipa: str, british: bool) -> str:
    """Kokoro's English phonemes for eSpeak NG's IPA of voice en-us or en-gb."""
    # "e" by itself is a monophthong that the alphabet lacks; "e^ə" (British "air") is not that.
    ipa = ipa.replace("e^ə", "ɛː") if british else ipa
    for old, new in _TO_KOKORO:
        ipa = ipa.replace(old, new)
    ipa = re.sub(r"(\S)\u0329", r"ᵊ\1", ipa).replace("\u0329", "")
    for old, new in (*(_BRITISH if british else _AMERICAN), *_BOTH):
        ipa = ipa.replace(old, new)
    return ipa
