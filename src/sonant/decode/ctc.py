"""CTC search: from per-frame log-probabilities to symbols with frames and confidences.

Greedy: Graves et al. 2006, section 3.2 (best path). Beam: prefix search as in Hannun et al., "First-Pass Large
Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs" (2014), with a word language model fused
at word ends and bonuses for hotwords; the pruning bounds and default weights are those that pyctcdecode made usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sonant.decode.ctc_align import Span, align
from sonant.decode.ngram import BEGIN, END, NgramModel
from sonant.errors import BadInput
from sonant.text.vocab import CtcVocabulary

__all__ = ["BeamOptions", "Hypothesis", "beam", "greedy"]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What was decoded: symbol ids (delimiters included, blanks not), the frames of each, and the search's score."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    score: float


@dataclass(frozen=True, slots=True)
class BeamOptions:
    """Settings of the beam search.

    Attributes:
        width: prefixes kept a frame.
        symbol_floor: natural logarithm under which a symbol isn't tried on a frame (its best one always is).
        margin: prefixes this far (natural logarithm) behind the best are dropped.
        lm_weight: alpha, weight of the language model's natural logarithm.
        word_bonus: beta, added for every word.
        unknown_penalty: added for a word that the language model lacks.
        hotwords: words to favour, in any case.
        hotword_weight: added for a whole hotword, and in proportion for its beginning.
    """

    width: int = 64
    symbol_floor: float = -5.0
    margin: float = 10.0
    lm_weight: float = 0.5
    word_bonus: float = 1.5
    unknown_penalty: float = -10.0
    hotwords: tuple[str, ...] = ()
    hotword_weight: float = 10.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.width < 1:
            raise BadInput(f"beam width is {self.width}; it must be at least 1")


def greedy(log_probs: NDArray[np.float32], blank: int = 0) -> Hypothesis:
    """The best symbol of every frame, repeats merged, blanks dropped.

    Args:
        log_probs: (F, V) float32, natural logarithms.
        blank: id of the blank.
    """
    best = log_probs.argmax(1)
    scores = log_probs[np.arange(len(best)), best]
    edges = np.flatnonzero(np.diff(best, prepend=-1))  # first frame of every run
    ids, spans = [], []
    for start, end in zip(edges.tolist(), [*edges[1:].tolist(), len(best)], strict=True):
        if best[start] != blank:
            ids.append(int(best[start]))
            spans.append(Span(start, end, float(np.exp(scores[start:end]).mean())))
    return Hypothesis(tuple(ids), tuple(spans), float(scores.sum()))


@dataclass(slots=True)
class _Prefix:
    """A prefix: its last symbol, the words before, the letters since, and what it earned beside the acoustics."""

    ids: tuple[int, ...]
    words: tuple[str, ...]  # only as many as the language model looks back on
    letters: str
    earned: float  # language model, word bonuses and whole hotwords
    hope: float = 0.0  # bonus for the beginning of a hotword; taken back when the word turns out otherwise
    children: dict[int, _Prefix] = field(default_factory=dict)


class _Scorer:
    """Extends prefixes and scores what the acoustics don't know."""

    def __init__(self, vocabulary: CtcVocabulary, model: NgramModel | None, options: BeamOptions) -> None:
        self.vocabulary, self.model, self.options = vocabulary, model, options
        self.delimiter = vocabulary.ids.get(vocabulary.delimiter, -1)
        self.hotwords = tuple(vocabulary.fold(word) for word in options.hotwords)
        self.memory = model.order - 1 if model else 0

    def root(self) -> _Prefix:
        """The empty prefix."""
        return _Prefix((), (BEGIN,)[: self.memory], "", 0.0)

    def extend(self, prefix: _Prefix, symbol: int) -> _Prefix:
        """The prefix with one more symbol; the same object each time it is asked for."""
        child = prefix.children.get(symbol)
        if child is None:
            child = prefix.children[symbol] = self._extended(prefix, symbol)
        return child

    def _extended(self, prefix: _Prefix, symbol: int) -> _Prefix:
        ids = (*prefix.ids, symbol)
        if symbol == self.delimiter:
            words, earned = self._end_word(prefix)
            return _Prefix(ids, words, "", earned)
        if symbol in self.vocabulary.silent:
            return _Prefix(ids, prefix.words, prefix.letters, prefix.earned, prefix.hope)
        letters = prefix.letters + self.vocabulary.symbols[symbol]
        return _Prefix(ids, prefix.words, letters, prefix.earned, self._hope(letters))

    def _hope(self, letters: str) -> float:
        """Share of the hotword bonus for a beginning; ``letters`` that begin no hotword earn nothing."""
        shares = [len(letters) / len(word) for word in self.hotwords if word.startswith(letters)]
        return self.options.hotword_weight * max(shares, default=0.0)

    def _end_word(self, prefix: _Prefix) -> tuple[tuple[str, ...], float]:
        """Words and earnings after the letters become a word; a doubled delimiter changes nothing."""
        word = prefix.letters
        if not word:
            return prefix.words, prefix.earned
        earned = prefix.earned
        if word in self.hotwords:
            earned += self.options.hotword_weight
        if self.model is None:
            return prefix.words, earned
        spelled = word if word in self.model or word.lower() not in self.model else word.lower()
        earned += self.options.lm_weight * self.model.score(prefix.words, spelled) + self.options.word_bonus
        if spelled not in self.model:
            earned += self.options.unknown_penalty
        words = (*prefix.words, spelled)
        return words[len(words) - self.memory :] if self.memory else (), earned

    def final(self, prefix: _Prefix) -> float:
        """Earnings when the utterance ends here."""
        words, earned = self._end_word(prefix)
        if self.model is not None:
            earned += self.options.lm_weight * self.model.score(words, END)
        return earned


def beam(
    log_probs: NDArray[np.float32],
    vocabulary: CtcVocabulary,
    model: NgramModel | None = None,
    options: BeamOptions | None = None,
    best: int = 1,
) -> list[Hypothesis]:
    """The most likely texts, summed over all paths that spell them.

    Args:
        log_probs: (F, V) float32, natural logarithms.
        vocabulary: symbols of the head.
        model: word language model; its words are matched in the vocabulary's case, then in lower case.
        options: width, pruning and weights.
        best: how many texts to return at the most.

    Returns:
        Hypotheses, best first. Frames come from forced alignment of the text, so they are exact for its best path.
    """
    options = options or BeamOptions()
    scorer = _Scorer(vocabulary, model, options)
    blank = vocabulary.blank
    beams: dict[int, tuple[_Prefix, float, float]] = {}  # id(prefix) -> prefix, ln P ending in blank, ln P not
    root = scorer.root()
    beams[id(root)] = (root, 0.0, -np.inf)
    for row in log_probs:
        tried = np.flatnonzero(row >= min(options.symbol_floor, float(row.max())))
        beams = _prune(_advance(beams, row, tried.tolist(), blank, scorer), options)
    ranked = sorted(
        ((float(np.logaddexp(ends, goes)) + scorer.final(prefix), prefix) for prefix, ends, goes in beams.values()),
        key=lambda pair: -pair[0],
    )
    return [
        Hypothesis(prefix.ids, tuple(align(log_probs, prefix.ids, blank)), score) for score, prefix in ranked[:best]
    ]


def _advance(
    beams: dict[int, tuple[_Prefix, float, float]],
    row: NDArray[np.float32],
    tried: Sequence[int],
    blank: int,
    scorer: _Scorer,
) -> dict[int, tuple[_Prefix, float, float]]:
    """One frame: every prefix stays, repeats its last symbol, or grows by one."""
    grown: dict[int, list[float]] = {}
    prefixes: dict[int, _Prefix] = {}

    def add(prefix: _Prefix, slot: int, score: float) -> None:
        prefixes[id(prefix)] = prefix
        pair = grown.setdefault(id(prefix), [-np.inf, -np.inf])
        pair[slot] = np.logaddexp(pair[slot], score)

    for prefix, ends, goes in beams.values():
        whole = np.logaddexp(ends, goes)
        for symbol in tried:
            score = float(row[symbol])
            if symbol == blank:
                add(prefix, 0, whole + score)
            elif prefix.ids and prefix.ids[-1] == symbol:
                add(prefix, 1, goes + score)
                if ends > -np.inf:
                    add(scorer.extend(prefix, symbol), 1, ends + score)
            else:
                add(scorer.extend(prefix, symbol), 1, whole + score)
    return {key: (prefixes[key], ends, goes) for key, (ends, goes) in grown.items()}


def _prune(
    beams: dict[int, tuple[_Prefix, float, float]], options: BeamOptions
) -> dict[int, tuple[_Prefix, float, float]]:
    """The best ``width`` prefixes within the margin."""
    scored = [
        (float(np.logaddexp(ends, goes)) + prefix.earned + prefix.hope, key)
        for key, (prefix, ends, goes) in beams.items()
    ]
    scored.sort(key=lambda pair: -pair[0])
    bound = scored[0][0] - options.margin
    return {key: beams[key] for score, key in scored[: options.width] if score >= bound}
