"""Katakana readings -> the phonetic symbols that Kokoro's Japanese voices were trained with.

The symbols are facts of misaki 0.9.4's ``cutlet`` table (the default of ``JAG2P``, which kokoro 0.9.4 uses for "j"):
the alphabet of Kokoro v1.0 holds exactly these (ɯ ɨ ɸ β ɴ ɕ ʥ ʲ ᵝ), and none of the other front-end's letters (ᶄ ᶃ ...)
nor a mark for pitch.
"""

from __future__ import annotations

from sonant.errors import UnspeakableText

__all__ = ["is_kana", "phonemes"]

_ROWS = {
    "ア": "a i ɯ e o",
    "カ": "ka kʲi kɯ ke ko",
    "ガ": "ɡa ɡʲi ɡɯ ɡe ɡo",
    "サ": "sa ɕi sɨ se so",
    "ザ": "ʣa ʥi zɨ ʣe ʣo",
    "タ": "ta ʨi ʦɨ te to",
    "ダ": "da ʥi zɨ de do",
    "ナ": "na ɲi nɯ ne no",
    "ハ": "ha çi ɸɯ he ho",
    "バ": "ba bʲi bɯ be bo",
    "パ": "pa pʲi pɯ pe po",
    "マ": "ma mʲi mɯ me mo",
    "ラ": "ɾa ɾʲi ɾɯ ɾe ɾo",
}
_COLUMNS = {
    "ア": "アイウエオ",
    "カ": "カキクケコ",
    "ガ": "ガギグゲゴ",
    "サ": "サシスセソ",
    "ザ": "ザジズゼゾ",
    "タ": "タチツテト",
    "ダ": "ダヂヅデド",
    "ナ": "ナニヌネノ",
    "ハ": "ハヒフヘホ",
    "バ": "バビブベボ",
    "パ": "パピプペポ",
    "マ": "マミムメモ",
    "ラ": "ラリルレロ",
}
_SINGLE = dict(
    zip(
        "ャヤュユョヨヮワヰヱヲヴヵヶヷヸヹヺ",
        "ja ja jɯ jɯ jo jo βa βa i e o vɯ ka ke va vʲi ve vo".split(),
        strict=True,
    )
)
_SINGLE |= dict(zip("ァィゥェォ", "aiɯeo", strict=True))
for _first, _kana in _COLUMNS.items():
    _SINGLE |= dict(zip(_kana, _ROWS[_first].split(), strict=True))

# Consonants of two kana read as one syllable: the i-row and the others before a small kana.
_PALATAL = dict(
    zip("キギニヒビピミリシジチヂテデフヴ", "kʲ ɡʲ ɲ ç bʲ pʲ mʲ ɾʲ ɕ ʥ ʨ ʥ tʲ dʲ ɸʲ bʲ".split(), strict=True)
)
_SMALL_Y = {"ャ": "a", "ュ": "ɨ", "ョ": "o"}
_SMALL_VOWEL = dict(zip("ァィゥェォ", "aiɯeo", strict=True))
_BEFORE_VOWEL = {
    "ク": "kᵝ",
    "グ": "ɡᵝ",
    "フ": "ɸ",
    "ツ": "ʦ",
    "ヴ": "v",
    "ト": "t",
    "ド": "d",
    "ス": "s",
    "ズ": "z",
    "ウ": "β",
    "イ": "j",
}
_BEFORE_I = {"テ": "tʲ", "デ": "dʲ", "フ": "ɸʲ", "ツ": "ʦʲ", "ヴ": "vʲ", "キ": "kʲ", "ギ": "ɡʲ"}
_SMALL = frozenset("ャュョァィゥェォヮ")


def is_kana(text: str) -> bool:
    """Whether a text is katakana alone (with the marks of length)."""
    return bool(text) and all("ァ" <= sign <= "ヺ" or sign == "ー" for sign in text)


def _syllable(first: str, small: str) -> str:
    """Sounds of a kana with a small one behind it."""
    if small in _SMALL_Y:
        if first in _PALATAL:
            return _PALATAL[first] + _SMALL_Y[small]
        return _SINGLE[first][:-1] + _SINGLE[small]
    if small == "ヮ":
        return _BEFORE_VOWEL.get(first, _SINGLE[first][:-1]) + "a"
    vowel = _SMALL_VOWEL[small]
    if vowel == "i" and first in _BEFORE_I:
        return _BEFORE_I[first] + "i"
    if vowel == "e" and first in "シジチヂニヒキギ":
        return _PALATAL[first] + "e"
    if first in _BEFORE_VOWEL and not (vowel == "ɯ" and first in "クグフツヴスズウイ"):
        return _BEFORE_VOWEL[first] + vowel
    return _SINGLE[first][:-1] + vowel


def _nasal(following: str) -> str:
    """The sound of ン before what follows in the word."""
    if following[:1] in ("m", "p", "b"):
        return "m"
    if following[:1] in ("k", "ɡ"):
        return "ŋ"
    if following[:1] in ("ɲ", "ʨ", "ʥ"):
        return "ɲ"
    return "n" if following[:1] in ("n", "t", "d", "ɾ", "z") else "ɴ"


def phonemes(reading: str, accented: int | None = None) -> str:
    """Symbols for one word's katakana reading; "ー" is ː, "ッ" is ʔ, "ン" takes the place of the sound after it.

    Args:
        reading: katakana.
        accented: number of the mora, from 0, behind which the pitch falls: its vowel gets "ˈ" before it.

    Raises:
        UnspeakableText: a character that isn't katakana.
    """
    sounds: list[str] = []
    place = 0
    while place < len(reading):
        kana, small = reading[place], reading[place + 1 : place + 2]
        place += 1
        if kana == "ー":
            sounds.append("ː")
        elif kana in "ッン":
            sounds.append(kana)
        elif kana not in _SINGLE:
            raise UnspeakableText(f"no sound for {kana!r} in the Japanese reading {reading!r}")
        elif small and small in _SMALL and kana not in _SMALL:
            sounds.append(_syllable(kana, small))
            place += 1
        else:
            sounds.append(_SINGLE[kana])
    for index in range(len(sounds) - 1, -1, -1):
        if sounds[index] == "ン":
            sounds[index] = _nasal(sounds[index + 1] if index + 1 < len(sounds) else "")
        elif sounds[index] == "ッ":
            sounds[index] = "ʔ"
    if accented is not None:
        # A mora without a vowel of its own leaves the mark to the one before it.
        bearer = next((index for index in range(accented, -1, -1) if sounds[index][-1] in "aiɯeoɨ"), None)
        if bearer is not None:
            sounds[bearer] = f"{sounds[bearer][:-1]}ˈ{sounds[bearer][-1]}"
    return "".join(sounds)
