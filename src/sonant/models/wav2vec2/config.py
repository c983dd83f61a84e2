"""What a wav2vec 2.0 network is made of, read from a Hugging Face ``config.json``.

Two kinds of feature encoder are in use and they ask for different care (Baevski et al. 2020, section 4.1; fairseq
``wav2vec2_base`` and ``wav2vec2_large`` recipes): ``group`` normalises the first convolution over time and was trained
without an attention mask (base-960h); ``layer`` normalises every convolution over channels and was trained with one
(XLSR, MMS).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sonant.errors import BadInput, UnsupportedCheckpoint

__all__ = ["HEADS", "SAMPLE_RATE", "Wav2Vec2Config"]

HEADS = {  # by the class that Hugging Face's config.json names
    "Wav2Vec2ForCTC": "ctc",
    "Wav2Vec2ForSequenceClassification": "classifier",
    "Wav2Vec2ForPreTraining": "pretraining",
    "Wav2Vec2Model": "none",
}
WHAT_FOR = {
    "ctc": "recognition (Wav2Vec2ForCTC)",
    "classifier": "classification (Wav2Vec2ForSequenceClassification)",
    "pretraining": "pretraining, which gives features and units (Wav2Vec2ForPreTraining)",
    "none": "features alone (Wav2Vec2Model)",
}
SAMPLE_RATE = 16_000  # Hz; every published checkpoint of the family


@dataclass(frozen=True, slots=True)
class Wav2Vec2Config:
    """Shapes and switches; the names and defaults are those of Hugging Face's config.json.

    Attributes:
        vocab_size: symbols of the CTC head, blank included.
        hidden_size: width of the transformer.
        num_hidden_layers: transformer layers.
        num_attention_heads: heads a layer.
        intermediate_size: width of the feed-forward part.
        conv_dim: channels of each convolution of the feature encoder.
        conv_kernel: its kernel sizes.
        conv_stride: its strides; their product is the samples per frame (320 = 20 ms).
        conv_bias: whether the convolutions have a bias.
        feat_extract_norm: "group" or "layer", see above.
        do_stable_layer_norm: True for pre-norm layers (large models), False for post-norm (base).
        num_conv_pos_embeddings: kernel of the positional convolution.
        num_conv_pos_embedding_groups: its groups.
        layer_norm_eps: of every LayerNorm.
        adapter_attn_dim: width of the language adapters (MMS), 0 for none.
        pad_token_id: the CTC blank.
        head: what reads the transformer: "ctc", "classifier" (language identification), "pretraining", or "none".
        labels: names of a classifier's classes, in order.
        classifier_proj_size: width that a classifier averages over time.
        num_codevectors_per_group: V of the product quantiser (pretraining).
        num_codevector_groups: G of the product quantiser.
        codevector_dim: width of a quantised vector.
        proj_codevector_dim: width of the space where the contrastive loss is taken.
        num_negatives: distractors a masked frame.
        contrastive_logits_temperature: kappa of the contrastive loss.
        diversity_loss_weight: alpha of the diversity loss.
        mask_time_prob: share of frames masked in training.
        mask_time_length: frames a mask span.
    """

    vocab_size: int = 32
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    feat_extract_norm: str = "group"
    do_stable_layer_norm: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    layer_norm_eps: float = 1e-5
    adapter_attn_dim: int = 0
    pad_token_id: int = 0
    head: str = "ctc"
    labels: tuple[str, ...] = ()
    classifier_proj_size: int = 256
    num_codevectors_per_group: int = 320
    num_codevector_groups: int = 2
    codevector_dim: int = 256
    proj_codevector_dim: int = 256
    num_negatives: int = 100
    contrastive_logits_temperature: float = 0.1
    diversity_loss_weight: float = 0.1
    mask_time_prob: float = 0.05
    mask_time_length: int = 10

    def __post_init__(self) -> None:
        """Check what the network relies on.

        Raises:
            UnsupportedCheckpoint: a setting that no code here covers.
        """
        if self.feat_extract_norm not in ("group", "layer"):
            raise UnsupportedCheckpoint(f"feat_extract_norm is {self.feat_extract_norm!r}; known: group, layer")
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride):
            raise UnsupportedCheckpoint(
                f"conv_dim, conv_kernel and conv_stride have {len(self.conv_dim)}, {len(self.conv_kernel)} and "
                f"{len(self.conv_stride)} entries; they must agree"
            )
        if self.hidden_size % self.num_attention_heads:
            raise UnsupportedCheckpoint(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )

    @classmethod
    def from_hf(cls, config: Mapping[str, Any]) -> Wav2Vec2Config:
        """Read a parsed config.json.

        Raises:
            UnsupportedCheckpoint: another activation, or the convolutional adapter of speech translation models.
        """
        for key, wanted in (
            ("hidden_act", "gelu"),
            ("feat_extract_activation", "gelu"),
            ("add_adapter", False),
            ("use_weighted_layer_sum", False),
        ):
            if config.get(key, wanted) != wanted:
                raise UnsupportedCheckpoint(f"{key} is {config[key]!r}; this family's network has {wanted!r}")
        known = {field.name for field in fields(cls)} - {"head", "labels"}
        values = {key: value for key, value in config.items() if key in known and value is not None}
        for key in ("conv_dim", "conv_kernel", "conv_stride"):
            if key in values:
                values[key] = tuple(values[key])
        head = _head(config)
        if head == "classifier":
            named = {int(key): str(label) for key, label in (config.get("id2label") or {}).items()}
            if sorted(named) != list(range(len(named))) or not named:
                raise UnsupportedCheckpoint("id2label of the classifier has gaps or is missing; it names the classes")
            values["labels"] = tuple(named[index] for index in range(len(named)))
        return cls(head=head, **values)

    def need(self, head: str) -> None:
        """Refuse a call that the checkpoint has no head for.

        Raises:
            BadInput: says which head there is and which one is needed.
        """
        if self.head != head:
            raise BadInput(
                f"this checkpoint is for {WHAT_FOR[self.head]}; what was asked for needs one for {WHAT_FOR[head]}"
            )

    @property
    def samples_per_frame(self) -> int:
        """Samples from one frame to the next: 320, 20 ms, in every published checkpoint."""
        return math.prod(self.conv_stride)

    @property
    def receptive_field(self) -> int:
        """Samples that one frame is computed from: 400, 25 ms, in every published checkpoint."""
        field, jump = 1, 1
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            field += (kernel - 1) * jump
            jump *= stride
        return field

    def frames(self, samples: int) -> int:
        """Frames that the feature encoder makes of so many samples; 0 when there are too few for one."""
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
            if samples <= 0:
                return 0
        return samples


def _head(config: Mapping[str, Any]) -> str:
    """The head that ``architectures`` names; CTC where it is left out.

    Raises:
        UnsupportedCheckpoint: a head that no code here covers.
    """
    for architecture in config.get("architectures") or ["Wav2Vec2ForCTC"]:
        if architecture in HEADS:
            return HEADS[architecture]
    raise UnsupportedCheckpoint(
        f"architectures is {config['architectures']}; of the wav2vec 2.0 family sonant runs {', '.join(HEADS)}"
    )
