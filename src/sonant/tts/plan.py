"""Passages -> utterances: what the network speaks in one call.

Short sentences of a paragraph are spoken together, because the network is at its best with some words around each
word; a sentence above the limit is cut by ``text.phonemes.fit``. No word is ever dropped: what has no sound is named in
the warnings of the utterance.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sonant.errors import UnspeakableText
from sonant.text.normalize import normalize
from sonant.text.phonemes import fit, join
from sonant.text.tokens import G2P, Spoken, Token
from sonant.tts.lexicon import UserLexicon
from sonant.tts.options import SpeakOptions
from sonant.tts.reader import fragments
from sonant.tts.script import Ending, Manner, Passage, Pause, written

__all__ = ["Utterance", "plan", "plan_phonemes"]

_RAW = re.compile(r"(?P<word>[^\s;:,.!?—…\"()“”]+)|(?P<mark>[;:,.!?—…\"()“”])")
_MEANINGFUL = frozenset(("Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No", "Sc", "Sm", "So"))
_FIRST_TARGETS = (60, 100, 180)
"""Phonemes of the first chunks of a stream: each is spoken in the time that the one before it sounds."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the network speaks in one call.

    Attributes:
        tokens: words and marks with their phonemes.
        phonemes: the joined string, at most 510 symbols.
        passages: the sentences it is from.
        manner: how the text asks for it to be spoken.
        language: code.
        ending: what follows it.
        warnings: a line each.
    """

    tokens: tuple[Token, ...]
    phonemes: str
    passages: tuple[Passage, ...]
    manner: Manner
    language: str
    ending: Ending
    warnings: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[int, int]:
        """Where it stands in the user's text."""
        return min(token.span[0] for token in self.tokens), max(token.span[1] for token in self.tokens)

    @property
    def graphemes(self) -> str:
        """The user's text of it, markup left out."""
        return self.written(self.span).strip()

    def written(self, span: tuple[int, int]) -> str:
        """The user's text within a span."""
        return written(self.passages, span)


def plan(
    passages: Iterable[Passage | Pause],
    options: SpeakOptions,
    language: Callable[[Manner], str],
    g2p: Callable[[str], G2P],
    lexicon: UserLexicon | None = None,
    early: bool = False,
    eager: bool = False,
) -> Iterator[Utterance | Pause]:
    """Utterances and pauses in order.

    Args:
        passages: what ``reader.read`` gives.
        options: target and limit of an utterance.
        language: code of the language that a manner speaks.
        g2p: the converter of a language code.
        lexicon: the user's own words.
        early: begin with short utterances.
        eager: don't wait for a sentence that may be spoken with this one.

    Raises:
        UnspeakableText: a word without a reading; or, at the end, a text without anything to say.
    """
    group = _Group(options, early, eager)
    unsaid = ""
    for passage in passages:
        if isinstance(passage, Pause):
            yield from group.flush()
            group.paused = True
            yield passage
            continue
        code = language(passage.manner)
        pieces = lexicon.apply(passage.pieces) if lexicon else passage.pieces
        tokens = g2p(code)(normalize(pieces, code))
        if not any(token.is_word and token.phonemes for token in tokens):
            unsaid = unsaid or "".join(piece.text for piece in passage.pieces).strip()
            group.warn(passage)
            if "\n" in passage.source or passage.ending == "paragraph":
                yield from group.flush("paragraph")
            continue
        yield from group.add(tokens, passage, code)
    yield from group.flush()
    if not group.count and not group.paused:
        said = f"{unsaid[:60]!r} has no symbol that can be spoken" if unsaid else "the text is empty"
        raise UnspeakableText(f"{said}; give words")


class _Group:
    """Sentences that are to be spoken together."""

    def __init__(self, options: SpeakOptions, early: bool, eager: bool) -> None:
        self.limit, self.target = options.limit, min(options.target, options.limit)
        self.first_targets = _FIRST_TARGETS if early else ()
        self.eager, self.count, self.paused = eager, 0, False
        self.tokens: list[Token] = []
        self.passages: list[Passage] = []
        self.language = ""
        self.warnings: list[str] = []

    def add(self, tokens: Sequence[Token], passage: Passage, language: str) -> Iterator[Utterance]:
        """Take a sentence; what is complete comes out."""
        if self.passages:
            same = passage.manner == self.passages[-1].manner and language == self.language
            length = len(join([*_spaced(self.tokens), *tokens]))
            if not same or length > self._target():
                yield from self.flush()
        if self.tokens:
            self.tokens = _spaced(self.tokens)
        self.tokens.extend(tokens)
        self.passages.append(passage)
        self.language = language
        silent = [token for token in tokens if not token.phonemes and token.source != "markup" and _means(token.text)]
        self.warnings.extend(f"{token.text!r} has no sound (character {token.span[0] + 1})" for token in silent)
        if passage.ending != "sentence" or self.eager or len(join(self.tokens)) >= self._target():
            yield from self.flush()

    def warn(self, passage: Passage) -> None:
        """Remember a passage that has nothing to say, unless it is mere punctuation."""
        text = "".join(piece.text for piece in passage.pieces).strip()
        if _means(text):
            self.warnings.append(f"nothing to say in {text[:60]!r} (character {passage.start + 1})")

    def flush(self, ending: Ending | None = None) -> Iterator[Utterance]:
        """The sentences so far as utterances."""
        if not self.tokens:
            return
        passages = tuple(self.passages)
        parts = fit(_trimmed(self.tokens), self.limit)
        for number, part in enumerate(parts, 1):
            phonemes = join(part)
            last = number == len(parts)
            after = (ending or passages[-1].ending) if last else _ending(phonemes)
            if after == "sentence" and last:
                after = _ending(phonemes, "sentence")
            self.count += 1
            yield Utterance(
                tuple(part), phonemes, passages, passages[0].manner, self.language, after, tuple(self.warnings)
            )
            self.warnings = []
        self.tokens, self.passages = [], []

    def _target(self) -> int:
        return min([self.target, *self.first_targets[self.count : self.count + 1]])


def _ending(phonemes: str, otherwise: Ending = "none") -> Ending:
    """What the last mark of a string asks for."""
    mark = phonemes.rstrip('")” ')[-1:]
    return "sentence" if mark in "!.?…" else "clause" if mark in ";:,—" else otherwise


def _means(text: str) -> bool:
    """Whether a text has letters, digits or signs, and not mere punctuation and modifiers."""
    return any(unicodedata.category(character) in _MEANINGFUL for character in text)


def _spaced(tokens: Sequence[Token]) -> list[Token]:
    """Tokens with a space after the last one: another sentence follows."""
    *rest, last = tokens
    return [*rest, Token(last.text, last.phonemes, " ", last.span, last.source, last.tag)]


def _trimmed(tokens: Sequence[Token]) -> list[Token]:
    """Without tokens that have neither sound nor letters at both ends."""
    kept = [index for index, token in enumerate(tokens) if token.phonemes or token.is_word]
    return list(tokens[kept[0] : kept[-1] + 1]) if kept else []


def plan_phonemes(text: object, options: SpeakOptions, language: str) -> Iterator[Utterance]:
    """Utterances of a phoneme string, cut where it is longer than the limit.

    Raises:
        UnspeakableText: it is empty.
    """
    whole = "".join(fragments(text))  # type: ignore[arg-type]
    tokens: list[Token] = []
    for match in _RAW.finditer(whole):
        space = " " if whole[match.end() : match.end() + 1].isspace() else ""
        source = "raw" if match["word"] else "punctuation"
        tokens.append(Token(match[0], match[0], space, match.span(), source))
    if not tokens:
        raise UnspeakableText("the phoneme string is empty; give symbols of Kokoro's alphabet")
    passage = Passage((Spoken(whole, (0, len(whole))),), Manner(), "sentence", whole, 0)
    parts = fit(tokens, options.limit)
    for number, part in enumerate(parts, 1):
        phonemes = join(part)
        ending: Ending = "sentence" if number == len(parts) else _ending(phonemes)
        yield Utterance(tuple(part), phonemes, (passage,), Manner(), language, ending)
