"""Search on a toy network: against brute force, and each window in a batch against itself alone."""

import itertools

import numpy as np
import pytest
from toy import EOT, NO_SPEECH, SIZE, SOT, ToyEngine, ToyTokenizer

from sonant.decode.beam import BeamSearch
from sonant.decode.options import TranscribeOptions
from sonant.decode.rules import NoRepeat, SuppressTokens
from sonant.decode.search import Request, Search, compression_ratio, log_softmax
from sonant.errors import BadInput

PROMPT = (SOT, 3)
RULES = [SuppressTokens([NO_SPEECH])]


def search(engine, **options):
    return Search(engine, ToyTokenizer(), TranscribeOptions(max_new_tokens=6, **options), RULES, context=64)


def requests(names, prompt=PROMPT):
    return [Request(row, prompt, "en", start_frame=name) for row, name in enumerate(names)]


def chances(engine, name, text):
    logits = engine.logits(name, (*PROMPT, *text))[None]
    logits[:, NO_SPEECH] = -np.inf
    return log_softmax(logits)[0]


def score(engine, name, text):
    """Log-probability of a text and its end token."""
    return sum(chances(engine, name, text[:at])[token] for at, token in enumerate((*text, EOT)))


def test_greedy_follows_the_likeliest_token():
    engine = ToyEngine()
    found = search(engine).decode(engine.encode([5]), requests([5]), 0.0)[0]
    text = []
    for _ in range(6):
        token = int(chances(engine, 5, tuple(text)).argmax())
        if token == EOT:
            break
        text.append(token)
    assert list(found.tokens) == text
    assert found.temperature == 0
    chosen = [chances(engine, 5, tuple(text[:at]))[token] for at, token in enumerate(text)]
    ending = [chances(engine, 5, tuple(text))[EOT]] if len(text) < 6 else []
    assert found.avg_logprob == pytest.approx(sum(chosen + ending) / (len(text) + 1), abs=1e-5)


def test_no_speech_is_read_at_the_start_token_before_any_rule():
    engine = ToyEngine()
    prompt = (2, *PROMPT)  # context before the start token
    found = search(engine).decode(engine.encode([9]), requests([9], prompt), 0.0)[0]
    want = np.exp(log_softmax(engine.logits(9, (2, SOT))[None]))[0, NO_SPEECH]
    assert found.no_speech_prob == pytest.approx(float(want), rel=1e-5)


def test_wide_beam_finds_the_best_of_all_texts():
    """With as many beams as there are texts, the search is exhaustive."""
    engine = ToyEngine(end_bias=1.0)
    options = TranscribeOptions(beam_size=120, max_new_tokens=3, length_penalty=0.6)
    everything_but = [token for token in range(SIZE) if token >= 4 and token != EOT]  # four words
    narrow = Search(engine, ToyTokenizer(), options, [SuppressTokens(everything_but)], context=64)
    found = narrow.decode(engine.encode([1]), requests([1]), 0.0)[0]

    def limited(text):
        logits = engine.logits(1, (*PROMPT, *text))
        logits[everything_but] = -np.inf
        return log_softmax(logits[None])[0]

    texts = [text for size in (1, 2) for text in itertools.product(range(4), repeat=size)]
    scores = {
        text: sum(limited(text[:at])[token] for at, token in enumerate((*text, EOT))) / ((5 + len(text)) / 6) ** 0.6
        for text in [(), *texts]
    }
    unfinished = {  # the longest texts never see their end token
        text: sum(limited(text[:at])[token] for at, token in enumerate(text)) / ((5 + len(text)) / 6) ** 0.6
        for text in itertools.product(range(4), repeat=3)
    }
    assert found.tokens == max(scores | unfinished, key=(scores | unfinished).get)


def test_beams_beat_greedy_on_average():
    engine = ToyEngine(end_bias=1.0)
    names = list(range(40))
    greedy = search(engine).decode(engine.encode(names), requests(names), 0.0)
    beams = search(engine, beam_size=4).decode(engine.encode(names), requests(names), 0.0)
    assert np.mean([one.avg_logprob for one in beams]) > np.mean([one.avg_logprob for one in greedy])
    assert any(one.tokens != other.tokens for one, other in zip(greedy, beams, strict=True))


@pytest.mark.parametrize(
    ("temperature", "options"),
    [(0.0, {}), (0.0, {"beam_size": 3}), (0.0, {"beam_size": 3, "patience": 2.0}), (0.7, {"best_of": 3}), (1.0, {})],
)
def test_a_window_in_a_batch_is_what_it_is_alone(temperature, options):
    engine = ToyEngine(end_bias=0.5)
    names = [4, 8, 15, 16, 23]
    together = search(engine, **options).decode(engine.encode(names), requests(names), temperature)
    alone = [
        search(engine, **options).decode(engine.encode([name]), requests([name]), temperature)[0] for name in names
    ]
    for one, other in zip(together, alone, strict=True):
        assert one.tokens == other.tokens
        assert one.avg_logprob == pytest.approx(other.avg_logprob, abs=1e-6)
    assert len({one.tokens for one in together}) > 1


def test_prompts_of_different_lengths_are_decoded_in_their_order():
    engine = ToyEngine()
    asked = [Request(0, PROMPT, "en"), Request(1, (2, *PROMPT), "en"), Request(2, PROMPT, "en")]
    together = search(engine).decode(engine.encode([1, 2, 3]), asked, 0.0)
    for request, found in zip(asked, together, strict=True):
        alone = search(engine).decode(engine.encode([request.window + 1]), [Request(0, request.tokens, "en")], 0.0)
        assert alone[0].tokens == found.tokens


def test_seeds_make_samples_repeatable_and_different():
    engine = ToyEngine()
    names = list(range(12))

    def sample(seed):
        return [one.tokens for one in search(engine, seed=seed).decode(engine.encode(names), requests(names), 1.0)]

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


def test_samples_follow_the_distribution():
    engine = ToyEngine(end_bias=-np.inf)
    names = np.zeros(4000, int)
    asked = [Request(row, PROMPT, "en", start_frame=row) for row in range(4000)]
    options = TranscribeOptions(max_new_tokens=1, seed=3)
    found = Search(engine, ToyTokenizer(), options, RULES, 64).decode(engine.encode(names), asked, 0.5)
    counts = np.bincount([one.tokens[0] for one in found], minlength=EOT) / 4000
    logits = engine.logits(0, PROMPT)[:EOT] / 0.5
    want = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert np.abs(counts - want).max() < 0.03


def test_text_stops_where_the_decoder_is_full():
    engine = ToyEngine(end_bias=-np.inf)
    options = TranscribeOptions(max_new_tokens=50)
    found = Search(engine, ToyTokenizer(), options, RULES, context=9).decode(engine.encode([1]), requests([1]), 0.0)[0]
    assert len(found.tokens) == 9 + 1 - len(PROMPT)  # the last token is chosen from a full decoder
    with pytest.raises(BadInput, match="holds 2"):
        Search(engine, ToyTokenizer(), options, RULES, context=2).decode(engine.encode([1]), requests([1]), 0.0)


def test_finished_windows_keep_their_beams_while_others_go_on():
    beam = BeamSearch(windows=2, beams=2, eot=EOT, patience=0.5)  # one finished text is enough
    written = np.zeros((4, 0), np.int64)
    logits = np.full((4, SIZE), -10, np.float32)
    logits[:2, EOT], logits[:2, 1] = 5, 4  # the first window can end now
    logits[2:, 2], logits[2:, 3] = 5, 4
    tokens, rows = beam.choose(logits, written)
    written = np.concatenate([written[rows], tokens[:, None]], axis=1)
    before = beam.candidates(0, written)
    logits[:2] = 0
    tokens, rows = beam.choose(logits, written)
    assert not beam.done
    assert rows[:2].tolist() == [0, 1]
    assert beam.candidates(0, np.concatenate([written[rows], tokens[:, None]], axis=1)) == before
    assert before[0][0] == ()


def test_compression_ratio_tells_repetition():
    assert compression_ratio(" thank you" * 30) > 2.4 > compression_ratio("He was not an ill-disposed young man.")


class BrokenEngine(ToyEngine):
    """Gives NaN for window 1 from the second token on."""

    def logits(self, name, text):
        found = super().logits(name, text)
        if name == 1 and len(text) > len(PROMPT):
            found[:] = np.nan
        return found


@pytest.mark.parametrize(("options", "temperature"), [({}, 0.0), ({"beam_size": 3}, 0.0), ({"best_of": 2}, 0.8)])
def test_a_window_of_nan_ends_and_its_neighbours_do_not_notice(options, temperature):
    engine, sound = BrokenEngine(end_bias=-50.0), ToyEngine(end_bias=-50.0)
    got = search(engine, **options).decode(engine.encode([0, 1, 2]), requests([0, 1, 2]), temperature)
    want = search(sound, **options).decode(sound.encode([0, 1, 2]), requests([0, 1, 2]), temperature)
    assert (got[0], got[2]) == (want[0], want[2])
    assert (got[1].tokens, got[1].text) == ((), "")
    assert np.isnan(got[1].avg_logprob)
    alone = BrokenEngine(end_bias=-50.0)
    assert np.isnan(search(alone, **options).decode(alone.encode([1]), requests([1]), temperature)[0].avg_logprob)
    assert len(alone.calls) < 6  # not to the limit


@pytest.mark.parametrize(("options", "temperature"), [({}, 0.0), ({"beam_size": 3}, 0.0), ({"best_of": 2}, 0.8)])
def test_a_given_beginning_is_part_of_the_text(options, temperature):
    engine = ToyEngine(end_bias=-50.0)
    asked = [Request(0, (*PROMPT, 5, 6), "en", given=2), Request(1, (*PROMPT, 5, 6), "en")]
    got = search(engine, **options).decode(engine.encode([1, 1]), asked, temperature)
    assert got[0].tokens == (5, 6, *got[1].tokens)
    assert got[0].avg_logprob * (len(got[0].tokens) + 1) == pytest.approx(
        got[1].avg_logprob * (len(got[1].tokens) + 1), abs=1e-4
    )
    with_time = Search(engine, ToyTokenizer(), TranscribeOptions(max_new_tokens=6), [NoRepeat(2)], context=64)
    text = with_time.decode(engine.encode([1]), [Request(0, (*PROMPT, 5, 6), "en", given=2)], 0.0)[0].tokens
    assert (5, 6) not in itertools.pairwise(text[1:])  # rules see what was given


def test_the_two_rules_for_length():
    """Candidates of 1, 2 and 4 tokens: what they are divided by decides which one is best."""
    one = Request(0, PROMPT, "en")
    candidates = [((1,), -1.0), ((1, 2), -1.9), ((1, 2, 3, 4), -3.5)]
    best = {
        name: len(search(ToyEngine(), **given)._best(candidates, 0.0, 0.0, one).tokens)
        for name, given in {
            "length": {},
            "power 1": {"length_power": 1.0},
            "power 0": {"length_power": 0.0},
            "power 2": {"length_power": 2.0},
            "Google": {"length_penalty": 0.5},
        }.items()
    }
    assert best == {"length": 4, "power 1": 4, "power 0": 1, "power 2": 4, "Google": 1}
