"""Sentences, in every script: pieces of text in, the same pieces grouped by sentence out, not a character lost.

Sentences end at . ! ? … 。！？ and the Devanagari danda (with the quotes and brackets that close there), at blank
lines, and at line ends that are not mere wrapping. A dot ends nothing after an abbreviation, an initial, in a number or
an address.
The work is linear in the length of the text. Within a sentence ``phonemes.fit`` cuts at clauses and commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sonant.text.languages import canonical
from sonant.text.tokens import Spoken

__all__ = ["sentences"]

_CLOSERS = "\"'”’»›)\\]}」』】）》〉〕］｝"
_OPENERS = "\"'“‘«‹(\\[{「『【（《〈〔［｛¿¡"
_WIDE = "。！？｡．"
_STOPS = ".!?…।॥؟۔‼⁇⁈⁉"

_BREAK = re.compile(
    rf"(?P<paragraph>[^\S\n]*\n(?:[^\S\n]*\n)+[^\S\n]*)"
    rf"|(?P<line>[^\S\n]*\n[^\S\n]*)"
    rf"|(?P<wide>[{_WIDE}{_STOPS}]*[{_WIDE}][{_WIDE}{_STOPS}]*)(?P<wide_close>[{_CLOSERS}]*)(?P<wide_space>[^\S\n]*)"
    rf"|(?P<stop>[{_STOPS}]+)(?P<close>(?:[ \u00a0\u202f]»|[{_CLOSERS}])*)(?P<space>[^\S\n]+|(?=\n)|$)"
)

# A dot after these ends nothing: a name or a number follows, so a capital says nothing.
_TITLES = {
    "a": """Mr Mrs Ms Mx Dr Prof Gen Col Maj Capt Cpt Lt Sgt Cpl Cmdr Adm Rev Hon Fr Sr Jr Sen Rep Gov Pres Mt
        Messrs Mme Mlle vs Vs v Nos nos Vol vol Vols vols pp Figs figs Eq eq Ch Sec Eds eds cf Cf e.g E.g
        i.e I.e eg viz ca approx""",
    "e": """Sr Sra Srta Sres Dr Dra D Dña Lic Ing Prof Profa Gral cap Cap Vol vol núm Núm pág págs p.ej P.ej p.e
        av Av avda Avda C s.m Ud Uds Vd Vds Mons Fr Sto Sta""",
    "f": """M MM Mme Mmes Mlle Mlles Dr Pr Me Mgr St Ste vol Vol chap Chap pp cf Cf p.ex P.ex av Av bd Bd env
        fig Fig""",
    "h": "डॉ श्री श्रीमती सु प्रो पं कु मो सं Dr Mr Mrs Ms Prof",
    "i": """Sig sig Sig.ra sig.ra Dott dott Dott.ssa dott.ssa Prof prof Prof.ssa prof.ssa Ing ing Avv avv Arch
        arch Geom On Rag Sen vol Vol cap Cap pag Pag pagg cfr Cfr nr Nr S SS p.es P.es""",
    "p": """Sr Sra Srs Sras Dr Dra D Prof Profa Eng Exmo Exma vol Vol cap Cap pág págs p.ex P.ex Av av R núm Núm
        cf Cf Sto Sta Mons""",
    "j": "Mr Mrs Ms Dr Prof St Vol",
    "z": "Mr Mrs Ms Dr Prof St Vol",
}
# A dot after these may also end a sentence: it does when what follows begins like one for sure.
_SHORT = {
    "a": """Inc Ltd Co Corp Bros LLC Dept dept St st est Est etc Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov
        Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun a.m p.m A.M P.M Ave Blvd Rd Sq Ln Hwy ft lb lbs oz
        hr hrs min mins sec secs U.S U.K U.N U.S.A E.U D.C L.A N.Y B.C A.D Ph.D M.D B.A M.A M.Sc B.Sc Esq
        Univ Assn intl misc tel Tel ext Ext al op""",
    "e": "etc EE.UU S.A a.C d.C ene feb abr may jun jul ago sept oct nov dic aprox tel Tel a.m p.m",
    "f": "etc janv févr avr juil oct nov déc S.A S.A.R.L J.-C tél Tél",
    "h": "ई.पू वि.सं",
    "i": "ecc etc S.p.A S.r.l gen feb mar apr mag giu lug ago sett ott nov dic a.C d.C tel Tel",
    "p": "etc S.A Ltda jan fev abr mai jun jul ago set out nov a.C d.C tel Tel aprox",
    "j": "Inc Ltd Co U.S",
    "z": "Inc Ltd Co U.S",
}
# Abbreviations that are plain words too: they are meant only before a number ("No. 5", "mar. 2024", but "el mar.").
_PLAIN_WORDS = "no No nº n N art Art fig Fig p P ch ed núm pag pg col Col mar dez sept"
_BEFORE_NUMBER = frozenset(_PLAIN_WORDS.split())
_TITLES["b"], _SHORT["b"] = _TITLES["a"], _SHORT["a"]

# After an abbreviation only these begin a sentence for sure; any other capital may be a name.
_STARTER_WORDS = """
    The A An This That These Those It He She We They You I There Here But And So Then When While After Before If
    However In On At For His Her Its Our Their My Your What Who Why How Where No Yes Not Some Many Most All Both Each
    El La Los Las Un Una Ella Ellos Pero Y Le Les Il Elle Ils Nous Mais Et Lo Gli Ma E O Os As Ele Ela Mas"""
_STARTERS = frozenset(_STARTER_WORDS.split())

_WORD_BEFORE = re.compile(r"(?:[^\W_]+\.)*[^\W_]+$")
_NEXT_WORD = re.compile(rf"[{_OPENERS}\s—–-]*(?P<word>[^\W_]*['’]?[^\W_]*)")
_LIST_ITEM = re.compile(r"\s*(?:[-*•–—·▪◦]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s")
_WRAP_WIDTH = 50  # a line this long that ends in the middle of a sentence was wrapped
_LOOK = 64  # characters read around a possible end: keeps the work linear


def sentences(pieces: Sequence[Spoken], language: str) -> list[list[Spoken]]:
    """Group pieces by sentence; a piece that holds an end is cut there.

    Args:
        pieces: of the text, in order, normalised or not.
        language: code or alias; it chooses the abbreviations.

    Returns:
        The sentences. White space stays with what is before it, and the texts of all pieces, joined, are those given.
        Pieces with fixed phonemes are never cut.

    Raises:
        UnknownName: no such language.
    """
    code = canonical(language)
    text = "".join(piece.text for piece in pieces)
    result: list[list[Spoken]] = [[]]
    ends = iter([*_ends(text, code), len(text) + 1])
    end, place = next(ends), 0
    for piece in pieces:
        last = place + len(piece.text)
        if end <= place and result[-1]:
            result.append([])
        while end <= place:
            end = next(ends)
        rest = piece
        while end < last:
            if piece.phonemes is None:
                head, rest = _cut(rest, end - place)
                result[-1].append(head)
                result.append([])
                place = end
            end = next(ends)
        result[-1].append(rest)
        place = last
    return _with_sound([sentence for sentence in result if sentence])


def _with_sound(groups: list[list[Spoken]]) -> list[list[Spoken]]:
    """White space alone is no sentence: it goes to the sentence before it, or to the first after it."""
    result: list[list[Spoken]] = []
    waiting: list[Spoken] = []
    for group in groups:
        if all(piece.phonemes is None and not piece.text.strip() for piece in group):
            (result[-1] if result else waiting).extend(group)
        else:
            result.append([*waiting, *group])
            waiting = []
    return [*result, waiting] if waiting else result


def _cut(piece: Spoken, at: int) -> tuple[Spoken, Spoken]:
    """Both halves of a piece; spans are cut too where the piece is the original, character by character."""
    start, end = piece.span
    middle_left, middle_right = end, start
    if piece.rule == "text" and end - start == len(piece.text):
        middle_left = middle_right = start + at
    head = replace(piece, text=piece.text[:at], span=(start, middle_left))
    return head, replace(piece, text=piece.text[at:], span=(middle_right, end))


def _ends(text: str, code: str) -> Iterator[int]:
    """Places after which a new sentence begins."""
    titles, short = frozenset(_TITLES[code].split()), frozenset(_SHORT[code].split())
    line_start = 0
    for match in _BREAK.finditer(text):
        place = match.end()
        if match["paragraph"] is not None:
            yield place
            line_start = place
        elif match["line"] is not None:
            if not _wrapped(text, line_start, match.start(), place):
                yield place
            line_start = place
        elif match["wide"] is not None:
            if _wide_end(text, match):
                yield place
        elif _stop_end(text, match, titles, short):
            yield place


def _wrapped(text: str, line_start: int, line_end: int, following: int) -> bool:
    """Whether a line end is mere wrapping of a long line."""
    if line_end - line_start < _WRAP_WIDTH or _LIST_ITEM.match(text, following, following + _LOOK):
        return False
    last = text[line_start:line_end].rstrip()[-1:]
    return last not in _STOPS + _WIDE + ":" and not text[following : following + 1].isspace()


def _wide_end(text: str, match: re.Match[str]) -> bool:
    """。！？: an end, unless it stands inside a quotation that the sentence goes on after (「はい。」と言った)."""
    if not match["wide_close"] or match["wide_space"]:
        return True
    following = text[match.end() : match.end() + 1]
    return not following or following in "\n「『“‘（《"


def _stop_end(text: str, match: re.Match[str], titles: Iterable[str], short: Iterable[str]) -> bool:
    """. ! ? …: an end unless an abbreviation, an initial, a list number, or a sentence that goes on in lower case."""
    found = _NEXT_WORD.match(text, match.end(), match.end() + _LOOK)
    word = found["word"] if found else ""
    goes_on = word[:1].islower()
    if match["close"] and goes_on:
        return False  # "Stop!" he said.
    if match["stop"].startswith(("…", "..", "...")) and goes_on:
        return False
    if match["stop"] != ".":
        return not (match["stop"] in "!?" and goes_on and match["close"])
    before = _WORD_BEFORE.search(text, max(0, match.start() - _LOOK), match.start())
    previous = before[0] if before else ""
    if previous.isdecimal() and _line_begins(text, match.start() - len(previous)):
        return False  # "1. First"
    if previous in titles or (previous in _BEFORE_NUMBER and word[:1].isdecimal()):
        return False
    # Initials: "J. Smith"; a lone letter may also end a sentence: "Plan B. Then"
    initial = len(previous) == 1 and previous.isalpha() and previous.isupper()
    if previous in short or "." in previous or initial:
        return word in _STARTERS or not word
    return True


def _line_begins(text: str, place: int) -> bool:
    """Whether only white space lies between the place and the line start."""
    return not text[max(0, place - 8) : place].rpartition("\n")[2].strip() and (
        place < 8 or "\n" in text[place - 8 : place]
    )
