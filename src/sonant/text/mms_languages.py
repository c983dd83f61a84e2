"""The languages of mms-1b-all: codes of its adapters, English names, and other spellings that are accepted.

A code is an ISO 639-3 code, with a script or a dialect where the model tells several apart ("uzb-script_latin",
"quc-dialect_east"). ISO 639-1, 639-2/B and macrolanguage codes, English names, and BCP 47 tags with a script are
accepted where they mean one adapter. The table and its sources: ``data/mms_languages.tsv``.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources

from sonant.errors import BadInput, UnknownName

__all__ = ["LANGUAGES_OF_PUBLISHER", "MmsLanguage", "candidates", "code_of", "name_of", "table"]

LANGUAGES_OF_PUBLISHER = (
    1162  # the count on the model card; the adapters are more, as scripts and dialects have their own
)

# Which member a wide code means where the table has several: CLDR's supplemental aliases (zh is Mandarin, and so on).
LIKELY = {
    "az": "azj",
    "aze": "azj",
    "zh": "cmn",
    "zho": "cmn",
    "chi": "cmn",
    "ms": "zlm",
    "msa": "zlm",
    "may": "zlm",
} | {
    "ku": "kmr",
    "kur": "kmr",
    "no": "nob",
    "nor": "nob",
}
SCRIPTS = {  # ISO 15924 code: how the model calls the script
    "arab": "arabic",
    "cans": "syllabics",
    "cyrl": "cyrillic",
    "deva": "devanagari",
    "ethi": "ethiopic",
    "hans": "simplified",
    "hant": "traditional",
    "khmr": "khmer",
    "latn": "latin",
    "telu": "telugu",
    "tfng": "tifinagh",
}


@dataclass(frozen=True, slots=True)
class MmsLanguage:
    """One adapter.

    Attributes:
        code: of the adapter.
        name: in English.
        own: further codes of this very language.
        wider: codes of languages that it is a part of.
    """

    code: str
    name: str
    own: tuple[str, ...] = ()
    wider: tuple[str, ...] = ()

    @property
    def variant(self) -> str:
        """The script or dialect in the code, "" where it has none."""
        return self.code.partition("-")[2].partition("_")[2]


@functools.cache
def table() -> dict[str, MmsLanguage]:
    """Every adapter of mms-1b-all by code, in alphabetical order."""
    text = resources.files("sonant.text").joinpath("data", "mms_languages.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {
        code: MmsLanguage(code, name, tuple(own.split(",")) if own else (), tuple(wider.split(",")) if wider else ())
        for code, name, own, wider in rows
    }


def name_of(code: str) -> str:
    """English name of an adapter's language; "" for a code that mms-1b-all doesn't have."""
    row = table().get(code)
    return row.name if row else ""


def candidates(name: str, known: Collection[str] | None = None) -> tuple[str, ...]:
    """The adapters that a spelling may mean, several where it leaves a script or dialect open, none where unknown.

    Args:
        name: "pol", "pl", "Polish", "uzb-script_latin", "uz-Latn", "sw".
        known: codes of the checkpoint; None for those of mms-1b-all.
    """
    known = table().keys() if known is None else known
    given = name.strip().lower()
    if given in known:
        return (given,)
    base, _, rest = given.replace("_", "-").partition("-")
    variant = rest.rpartition("-")[2]
    variant = SCRIPTS.get(variant, variant)
    rows = [table().get(code) or MmsLanguage(code, "") for code in known]

    def those(*tests: bool) -> tuple[str, ...]:
        return tuple(row.code for row, fits in zip(rows, tests, strict=True) if fits)

    found = those(*(row.code.partition("-")[0] == base for row in rows)) or those(*(base in row.own for row in rows))
    if not found and base in LIKELY:
        found = those(*(row.code.partition("-")[0] == LIKELY[base] for row in rows))
    found = found or those(*(base in row.wider for row in rows))
    if found and variant:  # a region ("pl-PL") tells adapters apart nowhere
        chosen = tuple(code for code in found if code.rpartition("_")[2] == variant)
        found = chosen or (found if len(variant) == 2 else ())
    return found or those(*(given in (row.name.lower(), row.name.lower().partition(" (")[0]) for row in rows))


def code_of(name: str, known: Collection[str] | None = None) -> str:
    """The adapter that a spelling means.

    Args:
        name: as for ``candidates``.
        known: codes of the checkpoint; None for those of mms-1b-all.

    Raises:
        UnknownName: there is none; names the nearest codes and languages.
        BadInput: it may mean several; names them.
    """
    found = candidates(name, known)
    if len(found) > 1:
        some = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        raise BadInput(f"language {name!r} may mean {len(found)} adapters: {some}; name one of them")
    if not found:
        codes = table().keys() if known is None else known
        names = {name_of(code).lower() for code in codes} - {""}
        raise UnknownName("language", name, {*codes, *names}, "`sonant languages --model MODEL` lists all")
    return found[0]
