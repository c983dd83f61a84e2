"""Options: what is refused and how it is said, and that none of the references' is missing."""

import dataclasses
import inspect

import pytest

from sonant.decode.options import TranscribeOptions
from sonant.errors import BadInput, UnknownName


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"task": "summarise"}, "transcribe, translate"),
        ({"temperature": (-0.1,)}, "0 to 2"),
        ({"temperature": ()}, "one or more"),
        ({"beam_size": 0}, "beam_size is 0"),
        ({"patience": 1.0}, "needs|give both"),
        ({"length_penalty": 1.5}, "0 to 1"),
        ({"length_power": -1}, "length_power"),
        ({"length_power": 1, "length_penalty": 1}, "give one"),
        ({"clip_timestamps": (5.0, 2.0)}, "in order"),
        ({"clip_timestamps": (-1.0,)}, "from the start"),
        ({"hallucination_silence_threshold": 2.0}, "word_timestamps=True"),
        ({"carry_initial_prompt": True}, "initial_prompt"),
        ({"max_initial_timestamp": 31.0}, "30 seconds"),
        ({"batch_size": 0}, "1 or more"),
        ({"mel_floor": "none"}, "file, window"),
        ({"language": "de", "languages": ("en", "pl")}, "not among"),
        ({"language": "klingon"}, "unknown language"),
    ],
)
def test_refused(changes, part):
    with pytest.raises(BadInput, match=part):
        TranscribeOptions(**changes)


def test_one_form_for_each_value():
    options = TranscribeOptions(
        language="Polish",
        temperature=[0.0, 0.5],
        clip_timestamps="1, 2.5,4",
        suppress_tokens="-1,50",
        languages=["EN", "pl"],
    )
    assert (options.language, options.temperatures, options.languages) == ("pl", (0.0, 0.5), ("en", "pl"))
    assert options.clip_timestamps == (1.0, 2.5, 4.0)
    assert TranscribeOptions(clip_timestamps="0").clip_timestamps == ()  # the whole
    assert options.suppress_tokens == (-1, 50)
    assert TranscribeOptions(language="auto").language is None
    assert TranscribeOptions(temperature=0).temperatures == (0.0,)
    assert hash(TranscribeOptions(vad_parameters={"threshold": 0.4})) != hash(TranscribeOptions())
    with pytest.raises(BadInput, match="comma"):
        TranscribeOptions(clip_timestamps="now")


def test_changed_names_the_nearest_option():
    with pytest.raises(UnknownName, match="nearest: beam_size"):
        TranscribeOptions().changed(beamsize=3)


HOW_TO_RUN = {"self", "audio", "model", "verbose", "decode_options", "log_progress", "fp16", "chunk_length"}
RENAMED = {"log_prob_threshold": "logprob_threshold", "sample_len": "max_new_tokens", "prompt": "initial_prompt"}


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_every_option_of_the_references_is_here():
    whisper, faster = pytest.importorskip("whisper"), pytest.importorskip("faster_whisper")
    theirs = set(inspect.signature(whisper.transcribe).parameters)
    theirs |= set(inspect.signature(faster.WhisperModel.transcribe).parameters)
    theirs |= set(inspect.signature(faster.BatchedInferencePipeline.transcribe).parameters)
    theirs |= {field.name for field in dataclasses.fields(whisper.DecodingOptions)}
    ours = {field.name for field in dataclasses.fields(TranscribeOptions)}
    assert {RENAMED.get(name, name) for name in theirs - HOW_TO_RUN} <= ours
