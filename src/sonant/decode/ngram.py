"""Back-off n-gram language models in ARPA form: reading, scoring, and estimating small ones.

Estimation is interpolated Kneser-Ney with one discount an order (Chen and Goodman, "An Empirical Study of Smoothing
Techniques for Language Modeling", 1998, section 4.1.6), written out in back-off form.
"""

from __future__ import annotations

import gzip
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonant.errors import BadInput, CorruptFile

__all__ = ["BEGIN", "END", "UNKNOWN", "NgramModel", "estimate", "read_arpa"]

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
LN10 = math.log(10)  # ARPA files hold logarithms to base 10
UNSEEN = -100.0  # log10 probability of a word in a model without <unk>: SRILM's convention for "never"


@dataclass(frozen=True)
class NgramModel:
    """A back-off model.

    Attributes:
        order: longest n-gram.
        log_probs: natural logarithm of each n-gram's probability, by its words.
        backoffs: natural logarithm of its back-off weight.
    """

    order: int
    log_probs: dict[tuple[str, ...], float]
    backoffs: dict[tuple[str, ...], float]

    def __contains__(self, word: str) -> bool:
        """Whether the word is in the vocabulary."""
        return (word,) in self.log_probs

    def score(self, history: Sequence[str], word: str) -> float:
        """Natural logarithm of P(word | history); only the last ``order - 1`` words of the history count."""
        if (word,) not in self.log_probs:
            word = UNKNOWN
            if (word,) not in self.log_probs:
                return UNSEEN * LN10
        context = tuple(history[-(self.order - 1) :]) if self.order > 1 else ()
        context = tuple(known if (known,) in self.log_probs else UNKNOWN for known in context)
        penalty = 0.0
        while True:
            found = self.log_probs.get((*context, word))
            if found is not None:
                return penalty + found
            penalty += self.backoffs.get(context, 0.0)
            context = context[1:]

    def sentence(self, words: Sequence[str]) -> float:
        """Natural logarithm of the probability of a whole sentence, its end included."""
        history = [BEGIN]
        total = 0.0
        for word in (*words, END):
            total += self.score(history, word)
            history.append(word)
        return total

    def write_arpa(self, path: Path) -> None:
        """Write the model as an ARPA file."""
        grams: dict[int, list[tuple[str, ...]]] = defaultdict(list)
        for gram in sorted(self.log_probs):
            grams[len(gram)].append(gram)
        lines = ["\\data\\", *(f"ngram {n}={len(grams[n])}" for n in range(1, self.order + 1)), ""]
        for n in range(1, self.order + 1):
            lines.append(f"\\{n}-grams:")
            for gram in grams[n]:
                line = f"{self.log_probs[gram] / LN10:.6f}\t{' '.join(gram)}"
                lines.append(f"{line}\t{self.backoffs[gram] / LN10:.6f}" if gram in self.backoffs else line)
            lines.append("")
        lines.append("\\end\\")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_arpa(path: Path) -> NgramModel:
    """Read an ARPA file, plain or gzipped.

    Raises:
        CorruptFile: it is no ARPA file, or holds other counts than it says; a KenLM binary is named as such.
    """
    with path.open("rb") as file:
        magic = file.read(16)
    if magic.startswith(b"mmap lm"):
        raise CorruptFile(f"{path} is a KenLM binary; give the ARPA file that it was built from")
    open_text = gzip.open if magic[:2] == b"\x1f\x8b" else open
    log_probs: dict[tuple[str, ...], float] = {}
    backoffs: dict[tuple[str, ...], float] = {}
    said: dict[int, int] = {}
    read: Counter[int] = Counter()
    order = 0
    with open_text(path, "rt", encoding="utf-8") as text:
        try:
            for number, raw in enumerate(text, 1):
                line = raw.rstrip("\n")
                if line.startswith("ngram ") and not order:
                    length, count = line[6:].split("=")
                    said[int(length)] = int(count)
                elif line.endswith("-grams:") and line.startswith("\\"):
                    order = int(line[1:-7])
                elif line.strip() == "\\end\\":
                    break
                elif order and line.strip():
                    parts = line.split("\t") if "\t" in line else _columns(line, order)
                    gram = tuple(parts[1].split())
                    if len(gram) != order:
                        raise CorruptFile(f"{path}, line {number}: {len(gram)} words where {order} are wanted")
                    log_probs[gram] = float(parts[0]) * LN10
                    if len(parts) > 2 and parts[2].strip():
                        backoffs[gram] = float(parts[2]) * LN10
                    read[order] += 1
        except (ValueError, IndexError) as error:
            if isinstance(error, CorruptFile):
                raise
            raise CorruptFile(f"{path} is no ARPA file: line {number}: {error}") from error
    if not said:
        raise CorruptFile(f"{path} is no ARPA file: it has no \\data\\ section")
    if dict(read) != {n: count for n, count in said.items() if count}:
        raise CorruptFile(f"{path} says {said} n-grams but holds {dict(read)}")
    return NgramModel(max(said), log_probs, backoffs)


def _columns(line: str, order: int) -> list[str]:
    """Columns of a line that is divided by spaces alone."""
    fields = line.split()
    return [fields[0], " ".join(fields[1 : order + 1]), *fields[order + 1 : order + 2]]


def estimate(sentences: Iterable[Sequence[str]], order: int = 3) -> NgramModel:
    """Estimate a model by interpolated Kneser-Ney smoothing.

    Args:
        sentences: lists of words.
        order: longest n-gram, 1 to 5.

    Raises:
        BadInput: no sentence, or an order out of range.
    """
    if not 1 <= order <= 5:
        raise BadInput(f"order {order} is out of range; allowed: 1 to 5")
    counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(order + 1)]
    for sentence in sentences:
        words = (BEGIN, *sentence, END)
        for n in range(1, order + 1):
            for start in range(len(words) - n + 1):
                counts[n][words[start : start + n]] += 1
    if not counts[1]:
        raise BadInput("no sentence to estimate a language model from")
    for n in range(order - 1, 0, -1):
        counts[n] = _continuations(counts[n + 1], counts[n])
    vocabulary = [gram for gram in counts[1] if gram != (BEGIN,)]
    probs: dict[tuple[str, ...], float] = {}
    backoffs: dict[tuple[str, ...], float] = {}
    for n in range(1, order + 1):
        discount = _discount(counts[n])
        totals: Counter[tuple[str, ...]] = Counter()
        kinds: Counter[tuple[str, ...]] = Counter()
        for gram, count in counts[n].items():
            if gram[-1] != BEGIN:
                totals[gram[:-1]] += count
                kinds[gram[:-1]] += 1
        for gram, count in counts[n].items():
            if gram[-1] == BEGIN:
                continue
            history = gram[:-1]
            lower = probs[gram[1:]] if n > 1 else 1.0 / (len(vocabulary) + 1)
            share = discount * kinds[history] / totals[history]
            probs[gram] = max(count - discount, 0.0) / totals[history] + share * lower
            backoffs[history] = math.log(share)
        if n == 1:
            probs[(UNKNOWN,)] = discount * kinds[()] / totals[()] / (len(vocabulary) + 1)
    backoffs.pop((), None)
    log_probs = {gram: math.log(prob) for gram, prob in probs.items()}
    log_probs[(BEGIN,)] = UNSEEN * LN10  # never predicted, only a history
    return NgramModel(order, log_probs, backoffs)


def _continuations(longer: Counter[tuple[str, ...]], plain: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """In how many contexts each n-gram was seen; those that begin a sentence keep their plain counts."""
    found: Counter[tuple[str, ...]] = Counter(gram[1:] for gram in longer)
    for gram, count in plain.items():
        if gram[0] == BEGIN:
            found[gram] = count
    return found


def _discount(counts: Counter[tuple[str, ...]]) -> float:
    """Ney's estimate n1 / (n1 + 2 n2), kept inside (0, 1) on tiny corpora."""
    ones = sum(count == 1 for count in counts.values())
    twos = sum(count == 2 for count in counts.values())
    return min(max(ones / (ones + 2 * twos), 0.1), 0.9) if ones else 0.5
