"""Mandarin by jieba (words) and pypinyin (readings), extra ``zh``; tone sandhi and symbols are ours.

``load("z")`` gives the symbols of Kokoro v1.0, ``load("z", symbols="1.1")`` those of Kokoro-82M-v1.1-zh. English words
inside the text are spoken by the English converter.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import threading
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import pairwise
from typing import Any

from sonant.errors import BadInput, UnspeakableText, need
from sonant.text.g2p.pinyin import Syllable, bopomofo, ipa, parse
from sonant.text.g2p.sandhi import sandhi
from sonant.text.g2p.spans import MARKS, Stretch, spaced, stretches
from sonant.text.tokens import G2P, Spoken, Token

__all__ = ["Mandarin", "load"]

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_LATIN = r"[A-Za-z\u00c0-\u024f]+(?:['’\-][A-Za-z\u00c0-\u024f]+)*"
_UNIT = re.compile(rf"(?P<han>[{_HAN}]+)|(?P<latin>{_LATIN}(?:[ ]+{_LATIN})*)|(?P<space>\s+)|(?P<other>.)", re.DOTALL)
_SOFT_SECOND = frozenset("妈爸哥姐弟妹爷奶叔姑舅婶伯公婆星猩宝娃")  # kin names: the second of a pair is neutral
_BEFORE_GE = frozenset("一两三四五六七八九十百千万几这那哪每某多好半")


@dataclass(frozen=True, slots=True)
class _Lore:
    """What the dictionaries lack.

    Attributes:
        readings: words with another reading than pypinyin's.
        full_er: words in which 儿 means a child and keeps its syllable.
        neutral_last: words of daily use whose last syllable is neutral though dictionaries give it a tone.
    """

    readings: dict[str, str]
    full_er: frozenset[str]
    neutral_last: frozenset[str]


@functools.cache
def _lore() -> _Lore:
    raw = json.loads(resources.files("sonant.text").joinpath("data", "mandarin_words.json").read_text(encoding="utf-8"))
    return _Lore(raw["readings"], frozenset(raw["full_er"]), frozenset(raw["neutral_last"]))


def load(language: str = "z", symbols: str = "1.0") -> Mandarin:
    """The converter.

    Args:
        language: "z".
        symbols: "1.0" or "1.1", of which Kokoro.

    Raises:
        MissingExtra: jieba or pypinyin isn't installed; the message is the pip command.
        BadInput: no such symbols.
    """
    del language
    if symbols not in ("1.0", "1.1"):
        raise BadInput(f"unknown Mandarin symbols {symbols!r}; allowed: 1.0, 1.1")
    return _load(symbols)


@functools.cache
def _load(symbols: str) -> Mandarin:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba's source has old escapes, and asks for pkg_resources
        return Mandarin(need("jieba", "zh"), need("pypinyin", "zh"), symbols)


class Mandarin:
    """Grapheme to phoneme for Mandarin; safe to call from several threads."""

    def __init__(self, jieba: Any, pypinyin: Any, symbols: str = "1.0") -> None:
        """Keep the two modules; the word list is read at the first call."""
        jieba.setLogLevel(logging.WARNING)  # it tells of its loading on stderr
        self._words, self._pypinyin = jieba.Tokenizer(), pypinyin
        self._old = symbols == "1.0"
        self._lock = threading.Lock()

    def __call__(self, pieces: Sequence[Spoken]) -> list[Token]:
        """Tokens of one sentence: a token a word, as jieba divides them, and a punctuation mark.

        Raises:
            UnspeakableText: letters without a reading (another script, a rare sign).
        """
        tokens: list[Token] = []
        for stretch in stretches(pieces):
            if stretch.fixed is not None:
                piece = stretch.fixed
                tokens.append(Token(piece.text.strip(), piece.phonemes or "", " ", piece.span, "markup"))
            else:
                tokens.extend(self._tokens(stretch))
        return self._spaces(tokens)

    def _tokens(self, stretch: Stretch) -> Iterator[Token]:
        """Tokens of running text."""
        for unit in _UNIT.finditer(stretch.text):
            if unit["han"]:
                yield from self._phrase(stretch, unit)
            elif unit["latin"]:
                yield from _english(stretch, *unit.span())
            elif unit["other"]:
                yield _sign(stretch, unit)

    def _phrase(self, stretch: Stretch, unit: re.Match[str]) -> Iterator[Token]:
        """Tokens of Chinese characters without a pause."""
        with self._lock:
            words = self._words.lcut(unit[0])
        syllables = [
            _particle(word, before, after) or self._syllables(word)
            for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False)
        ]
        tones = sandhi(
            [(word, [syllable.tone for syllable in said]) for word, said in zip(words, syllables, strict=True)]
        )
        place = unit.start()
        for word, said, spoken in zip(words, syllables, tones, strict=True):
            heard = [replace(syllable, tone=tone) for syllable, tone in zip(said, spoken, strict=True)]
            sounds = "".join(map(ipa, heard)) if self._old else "".join(map(bopomofo, _with_erhua(word, heard)))
            yield Token(word, sounds, " ", stretch.span(place, place + len(word)), "pypinyin")
            place += len(word)

    def _syllables(self, word: str) -> list[Syllable]:
        """Dictionary readings of a word, a syllable a character."""
        if word in _lore().readings:
            return [parse(pinyin) for pinyin in _lore().readings[word].split()]
        style = self._pypinyin.Style.TONE3
        readings = self._pypinyin.lazy_pinyin(word, style=style, neutral_tone_with_five=True, errors=list)
        if len(readings) != len(word):
            readings = [self._pypinyin.lazy_pinyin(sign, style=style, neutral_tone_with_five=True)[0] for sign in word]
        syllables = []
        for sign, pinyin in zip(word, readings, strict=True):
            if not pinyin[:1].isascii():
                raise UnspeakableText(
                    f"no Mandarin reading for {sign!r} (U+{ord(sign):04X}) in {word!r}; write it as [word](/phonemes/)"
                )
            syllables.append(parse({"嗯": "n2", "呣": "m2"}.get(sign, pinyin)))
        kin = len(word) >= 2 and word[-1] == word[-2] and word[-1] in _SOFT_SECOND
        if kin or word in _lore().neutral_last or (word[-1] == "个" and len(word) > 1 and word[-2] in _BEFORE_GE):
            syllables[-1] = replace(syllables[-1], tone=5)
        return syllables

    def _spaces(self, tokens: Sequence[Token]) -> list[Token]:
        """White space as the voices were trained: v1.0 a space between words, v1.1 a slash."""
        result = spaced(tokens)
        if self._old:
            return result
        return [
            replace(token, phonemes=token.phonemes + "/", whitespace="")
            if token.whitespace and token.source == following.source == "pypinyin"
            else token
            for token, following in pairwise(result)
        ] + result[-1:]


_NOUN_BEFORE_DI = frozenset("的在种扫拖下此该本这那各是有")
_MUST = frozenset("我你他她它们就还都也总又可你您谁")


def _particle(word: str, before: str, after: str) -> list[Syllable] | None:
    """地 and 得 as words of their own: the particles "de", or the verb "děi"; None for all else."""
    if word == "地" and before and after and before[-1] not in _NOUN_BEFORE_DI:
        return [parse("de5")]
    if word == "得" and before:
        return [parse("dei3" if before[-1] in _MUST and after else "de5")]
    return None


def _with_erhua(word: str, syllables: list[Syllable]) -> list[Syllable]:
    """儿 at a word's end colours the syllable before it, unless it means a child."""
    if len(word) < 2 or word[-1] != "儿" or word in _lore().full_er or word[-2:] in _lore().full_er:
        return syllables
    return [*syllables[:-2], replace(syllables[-2], erhua=True)]


def _sign(stretch: Stretch, unit: re.Match[str]) -> Token:
    """The token of a mark.

    Raises:
        UnspeakableText: it is a letter or figure.
    """
    sign, span = unit[0], stretch.span(*unit.span())
    if sign in MARKS:
        return Token(sign, MARKS[sign], "", span, "punctuation")
    if unicodedata.category(sign)[0] in "LN":
        raise UnspeakableText(f"no Mandarin reading for {sign!r} (U+{ord(sign):04X}); write it as [word](/phonemes/)")
    return Token(sign, "", "", span, "silent")


def _english(stretch: Stretch, start: int, end: int) -> list[Token]:
    """Tokens of English words inside the text."""
    text = stretch.text[start:end]
    if text == "A":  # the letter, not the article
        return [Token("A", "ˈA", " ", stretch.span(start, end), "en:letters")]
    return [
        replace(
            token,
            whitespace=" ",
            span=stretch.span(start + token.span[0], start + token.span[1]),
            source=f"en:{token.source}",
        )
        for token in _english_g2p()([Spoken(text, (0, len(text)))])
        if token.span[1] > token.span[0]
    ]


def _english_g2p() -> G2P:
    """The American English converter."""
    from sonant.text.g2p import load as load_g2p

    return load_g2p("a")
