"""Codes of mms-1b-all: the table is whole, other spellings lead to it, what is unknown or open says so."""

import pytest

from sonant.errors import BadInput, UnknownName
from sonant.text.mms_languages import candidates, code_of, name_of, table


def test_the_table_has_every_adapter_once_with_a_name():
    rows = table()
    assert len(rows) == 1198
    assert list(rows) == sorted(rows)
    assert all(row.name and len(code.partition("-")[0]) == 3 for code, row in rows.items())
    assert name_of("pol") == "Polish"
    assert rows["uzb-script_latin"].variant == "latin"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("pol", "pol"),
        ("pl", "pol"),
        ("PL", "pol"),
        ("pl-PL", "pol"),
        ("Polish", "pol"),
        ("uzb-script_latin", "uzb-script_latin"),
        ("uz-Latn", "uzb-script_latin"),
        ("uzb_cyrillic", "uzb-script_cyrillic"),
        ("sw", "swh"),
        ("zh", "cmn-script_simplified"),
        ("zh-CN", "cmn-script_simplified"),
        ("ger", "deu"),
        ("ms", "zlm"),
        ("no", "nob"),
        ("az-Latn", "azj-script_latin"),
        ("yue", "yue-script_traditional"),
        ("Modern Greek", "ell"),
    ],
)
def test_spellings(given, wanted):
    assert code_of(given) == wanted


def test_an_open_script_names_the_choices():
    with pytest.raises(BadInput, match=r"uzb-script_cyrillic, uzb-script_latin"):
        code_of("uz")
    assert candidates("uz") == ("uzb-script_cyrillic", "uzb-script_latin")
    with pytest.raises(BadInput, match="and 17 more"):
        code_of("zap")


@pytest.mark.parametrize(("given", "near"), [("poll", "pol"), ("polsh", "polish"), ("uz-Grek", "u")])
def test_an_unknown_language_names_the_nearest(given, near):
    with pytest.raises(UnknownName, match=near):
        code_of(given)


def test_a_checkpoint_with_languages_of_its_own():
    assert code_of("pl", ["pol", "xx-own"]) == "pol"
    assert code_of("xx-own", ["pol", "xx-own"]) == "xx-own"
    with pytest.raises(UnknownName, match="pol"):
        code_of("de", ["pol"])
