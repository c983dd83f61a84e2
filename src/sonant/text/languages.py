"""The nine languages of Kokoro: one-letter codes, aliases, and what other systems call them.

Source of the codes: ``LANG_CODES`` and ``ALIASES`` of hexgrad/kokoro 0.9.4 (``pipeline.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from sonant.errors import UnknownName

__all__ = ["LANGUAGES", "Language", "canonical", "language", "of_voice"]


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        code: Kokoro's letter.
        name: English name.
        tag: BCP 47 tag.
        iso: ISO 639-1 code, as Whisper names the language.
        espeak: voice name of eSpeak NG.
        aliases: other spellings that are accepted, in lower case with hyphens.
    """

    code: str
    name: str
    tag: str
    iso: str
    espeak: str
    aliases: tuple[str, ...] = ()


LANGUAGES: dict[str, Language] = {
    row.code: row
    for row in (
        Language("a", "American English", "en-US", "en", "en-us", ("en", "eng", "english", "american")),
        Language("b", "British English", "en-GB", "en", "en-gb", ("british", "en-uk", "uk")),
        Language("e", "Spanish", "es-ES", "es", "es", ("spa", "español", "castellano", "es-419", "es-mx", "es-us")),
        Language("f", "French", "fr-FR", "fr", "fr-fr", ("fra", "français")),
        Language("h", "Hindi", "hi-IN", "hi", "hi", ("hin", "हिन्दी")),
        Language("i", "Italian", "it-IT", "it", "it", ("ita", "italiano")),
        Language("j", "Japanese", "ja-JP", "ja", "ja", ("jp", "jpn", "日本語")),
        Language("p", "Brazilian Portuguese", "pt-BR", "pt", "pt-br", ("por", "portuguese", "português")),
        Language(
            "z", "Mandarin Chinese", "zh-CN", "zh", "cmn", ("zho", "chinese", "mandarin", "中文", "zh-hans", "cn")
        ),
    )
}

_ALIASES: dict[str, str] = {
    alias.lower(): row.code
    for row in LANGUAGES.values()
    for alias in (row.code, row.tag, row.espeak, *row.aliases, row.name, *((row.iso,) if row.code != "b" else ()))
}


def canonical(name: str) -> str:
    """Kokoro's one-letter code for any spelling of a language: "en-us", "EN_US", "American English" -> "a".

    Raises:
        UnknownName: no such language; the message lists the nearest.
    """
    code = _ALIASES.get(name.strip().lower().replace("_", "-"))
    if code is None:
        known = sorted(alias for alias in _ALIASES if len(alias) > 1)
        raise UnknownName("language", name, known, "codes: " + " ".join(LANGUAGES))
    return code


def language(name: str) -> Language:
    """The row of a language, by any of its spellings.

    Raises:
        UnknownName: no such language.
    """
    return LANGUAGES[canonical(name)]


def of_voice(voice: str) -> str | None:
    """The language code that a voice's name begins with ("af_heart" -> "a"), or None where it has no such name."""
    first = voice[:1]
    return first if first in LANGUAGES and voice[1:3] in ("f_", "m_") else None
