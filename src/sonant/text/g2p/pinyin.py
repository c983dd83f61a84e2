"""Pinyin syllables -> Kokoro's symbols: IPA with tone arrows for v1.0, bopomofo signs with tone figures for v1.1-zh.

Both spellings are facts of what the voices were trained with: misaki 0.9.4's ``ZHG2P`` (IPA after Duanmu, The Phonology
of Standard Chinese, 2007, and Lin, The Sounds of Chinese, 2007; tones → ↗ ↓ ↘) and its ``zh_frontend``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sonant.errors import UnspeakableText

__all__ = ["Syllable", "bopomofo", "ipa", "parse"]

_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcs")

_TONES = {1: "→", 2: "↗", 3: "↓", 4: "↘", 5: ""}
_INITIAL_IPA = {
    "b": "p",
    "p": "pʰ",
    "m": "m",
    "f": "f",
    "d": "t",
    "t": "tʰ",
    "n": "n",
    "l": "l",
    "g": "k",
    "k": "kʰ",
    "h": "x",
    "j": "ʨ",
    "q": "ʨʰ",
    "x": "ɕ",
    "zh": "\uab67",
    "ch": "\uab67ʰ",
    "sh": "ʂ",
    "r": "ɻ",
    "z": "ʦ",
    "c": "ʦʰ",
    "s": "s",
    "": "",
}
# "0" is the place of the tone.
_FINAL_IPA = {
    "a": "a0",
    "ai": "ai0",
    "an": "a0n",
    "ang": "a0ŋ",
    "ao": "au0",
    "e": "ɤ0",
    "ei": "ei0",
    "en": "ə0n",
    "eng": "ə0ŋ",
    "er": "ɚ0",
    "i": "i0",
    "ia": "ja0",
    "ian": "jɛ0n",
    "iang": "ja0ŋ",
    "iao": "jau0",
    "ie": "je0",
    "in": "i0n",
    "ing": "i0ŋ",
    "iong": "jʊ0ŋ",
    "iou": "jou0",
    "ong": "ʊ0ŋ",
    "ou": "ou0",
    "u": "u0",
    "ua": "wa0",
    "uai": "wai0",
    "uan": "wa0n",
    "uang": "wa0ŋ",
    "uei": "wei0",
    "uen": "wə0n",
    "ueng": "wə0ŋ",
    "uo": "wo0",
    "o": "wo0",
    "ü": "y0",
    "üe": "ɥe0",
    "üan": "ɥɛ0n",
    "ün": "y0n",
    "ɨ": "ɨ0",
    "ê": "ɛ0",
    "io": "jɔ0",
    "m": "m0",
    "n": "n0",
    "ng": "ŋ0",
}
_INITIAL_SIGN = dict(
    zip(
        [
            "b",
            "p",
            "m",
            "f",
            "d",
            "t",
            "n",
            "l",
            "g",
            "k",
            "h",
            "j",
            "q",
            "x",
            "zh",
            "ch",
            "sh",
            "r",
            "z",
            "c",
            "s",
            "",
        ],
        [*"ㄅㄆㄇㄈㄉㄊㄋㄌㄍㄎㄏㄐㄑㄒㄓㄔㄕㄖㄗㄘㄙ", ""],
        strict=True,
    )
)
_FINAL_SIGN = {
    "a": "ㄚ",
    "o": "ㄛ",
    "e": "ㄜ",
    "ie": "ㄝ",
    "ai": "ㄞ",
    "ei": "ㄟ",
    "ao": "ㄠ",
    "ou": "ㄡ",
    "an": "ㄢ",
    "en": "ㄣ",
    "ang": "ㄤ",
    "eng": "ㄥ",
    "er": "ㄦ",
    "i": "ㄧ",
    "u": "ㄨ",
    "ü": "ㄩ",
    "üe": "月",
    "ia": "压",
    "ian": "言",
    "iang": "阳",
    "iao": "要",
    "in": "阴",
    "ing": "应",
    "iong": "用",
    "iou": "又",
    "ong": "中",
    "ua": "穵",
    "uai": "外",
    "uan": "万",
    "uang": "王",
    "uei": "为",
    "uen": "文",
    "ueng": "瓮",
    "uo": "我",
    "üan": "元",
    "ün": "云",
    "ê": "ㄝ",
    "io": "ㄛ",
    "m": "ㄇ",
    "n": "ㄋ",
    "ng": "ㄥ",
}
_FULL = {"iu": "iou", "ui": "uei", "un": "uen"}  # finals that pinyin writes short
_WITHOUT_INITIAL = {
    "yi": "i",
    "ya": "ia",
    "yo": "io",
    "ye": "ie",
    "yai": "iai",
    "yao": "iao",
    "you": "iou",
    "yan": "ian",
    "yin": "in",
    "yang": "iang",
    "ying": "ing",
    "yong": "iong",
    "yu": "ü",
    "yue": "üe",
    "yuan": "üan",
    "yun": "ün",
    "wu": "u",
    "wa": "ua",
    "wo": "uo",
    "wai": "uai",
    "wei": "uei",
    "wan": "uan",
    "wen": "uen",
    "wang": "uang",
    "weng": "ueng",
}


@dataclass(frozen=True, slots=True)
class Syllable:
    """A syllable: initial ("" for none), full final ("iou", "ɨ" after sibilants as "i"), tone 1-5 (5 is neutral)."""

    initial: str
    final: str
    tone: int
    erhua: bool = False


def parse(pinyin: str) -> Syllable:
    """A syllable from pinyin with its tone as a figure at the end ("zhong1", "lv4", "er2"; none is neutral).

    Raises:
        UnspeakableText: it isn't pinyin.
    """
    tone = int(pinyin[-1]) if pinyin[-1:].isdecimal() else 5
    plain = pinyin.rstrip("012345").lower().replace("v", "ü").replace("u:", "ü")
    if plain in _WITHOUT_INITIAL:
        return Syllable("", _WITHOUT_INITIAL[plain], tone)
    if plain in ("m", "n", "ng", "er", "ê", "o", "r"):
        return Syllable("", "er" if plain == "r" else plain, tone)
    if plain in ("hm", "hng"):
        return Syllable("h", plain[1:], tone)
    initial = next((start for start in _INITIALS if plain.startswith(start)), "")
    final = plain[len(initial) :]
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "ü" + final[1:]
    final = _FULL.get(final, final)
    if final not in _FINAL_IPA:
        raise UnspeakableText(f"{pinyin!r} isn't a pinyin syllable")
    return Syllable(initial, final, tone)


def ipa(syllable: Syllable) -> str:
    """Symbols of Kokoro v1.0, the tone behind the vowel: zhong1 -> ꭧʊ→ŋ."""
    initial, final = syllable.initial, syllable.final
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        final = "ɨ"
    # Alone, "o" is the interjection: an open vowel without the glide that it has after b, p, m, f.
    sounds = "ɔ0" if final == "o" and not initial else _FINAL_IPA[final]
    sounds = sounds.replace("0", _TONES[syllable.tone])
    return _INITIAL_IPA[initial] + sounds + ("ɚ" if syllable.erhua else "")


def bopomofo(syllable: Syllable) -> str:
    """Symbols of Kokoro v1.1-zh: zhong1 -> ㄓ中1, with R before the tone for erhua."""
    initial, final = syllable.initial, syllable.final
    if final == "i" and initial in ("z", "c", "s"):
        sign = "ㄭ"
    elif final == "i" and initial in ("zh", "ch", "sh", "r"):
        sign = "十"
    else:
        sign = _FINAL_SIGN[final]
    return f"{_INITIAL_SIGN[initial]}{sign}{'R' if syllable.erhua else ''}{syllable.tone}"
