"""Datasets: folders, manifests of every form, Hugging Face's, read one recording at a time."""

import json

import jiwer
import numpy as np
import pytest

from sonant.asr.datasets import Item, Score, open_dataset
from sonant.audio import io
from sonant.errors import BadInput, SonantError, UnknownName, UnreadableAudio
from sonant.records import Audio


def tone(path, seconds=0.5, rate=16_000, level=0.3):
    path.parent.mkdir(parents=True, exist_ok=True)
    return io.write(path, Audio(np.full(round(seconds * rate), level, np.float32), rate))


@pytest.fixture
def folder(tmp_path):
    tone(tmp_path / "b" / "two.flac", rate=44_100)
    tone(tmp_path / "one.wav", rate=8_000)
    (tmp_path / "one.txt").write_text("What was said.\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("no sound")
    return tmp_path


def test_a_folder_gives_its_recordings_and_what_was_said_in_them(folder):
    found = list(open_dataset(folder))
    assert [(item.name, item.text) for item in found] == [("b/two", None), ("one", "What was said.")]
    assert all(item.audio.is_file() for item in found)


def test_a_folder_with_metadata_is_its_manifest(folder):
    (folder / "metadata.csv").write_text("file_name,transcription,language\none.wav,hello,pl\nb/two.flac,you,\n")
    found = list(open_dataset(str(folder)))
    assert [(item.name, item.text, item.language) for item in found] == [("one", "hello", "pl"), ("two", "you", None)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", 'path,sentence\none.wav,"Hello, you"\nb/two.flac,again\n'),
        ("m.csv", "path;sentence\none.wav;Hello, you\nb/two.flac;again\n"),
        ("m.tsv", "\ufeffpath\tsentence\none.wav\tHello, you\nb/two.flac\tagain\n"),
        (
            "m.jsonl",
            """{"audio_filepath": "one.wav", "text": "Hello, you", "duration": 0.5}\n
            {"audio_filepath": "b/two.flac", "text": "again"}\n""",
        ),
    ],
)
def test_manifests_find_their_files_from_their_own_folder(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    found = list(open_dataset(folder / name))
    assert [(item.name, item.text) for item in found] == [("one", "Hello, you"), ("two", "again")]
    assert [item.sound() for item in found] == [folder / "one.wav", folder / "b" / "two.flac"]


def test_rows_that_are_parts_of_a_file(folder):
    ramp = np.linspace(0, 0.5, 32_000, dtype=np.float32)
    io.write(folder / "long.wav", Audio(ramp, 16_000))
    rows = [
        {"id": "a", "audio_filepath": "long.wav", "offset": 0.5, "duration": 0.25, "text": "x"},
        {"id": "b", "audio_filepath": "long.wav", "offset": 1.5, "text": "y"},
        {"id": "b", "audio_filepath": "long.wav", "offset": 3.0, "text": "z"},
    ]
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    items = open_dataset(folder / "m.jsonl")
    first, second = next(items), next(items)
    assert first.sound().duration_s == 0.25
    np.testing.assert_allclose(first.sound().samples, ramp[8000:12000], atol=1e-4)
    assert second.sound().duration_s == 0.5
    with pytest.raises(BadInput, match=r"line 3.*2\.00 s"):
        next(items)


def test_only_what_is_asked_for_is_read(folder):
    lines = ['{"audio": "one.wav", "said": "x"}'] * 3 + ["this is not JSON"]
    (folder / "m.jsonl").write_text("\n".join(lines))
    found = list(open_dataset(folder / "m.jsonl", limit=3, text_column="said"))
    assert [item.name for item in found] == ["one", "one-2", "one-3"]
    with pytest.raises(BadInput, match="line 4"):
        list(open_dataset(folder / "m.jsonl"))


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        ("m.csv", "a,b\n1,2\n", UnknownName, "audio_column"),
        ("m.csv", "path,text\n,hello\n", BadInput, "line 2"),
        ("m.csv", "path,text\n", BadInput, "no rows"),
        ("m.jsonl", "[1]\n", BadInput, "no object"),
        ("m.xlsx", "x", BadInput, "no manifest"),
        ("m.jsonl", '{"audio": "one.wav", "offset": "soon"}', BadInput, "no time in seconds"),
    ],
)
def test_bad_manifests_say_what_is_wrong(folder, name, text, error, words):
    (folder / name).write_text(text)
    with pytest.raises(error, match=words):
        list(open_dataset(folder / name))


def test_sources_and_options_that_are_not_there(tmp_path):
    with pytest.raises(BadInput, match="hf:owner/name"):
        open_dataset(tmp_path / "nothing")
    with pytest.raises(BadInput, match="holds no recordings"):
        list(open_dataset(tmp_path))
    with pytest.raises(BadInput, match="limit"):
        open_dataset(tmp_path, limit=0)
    tone(tmp_path / "one.wav")
    (tmp_path / "m.csv").write_text("path,text\none.wav,x\n")
    with pytest.raises(UnknownName, match="nearest: text"):
        list(open_dataset(tmp_path / "m.csv", text_column="texts"))


def test_names_never_leave_the_output_folder(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"audio": "one.wav", "id": "../../x"}\n{"audio": "one.wav", "id": ".."}')
    assert [item.name for item in open_dataset(tmp_path / "m.jsonl")] == ["x", "recording"]


def test_bytes_that_are_no_sound_are_told_when_they_are_heard():
    with pytest.raises(UnreadableAudio):
        Item("x", b"not a sound file").sound()


def test_a_dataset_of_hugging_face_is_streamed_and_decoded_here(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    files = [tone(tmp_path / f"{name}.wav", rate=rate) for name, rate in (("a", 8_000), ("b", 48_000))]
    features = {"recording": {"_type": "Audio"}} | {
        name: {"dtype": "string", "_type": "Value"} for name in ("sentence", "locale")
    }
    table = pyarrow.table(
        {
            "recording": [{"bytes": path.read_bytes(), "path": path.name} for path in files],
            "sentence": ["first", "second"],
            "locale": ["pl", "de"],
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    place = tmp_path / "set"
    (place / "data").mkdir(parents=True)
    parquet.write_table(table, place / "data" / "test-00000-of-00001.parquet")
    found = list(open_dataset(f"hf:{place}"))
    assert [(item.name, item.text, item.language) for item in found] == [("a", "first", "pl"), ("b", "second", "de")]
    for item in found:
        sound = item.sound()
        assert sound.sample_rate == 16_000
        assert sound.duration_s == pytest.approx(0.5, abs=0.01)
        assert sound.samples.mean() == pytest.approx(0.3, abs=0.02)
    with pytest.raises(SonantError, match="validation"):
        list(open_dataset(f"hf:{place}", split="validation"))


def test_scores_are_those_of_jiwer():
    pairs = [("hello world", "hello word"), ("one two three", "one three four five"), ("same", "Same!")]
    score = Score()
    for said, heard in pairs:
        score.add(said, heard)
    said, heard = [pair[0] for pair in pairs], [pair[1].lower().strip("!") for pair in pairs]
    assert score.wer == pytest.approx(jiwer.wer(said, heard))
    joined = [[text.replace(" ", "") for text in side] for side in (said, heard)]
    assert score.cer == pytest.approx(jiwer.cer(*joined))
    assert score.recordings == 3
