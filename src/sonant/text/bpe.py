"""Whisper's tokenizer: byte pair encoding over UTF-8, then special tokens for languages, tasks and times.

Ids are those of openai-whisper (``tokenizer.py``, on tiktoken). Two vocabularies ship as data (MIT, see NOTICE):
GPT-2's for the ``.en`` models, and the multilingual one. Text is always encoded as text: "<|endoftext|>" in a prompt
becomes letters and brackets, never the special token (tiktoken raises there).
"""

from __future__ import annotations

import itertools
import string
import zlib
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from importlib import resources

import regex

from sonant.errors import BadInput, UnknownName
from sonant.text.whisper_languages import LANGUAGES, UNSPACED

__all__ = ["BytePairs", "WhisperTokenizer", "tokenizer"]

TIMESTAMPS = 1501  # <|0.00|> to <|30.00|>
SECONDS_PER_TIMESTAMP = 0.02
REPLACEMENT = "\ufffd"  # what half a character decodes to

# GPT-2's cut of text into pieces that are merged apart from each other.
_PIECES = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

# Tokens that write sounds and speakers, not speech ("Whisper" paper's code: non_speech_tokens).
_SYMBOLS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *"<< >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪".split(),
)
_MUSIC = "♩♪♫♬♭♮♯"  # may be several tokens; their shared first one is suppressed


class BytePairs:
    """Byte pair encoding of one vocabulary; a token's id is its rank: lower ranks merge first."""

    def __init__(self, name: str) -> None:
        """Read vocabulary "gpt2" or "multilingual" from the package's data."""
        packed = resources.files("sonant.text").joinpath(f"data/whisper/{name}.z").read_bytes()
        count = int.from_bytes(packed[:4], "little")
        data = zlib.decompress(packed[4:])
        tokens, start = [], count
        for length in data[:count]:
            tokens.append(data[start : start + length])
            start += length
        self.tokens: list[bytes] = tokens
        self._cut = regex.compile(_PIECES)
        self._cache: dict[bytes, tuple[int, ...]] = {}

    @cached_property
    def _ranks(self) -> dict[bytes, int]:
        return {token: rank for rank, token in enumerate(self.tokens)}

    def encode(self, text: str) -> list[int]:
        """Ids of a text; every text has them, for every byte is a token."""
        ids: list[int] = []
        for match in self._cut.finditer(text):
            piece = match.group().encode("utf-8", "surrogatepass")
            found = self._cache.get(piece)
            if found is None:
                found = self._merge(piece)
                if len(self._cache) < 50_000:  # bounds a long-lived server's memory
                    self._cache[piece] = found
            ids.extend(found)
        return ids

    def _merge(self, piece: bytes) -> tuple[int, ...]:
        """Join the neighbours whose union has the lowest rank, until none has one."""
        ranks = self._ranks
        if piece in ranks:
            return (ranks[piece],)
        parts = [piece[i : i + 1] for i in range(len(piece))]
        pairs = [ranks.get(left + right) for left, right in itertools.pairwise(parts)]
        while True:
            best = min((rank for rank in pairs if rank is not None), default=None)
            if best is None:
                return tuple(ranks[part] for part in parts)
            at = pairs.index(best)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
            del pairs[at]
            if at > 0:
                pairs[at - 1] = ranks.get(parts[at - 1] + parts[at])
            if at < len(pairs):
                pairs[at] = ranks.get(parts[at] + parts[at + 1])


class WhisperTokenizer:
    """Text tokens and special tokens of one model.

    Attributes:
        multilingual: whether the model knows languages and translation; ``.en`` models don't.
        languages: codes in the order of their tokens; () for ``.en`` models.
        eot, sot, translate, transcribe, sot_lm, sot_prev, no_speech, no_timestamps: special ids.
        timestamp_begin: id of <|0.00|>; each next one is 20 ms later, up to <|30.00|>.
        size: ids in all.
    """

    def __init__(self, multilingual: bool, language_count: int = 99) -> None:
        """Lay out the special tokens behind the vocabulary; ``language_count`` is 99, or 100 since large-v3."""
        if not 0 < language_count <= len(LANGUAGES):
            raise BadInput(f"a Whisper model has 99 or 100 languages, not {language_count}")
        self.multilingual = multilingual
        self._pairs = _byte_pairs("multilingual" if multilingual else "gpt2")
        layout = tuple(LANGUAGES)[:language_count]  # .en models have these ids too, but never learnt them
        self.languages = layout if multilingual else ()
        names = ["endoftext", "startoftranscript", *layout, "translate", "transcribe", "startoflm", "startofprev"]
        names += ["nospeech", "notimestamps"]
        first = len(self._pairs.tokens)
        self.special: dict[str, int] = {f"<|{name}|>": first + i for i, name in enumerate(names)}
        self.timestamp_begin = first + len(names)
        self.size = self.timestamp_begin + TIMESTAMPS
        self.eot, self.sot = first, first + 1
        self.translate, self.transcribe = self.special["<|translate|>"], self.special["<|transcribe|>"]
        self.sot_lm, self.sot_prev = self.special["<|startoflm|>"], self.special["<|startofprev|>"]
        self.no_speech, self.no_timestamps = self.special["<|nospeech|>"], self.special["<|notimestamps|>"]
        self._special_text = {token: name for name, token in self.special.items()}

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        return self._pairs.encode(text)

    def decode(self, tokens: Iterable[int]) -> str:
        """Text of ids; timestamps are left out, other special tokens are written as "<|name|>"."""
        return self._text(token for token in tokens if token < self.timestamp_begin)

    def decode_with_timestamps(self, tokens: Iterable[int]) -> str:
        """Text of ids, with times as "<|1.08|>"."""
        return self._text(tokens)

    def _text(self, tokens: Iterable[int]) -> str:
        return b"".join(self._bytes(token) for token in tokens).decode("utf-8", errors="replace")

    def _bytes(self, token: int) -> bytes:
        if 0 <= token < self.eot:
            return self._pairs.tokens[token]
        if token >= self.timestamp_begin and token < self.size:
            return f"<|{(token - self.timestamp_begin) * SECONDS_PER_TIMESTAMP:.2f}|>".encode()
        if token in self._special_text:
            return self._special_text[token].encode()
        raise BadInput(f"token {token} is not in this vocabulary of {self.size}")

    def language_token(self, language: str) -> int:
        """Id of a language code.

        Raises:
            UnknownName: this model doesn't have the language.
        """
        if language not in self.languages:
            raise UnknownName("language", language, self.languages, "this model has no such language token")
        return self.special[f"<|{language}|>"]

    @cached_property
    def language_tokens(self) -> tuple[int, ...]:
        """Ids of all languages, in the order of ``languages``."""
        return tuple(self.special[f"<|{code}|>"] for code in self.languages)

    def start(self, language: str | None, task: str = "transcribe", timestamps: bool = True) -> tuple[int, ...]:
        """The tokens that open a transcript: start, and for multilingual models language and task."""
        tokens = [self.sot]
        if self.multilingual:
            tokens += [
                self.language_token(language or "en"),
                self.transcribe if task == "transcribe" else self.translate,
            ]
        return tuple(tokens) if timestamps else (*tokens, self.no_timestamps)

    @cached_property
    def blank(self) -> tuple[int, ...]:
        """Ids of a lone space: a transcript may not begin with one."""
        return tuple(self.encode(" "))

    @cached_property
    def non_speech(self) -> tuple[int, ...]:
        """Ids of music notes, brackets and other marks that nobody speaks, sorted; " -" and " '" open a word only."""
        found = {self.encode(" -")[0], self.encode(" '")[0]}
        for symbol in (*_SYMBOLS, *_MUSIC):
            for tokens in (self.encode(symbol), self.encode(" " + symbol)):
                if len(tokens) == 1 or symbol in _MUSIC:
                    found.add(tokens[0])
        return tuple(sorted(found))

    def matching(self, pattern: str) -> tuple[int, ...]:
        """Ids of the text tokens whose whole text matches a regular expression.

        Raises:
            BadInput: the pattern is no regular expression.
        """
        try:
            compiled = regex.compile(pattern)
        except regex.error as error:
            raise BadInput(f"suppress_regex {pattern!r} is not a regular expression: {error}") from error
        texts = (token.decode("utf-8", errors="replace") for token in self._pairs.tokens)
        return tuple(i for i, text in enumerate(texts) if compiled.fullmatch(text))

    def split_words(self, tokens: Sequence[int], language: str | None) -> list[tuple[str, tuple[int, ...]]]:
        """Cut ids into words with their ids; languages written without spaces are cut at every whole character.

        Source: openai-whisper ``tokenizer.py``, ``split_to_word_tokens``.
        """
        characters = self.split_characters(tokens)
        if language in UNSPACED:
            return characters
        words: list[tuple[str, tuple[int, ...]]] = []
        for text, ids in characters:
            opens = ids[0] >= self.eot or text.startswith(" ") or text.strip() in string.punctuation
            if opens or not words:
                words.append((text, ids))
            else:
                words[-1] = (words[-1][0] + text, words[-1][1] + ids)
        return words

    def split_characters(self, tokens: Sequence[int]) -> list[tuple[str, tuple[int, ...]]]:
        """The smallest runs of ids that decode to whole characters (or to the replacement that the full text has).

        Bytes of a character that never ends are a run too; the reference drops them.
        """
        whole = self.decode_with_timestamps(tokens)
        pieces: list[tuple[str, tuple[int, ...]]] = []
        current: list[int] = []
        offset = 0
        for token in tokens:
            if token >= self.eot and current:
                pieces.append((self.decode_with_timestamps(current), tuple(current)))
                offset += len(pieces[-1][0])
                current = []
            current.append(token)
            text = self.decode_with_timestamps(current)
            at = text.find(REPLACEMENT)
            if at < 0 or (offset + at < len(whole) and whole[offset + at] == REPLACEMENT):
                pieces.append((text, tuple(current)))
                current = []
                offset += len(text)
        if current:
            pieces.append((self.decode_with_timestamps(current), tuple(current)))
        return pieces


@lru_cache(maxsize=2)
def _byte_pairs(name: str) -> BytePairs:
    return BytePairs(name)


@lru_cache(maxsize=4)
def tokenizer(multilingual: bool, language_count: int = 99) -> WhisperTokenizer:
    """The tokenizer of a model, made once."""
    return WhisperTokenizer(multilingual, language_count)
