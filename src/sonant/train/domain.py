"""A closed domain of spoken English for the small recogniser of ours: numbers, dates, times, spelled letters, commands.

Sentences are drawn from templates with a seed; what is returned is the spoken form in words, upper case, which is at
once what is synthesised and what the recogniser must write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
from num2words import num2words

__all__ = ["COMMANDS", "exercises", "sentence", "sentences"]

VERBS = (
    "open close start stop play pause turn switch set show find call send read write save delete copy paste move "
    "rename cancel repeat skip mute unmute raise lower lock unlock record print search select undo redo zoom scroll "
    "go add remove share attach check connect reset increase decrease answer dial book order"
).split()
THINGS = (
    "window door file folder page message email song album video camera microphone radio light lights kitchen bedroom "
    "garage garden heater fan alarm timer clock calendar meeting reminder note list volume screen keyboard menu button "
    "tab line word paragraph document picture map route station number contact doctor office mother father home system "
    "program game score printer battery network password oven curtain gate kettle weather news water coffee television "
    "bathroom shower fridge ticket charger shutter speaker"
).split()
ADVERBS = "now again please today tomorrow tonight later slowly quickly twice".split()
PLACES = "left right up down back forward on off top bottom next first last all".split()
COMMANDS = tuple(dict.fromkeys((*VERBS, *THINGS, *ADVERBS, *PLACES)))
MONTHS = "january february march april may june july august september october november december".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
# Letters are spelled by their names so that the recogniser writes words that were spoken.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TIMES = "half quarter past oh o'clock".split()

Random = np.random.Generator


def _words(number: int, to: str = "cardinal") -> str:
    """A number as it is spoken, without hyphens and commas."""
    return num2words(number, to=to).replace("-", " ").replace(",", "").replace(" and ", " ")


# Every word of the domain once, but for letters, which are heard often enough.
WORDS = tuple(
    dict.fromkeys(
        [*COMMANDS, *MONTHS, *DAYS, *TIMES, "the", "and", "hundred", "thousand"]
        + [_words(number) for number in (*range(20), *range(20, 100, 10))]
        + [_words(number, "ordinal") for number in (*range(1, 21), 30)]
    )
)


def _number(random: Random) -> str:
    """A number of one to six digits, small ones more often; digits one by one now and then."""
    if random.random() < 0.3:
        return " ".join(_words(int(digit)) for digit in random.integers(0, 10, random.integers(3, 8)))
    return _words(int(random.integers(0, 10 ** random.integers(1, 6))))


def _date(random: Random) -> str:
    """A day of a month, sometimes with the day of the week or the year."""
    date = f"{random.choice(MONTHS)} {_words(int(random.integers(1, 32)), 'ordinal')}"
    if random.random() < 0.4:
        date = f"{random.choice(DAYS)} {date}"
    if random.random() < 0.4:
        date += " " + _words(int(random.integers(1900, 2040)), "year")
    return date


def _time(random: Random) -> str:
    """A time of day in one of the usual ways."""
    hour = _words(int(random.integers(1, 13)))
    minute = int(random.integers(1, 60))
    way = random.integers(0, 4)
    if way == 0:
        return f"{hour} o'clock"
    if way == 1:
        return f"{random.choice(['half', 'quarter'])} past {hour}"
    spoken = _words(minute) if minute > 9 else f"oh {_words(minute)}"
    return f"{hour} {spoken} {random.choice(['a m', 'p m'])}" if way == 2 else f"{hour} {spoken}"


def _spelled(random: Random) -> str:
    """Three to seven letters."""
    return " ".join(random.choice(list(LETTERS), random.integers(3, 8)))


def _command(random: Random) -> str:
    """A command of two to six words."""
    verb, thing = random.choice(VERBS), random.choice(THINGS)
    way = random.integers(0, 5)
    if way == 0:
        return f"{verb} the {thing}"
    if way == 1:
        return f"{verb} the {thing} {random.choice(ADVERBS)}"
    if way == 2:
        return f"{verb} {random.choice(PLACES)} the {thing} and {random.choice(VERBS)} the {random.choice(THINGS)}"
    if way == 3:
        return f"{verb} {thing} {_number(random)}"
    return f"{random.choice(THINGS)} {random.choice(PLACES)} {random.choice(ADVERBS)}"


KINDS: tuple[tuple[float, Callable[[Random], str]], ...] = (
    (0.25, _number),
    (0.15, _date),
    (0.15, _time),
    (0.15, _spelled),
    (0.30, _command),
)


def sentence(random: Random) -> str:
    """One sentence of the domain, upper case letters, apostrophes and spaces only."""
    kind = int(random.choice(len(KINDS), p=[share for share, _ in KINDS]))
    return KINDS[kind][1](random).upper()


def _listed(random: Random) -> str:
    """Three to seven of the domain's words in no order: so a rare word is learned as often as any other."""
    return " ".join(random.choice(WORDS, random.integers(3, 8))).upper()


def sentences(count: int, seed: int, without: frozenset[str] = frozenset()) -> list[str]:
    """``count`` different sentences, none of them in ``without`` (so that test and training never share one)."""
    found: dict[str, None] = {}
    drawn = _drawn(seed, without)
    while len(found) < count:
        found[next(drawn)] = None
    return list(found)


def exercises(count: int, seed: int, without: frozenset[str] = frozenset(), lists: float = 0.0) -> list[str]:
    """``count`` texts to learn from; sentences come again as often as the domain has them.

    Args:
        count: of texts.
        seed: of all draws.
        without: sentences that are kept for the test.
        lists: share of texts that are lists of words.
    """
    return list(islice(_drawn(seed, without, lists), count))


def _drawn(seed: int, without: frozenset[str], lists: float = 0.0) -> Iterator[str]:
    """Sentences and lists of words without end, none of them in ``without``."""
    random = np.random.default_rng(seed)
    while True:
        text = _listed(random) if lists and random.random() < lists else sentence(random)
        if text not in without:
            yield text
