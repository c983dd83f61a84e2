"""The 100 languages of Whisper: codes in the order of their tokens, English names, and other names that are accepted.

Source: openai-whisper ``tokenizer.py`` (``LANGUAGES``, ``TO_LANGUAGE_CODE``). The order is part of the model: language
i has token ``<|startoftranscript|> + 1 + i``. The last one (Cantonese) came with large-v3.
"""

from __future__ import annotations

from sonant.errors import UnknownName

__all__ = ["ALIASES", "LANGUAGES", "UNSPACED", "code_of"]

_ROWS = """
en english|zh chinese|de german|es spanish|ru russian|ko korean|fr french|ja japanese|pt portuguese|tr turkish|pl polish
ca catalan|nl dutch|ar arabic|sv swedish|it italian|id indonesian|hi hindi|fi finnish|vi vietnamese|he hebrew
uk ukrainian|el greek|ms malay|cs czech|ro romanian|da danish|hu hungarian|ta tamil|no norwegian|th thai|ur urdu
hr croatian|bg bulgarian|lt lithuanian|la latin|mi maori|ml malayalam|cy welsh|sk slovak|te telugu|fa persian
lv latvian|bn bengali|sr serbian|az azerbaijani|sl slovenian|kn kannada|et estonian|mk macedonian|br breton|eu basque
is icelandic|hy armenian|ne nepali|mn mongolian|bs bosnian|kk kazakh|sq albanian|sw swahili|gl galician|mr marathi
pa punjabi|si sinhala|km khmer|sn shona|yo yoruba|so somali|af afrikaans|oc occitan|ka georgian|be belarusian|tg tajik
sd sindhi|gu gujarati|am amharic|yi yiddish|lo lao|uz uzbek|fo faroese|ht haitian creole|ps pashto|tk turkmen
nn nynorsk|mt maltese|sa sanskrit|lb luxembourgish|my myanmar|bo tibetan|tl tagalog|mg malagasy|as assamese|tt tatar
haw hawaiian|ln lingala|ha hausa|ba bashkir|jw javanese|su sundanese|yue cantonese
"""

LANGUAGES: dict[str, str] = {
    row.split(" ", 1)[0]: row.split(" ", 1)[1] for row in _ROWS.strip().replace("\n", "|").split("|")
}  # code -> name, in token order

ALIASES = {
    "burmese": "my",
    "valencian": "ca",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "pushto": "ps",
    "panjabi": "pa",
    "moldavian": "ro",
    "moldovan": "ro",
    "sinhalese": "si",
    "castilian": "es",
    "mandarin": "zh",
    "jv": "jw",  # ISO 639-1's code of Javanese; the model's own is "jw"
    "nb": "no",
}

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})  # written without spaces between words

_CODES = {name: code for code, name in LANGUAGES.items()} | ALIASES | {code: code for code in LANGUAGES}


def code_of(language: str) -> str:
    """The model's code of a language given by code, English name or BCP 47 tag ("pl", "Polish", "pt-BR").

    Raises:
        UnknownName: Whisper doesn't know it; the nearest names are in the message.
    """
    given = language.strip().lower().replace("_", "-")
    for spelling in (given, given.split("-")[0]):
        if spelling in _CODES:
            return _CODES[spelling]
    raise UnknownName("language", language, _CODES, "codes and English names of Whisper's 100 languages are accepted")
