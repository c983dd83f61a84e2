"""Japanese by OpenJTalk (package pyopenjtalk-plus, extra ``ja``): readings, word borders and pitch accent.

Which symbols: Kokoro v1.0's Japanese voices were trained with misaki's ``cutlet`` spelling (see ``kana``), words apart
by spaces; its alphabet has no mark for pitch (↗ → ↘ ↓ are Mandarin tones), and the network finds the melody from the
words. So the string has the trained shape, while readings come from OpenJTalk, which reads homographs, counters and
compounds by context. The accent that it finds stands in ``Token.tag``: part of speech, then each mora's
height ("名詞 LHH").

The stress mark of English works across languages: with "ˈ" before the vowel where the pitch falls, the network's melody
follows the accent more closely in all five Japanese voices, but Whisper hears the words less well. So plain spelling is
the default, and ``load(accent=True)`` the choice where the melody matters more (箸 and 橋 side by side).

The heights follow OpenJTalk's accent phrases (``chain_flag``, ``acc``): the first mora is low unless the accent is on
it, high up to the accented mora, low after it (Tokyo pitch accent; Vance, The Sounds of Japanese, 2008, chapter 7).
"""

from __future__ import annotations

import difflib
import functools
import re
import threading
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sonant.errors import UnspeakableText, need
from sonant.text.g2p import kana
from sonant.text.g2p.spans import MARKS, Stretch, spaced, stretches
from sonant.text.tokens import G2P, Spoken, Token

__all__ = ["Japanese", "load"]

_LETTERS = r"[A-Za-z\u00c0-\u024f]+(?:['’\-][A-Za-z\u00c0-\u024f]+)*"
_LATIN = re.compile(rf"{_LETTERS}(?:[ ]+{_LETTERS})*")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of OpenJTalk with its place in the text."""

    start: int
    end: int
    pron: str
    pos: str
    accent: int
    chained: bool


def load(language: str = "j", accent: bool = False) -> Japanese:
    """The converter.

    Args:
        language: "j".
        accent: mark each fall of pitch in the phonemes, with "ˈ" before the vowel that it follows; see above for what
            that gains and costs.

    Raises:
        MissingExtra: pyopenjtalk isn't installed; the message is the pip command.
    """
    del language
    return Japanese(need("pyopenjtalk", "ja"), accent)


class Japanese:
    """Grapheme to phoneme for Japanese; safe to call from several threads."""

    def __init__(self, openjtalk: Any, accent: bool = False) -> None:
        """Keep the module; English words inside the text are spoken by the English converter, loaded when one comes."""
        self._openjtalk, self._accent = openjtalk, accent
        self._lock = threading.Lock()

    def __call__(self, pieces: Sequence[Spoken]) -> list[Token]:
        """Tokens of one sentence: a token a word, as OpenJTalk divides them, and a punctuation mark.

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
        return spaced(tokens, _joined)

    def _tokens(self, stretch: Stretch) -> list[Token]:
        """Tokens of running text."""
        text = stretch.text
        words = self._words(text)
        english = dict(_latin(text, words))
        tokens: list[Token] = []
        upto = 0
        for number, (word, (height, fall)) in enumerate(zip(words, _heights(words), strict=True)):
            if word.start < upto:
                continue
            tokens.extend(_between(stretch, upto, word.start))
            upto = word.end
            if word.start in english:
                upto = english[word.start]
                tokens.extend(_english(stretch, word.start, upto))
            else:
                phonemes = kana.phonemes(word.pron, fall if self._accent else None)
                if phonemes.endswith("ɴ") and _runs_on(word, words[number + 1] if number + 1 < len(words) else None):
                    phonemes = phonemes[:-1] + "n"
                place = stretch.span(word.start, word.end)
                tokens.append(
                    Token(text[word.start : word.end], phonemes, " ", place, "openjtalk", f"{word.pos} {height}")
                )
        tokens.extend(_between(stretch, upto, len(text)))
        return tokens

    def _words(self, text: str) -> list[_Word]:
        """Words that have a reading, in order, with their places in ``text``."""
        return [
            replace(word, start=word.start + offset, end=word.end + offset)
            for offset, part in _parts(text)
            for word in self._read(part)
        ]

    def _read(self, text: str) -> list[_Word]:
        """Words of a text that isn't too long for OpenJTalk."""
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sudachipy warns that pyopenjtalk calls it by an old name
            features = self._openjtalk.run_frontend(text, predict_nani=False)
        places = _places(text, [feature["string"] for feature in features])
        words = []
        for number, (feature, (start, end)) in enumerate(zip(features, places, strict=True)):
            pron = "".join(sign for sign in feature["pron"] if kana.is_kana(sign))
            if feature["mora_size"] == 0 or not pron or start == end:
                continue
            if text[start:end] == "何" and pron in ("ナニ", "ナン"):
                pron = _what(features, number)
            words.append(_Word(start, end, pron, feature["pos"], feature["acc"], feature["chain_flag"] == 1))
        return words


_LONGEST = 1000  # characters in one call; sudachi takes 49,149 bytes at most
_BORDER = re.compile("(?<=[をはがにでともへのた、。])(?=[\u30a1-\u30ff\u4e00-\u9fff])")


def _parts(text: str) -> list[tuple[int, str]]:
    """(offset, part) of a long text, cut where a particle ends a phrase."""
    parts, start = [], 0
    while len(text) - start > _LONGEST:
        borders = [found.start() for found in _BORDER.finditer(text, start + _LONGEST // 2, start + _LONGEST)]
        cut = borders[-1] if borders else start + _LONGEST
        parts.append((start, text[start:cut]))
        start = cut
    return [*parts, (start, text[start:])]


def _runs_on(word: _Word, following: _Word | None) -> bool:
    """Whether a verb's ん is followed by its で or だ ("読んで"), whose place it takes."""
    verb = word.pos == "動詞" and word.pron.endswith("ン")
    return verb and following is not None and following.start == word.end and following.pron[:1] in ("デ", "ダ")


def _what(features: Sequence[Any], number: int) -> str:
    """何 is なん before t, d, n, else なに."""
    following = features[number + 1]["pron"][:1] if number + 1 < len(features) else ""
    return "ナン" if following and following in "タチツテトダヂヅデドナニヌネノ" else "ナニ"


def _places(text: str, strings: Sequence[str]) -> list[tuple[int, int]]:
    """(start, end) in ``text`` of each of OpenJTalk's words; it widens Latin letters and writes figures in kanji."""
    theirs = "".join(_fold(string) for string in strings)
    ours, origin = [], []
    for place, sign in enumerate(text):
        for part in _fold(sign):
            ours.append(part)
            origin.append(place)
    origin.append(len(text))
    starts = list(range(len(theirs) + 1))
    if theirs != "".join(ours):
        for tag, first, last, start, end in difflib.SequenceMatcher(
            None, theirs, "".join(ours), autojunk=False
        ).get_opcodes():
            for step in range(first, last):
                starts[step] = start + (step - first if tag == "equal" else min(step - first, max(0, end - start)))
        starts[-1] = len(ours)
    places, place = [], 0
    for string in strings:
        first, last = starts[place], starts[place + len(_fold(string))]
        places.append((origin[first], origin[last - 1] + 1 if last > first else origin[first]))
        place += len(_fold(string))
    return places


@functools.cache
def _fold(text: str) -> str:
    """Compatibility form without white space, so that widened and plain signs compare as equal."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def _latin(text: str, words: Sequence[_Word]) -> list[tuple[int, int]]:
    """Stretches of Latin letters for the English converter: phrases, and words that OpenJTalk would only spell.

    A single word of OpenJTalk's dictionary keeps its Japanese reading ("Google" グーグル), as do initials ("NHK").
    """
    found = []
    for run in _LATIN.finditer(text):
        inside = [word for word in words if run.start() <= word.start < run.end()]
        single = len(inside) == 1 and (inside[0].start, inside[0].end) == run.span()
        initials = run[0].isupper() and run[0].isalpha() and len(run[0]) <= 5
        if not (single or initials) and inside:
            found.append((inside[0].start if inside[0].start == run.start() else run.start(), run.end()))
        elif not inside:
            found.append(run.span())
    return found


def _english(stretch: Stretch, start: int, end: int) -> list[Token]:
    """Tokens of English words inside the text."""
    text = stretch.text[start:end]
    if text == "A":  # the letter, not the article
        return [Token("A", "ˈA", " ", stretch.span(start, end), "en:letters")]
    tokens = _english_g2p()([Spoken(text, (0, len(text)))])
    return [
        replace(
            token,
            whitespace=" ",
            span=stretch.span(start + token.span[0], start + token.span[1]),
            source=f"en:{token.source}",
        )
        for token in tokens
        if token.span[1] > token.span[0]
    ]


def _english_g2p() -> G2P:
    """The American English converter."""
    from sonant.text.g2p import load as load_g2p

    return load_g2p("a")


def _heights(words: Sequence[_Word]) -> list[tuple[str, int | None]]:
    """For each word the pitch of its moras, "L" and "H", and the mora behind which it falls within the phrase."""
    heights: list[str] = []
    chains: list[bool] = []
    accent = count = 0
    for number, word in enumerate(words):
        chained = number > 0 and words[number - 1].end == word.start and (word.chained or word.pron[0] == "ー")
        if not chained:
            accent, count = word.accent, 0
        pattern = ""
        for _ in range(_moras(word.pron)):
            count += 1
            high = count == accent if accent == 1 else count > 1 and (accent == 0 or count <= accent)
            pattern += "H" if high else "L"
        heights.append(pattern)
        chains.append(chained)
    following = [*(other[:1] if chain else "" for other, chain in zip(heights[1:], chains[1:], strict=True)), ""]
    falls = ((pattern + first).find("HL") for pattern, first in zip(heights, following, strict=False))
    return [(pattern, fall if fall >= 0 else None) for pattern, fall in zip(heights, falls, strict=True)]


def _moras(reading: str) -> int:
    """Count of moras: every kana but the small ones that share a syllable."""
    return sum(sign not in "ャュョァィゥェォヮ" for sign in reading)


def _between(stretch: Stretch, start: int, end: int) -> list[Token]:
    """Tokens for what OpenJTalk gave no reading: marks, Latin letters; white space goes.

    Raises:
        UnspeakableText: a letter or figure.
    """
    tokens: list[Token] = []
    place = start
    while place < end:
        sign = stretch.text[place]
        latin = _LATIN.match(stretch.text, place, end)
        if latin:
            tokens.extend(_english(stretch, place, latin.end()))
            place = latin.end()
            continue
        if sign in MARKS:
            tokens.append(Token(sign, MARKS[sign], "", stretch.span(place, place + 1), "punctuation"))
        elif unicodedata.category(sign)[0] in "LN":
            raise UnspeakableText(
                f"no Japanese reading for {sign!r} (U+{ord(sign):04X}) in {stretch.text[:40]!r}; "
                "write it in kana, or as [word](/phonemes/)"
            )
        elif not sign.isspace():
            tokens.append(Token(sign, "", "", stretch.span(place, place + 1), "silent"))
        place += 1
    return tokens


def _joined(token: Token, following: Token) -> bool:
    """Whether two words run together: a glottal stop between them, or a long vowel that goes on."""
    verb = token.tag.startswith("動詞") and token.phonemes.endswith("n")
    return verb or token.phonemes.endswith("ʔ") or following.phonemes[0] in "ʔː"
