"""Random weights of the full published shapes of the wav2vec 2.0 family, against transformers."""

import gc

import pytest
import torch

from sonant.models.wav2vec2.config import Wav2Vec2Config
from sonant.models.wav2vec2.net_torch import Wav2Vec2ForCTC

LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
# Sizes from the published config.json files; the vocabulary of MMS is that of one adapter language.
PUBLISHED = {
    "wav2vec2-base-960h": ({"vocab_size": 32}, 94.4e6),
    "xlsr-53-polish": (LARGE | {"vocab_size": 41}, 315.5e6),
    "mms-1b-all": (
        LARGE
        | {
            "hidden_size": 1280,
            "num_hidden_layers": 48,
            "intermediate_size": 5120,
            "vocab_size": 154,
            "adapter_attn_dim": 16,
        },
        964.6e6,
    ),
}


@pytest.mark.peers
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_shapes_equal_transformers(name):
    transformers = pytest.importorskip("transformers")
    settings, parameters = PUBLISHED[name]
    torch.manual_seed(0)
    reference = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**settings)).eval()
    assert sum(parameter.numel() for parameter in reference.parameters()) == pytest.approx(parameters, rel=0.002)
    with torch.device("meta"):
        net = Wav2Vec2ForCTC(Wav2Vec2Config.from_hf(reference.config.to_dict()))
    net.load_state_dict(reference.state_dict(), strict=True, assign=True)  # the same memory: 3.9 GB once, not twice
    net.eval()
    waveforms = torch.randn(2, 24000)
    lengths = torch.tensor([24000, 15000])
    waveforms[1, 15000:] = 0
    with torch.no_grad():
        heard = net.wav2vec2(waveforms, lengths)
        logits = net.lm_head(heard.last)
        for row, length in enumerate(lengths.tolist()):
            expected = reference(waveforms[row : row + 1, :length], output_hidden_states=True)
            count = int(heard.frames[row])
            for found, wanted in [
                (logits[row], expected.logits[0]),
                *((state[row], wanted[0]) for state, wanted in zip(heard.states, expected.hidden_states, strict=True)),
            ]:
                error = (found[:count] - wanted).norm() / wanted.norm()
                assert error < 1e-4
    del reference, net
    gc.collect()
