"""Books spoken: chapters and facts in the file, resumed sample for sample, nothing left behind."""

import itertools
import threading

import av
import numpy as np
import pytest
from tests.tts.conftest import BurstSynth

from sonant.audio.io import read
from sonant.errors import BadInput, UnknownName, UnspeakableText
from sonant.tts.books import Book, Chapter, speak_book
from sonant.tts.books.work import KeepingSynth

TEXT = "It was a dark night. Nobody saw the three of them, and nobody asked.\n\nThen it rained. "
BOOK = Book("A Tale", (Chapter("One", "One\n\n" + TEXT), Chapter("Two", "Two\n\n" + TEXT)), "Ann", "en")


class Interrupted(Exception):
    pass


def facts(path):
    with av.open(str(path)) as file:
        tags = {key.lower(): value for key, value in (*file.metadata.items(), *file.streams[0].metadata.items())}
        chapters = [
            (row["metadata"]["title"], float(row["start"] * row["time_base"]), float(row["end"] * row["time_base"]))
            for row in file.chapters()
        ]
        return tags, chapters


@pytest.mark.parametrize("suffix", [".m4b", ".mp3", ".opus", ".m4a", ".ogg"])
def test_chapters_and_facts(speaker, tmp_path, suffix):
    path = tmp_path / f"tale{suffix}"
    found = speak_book(speaker, BOOK, path)
    tags, chapters = facts(path)
    assert (tags["title"], tags["artist"], tags["genre"]) == ("A Tale", "Ann", "Audiobook")
    assert [title for title, _, _ in chapters] == ["One", "Two"]
    for (_, start_s, end_s), spoken in zip(chapters, found.chapters, strict=True):
        assert start_s == pytest.approx(spoken.start_s, abs=0.01)
        assert end_s == pytest.approx(spoken.end_s, abs=0.1)
    assert read(path).duration_s == pytest.approx(found.duration_s, abs=0.1)
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name], "the work folder is gone"


def sound(folder):
    return [
        read(path).samples for path in sorted((folder / "chapters").glob("*.flac"), key=lambda p: p.stat().st_mtime_ns)
    ]


def test_an_interrupted_book_goes_on(speaker, synth, tmp_path):
    whole = tmp_path / "whole.work"
    speak_book(speaker, BOOK, tmp_path / "whole.m4b", work=whole, keep_work=True)
    calls = len(synth.calls)

    class Failing(BurstSynth):
        def synthesize(self, *arguments):
            if len(self.calls) == 4:
                raise Interrupted
            return super().synthesize(*arguments)

    failing = Failing()
    path = tmp_path / "tale.m4b"
    with pytest.raises(Interrupted):
        speak_book(speaker.with_engine(failing), BOOK, path, keep_work=True)
    assert not path.exists()
    assert len(failing.calls) == 4
    assert not list(tmp_path.glob(".*.part")) + list((tmp_path / "tale.m4b.work").rglob("*.part"))

    again = BurstSynth()
    seen = []
    speak_book(speaker.with_engine(again), BOOK, path, keep_work=True, progress=seen.append)
    assert len(again.calls) == calls - 4
    for ours, theirs in zip(sound(tmp_path / "tale.m4b.work"), sound(whole), strict=True):
        assert np.array_equal(ours, theirs)
    assert path.read_bytes()[:200] == (tmp_path / "whole.m4b").read_bytes()[:200]
    assert not list((tmp_path / "tale.m4b.work" / "chunks").iterdir())

    third = BurstSynth()
    speak_book(speaker.with_engine(third), BOOK, path)
    assert third.calls == []


def test_changed_text_is_spoken_anew_and_nothing_else(speaker, tmp_path):
    speak_book(speaker, BOOK, tmp_path / "a.mp3", keep_work=True)
    changed = Book("A Tale", (BOOK.chapters[0], Chapter("Two", "Two. Something else.")))
    synth = BurstSynth()
    speak_book(speaker.with_engine(synth), changed, tmp_path / "a.mp3", keep_work=True)
    assert len(synth.calls) == 1
    speak_book(speaker.with_engine(synth), changed, tmp_path / "a.mp3", "af_sky")
    assert len(synth.calls) > 3


def test_progress_and_cancel(speaker, tmp_path):
    seen, cancel = [], threading.Event()
    speak_book(speaker, BOOK, tmp_path / "a.mp3", progress=seen.append)
    assert [each.chapter for each in seen] == sorted(each.chapter for each in seen)
    counts = [each.characters for each in seen]
    assert counts == sorted(counts)
    assert counts[-1] / seen[-1].total > 0.95
    assert seen[-1].left_s is not None
    assert seen[-1].left_s < 1
    assert all(a.spoken_s < b.spoken_s for a, b in itertools.pairwise(seen))

    def stop(progress):
        if progress.number == 2:
            cancel.set()

    with pytest.raises(BadInput, match="call again"):
        speak_book(speaker, BOOK, tmp_path / "b.mp3", progress=stop, cancel=cancel)
    assert not (tmp_path / "b.mp3").exists()
    assert (tmp_path / "b.mp3.work").is_dir()


def test_what_cannot_be_done_is_told_first(speaker, synth, tmp_path):
    with pytest.raises(UnknownName, match=r"\.m4a"):
        speak_book(speaker, BOOK, tmp_path / "a.wav")
    with pytest.raises(UnknownName):
        speak_book(speaker, BOOK, tmp_path / "a.m4b", "nobody")
    with pytest.raises(BadInput, match="24000"):
        speak_book(speaker, BOOK, tmp_path / "a.m4b", sample_rate=48000)
    with pytest.raises(BadInput, match="text"):
        speak_book(speaker, BOOK, tmp_path / "a.m4b", is_phonemes=True)
    empty = Book("x", (BOOK.chapters[0], Chapter("Bad", "[rate:9]Words")), markup=True)
    with pytest.raises(BadInput, match=r"chapter 'Bad'.*rate"):
        speak_book(speaker, empty, tmp_path / "a.m4b")
    silent = Book("x", (BOOK.chapters[0], Chapter("Dots", "...")))
    with pytest.raises(UnspeakableText, match="chapter 'Dots'"):
        speak_book(speaker, silent, tmp_path / "a.m4b")
    assert synth.calls == []
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_share_a_folder(speaker, tmp_path):
    from sonant.tts.books.work import Work

    with Work(tmp_path / "w"), pytest.raises(BadInput, match="another process"):
        speak_book(speaker, BOOK, tmp_path / "a.mp3", work=tmp_path / "w")


def test_language_and_warnings(speaker, tmp_path):
    book = Book("Un livre", (Chapter("Un", "Word ★ word."),), "", "en-GB", warnings=("notes went",))
    found = speak_book(speaker, book, tmp_path / "a.opus", "ff_siwis", keep_work=True)
    assert found.warnings[0] == "notes went"
    assert "made for French; the text is read as British English" in " ".join(found.warnings)
    again = speak_book(speaker, book, tmp_path / "a.opus", "ff_siwis")
    assert again.warnings == found.warnings, "a chapter that was whole still tells its warnings"


def test_keeping_gives_back_what_it_took(synth, tmp_path):
    class Loud(BurstSynth):
        def say(self, *arguments):
            samples, frames = super().say(*arguments)
            return samples * 30, frames

    ids = [np.array([50, 51, 52])]
    style = np.zeros((1, 256), np.float32)
    style[:, 0] = 0.002
    keeping = KeepingSynth(Loud(), tmp_path)
    ((first, frames),) = keeping.synthesize(ids, style, np.ones(1, np.float32), [0])
    ((second, again),) = keeping.synthesize(ids, style, np.ones(1, np.float32), [0])
    assert (keeping.spoken, keeping.kept) == (1, 1)
    assert np.array_equal(first, second)
    assert np.array_equal(frames, again)
    ((raw, _),) = Loud().synthesize(ids, style, np.ones(1, np.float32), [0])
    assert np.abs(raw).max() > 1
    np.testing.assert_allclose(first, raw, atol=np.abs(raw).max() / 30000)


def test_memory_holds_a_chunk(speaker, tmp_path):
    import tracemalloc

    peaks = []
    for count in (1, 6):
        book = Book("x", tuple(Chapter(str(n), TEXT) for n in range(count)))
        tracemalloc.start()
        speak_book(speaker, book, tmp_path / "a.mp3")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3
