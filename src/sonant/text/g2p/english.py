"""English text -> Kokoro's phonemes: tokens, parts of speech, readings right to left, stress across compounds.

Right to left because a word's reading may hang on the sound that follows ("the apple", "to Ann"). The flow and its
rules are those that the voices were trained with (hexgrad/misaki 0.9.4, ``en.py``, class G2P, Apache-2.0), written
anew; where ours differs on purpose, ``docs/g2p-differences.md`` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sonant.text.g2p import english_stress as stress
from sonant.text.g2p.english_tokens import Piece, cut, subwords
from sonant.text.g2p.english_unknown import Unknown
from sonant.text.g2p.english_words import Context, Reading, Words
from sonant.text.g2p.lexicon import open_lexicon
from sonant.text.g2p.tagger import open_tagger
from sonant.text.tokens import G2P, Spoken, Token

__all__ = ["EnglishG2P", "load"]

_MARKS = frozenset(';:,.!?—…"“”()')
_PAUSES = frozenset(";:,.!?—…")
_SILENT = frozenset("',-._‘’`´/")  # parts of a compound that have no sound
_INSIDE = frozenset(("-", "/", "_", "'", "’", "‘", "\\"))
_SAID = frozenset("&%+@")  # signs that the dictionary reads
_DASHES = frozenset("-—–―")
_PAIRS = {"«": "“", "»": "”", "„": "“", "(": "(", "[": "(", "{": "(", ")": ")", "]": ")", "}": ")"}
_WINDOW = 12  # most subwords that are looked up as one: keeps a chunk of any length linear


def load(code: str, fallback: str = "auto") -> G2P:
    """The converter: ``code`` "a" (American) or "b" (British), ``fallback`` as in ``sonant.text.g2p.load``."""
    return EnglishG2P(code == "b", fallback)


class EnglishG2P:
    """English of one accent. Holds nothing that changes but caches: safe from many threads."""

    def __init__(
        self, british: bool, fallback: str = "auto", tags: Callable[[Sequence[str]], list[str]] | None = None
    ) -> None:
        """Open dictionary and tagger.

        Args:
            british: accent.
            fallback: how words without an entry are read; see ``sonant.text.g2p.load``.
            tags: another tagger: words of a sentence -> Penn tags.
        """
        self._words = Words(open_lexicon(british), british)
        self._unknown = Unknown(self._words, fallback)
        self._tags = tags or open_tagger()

    def __call__(self, pieces: Sequence[Spoken]) -> list[Token]:
        """Tokens of one sentence, in order.

        Raises:
            UnspeakableText: a word that has no reading.
        """
        parts = cut(pieces)
        if not parts:
            return []
        for part, tag in zip(parts, self._tags([part.text for part in parts]), strict=True):
            part.tag = tag
        groups = _groups(parts)
        marks = _marks(groups)
        result: list[Token] = []
        context = Context()
        for group, mark in zip(reversed(groups), reversed(marks), strict=True):
            reading = self._read(group, mark, context)
            token = _token(group, reading)
            result.append(token)
            context = _before(token, context)
        tokens = _reduced(result[::-1], groups)
        return tokens if self._words.british else _audible(tokens, groups)

    def _read(self, group: list[Piece], mark: str | None, context: Context) -> Reading:
        """The reading of a word, compound or mark."""
        first = group[0]
        if first.source.phonemes is not None:
            return Reading(first.source.phonemes, "markup")
        if mark is not None:
            return Reading(mark, "punctuation" if mark else "silent")
        if len(group) == 1 and (reading := self._words.read(first.text, first.tag, context)):
            parts = [reading]
        else:
            parts = self._compound(group, context)
            _even_stress("".join(part.text for part in group), parts)
        between = " " if _spaced("".join(part.text for part in group)) else ""
        sounding = [part for part in parts if part.phonemes]
        phonemes = between.join(part.phonemes for part in sounding)
        source = next((part.source for part in sounding if part.source in ("letters", "espeak", "spelled")), None)
        phonemes = stress.restress(phonemes, first.source.stress)
        if first.text == "point" and first.source.rule != "text":
            phonemes = stress.restress(phonemes, -2)  # "three point one"
        # The voices know the tap as T and no glottal stop.
        phonemes = phonemes.replace("ɾ", "T").replace("ʔ", "t")
        return Reading(phonemes, source or (sounding[0].source if sounding else "silent"))

    def _compound(self, group: list[Piece], context: Context) -> list[Reading]:
        """Readings of the parts of a compound, the longest known parts first, from the right."""
        ending = group[-1]
        if len(group) > 1 and ending.text.lower() in ("'s", "’s"):
            owner = self._compound(group[:-1], context)
            last = max((place for place, part in enumerate(owner) if part.phonemes), default=None)
            if last is not None:
                owner[last] = Reading(stress.add_s(owner[last].phonemes, self._words.british), owner[last].source)
                return owner
        units = [(text, part.tag) for part in group for text in subwords(part.text)]
        readings: list[Reading] = [Reading("", "silent")] * len(units)
        right = len(units)
        while right:
            for left in range(max(0, right - _WINDOW), right):
                found = self._words.read(
                    "".join(text for text, _ in units[left:right]), _tag(units[left:right]), context
                )
                if found is not None:
                    break
            else:
                left = right - 1
                if units[left][0] not in _SILENT:
                    found = self._unknown.read(units[left][0])
            if found is not None:
                readings[left] = found
                context = _sound(found.phonemes, context, to=False)
            right = left
        return readings


def _tag(units: Sequence[tuple[str, str]]) -> str:
    """The tag of the part that weighs most: the longest, capitals counting twice."""
    return max(units, key=lambda unit: sum(1 if letter == letter.lower() else 2 for letter in unit[0]))[1]


def _groups(parts: Sequence[Piece]) -> list[list[Piece]]:
    """Parts that stand together without a mark or white space between them are one word."""
    result: list[list[Piece]] = []
    joins = False
    for part in parts:
        alone = part.source.phonemes is not None or not (_is_word(part) or (joins and _is_inside(part)))
        if joins and not alone:
            result[-1].append(part)
        else:
            result.append([part])
        joins = not alone and not part.space
    return result


def _is_word(part: Piece) -> bool:
    return part.text in _SAID or any(letter.isalnum() for letter in part.text)


def _is_inside(part: Piece) -> bool:
    """Whether a part behind a word belongs to it: a hyphen, slash or apostrophe, but no closing quotation mark."""
    return not part.quote and part.text in _INSIDE


def _marks(groups: Sequence[list[Piece]]) -> list[str | None]:
    """The sound of each mark, "" for a silent one; None for words. Straight quotes become opening or closing ones."""
    result: list[str | None] = []
    for number, group in enumerate(groups):
        part, text = group[0], group[0].text
        before = groups[number - 1][-1] if number else None
        if part.source.phonemes is not None or _is_word(part):
            result.append(None)
        elif part.quote:
            result.append(part.quote)
        elif text == '"':
            opens = before is None or before.space or before.text[-1:] in "([{<—–-"
            result.append("“" if opens else "”")
        elif text in _PAIRS:
            result.append(_PAIRS[text])
        elif set(text) <= _DASHES:
            result.append("—" if len(text) > 1 or text not in "-" or part.space or before is None else "")
        else:
            result.append("".join(mark for mark in text if mark in _MARKS))
    return result


def _spaced(text: str) -> bool:
    """Whether the parts of a compound are said as words: letters mixed with figures or signs, or a slash between."""
    kinds = {0 if c.isalpha() else 1 if c.isdigit() else 2 for c in text if c not in _SILENT}
    return "/" in text or len(kinds) > 1


def _even_stress(text: str, parts: list[Reading]) -> None:
    """Half of the parts of a compound lose their primary stress, the lighter ones first."""
    if _spaced(text):
        return
    sounding = sorted(
        (stress.PRIMARY in part.phonemes, stress.weight(part.phonemes), place)
        for place, part in enumerate(parts)
        if part.phonemes
    )
    if len(sounding) < 2:
        return
    in_order = sorted(place for _, _, place in sounding)
    if len(sounding) == 2 and len(text) > 1 and text[1:2] in "-" and in_order[0] == 0:
        weaker = [in_order[1]]  # "e-mail", "X-ray"
    elif sum(primary for primary, _, _ in sounding) > (len(sounding) + 1) // 2:
        weaker = [place for _, _, place in sounding[: len(sounding) // 2]]
    else:
        return
    for place in weaker:
        parts[place] = Reading(stress.restress(parts[place].phonemes, -0.5), parts[place].source)


def _token(group: Sequence[Piece], reading: Reading) -> Token:
    """The record of one word or mark."""
    text = "".join(part.text for part in group)
    span = (min(part.span[0] for part in group), max(part.span[1] for part in group))
    tag = _tag([(part.text, part.tag) for part in group])
    return Token(text, reading.phonemes, " " if group[-1].space else "", span, reading.source, tag)


def _before(token: Token, context: Context) -> Context:
    """The context of the word before a token."""
    text = token.text
    return _sound(token.phonemes, context, to=text in ("to", "To") or (text == "TO" and token.tag in ("TO", "IN")))


def _sound(phonemes: str, context: Context, to: bool) -> Context:
    """What comes next, as the word before it hears it."""
    for symbol in phonemes:
        if symbol in stress.VOWELS or symbol in stress.CONSONANTS:
            return Context(symbol in stress.VOWELS, to)
        if symbol in _PAUSES:
            return Context(None, to)
    return Context(context.vowel, to)


def _audible(tokens: list[Token], groups: Sequence[list[Piece]]) -> list[Token]:
    """Stress for "has" behind he, she and it: American voices shrink it to "is" without ("it is doubled")."""
    for number in range(1, len(tokens)):
        here = tokens[number]
        if here.text == "has" and tokens[number - 1].text.lower() in ("he", "she", "it"):
            asked = groups[number][0].source
            if asked.phonemes is None and asked.stress is None:
                tokens[number] = replace(here, phonemes=stress.restress(here.phonemes, 0.5))
    return tokens


def _reduced(tokens: list[Token], groups: Sequence[list[Piece]]) -> list[Token]:
    """The number flag "n": "and" is said as an ending of the word before it."""
    for number, group in enumerate(groups):
        if number and "n" in group[0].source.flags and tokens[number].text == "and":
            before, here = tokens[number - 1], tokens[number]
            tokens[number - 1] = Token(before.text, before.phonemes, "", before.span, before.source, before.tag)
            tokens[number] = Token(here.text, "ən", here.whitespace, here.span, "special", here.tag)
    return tokens
