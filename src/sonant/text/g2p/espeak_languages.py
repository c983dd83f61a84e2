"""Spanish, French, Hindi, Italian and Brazilian Portuguese by eSpeak NG, in the symbols that Kokoro was trained with.

The words between two punctuation marks are spoken together, so that liaison and stress are those of the phrase, and the
sounds are then given back to their words: one by one where eSpeak NG kept the words apart, else by alignment.

Symbols: the voices heard misaki's ``EspeakG2P`` (hexgrad/misaki 0.9.4, ``espeak.py``): letters joined by a tie become
one letter of the alphabet, other ties and hyphens go. What the alphabet lacks has a nearest sound here, or is an error.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence

from sonant.errors import UnspeakableText
from sonant.text.g2p.align import divide
from sonant.text.g2p.espeak import SWITCH, Espeak, espeak
from sonant.text.g2p.spans import MARKS, Stretch, mark_token, stretches
from sonant.text.languages import language as language_row
from sonant.text.phonemes import SYMBOLS
from sonant.text.tokens import Spoken, Token

__all__ = ["EspeakLanguage", "load", "to_kokoro"]

# Facts of the trained symbols (misaki's e2m table), in the order in which they are replaced.
_TIED = {
    "a^ɪ": "I",
    "a^ʊ": "W",
    "d^z": "ʣ",
    "d^ʒ": "ʤ",
    "e^ɪ": "A",
    "o^ʊ": "O",
    "s^s": "S",
    "t^s": "ʦ",
    "t^ʃ": "ʧ",
    "ɔ^ɪ": "Y",
    "ə^ʊ": "Q",
}
# Nearest sounds for IPA that the alphabet lacks; eSpeak NG uses a few of them in Hindi and in foreign words.
_NEAREST = dict(zip("gɭɫɬɮʟɦħʕʍʉɵɘɞʏɶʀɱʐʑɧɺɢɓɗʄɠ", "ɡlllllhhʔwuøəɜyœʁmʒʒʃɾɡbdɟɡ", strict=True))
# Diacritics that tell apart what the alphabet doesn't: dental, non-syllabic, raised, voiceless, ...
_SILENT = frozenset(
    "\u032a\u032f\u031e\u031d\u0325\u030a\u032c\u0306\u0361\u02de\u0320\u031f\u0318\u0319\u033a\u033b\u02bc\u02d1\u02e0\u02e4\u0334'"
)
_LETTER = rf"[^\s{re.escape(''.join(MARKS))}]"
_UNIT = re.compile(
    rf"(?P<space>\s+)|(?P<mark>[{re.escape(''.join(MARKS))}])|(?P<word>{_LETTER}+(?:[’‘](?=\w){_LETTER}+)*)"
)
_PHRASE = 40  # words in one call at most: eSpeak NG cuts longer clauses itself, inside a word if it must

_DRIFT = 2  # symbols that liaison, elision and stress may add to a word or take from it


def to_kokoro(ipa: str) -> str:
    """Kokoro's symbols for eSpeak NG's IPA with "^" ties.

    Raises:
        UnspeakableText: a symbol without a place in the alphabet.
    """
    ipa = SWITCH.sub("", ipa)
    for old, new in _TIED.items():
        ipa = ipa.replace(old, new)
    ipa = re.sub(r"([lmnɹrŋɭ])\u0329", r"ə\1", ipa.replace("^", "").replace("-", "")).replace("\u0329", "")
    result = []
    for symbol in ipa:
        if symbol in SYMBOLS:
            result.append(symbol)
        elif symbol in _NEAREST:
            result.append(_NEAREST[symbol])
        elif symbol not in _SILENT:
            raise UnspeakableText(
                f"eSpeak NG gave {symbol!r} (U+{ord(symbol):04X}) in {ipa[:60]!r}, which Kokoro's alphabet lacks; "
                "write the word in another way"
            )
    return "".join(result)


def load(language: str) -> EspeakLanguage:
    """The converter of es, fr-fr, hi, it or pt-br.

    Raises:
        MissingExtra: eSpeak NG isn't installed; the message is the pip command.
    """
    return EspeakLanguage(language_row(language).espeak, espeak())


class EspeakLanguage:
    """Grapheme to phoneme by an eSpeak NG voice; safe to call from several threads."""

    def __init__(self, voice: str, engine: Espeak) -> None:
        """Speak with ``voice`` of ``engine``."""
        self._voice, self._engine = voice, engine
        self._alone = functools.lru_cache(maxsize=8192)(self._one)

    def __call__(self, pieces: Sequence[Spoken]) -> list[Token]:
        """Tokens of one sentence: a token a word (as white space divides them) and a punctuation mark.

        Raises:
            UnspeakableText: letters that eSpeak NG has no sound for.
        """
        tokens: list[Token] = []
        for stretch in stretches(pieces):
            if stretch.fixed is not None:
                piece = stretch.fixed
                tokens.append(
                    Token(piece.text.strip(), piece.phonemes or "", " " if stretch.space else "", piece.span, "markup")
                )
            else:
                if tokens and stretch.text[:1].isspace():
                    tokens[-1] = _spaced(tokens[-1])
                tokens.extend(self._tokens(stretch, pieces))
        return tokens

    def _tokens(self, stretch: Stretch, pieces: Sequence[Spoken]) -> Iterator[Token]:
        """Tokens of running text."""
        phrase: list[re.Match[str]] = []
        for unit in _UNIT.finditer(stretch.text):
            if unit["word"]:
                phrase.append(unit)
            if phrase and (unit["mark"] or len(phrase) == _PHRASE):
                yield from self._phrase(phrase, stretch, pieces)
                phrase = []
            if unit["mark"]:
                yield mark_token(unit[0], _space_after(stretch.text, unit.end()), stretch.span(*unit.span()))
        if phrase:
            yield from self._phrase(phrase, stretch, pieces)

    def _phrase(self, units: Sequence[re.Match[str]], stretch: Stretch, pieces: Sequence[Spoken]) -> Iterator[Token]:
        """Tokens of the words between two marks."""
        words = [unit[0].replace("’", "'").replace("‘", "'") for unit in units]
        for unit, sounds, space in zip(units, *self._sounds(words), strict=True):
            phonemes = to_kokoro(sounds)
            if not phonemes:  # eSpeak NG is silent on words of mixed scripts, not on their letters
                phonemes = to_kokoro("".join(self._alone(letter) for letter in unit[0]))
            if not phonemes and any(unicodedata.category(letter)[0] in "LN" for letter in unit[0]):
                raise UnspeakableText(
                    f"eSpeak NG ({self._voice}) has no sound for {unit[0]!r}; "
                    "write it in another way, or as [word](/phonemes/)"
                )
            piece = pieces[stretch.pieces[unit.start()]]
            if piece.stress is not None:
                phonemes = _stressed(phonemes, piece.stress)
            whitespace = " " if space and _space_after(stretch.text, unit.end()) else ""
            source = "espeak" if phonemes else "silent"
            yield Token(unit[0], phonemes, whitespace, stretch.span(*unit.span()), source)

    def _sounds(self, words: Sequence[str]) -> tuple[list[str], list[bool]]:
        """For each word its IPA in the phrase, and whether a space follows it there."""
        phrase = self._engine.phonemes(" ".join(words), self._voice)
        parts = phrase.split()
        alone = [self._alone(word) for word in words]
        # As many parts as words may still be one word joined and another split: lengths tell.
        if len(parts) == len(words) and all(abs(len(p) - len(a)) <= _DRIFT for p, a in zip(parts, alone, strict=True)):
            return parts, [True] * len(words)
        pieces = divide(" ".join(parts), alone)
        if any(word.strip() and not piece.strip() for word, piece in zip(alone, pieces, strict=True)):
            return alone, [True] * len(words)
        spaces = [
            piece.endswith(" ") or following.startswith(" ")
            for piece, following in zip(pieces, [*pieces[1:], " "], strict=True)
        ]
        return [piece.strip() for piece in pieces], spaces

    def _one(self, word: str) -> str:
        """A word by itself."""
        return self._engine.phonemes(word, self._voice)


def _space_after(text: str, place: int) -> str:
    return " " if text[place : place + 1].isspace() else ""


def _spaced(token: Token) -> Token:
    return Token(token.text, token.phonemes, " ", token.span, token.source, token.tag)


def _stressed(phonemes: str, change: float) -> str:
    """Stress moved on misaki's scale: 1 and 2 raise, 0.5 gives a weak one, -0.5 and -1 weaken, -2 takes it away."""
    if change <= -2:
        return phonemes.replace("ˈ", "").replace("ˌ", "")
    if change < 0:
        return phonemes.replace("ˌ", "").replace("ˈ", "ˌ") if change == -1 else phonemes.replace("ˈ", "ˌ")
    if change >= 1 and "ˈ" not in phonemes:
        raised = phonemes.replace("ˌ", "ˈ", 1)
        return raised if "ˈ" in raised else _before_vowel(phonemes, "ˈ")
    if 0 < change < 1 and "ˈ" not in phonemes and "ˌ" not in phonemes:
        return _before_vowel(phonemes, "ˌ")
    return phonemes


def _before_vowel(phonemes: str, mark: str) -> str:
    """Put a stress mark before the first vowel."""
    found = re.search("[aeiouyæøœɐɑɒɔəɚɛɜɨɪɯɤʊʌᵻAIOQWY]", phonemes)
    return phonemes[: found.start()] + mark + phonemes[found.start() :] if found else phonemes
