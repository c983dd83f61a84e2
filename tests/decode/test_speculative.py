"""Speculative decoding: exactly what greedy search writes, in fewer passes of the large model."""

from types import SimpleNamespace

import numpy as np
import pytest
from toy import EOT, NO_SPEECH, SOT, ToyEngine, ToyTokenizer

from sonant.decode.options import TranscribeOptions
from sonant.decode.rules import NoRepeat, SuppressTokens
from sonant.decode.search import Request, Search
from sonant.decode.speculative import PairedEngine, SpeculativeSearch
from sonant.errors import BadInput

RULES = [SuppressTokens([NO_SPEECH]), NoRepeat(2)]
NAMES = list(range(20))


def requests(prompt=(2, SOT, 3), given=0):
    return [Request(row, prompt, "en", given=given) for row in range(len(NAMES))]


def searches(blur, limit=14, context=64, proposals=4, end_bias=0.0, **options):
    given = (ToyTokenizer(), TranscribeOptions(max_new_tokens=limit, **options), RULES, context)
    main, draft = ToyEngine(end_bias), ToyEngine(end_bias, blur)
    return Search(main, *given), SpeculativeSearch(PairedEngine(main, draft), *given, proposals=proposals)


@pytest.mark.parametrize("blur", [0.0, 0.3, 1.0, 30.0])
@pytest.mark.parametrize("proposals", [1, 4, 30])
@pytest.mark.parametrize("end_bias", [-50.0, 0.0, 2.0])
def test_the_text_is_the_main_models(blur, proposals, end_bias):
    alone, pair = searches(blur, proposals=proposals, end_bias=end_bias)
    want = alone.decode(alone.engine.encode(NAMES), requests(), 0.0)
    got = pair.decode(pair.engine.encode(NAMES), requests(), 0.0)
    for one, other in zip(got, want, strict=True):
        assert one.tokens == other.tokens
        assert one.avg_logprob == pytest.approx(other.avg_logprob, abs=1e-5)
        assert one.no_speech_prob == other.no_speech_prob


@pytest.mark.parametrize("context", [6, 9, 12])
def test_a_full_decoder_stops_at_the_same_token(context):
    alone, pair = searches(0.3, limit=50, context=context, end_bias=-50.0)
    want = alone.decode(alone.engine.encode(NAMES), requests(), 0.0)
    got = pair.decode(pair.engine.encode(NAMES), requests(), 0.0)
    assert [one.tokens for one in got] == [one.tokens for one in want]
    assert max(len(one.tokens) for one in got) == context + 1 - 3


def test_a_perfect_draft_is_always_believed_and_saves_passes():
    _alone, pair = searches(0.0, end_bias=-50.0)
    pair.decode(pair.engine.encode(NAMES), requests(), 0.0)
    assert pair.count.acceptance == 1.0
    assert pair.count.passes < 14 * len(NAMES) / 4
    _alone, bad = searches(30.0, end_bias=-50.0)
    bad.decode(bad.engine.encode(NAMES), requests(), 0.0)
    assert bad.count.acceptance < 0.3
    assert bad.count.proposed > 0


@pytest.mark.parametrize(("temperature", "options"), [(0.8, {"best_of": 2}), (0.0, {"beam_size": 3})])
def test_samples_and_beams_go_the_usual_way(temperature, options):
    alone, pair = searches(1.0, **options)
    want = alone.decode(alone.engine.encode(NAMES), requests(), temperature)
    assert pair.decode(pair.engine.encode(NAMES), requests(), temperature) == want
    assert pair.count.proposed == 0


def test_models_that_do_not_fit():
    draft = ToyEngine()
    draft.config = SimpleNamespace(vocab_size=EOT, num_mel_bins=80)
    with pytest.raises(BadInput, match="10 tokens, the main one 24"):
        PairedEngine(ToyEngine(), draft)


def test_nan_ends_the_text():
    _alone, pair = searches(0.3, end_bias=-50.0)
    logits = pair.engine.main.logits
    pair.engine.main.logits = lambda name, text: logits(name, text) * (np.nan if len(text) > 4 else 1)
    found = pair.decode(pair.engine.encode(NAMES), requests(), 0.0)
    assert all(np.isnan(one.avg_logprob) and len(one.tokens) <= 2 for one in found)


def test_a_given_beginning_is_part_of_the_text():
    alone, pair = searches(0.3)
    asked = requests((2, SOT, 3, 5, 6), given=2)
    want = alone.decode(alone.engine.encode(NAMES), asked, 0.0)
    got = pair.decode(pair.engine.encode(NAMES), asked, 0.0)
    assert [one.tokens for one in got] == [one.tokens for one in want]
    assert all(one.tokens[:2] == (5, 6) for one in got)
