"""Long texts are written as they are spoken."""

import tracemalloc
import weakref

import numpy as np
import pytest

from sonant import api
from sonant.audio import io
from sonant.audio.loudness import loudness_lufs
from sonant.errors import BadInput, UnspeakableText
from sonant.records import Voice
from sonant.tts.save import save

TEXT = "The kettle is on, and the cups are on the table in the kitchen. " * 200


@pytest.fixture(scope="module")
def speaker():
    return api.load_tts(engine="fake")


@pytest.fixture(scope="module")
def voice():
    return Voice("test", np.zeros((510, 256), np.float32))


def test_it_is_what_speak_gives(speaker, voice, tmp_path):
    text = "Hello there. How are you?\n\nI am well [pause:1s]"
    speech = speaker.speak(text, voice)
    speech.save(tmp_path / "whole.wav")
    saved = save(speaker.chunks(text, voice), tmp_path / "chunks.wav")
    assert (tmp_path / "chunks.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()
    assert saved.transcript == speech.transcript()
    assert saved.duration_s == speech.audio.duration_s
    assert saved.warnings == speech.warnings


def test_captions_know_the_words(speaker, voice, tmp_path):
    text = "Hello there. How are you?"
    saved = save(speaker.chunks(text, voice), tmp_path / "a.flac")
    assert [word.text for word in saved.transcript.words] == [w.text for w in speaker.speak(text, voice).words]
    assert saved.transcript.words[0].span == (0, 5)


@pytest.mark.parametrize(("suffix", "lufs"), [("flac", None), ("wav", -20.0)])
def test_memory_holds_few_chunks_however_long_the_text_is(speaker, voice, tmp_path, lufs, suffix):
    (tmp_path / "book.txt").write_text(TEXT)
    alive, most, total = set(), 0, 0

    def watched():
        nonlocal most, total
        for number, chunk in enumerate(speaker.chunks(tmp_path / "book.txt", voice, speed=2.0)):
            owner = chunk.audio.samples
            while owner.base is not None:  # views keep what owns the numbers
                owner = owner.base
            alive.add(number)
            weakref.finalize(owner, alive.discard, number)
            total += chunk.audio.samples.nbytes
            yield chunk
            del chunk, owner
            most = max(most, len(alive))

    speaker.speak("Hello.", voice)  # dictionaries are read now
    tracemalloc.start()
    try:
        options = io.EncodeOptions(loudness_lufs=lufs)
        saved = save(watched(), tmp_path / f"book.{suffix}", options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most <= 2
    assert peak < total / 4, f"{peak / 1e6:.0f} MB for {total / 1e6:.0f} MB of sound"
    assert io.duration_s(tmp_path / f"book.{suffix}") == pytest.approx(saved.duration_s, abs=0.01)


def test_loudness_is_brought_to_the_target(speaker, voice, tmp_path):
    save(speaker.chunks("Hello there. How are you?", voice), tmp_path / "a.wav", io.EncodeOptions(loudness_lufs=-23.0))
    heard = io.read(tmp_path / "a.wav")
    assert loudness_lufs(heard.samples, heard.sample_rate) == pytest.approx(-23, abs=0.05)


def test_a_file_appears_whole_or_not_at_all(speaker, voice, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"before")

    def interrupted():
        yield from speaker.chunks("Hello there. How are you?", voice)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(interrupted(), path)
    with pytest.raises(UnspeakableText):
        save(iter(()), path)
    with pytest.raises(BadInput, match="nosuch"):
        save(speaker.chunks("Hello.", voice), tmp_path / "a.nosuch")
    assert path.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]
