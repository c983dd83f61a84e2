"""Training itself: what is made harder, what a step teaches, and that a killed run ends like one that was not."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import sonant
from sonant.audio import io
from sonant.errors import BadInput, CorruptFile
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.records import Audio
from sonant.text.evaluation import word_errors
from sonant.text.vocab import CtcVocabulary
from sonant.train import targets
from sonant.train.ctc import CtcRecipe, Trainer
from sonant.train.data import DRY, GRID_S, Stringing, Utterance, batches, rounds
from sonant.train.initial import filters, initialise

VOCABULARY = CtcVocabulary(("<pad>", "<unk>", "|", "A", "B", "C"))
TINY = Wav2Vec2Config(
    vocab_size=6,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    conv_dim=(8, 16, 24),
    conv_kernel=(20, 8, 4),
    conv_stride=(10, 8, 4),
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
    num_conv_pos_embeddings=4,
    num_conv_pos_embedding_groups=2,
    mask_time_prob=0.0,
)
ALONE = Stringing(share=0.0, gap_s=(0.0, 0.0), cut_share=0.0)
PLAIN = replace(DRY, speed=0.05, gain_db=3.0)


def tone(letter: str, seconds: float = 0.25) -> NDArray[np.float32]:
    """The sound of a letter in a made-up language: a tone of its own."""
    time_s = np.arange(int(seconds * 16_000)) / 16_000
    return (0.3 * np.sin(2 * np.pi * {"A": 300, "B": 900, "C": 2400}[letter] * time_s)).astype(np.float32)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """Twenty-four utterances of one to three one-letter words, silence between."""
    folder, random = tmp_path_factory.mktemp("toy"), np.random.default_rng(0)
    found = []
    for number in range(24):
        letters = random.choice(list("ABC"), random.integers(1, 4))
        parts, words, at_s = [], [], 0.0
        for letter in letters:
            parts += [tone(letter), np.zeros(1600, np.float32)]
            words.append((str(letter), at_s, at_s + 0.25))
            at_s += 0.35
        path = folder / f"{number}.wav"
        io.write(path, Audio(np.concatenate(parts), 16_000))
        found.append(Utterance(path, " ".join(letters), at_s, tuple(words)))
    return found


def recipe(hours: float, **changes: object) -> CtcRecipe:
    settings = {"batch_s": 4.0, "peak_rate": 4e-3, "averaged": 0.05, "measures": 2, "threads": 1, "bfloat16": False}
    return CtcRecipe(hours=hours, **{**settings, "augment": PLAIN, **changes})  # type: ignore[arg-type]


def test_a_toy_language_is_learned_and_the_folder_opens_like_any_checkpoint(
    toy: list[Utterance], tmp_path: Path
) -> None:
    masked = replace(TINY, mask_time_prob=0.02, mask_time_length=2)
    trainer = Trainer(initialise(masked, 0), VOCABULARY, recipe(0.2, peak_rate=1e-3, framed_rest=1.0))
    curve = trainer.fit(toy[:20], toy[20:])
    assert curve[-1].loss < 0.3 * curve[0].loss
    assert curve[-1].word_error_rate is not None
    assert curve[-1].word_error_rate <= 0.25
    trainer.save(tmp_path / "model", torch.float32)
    asr = sonant.load_asr(tmp_path / "model")
    wrong = sum(word_errors(one.text, asr.transcribe(one.audio).text) for one in toy[20:])
    assert wrong / sum(len(one.text.split()) for one in toy[20:]) == pytest.approx(curve[-1].word_error_rate)


def test_a_killed_run_ends_like_one_that_was_not(toy: list[Utterance], tmp_path: Path) -> None:
    # One batch holds all, so that an epoch is a step and the kill falls between two epochs.
    whole = recipe(0.02, batch_s=100.0, stringing=ALONE)
    toy = [one for one in toy if len(one.words) == 2]
    straight = Trainer(initialise(TINY, 1), VOCABULARY, whole)
    straight.fit(toy, toy[:2])

    class Killed(Exception):
        pass

    def kill(point: object) -> None:
        if first.step == 1:
            first.save_state(tmp_path / "state.pt")
            raise Killed

    first = Trainer(initialise(TINY, 1), VOCABULARY, whole)
    with pytest.raises(Killed):
        first.fit(toy, toy[:2], kill)
    second = Trainer(initialise(TINY, 2), VOCABULARY, whole)
    second.load_state(tmp_path / "state.pt")
    second.fit(toy, toy[:2])
    assert straight.step == second.step >= 2
    for name, tensor in straight.mean.state_dict().items():
        torch.testing.assert_close(second.mean.state_dict()[name], tensor, rtol=1e-5, atol=1e-6, msg=name)
    assert [point.step for point in second.curve] == [point.step for point in straight.curve]


def test_a_broken_state_and_an_empty_corpus_are_said_plainly(toy: list[Utterance], tmp_path: Path) -> None:
    trainer = Trainer(initialise(TINY, 0), VOCABULARY, recipe(0.01))
    (tmp_path / "state.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptFile, match="delete it"):
        trainer.load_state(tmp_path / "state.pt")
    with pytest.raises(BadInput, match="no utterance"):
        trainer.fit([], toy)


def test_rate_rises_then_falls() -> None:
    plan = CtcRecipe(warmup=0.1, peak_rate=1e-3)
    assert plan.rate(0.0) == 0.0
    assert plan.rate(0.1) == pytest.approx(1e-3)
    assert plan.rate(0.05) == pytest.approx(5e-4)
    assert plan.rate(1.0) == pytest.approx(1e-5)
    assert plan.framed_weight(0.0) == 1.0
    assert plan.framed_weight(1.0) == plan.framed_rest


def test_batches_hold_every_item_once_within_their_seconds_in_few_shapes() -> None:
    durations = np.random.default_rng(0).uniform(0.1, 4.0, 400).tolist()
    groups = batches(durations, 20.0, np.random.default_rng(1))
    assert sorted(index for group in groups for index in group) == list(range(400))
    lengths = [math.ceil(max(durations[i] for i in group) / GRID_S) * GRID_S for group in groups]
    assert all(length * len(group) <= 20.0 for length, group in zip(lengths, groups, strict=True))
    assert all(
        min(durations[i] for i in group) > length - GRID_S for length, group in zip(lengths, groups, strict=True)
    )
    shapes = {(length, len(group)) for length, group in zip(lengths, groups, strict=True)}
    assert len(shapes) <= 2 * len(set(lengths))  # full ones and a last one
    assert max(len(group) for group in groups) == 40


def test_workers_of_a_round_have_like_work() -> None:
    random = np.random.default_rng(0)
    durations = random.uniform(0.1, 4.0, 400).tolist()
    parts = batches(durations, 10.0, random)
    found = rounds(parts, durations, 2, random)
    assert sorted(part for one in found for part in one) == sorted(parts)
    work = [[len(part) * max(durations[i] for i in part) for part in one] for one in found if len(one) == 2]
    assert len(work) == len(parts) // 2
    assert np.mean([min(one) / max(one) for one in work]) > 0.95
    assert [max(one) for one in work] != sorted(max(one) for one in work), "in no order"


def test_strings_hold_every_utterance_once_and_their_times_move_along(toy: list[Utterance]) -> None:
    random = np.random.default_rng(2)
    stringing = Stringing(share=0.6, longest_s=3.0, gap_s=(0.1, 0.3))
    strings = stringing.plan([one.duration_s for one in toy], random)
    assert sorted(index for string in strings for index in string) == list(range(len(toy)))
    assert any(len(string) > 1 for string in strings)
    sounds = [io.read(one.audio, 16_000).samples for one in toy[:2]]
    joined, samples = stringing.join(toy[:2], sounds, random)
    assert joined.text == f"{toy[0].text} {toy[1].text}"
    assert len(samples) / 16_000 == joined.duration_s
    for letter, start_s, end_s in joined.words:
        heard = samples[round(start_s * 16_000) : round(end_s * 16_000)]
        assert np.abs(heard - tone(letter)[: len(heard)]).max() < 1e-3


def test_a_cut_keeps_whole_words_and_their_times(toy: list[Utterance]) -> None:
    random = np.random.default_rng(2)
    longest = max(toy, key=lambda one: len(one.words))
    longest = replace(longest, phones=longest.words)
    samples = io.read(longest.audio, 16_000).samples
    stringing = Stringing(gap_s=(0.0, 0.0), cut_share=1.0)
    counts = set()
    for _ in range(30):
        cut, kept = stringing.join([longest], [samples], random)
        counts.add(len(cut.words))
        assert cut.text in longest.text
        assert cut.phones == cut.words
        for letter, start_s, end_s in cut.words:
            heard = kept[round(start_s * 16_000) : round(end_s * 16_000)]
            assert np.abs(heard - tone(letter)[: len(heard)]).max() < 1e-3
    assert counts == {1, 2, 3}


def test_frame_targets_follow_the_times() -> None:
    one = Utterance(
        Path("x"), "AB C", 1.0, (("AB", 0.2, 0.4), ("C", 0.5, 0.7)), phones=(("k", 0.2, 0.4), ("s", 0.5, 0.7))
    )
    spelled = targets.letters(one, VOCABULARY, 2.0, 0.1, 20)  # twice as long as when the times were taken
    assert [VOCABULARY.symbols[symbol] for symbol in spelled[4:14]] == [
        "A",
        "<pad>",
        "B",
        "<pad>",
        "<pad>",
        "|",
        "C",
        "C",
        "C",
        "<pad>",
    ]
    sounded = targets.phones(one, {"k": 1, "s": 2}, 2.0, 0.1, 20)
    assert sounded.tolist() == [0] * 4 + [1] * 4 + [0] * 2 + [2] * 4 + [0] * 6
    silent = replace(one, words=(), phones=())
    assert (targets.letters(silent, VOCABULARY, 1.0, 0.1, 5) == targets.UNKNOWN).all()
    assert (targets.phones(silent, {}, 1.0, 0.1, 5) == targets.UNKNOWN).all()


def test_a_blank_parts_equal_letters_down_to_a_frame_each() -> None:
    """CTC reads two equal symbols without a blank between them as one: taught so, TOMORROW became TOMOROW."""
    for length_s in (0.1, 0.13, 0.16, 0.2, 0.4):
        one = Utterance(Path("x"), "ABBA", 1.0, (("ABBA", 0.1, 0.1 + length_s),))
        line = targets.letters(one, VOCABULARY, 1.0, 0.02, 60)
        assert VOCABULARY.text([symbol for symbol, _ in itertools.groupby(line.tolist()) if symbol]) == "ABBA"


def test_holes_and_colour_change_the_spectrum_alone() -> None:
    random = np.random.default_rng(3)
    noise = 0.1 * random.standard_normal(16_000).astype(np.float32)
    coloured, stretch = replace(DRY, tone_db=6.0, holes=2)(noise, random)
    assert stretch == 1.0
    assert len(coloured) == len(noise)
    before, after = (np.abs(np.fft.rfft(sound)[:-1]).reshape(-1, 25) ** 2 for sound in (noise, coloured))
    gains_db = 10 * np.log10(after.mean(1) / before.mean(1))
    assert gains_db.max() < 7.0
    assert np.ptp(gains_db) > 3.0


def test_phones_are_taught_half_way_and_two_workers_learn_what_one_does(toy: list[Utterance]) -> None:
    phoned = [replace(one, phones=one.words) for one in toy if len(one.words) == 2][:4]  # one batch, or two of two
    nets = []
    for threads in (1, 2):
        whole = recipe(0.0007, batch_s=4.0, threads=threads, phones=1.0, augment=DRY, stringing=ALONE)
        torch.manual_seed(0)
        trainer = Trainer(initialise(TINY, 1), VOCABULARY, whole, "ABC")
        trainer.fit(phoned, phoned[:2])
        nets.append(trainer)
    assert nets[0].step == nets[1].step == 1
    assert nets[0].curve[0].loss == pytest.approx(nets[1].curve[0].loss, rel=1e-4)
    assert all((head.grad is not None and head.grad.any()) for head in nets[0].phone_head.parameters())
    for one, other in zip(nets[0].parameters, nets[1].parameters, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)


def test_harder_speech_has_the_noise_and_length_it_was_given() -> None:
    clean = np.tile(tone("B", 0.5), 2)
    random = np.random.default_rng(3)
    noisy = replace(DRY, noise_db=(10.0, 10.0), noise_share=1.0)
    samples, stretch = noisy(clean, random)
    noise = samples - clean
    assert stretch == 1.0
    assert 10 * np.log10((clean**2).mean() / (noise**2).mean()) == pytest.approx(10.0, abs=1.0)
    slower, stretch = replace(DRY, speed=0.2)(clean, random)
    assert len(slower) == int(len(clean) * stretch)
    peak = np.abs(np.fft.rfft(slower)).argmax() * 16_000 / len(slower)
    assert peak == pytest.approx(900 / stretch, rel=0.01)
    room, _ = replace(DRY, room_share=1.0)(np.concatenate([clean, np.zeros(8000, np.float32)]), random)
    assert np.abs(room[len(clean) : len(clean) + 400]).max() > 1e-3  # it rings on


def test_torch_is_left_as_it_was(toy: list[Utterance]) -> None:
    threads = torch.get_num_threads()
    Trainer(initialise(TINY, 0), VOCABULARY, recipe(0.001, measures=0, threads=threads + 1)).fit(toy, [])
    assert torch.get_num_threads() == threads
    assert torch.tensor([1e-40]).mul(1.0).item() > 0  # numbers below the normal ones still count


def test_a_long_first_convolution_begins_as_a_filter_bank() -> None:
    bank = filters(24, 400)
    spectrum = np.abs(np.fft.rfft(bank, 16_000))
    peaks = spectrum.argmax(1)
    assert (np.abs(np.diff(peaks.reshape(6, 4), axis=1)) <= 5).all()  # four phases of one band, Hz
    assert (np.diff(peaks[::4]) > 0).all()
    hum = 0.1 * np.cos(2 * np.pi * peaks[8] * np.arange(400) / 16_000 + np.linspace(0, 6, 50)[:, None])
    loudness = np.maximum(hum @ bank[8:12].T, 0).sum(1)
    assert loudness.max() < 1.5 * loudness.min()  # whatever the phase
    config = replace(TINY, conv_dim=(24, 16, 24), conv_kernel=(400, 8, 4))
    first = initialise(config, 0).wav2vec2.feature_extractor.get_parameter("conv_layers.0.conv.weight")
    np.testing.assert_array_equal(first[:, 0].detach().numpy(), bank)
