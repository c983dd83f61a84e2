"""The torch reference of the wav2vec 2.0 family against transformers, on tiny random nets of each kind."""

import numpy as np
import pytest
import torch

from sonant.errors import UnsupportedCheckpoint
from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import AdapterWeights, Wav2Vec2ForCTC
from sonant.models.wav2vec2.pretrain_torch import Wav2Vec2ForPreTraining, sample_masks, sample_negatives

TINY = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [32] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 20,
    "codevector_dim": 16,
    "proj_codevector_dim": 12,
    "num_codevectors_per_group": 10,
}
LARGE = TINY | {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
KINDS = {"base": TINY, "large": LARGE, "mms": LARGE | {"adapter_attn_dim": 16}}


def batch(seed=0, lengths=(16000, 9000)):
    """Noise of unequal lengths, zero-padded."""
    generator = torch.Generator().manual_seed(seed)
    waveforms = torch.randn(len(lengths), max(lengths), generator=generator)
    for row, length in enumerate(lengths):
        waveforms[row, length:] = 0
    return waveforms, torch.tensor(lengths)


def ours(kind):
    torch.manual_seed(0)
    return Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(KINDS[kind])).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_its_members_give_alone(kind):
    net = ours(kind)
    waveforms, lengths = batch(lengths=(16000, 9000, 12345))
    with torch.no_grad():
        together, frames = net(waveforms, lengths)
        for row, length in enumerate(lengths.tolist()):
            alone, (count,) = net(waveforms[row : row + 1, :length], lengths[row : row + 1])
            assert count == frames[row] == net.config.frames(length)
            torch.testing.assert_close(together[row, :count], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_the_same_in_training(kind):
    net = ours(kind)
    waveforms, lengths = batch(lengths=(16000, 9000, 500))
    with torch.no_grad():
        still, frames = net(waveforms, lengths)
        learning, _ = net.train()(waveforms, lengths)
    for row, count in enumerate(frames.tolist()):
        torch.testing.assert_close(learning[row, :count], still[row, :count], rtol=1e-4, atol=1e-5)


def test_adapters_of_each_row_equal_the_ones_in_the_module():
    net = ours("mms")
    waveforms, lengths = batch()
    layers = [layer.adapter_layer for layer in net.wav2vec2.encoder.layers]

    def stacked(pick):
        return torch.stack([torch.stack([pick(layer)] * 2) for layer in layers])

    adapters = AdapterWeights(
        stacked(lambda a: a.norm.weight),
        stacked(lambda a: a.norm.bias),
        stacked(lambda a: a.linear_1.weight),
        stacked(lambda a: a.linear_1.bias),
        stacked(lambda a: a.linear_2.weight),
        stacked(lambda a: a.linear_2.bias),
    )
    with torch.no_grad():
        torch.testing.assert_close(net(waveforms, lengths, adapters)[0], net(waveforms, lengths)[0])


def test_heads_of_unequal_width_are_filled_with_minus_infinity():
    net = ours("base")
    waveforms, lengths = batch()
    weight, bias = net.lm_head.weight, net.lm_head.bias
    with torch.no_grad():
        logits, _ = net(waveforms, lengths, heads=[(weight, bias), (weight[:7], bias[:7])])
        torch.testing.assert_close(logits[0], net(waveforms, lengths)[0][0])
    assert torch.isneginf(logits[1, :, 7:]).all()


def test_a_group_norm_net_ignores_what_lies_in_the_padding_frames():
    net = ours("base")
    waveforms, lengths = batch()
    longer = torch.cat([waveforms, torch.zeros(2, 5000)], 1)
    with torch.no_grad():
        short, frames = net(waveforms, lengths)
        padded, _ = net(longer, lengths)
    for row, count in enumerate(frames.tolist()):
        torch.testing.assert_close(padded[row, :count], short[row, :count], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hidden_act": "relu"}, "relu"),
        ({"add_adapter": True}, "add_adapter"),
        ({"feat_extract_norm": "batch"}, "batch"),
    ],
)
def test_an_unknown_setting_is_named(change, word):
    with pytest.raises(UnsupportedCheckpoint, match=word):
        Wav2Vec2Config.from_hf(TINY | change)


def test_published_shapes_have_20_ms_frames_of_25_ms():
    config = Wav2Vec2Config()
    assert (config.samples_per_frame, config.receptive_field) == (320, 400)
    assert config.frames(16000) == 49
    assert config.frames(399) == 0
    assert config.frames(400) == 1


def test_masks_and_negatives_stay_inside_their_utterance():
    config = Wav2Vec2Config.from_hf(TINY | {"mask_time_prob": 0.65})
    frames = np.array([120, 40, 11])
    masked = sample_masks(frames, config, np.random.default_rng(0))
    assert not any(masked[row, count:].any() for row, count in enumerate(frames))
    assert masked.any(1).all()
    negatives = sample_negatives(masked, 8, np.random.default_rng(1))
    rows, places = np.nonzero(masked)
    chosen = negatives[rows, places]
    assert (chosen // masked.shape[1] == rows[:, None]).all()
    assert (chosen % masked.shape[1] != places[:, None]).all()
    assert masked.ravel()[chosen].all()


@pytest.mark.peers
@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_hidden_states_equal_transformers(kind):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    reference = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**KINDS[kind])).eval()
    net = Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(reference.config.to_dict())).eval()
    net.load_state_dict(reference.state_dict(), strict=True)
    waveforms, lengths = batch()
    with torch.no_grad():
        heard = net.wav2vec2(waveforms, lengths)
        logits = net.lm_head(heard.last)
        for row, length in enumerate(lengths.tolist()):
            expected = reference(waveforms[row : row + 1, :length], output_hidden_states=True)
            count = heard.frames[row]
            torch.testing.assert_close(logits[row, :count], expected.logits[0], rtol=1e-4, atol=1e-5)
            assert len(heard.states) == len(expected.hidden_states)
            for state, wanted in zip(heard.states, expected.hidden_states, strict=True):
                torch.testing.assert_close(state[row, :count], wanted[0], rtol=1e-4, atol=1e-4)


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["base", "large"])
def test_pretraining_losses_equal_transformers(kind):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(2)
    reference = transformers.Wav2Vec2ForPreTraining(transformers.Wav2Vec2Config(**KINDS[kind])).eval()
    config = Wav2Vec2Config.from_hf(reference.config.to_dict())
    net = Wav2Vec2ForPreTraining(config).eval()
    net.load_state_dict(reference.state_dict(), strict=True)
    waveforms, lengths = batch(lengths=(16000, 16000))
    random = np.random.default_rng(3)
    masked = sample_masks(np.array([49, 49]), config, random)
    negatives = sample_negatives(masked, 5, random)
    with torch.no_grad():
        found = net(waveforms, lengths, torch.from_numpy(masked), torch.from_numpy(negatives))
        expected = reference(
            waveforms,
            mask_time_indices=torch.from_numpy(masked),
            sampled_negative_indices=torch.from_numpy(negatives),
        )
    torch.testing.assert_close(found.predicted, expected.projected_states, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.quantised, expected.projected_quantized_states, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.perplexity, expected.codevector_perplexity, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.contrastive, expected.contrastive_loss, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found.loss, expected.loss, rtol=1e-4, atol=1e-3)
