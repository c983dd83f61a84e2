"""Every format of transcripts comes back through a parser as it was, and its layout is openai-whisper's."""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.asr import writers
from sonant.asr.writers import CaptionOptions, clock, render
from sonant.asr.writers.cues import cues, one_line, pieces
from sonant.errors import BadInput, OutputError, UnknownName
from sonant.records import Segment, Transcript, Window, Word

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/transcript.schema.json").read_text(encoding="utf-8"))

WHOLE = jsonschema.Draft202012Validator(SCHEMA)
LINE = jsonschema.Draft202012Validator({"$ref": "#/$defs/segment", "$defs": SCHEMA["$defs"]})

letters = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("&<>{}\\-,;\"'\t\n #[]0:→é漢")), min_size=0, max_size=25
)
traps = st.sampled_from(
    [
        "-->",
        "a --> b",
        "&amp;",
        "<b>bold</b>",
        "\\N",
        "{\\k20}",
        'say "hi", now',
        "1",
        "WEBVTT",
        "NOTE x",
        "[00:01.00]x",
    ]
)
texts = st.one_of(letters, traps, st.tuples(letters, traps).map(" ".join))
times = st.floats(0, 40_000, allow_nan=False).map(lambda value: round(value, 4))


@st.composite
def segments(draw):
    """A segment without words."""
    start = draw(times)
    return Segment(start, start + draw(st.floats(0, 60)), f" {draw(texts)}")


@st.composite
def spoken_segments(draw):
    """A segment whose words have times; scripts with and without spaces."""
    signs = st.characters(codec="utf-8", exclude_categories=("Z", "C"))
    words = draw(st.lists(st.text(signs, min_size=1, max_size=9), min_size=1, max_size=12))
    joint = draw(st.sampled_from([" ", "", "  "]))
    start = draw(st.floats(0, 5_000))
    heard = []
    for word in words:
        end = start + draw(st.floats(0.01, 5))
        heard.append(Word(word, start, end, draw(st.floats(0, 1))))
        start = end + draw(st.sampled_from([0.0, 0.3, 4.0]))
    return Segment(heard[0].start_s, heard[-1].end_s, " " + joint.join(words), words=tuple(heard), language="en")


def transcript_of(found, **changes):
    return Transcript(tuple(found), "en", 50_000.0, **changes)


def spoken(transcript):
    """What a format without loss of text holds: start, end and text of the segments that have text."""
    return [(s.start_s, s.end_s, one_line(s.text)) for s in transcript.segments if one_line(s.text)]


def rounded(rows, units):
    return [(round(start * units), round(end * units), text) for start, end, text in rows]


# Parsers, written from the formats' descriptions and not from the writers.


def parse_srt(text):
    rows = []
    for number, block in enumerate([b for b in text.split("\n\n") if b], 1):
        index, clock_line, *lines = block.split("\n")
        assert index == str(number)
        match = re.fullmatch(r"(\d\d+):(\d\d):(\d\d),(\d{3}) --> (\d\d+):(\d\d):(\d\d),(\d{3})", clock_line)
        h1, m1, s1, f1, h2, m2, s2, f2 = map(int, match.groups())
        assert max(m1, s1, m2, s2) < 60
        start, end = ((h1 * 60 + m1) * 60 + s1) * 1000 + f1, ((h2 * 60 + m2) * 60 + s2) * 1000 + f2
        assert not any("-->" in line for line in lines)
        rows.append((start, end, "\n".join(lines).replace("--\u2060>", "-->")))
    return rows


def parse_vtt(text, tags=False):
    head, *blocks = [b for b in text.split("\n\n") if b]
    assert head == "WEBVTT"
    rows = []
    for block in blocks:
        clock_line, *lines = block.split("\n")
        match = re.fullmatch(r"(?:(\d\d+):)?(\d\d):(\d\d)\.(\d{3}) --> (?:(\d\d+):)?(\d\d):(\d\d)\.(\d{3})", clock_line)
        h1, m1, s1, f1, h2, m2, s2, f2 = (int(group or 0) for group in match.groups())
        start, end = ((h1 * 60 + m1) * 60 + s1) * 1000 + f1, ((h2 * 60 + m2) * 60 + s2) * 1000 + f2
        shown = "\n".join(lines)
        if not tags:
            assert not set("<>") & set(shown)
            assert all(re.match(r"&(amp|lt|gt);", shown[place:]) for place, sign in enumerate(shown) if sign == "&")
            shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        rows.append((start, end, shown))
    return rows


def parse_ass(text):
    head, events = text.split("[Events]\n")
    assert "ScriptType: v4.00+" in head
    fields, *lines = events.rstrip("\n").split("\n") if events else [""]
    assert fields == "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text"
    rows = []
    for line in lines:
        parts = line.removeprefix("Dialogue: ").split(",", 9)
        start, end = (
            (int(h) * 60 + int(m)) * 6000 + int(s[:2]) * 100 + int(s[3:])
            for h, m, s in (part.split(":") for part in parts[1:3])
        )
        shown = parts[9]
        assert not re.search(r"(?<!\\)[{}]", shown)
        rows.append((start, end, shown.replace("\\{", "{").replace("\\}", "}").replace("\\\u2060", "\\")))
    return rows


def parse_lrc(text):
    rows = []
    for line in text.split("\n")[:-1]:
        minutes, seconds, cents, shown = re.fullmatch(r"\[(\d\d+):(\d\d)\.(\d\d)\](.*)", line, re.DOTALL).groups()
        rows.append((int(minutes) * 6000 + int(seconds) * 100 + int(cents), shown))
    return rows


def parse_table(text, head=True):
    first, *lines = text.split("\n")[:-1] if head else ["", *text.split("\n")[:-1]]
    assert not head or first == "start\tend\ttext"
    return [tuple(line.split("\t")) for line in lines]


many = st.lists(segments(), max_size=6)


class TestRoundTrips:
    @settings(max_examples=150, deadline=None)
    @given(many)
    def test_srt(self, found):
        expected = rounded(spoken(transcript_of(found)), 1000)
        text = render(transcript_of(found), "srt")
        assert parse_srt(text) == expected

    @settings(max_examples=150, deadline=None)
    @given(many)
    def test_vtt(self, found):
        expected = rounded(spoken(transcript_of(found)), 1000)
        assert parse_vtt(render(transcript_of(found), "vtt")) == expected

    @settings(max_examples=150, deadline=None)
    @given(many)
    def test_ass(self, found):
        expected = rounded(spoken(transcript_of(found)), 100)
        assert parse_ass(render(transcript_of(found), "ass")) == expected

    @settings(max_examples=80, deadline=None)
    @given(many)
    def test_lrc(self, found):
        expected = [(start, text) for start, _, text in rounded(spoken(transcript_of(found)), 100)]
        assert parse_lrc(render(transcript_of(found), "lrc")) == expected

    @settings(max_examples=80, deadline=None)
    @given(many)
    def test_tables(self, found):
        transcript = transcript_of(found)
        rows = rounded(spoken(transcript), 1000)
        flat = [(str(start), str(end), text.replace("\t", " ")) for start, end, text in rows]
        assert parse_table(render(transcript, "tsv")) == flat
        assert list(csv.reader(io.StringIO(render(transcript, "csv"), newline=""))) == [
            ["start", "end", "text"],
            *([str(start), str(end), text] for start, end, text in rows),
        ]
        labels = parse_table(render(transcript, "aud"), head=False)
        assert [label[2] for label in labels] == [row[2] for row in flat]
        assert [round(float(label[0]) * 1000) for label in labels] == pytest.approx([row[0] for row in rows], abs=1)
        assert render(transcript, "txt").split("\n")[:-1] == [text for _, _, text in rows]

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.one_of(segments(), spoken_segments()), max_size=5), st.lists(letters, max_size=2))
    def test_json_holds_everything_and_obeys_the_schema(self, found, warnings):
        transcript = transcript_of(
            found, warnings=tuple(warnings), windows=(Window(0, 30, "retried", "too dull", 0.4),), task="translate"
        )
        text = render(transcript, "json")
        WHOLE.validate(json.loads(text))
        assert writers.json_form.from_json(text) == transcript
        lines = render(transcript, "jsonl")
        for line in lines.split("\n")[:-1]:
            LINE.validate(json.loads(line))
        assert writers.json_form.from_jsonl(lines).segments == transcript.segments

    @settings(max_examples=60, deadline=None)
    @given(many)
    def test_our_own_readers(self, found):
        transcript = transcript_of(found)
        for name in ("srt", "vtt", "csv", "tsv"):
            heard = writers.READERS[name](render(transcript, name))
            expected = [
                (start, end, text.replace("\t", " ") if name == "tsv" else text)
                for start, end, text in rounded(spoken(transcript), 1000)
            ]
            assert rounded([(s.start_s, s.end_s, s.text[1:]) for s in heard.segments], 1000) == expected


class TestWords:
    @settings(max_examples=100, deadline=None)
    @given(spoken_segments())
    def test_pieces_joined_are_the_text(self, segment):
        assert "".join(piece.text for piece in pieces(segment)) == segment.text
        assert [piece.start_s for piece in pieces(segment)] == [word.start_s for word in segment.words]

    def test_what_no_word_covers_is_kept(self):
        segment = Segment(
            0, 2, " «Yes», (no) — end.", words=(Word("Yes", 0, 1), Word("no", 1, 1.5), Word("end", 1.5, 2))
        )
        assert [piece.text for piece in pieces(segment)] == [" «Yes", "», (no", ") — end."]

    def test_words_that_the_text_lacks_are_believed(self):
        segment = Segment(0, 2, " eleven", words=(Word("11", 0, 1), Word("men", 1, 2)))
        assert [piece.text for piece in pieces(segment)] == [" 11", " men"]

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(st.one_of(spoken_segments(), segments()), max_size=5),
        st.sampled_from([None, 8, 42]),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, 1, 3]),
    )
    def test_layout_loses_no_word_and_keeps_its_limits(self, found, width, count, per_line):
        if not any(segment.words for segment in found):
            count = per_line = None
        options = CaptionOptions(max_line_width=width, max_line_count=count, max_words_per_line=per_line)
        shown = list(cues(found, options))
        expected = "".join(one_line(segment.text) for segment in found)
        said = "".join(piece.text for cue in shown for line in cue.lines for piece in line)
        assert re.sub(r"\s", "", said) == re.sub(r"\s", "", expected)
        for cue in shown:
            for line in cue.lines:
                assert line[0].text == line[0].text.strip()
                joined = "".join(piece.text for piece in line)
                # a single word may be wider than a line; no line end is put inside it
                assert width is None or len(joined) <= width or len(line) == 1
            if cue.timed:
                assert count is None or len(cue.lines) <= count
                words = sum(len(line) for line in cue.lines)
                assert per_line is None or (width and count) or words <= per_line

    def test_a_caption_lasts_from_its_first_word_to_its_last(self):
        transcript = transcript_of([segment_of("one two three four", 10.0)])
        assert parse_srt(render(transcript, "srt", max_words_per_line=2)) == [
            (10_000, 11_500, "one two"),
            (12_000, 13_500, "three four"),
        ]

    def test_captions_fill_across_segments_and_break_at_pauses(self):
        found = [segment_of("a bb ccc", 0.0), segment_of("dd e", 3.0), segment_of("later on", 20.0)]
        assert [
            row[2] for row in parse_srt(render(transcript_of(found), "srt", max_line_width=8, max_line_count=2))
        ] == [
            "a bb ccc\ndd e",
            "later on",
        ]

    def test_lines_without_word_times_are_still_broken(self):
        transcript = transcript_of([Segment(0, 4, " the quick brown fox jumps")])
        assert parse_srt(render(transcript, "srt", max_line_width=10)) == [(0, 4000, "the quick\nbrown fox\njumps")]


def segment_of(text, start, each=1.0):
    """Words that last half a second of each second."""
    words = tuple(Word(word, start + n * each, start + n * each + each / 2, 0.9) for n, word in enumerate(text.split()))
    return Segment(start, words[-1].end_s, f" {text}", words=words)


class TestKaraoke:
    def test_underlined_captions(self):
        shown = render(transcript_of([segment_of("tick <tock>", 1.0)]), "vtt", highlight_words=True)
        assert parse_vtt(shown, tags=True) == [
            (1000, 1500, "<u>tick</u> &lt;tock&gt;"),
            (1500, 2000, "tick &lt;tock&gt;"),
            (2000, 2500, "tick <u>&lt;tock&gt;</u>"),
        ]

    def test_inline_times_lie_inside_the_caption_and_rise(self):
        shown = render(transcript_of([segment_of("one two & three", 3600.0)]), "vtt", inline_times=True)
        assert parse_vtt(shown, tags=True) == [
            (3_600_000, 3_603_500, "one<01:00:01.000> two<01:00:02.000> &amp;<01:00:03.000> three")
        ]

    @settings(max_examples=60, deadline=None)
    @given(spoken_segments())
    def test_karaoke_times_add_up_to_the_words(self, segment):
        line = render(transcript_of([segment]), "ass", highlight_words=True).rstrip("\n").split("\n")[-1]
        text = line.split(",", 9)[9]
        clock_now, starts = round(segment.words[0].start_s * 100), []
        for cents, shown in re.findall(r"(?<!\\)\{\\k(\d+)\}((?:[^{]|(?<=\\)\{)*)", text):
            if shown:
                starts.append(clock_now)
            clock_now += int(cents)
        assert starts == [round(word.start_s * 100) for word in segment.words]
        assert clock_now == round(segment.words[-1].end_s * 100)

    def test_sung_lines(self):
        shown = render(transcript_of([segment_of("la li", 61.0)]), "lrc", highlight_words=True)
        assert shown == "[01:01.00]<01:01.00>la <01:02.00>li\n"

    @pytest.mark.parametrize("option", ["highlight_words", "inline_times", "max_words_per_line", "max_line_count"])
    def test_word_times_that_are_missing_are_asked_for(self, option):
        with pytest.raises(BadInput, match=f"{option} needs the times of words.*word_timestamps=True"):
            render(transcript_of([Segment(0, 1, " hi")]), "vtt", **{option: True})


class TestClock:
    @pytest.mark.parametrize(
        ("time_s", "srt", "vtt", "ssa", "lrc"),
        [
            (0.0, "00:00:00,000", "00:00.000", "0:00:00.00", "00:00.00"),
            (59.9996, "00:01:00,000", "01:00.000", "0:01:00.00", "01:00.00"),
            (3599.9994, "00:59:59,999", "59:59.999", "1:00:00.00", "60:00.00"),
            (360_000.5, "100:00:00,500", "100:00:00.500", "100:00:00.50", "6000:00.50"),
            (1.0005, "00:00:01,000", "00:01.000", "0:00:01.00", "00:01.00"),
        ],
    )
    def test_rounding_carries(self, time_s, srt, vtt, ssa, lrc):
        assert [clock.srt_time(time_s), clock.vtt_time(time_s)] == [srt, vtt]
        assert [clock.ssa_time(time_s), clock.lrc_time(time_s)] == [ssa, lrc]

    @pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
    def test_impossible_times_are_refused(self, bad):
        with pytest.raises(BadInput, match="begin at 0"):
            clock.srt_time(bad)


class TestFiles:
    transcript = replace(
        transcript_of([segment_of("Grüße, 世界!", 0.5), Segment(2, 3, " & done")]), warnings=("ends early",)
    )

    @pytest.mark.parametrize("name", writers.FORMATS)
    def test_every_format_is_written_whole(self, tmp_path, name):
        path = self.transcript.save(tmp_path / f"x.{name}")
        assert path.read_bytes().decode("utf-8") == render(self.transcript, name)
        assert [file.name for file in tmp_path.iterdir()] == [f"x.{name}"]

    def test_reading_gives_it_back(self, tmp_path):
        assert writers.read(self.transcript.save(tmp_path / "x.json")) == self.transcript
        for name in writers.READABLE:
            heard = writers.read(self.transcript.save(tmp_path / f"x.{name}"))
            assert heard.text == self.transcript.text

    def test_captions_of_other_programs(self, tmp_path):
        (tmp_path / "a.srt").write_bytes(
            b"\xef\xbb\xbf7\r\n0:00:01.5 --> 00:00:02,250 X1:40\r\nHi\r\nyou\r\n\r\n\r\n00:03,000 --> 00:04,000\r\nBye"
        )
        heard = writers.read(tmp_path / "a.srt")
        assert [(s.start_s, s.end_s, s.text) for s in heard.segments] == [(1.5, 2.25, " Hi\nyou"), (3, 4, " Bye")]
        (tmp_path / "a.vtt").write_text(
            "WEBVTT - talk\nKind: captions\n\nNOTE\nnothing\n\nSTYLE\n::cue {}\n\nintro\n"
            "00:01.000 --> 00:02.000 align:start\n<v Ann>Salt &amp; <c.x>pepper</c></v>\n"
        )
        assert writers.read(tmp_path / "a.vtt").text == "Salt & pepper"

    def test_json_of_openai_whisper_is_read(self):
        words = [{"word": " hi", "start": 0.0, "end": 0.5, "probability": 0.5}]
        data = {
            "text": " hi",
            "language": "en",
            "segments": [{"id": 0, "seek": 0, "start": 0, "end": 1, "text": " hi", "words": words}],
        }
        heard = writers.json_form.from_json(json.dumps(data))
        assert heard.words == (Word("hi", 0.0, 0.5, 0.5),)
        assert heard.duration_s == 1.0

    def test_numbers_that_are_not_finite_stay_legal_json(self):
        transcript = transcript_of([replace(Segment(0, 1, " x"), avg_logprob=-math.inf)])
        data = json.loads(render(transcript, "json"), parse_constant=pytest.fail)
        WHOLE.validate(data)
        assert math.isnan(writers.json_form.from_json(json.dumps(data)).segments[0].avg_logprob)

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("a.json", "{", "no transcript"),
            ("a.json", '{"segments": [{"start": 0}]}', "end"),
            ("a.json", "[]", "no transcript"),
            ("a.jsonl", '{"start": 1}\n', "no transcript"),
            ("a.srt", "1\nnothing\nhere\n", "no times"),
            ("a.vtt", "00:01.000 --> 00:02.000\nx\n", "WEBVTT"),
            ("a.tsv", "a\tb\n", "start, end, text"),
            ("a.csv", "start,end,text\nx,1,hi\n", "no segment"),
        ],
    )
    def test_what_is_no_transcript_says_so(self, tmp_path, name, text, words):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadInput, match=words) as caught:
            writers.read(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)

    def test_missing_and_unknown(self, tmp_path):
        with pytest.raises(BadInput, match="No such file"):
            writers.read(tmp_path / "a.srt")
        with pytest.raises(UnknownName, match="nearest: vtt"):
            self.transcript.save(tmp_path / "a.vt")
        with pytest.raises(UnknownName, match="'docx'"):
            render(self.transcript, "docx")
        with pytest.raises(UnknownName, match="nearest: max_line_width"):
            render(self.transcript, "srt", max_line_widt=3)
        with pytest.raises(OutputError, match="no folder"):
            self.transcript.save(tmp_path / "no" / "a.srt")
        with pytest.raises(BadInput, match="1 or more"):
            CaptionOptions(max_line_width=0)
        with pytest.raises(BadInput, match="give one"):
            CaptionOptions(highlight_words=True, inline_times=True)
        assert list(tmp_path.iterdir()) == []


def theirs_of(found):
    """Our segments as openai-whisper's result."""
    return {
        "segments": [
            {
                "start": segment.start_s,
                "end": segment.end_s,
                "text": segment.text,
                "words": [
                    {"word": piece.text, "start": word.start_s, "end": word.end_s}
                    for piece, word in zip(pieces(segment), segment.words, strict=True)
                ],
            }
            for segment in found
        ]
    }


@pytest.mark.peers
class TestPeers:
    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(spoken_segments(), min_size=1, max_size=5),
        st.sampled_from([None, 8, 42]),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, 1, 3]),
        st.booleans(),
    )
    def test_layout_is_openai_whispers(self, found, width, count, per_line, highlight):
        utils = importlib.import_module("whisper.utils")
        options = {
            "max_line_width": width,
            "max_line_count": count,
            "max_words_per_line": per_line,
            "highlight_words": highlight,
        }
        result = theirs_of(found)
        for name, writer in (("srt", utils.WriteSRT), ("vtt", utils.WriteVTT)):
            file = io.StringIO()
            writer("").write_result(result, file, options)
            ours = render(transcript_of(found), name, **options).replace("--\u2060>", "-->")
            plain = ours.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            assert (plain if name == "vtt" else ours) == file.getvalue()
        for name, writer in (("txt", utils.WriteTXT), ("tsv", utils.WriteTSV)):
            file = io.StringIO()
            writer("").write_result(result, file)
            assert render(transcript_of(found), name) == file.getvalue()
